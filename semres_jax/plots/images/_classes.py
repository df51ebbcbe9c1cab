"""Pictures of image networks: distances of classes against the tree, predictions against measurements."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.plots import _style as style
from semres_jax.plots._labels import label
from semres_jax.plots._style import COLOURS, DASHES, GREY
from semres_jax.plots.images._looks import ACCURACIES, alpha_text, entry, under

if TYPE_CHECKING:
    import xarray
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# The largest alpha whose distances are shown: at 1 nothing tells classes apart.
_MOST_ALPHA = 0.95
# Pairs with error bars, and pairs that are named besides the closest one of the tree.
_MOST_BARS, _OUTLIERS = 300, 2
# Marks of equal tree distance stand beside each other, in points from their place.
_ASIDE = 2.0
_CHI2 = {
    "chi2_p_s": "$p_S$: law",
    "chi2_p_s_theorem_1": "$p_S$: theorem 1",
    "chi2_p_s_no_tree": "$p_S$: law, tree shuffled",
    "chi2_p_s_no_class": "$p_S$: law, labels shuffled",
    "chi2_p_i": "$p_I$: law",
    "chi2_p_i_no_class": "$p_I$: law, labels shuffled",
}


@style.settable
def resnet_distances(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Mean embedding distance of every two classes against their distance on the tree, for up to three alphas.

    Bars are standard deviations over runs. Pairs with a held-out class stand a little to the right of their place, the
    others to the left. The dashed line is proportional to the tree's distances, which the loss of distances asks for;
    the dotted one is the mean distance of two images of one trained class; r in the titles is the correlation over
    pairs, mean over runs. Arguments as for `resnet_alpha`.
    """
    chosen = _some(data.alpha.values)
    figure = figure or style.new_figure(2.9 * len(chosen) + 1.7, 3.3)
    made = figure.subplots(1, len(chosen), sharex=True, sharey=True, squeeze=False)[0]
    drawn = [_pairs(ax, data.isel(alpha=place)) for ax, place in zip(made, chosen, strict=True)]
    made[0].set_ylabel("embedding distance of two classes\n(mean over images; 1: mean of all pairs)")
    entries = drawn[0][0]
    aside = "\nmarks ± 2 pt aside" if len(entries) > 3 and _few(data) else ""
    style.legend(made[-1], entries, title=_spread(data) + aside)
    made[0].set_ylim(bottom=0)
    under(made.tolist(), f"distance of two classes on the tree ({data.attrs['unit']})")
    for ax, (_, *labels) in zip(made, drawn, strict=True):
        label(ax, *labels)
    return figure


@style.settable
def resnet_law(data: "xarray.Dataset", figure: "Figure | SubFigure | None" = None) -> "Figure | SubFigure":
    """Accuracies of one half of the images against what the law makes of the other half, and how well others do.

    Left and middle: measured against predicted, every alpha and tested share, with standard errors over runs, and the
    line of equality. Right: chi square per degree of freedom, medians over runs and their range. Arguments as for
    `resnet_alpha`.
    """
    from matplotlib.ticker import MaxNLocator

    figure = figure or style.new_figure(11.6, 3.4)
    *pair, third = figure.subplots(1, 3, width_ratios=(1, 1, 1.25))
    equal: Any = None
    for ax, (name, text) in zip(pair, ACCURACIES.items(), strict=True):
        drawn: list[np.ndarray] = []
        for place in range(data.sizes["alpha"]):
            colour, mark, _ = style.look(place)
            part = data.isel(alpha=place)
            drawn += style.marks_over_runs(ax, part[f"law_{name}"], part[f"half_{name}"], colour, mark)[0]
        equal, both = style.equality(ax, drawn, 1e-3, color="black", lw=1.0)
        at = MaxNLocator(5, prune="both").tick_values(*both)
        ax.set(xticks=at, yticks=at)
        style.title(ax, text)
        symbol = text.split()[-1]
        ax.set_xlabel(f"predicted {symbol} (probability;\nlaw, first half of the images)")
        ax.set_ylabel(f"measured {symbol} (probability;\nsecond half of the images)")
    _chi_squares(third, data)
    style.title(third, "law and alternatives")
    entries = [entry(place, alpha, ls="none") for place, alpha in enumerate(data.alpha.values)]
    style.legend(third, [*entries, (equal, "the law holds")], title=style.bars(data))
    return figure


def _chi_squares(ax: "Axes", data: "xarray.Dataset") -> None:
    """Dots: a row for each prediction, in it one for each alpha."""
    there = [name for name in _CHI2 if name in data]
    count = data.sizes["alpha"]
    for row, name in enumerate(there):
        for place in range(count):
            values = data[name].isel(alpha=place).values
            y = row + 0.62 * ((place + 0.5) / count - 0.5)
            x = float(np.median(values))
            off = None if values.size == 1 else [[x - values.min()], [values.max() - x]]
            style.marks(ax, [x], [y], *style.look(place)[:2], off)
    ax.axvline(1.0, color="black", lw=1.0, zorder=1)
    for row in range(1, len(there)):
        ax.axhline(row - 0.5, color="#dddddd", lw=0.6, zorder=0)
    ax.set(xscale="log", ylim=(len(there) - 0.5, -0.5))
    ax.set_yticks(range(len(there)), [_CHI2[name] for name in there])
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("$\\chi^2$ per degree of freedom\n(median and range of runs)")


def _pairs(ax: "Axes", data: "xarray.Dataset") -> tuple[list[tuple[Any, str]], Any, Any, Any]:
    """One alpha's pairs of classes: what the legend says; points to be named, their names, and all points."""
    names, trained = data["class"].values, data.trained.values.astype(bool)
    first, second = np.triu_indices(len(names), 1)
    x = data.tree_distance.values[first, second]
    tables = data.class_distance.transpose("run", "class", "other").values
    values = tables[:, first, second]
    y = values.mean(0)
    few = _few(data)
    inside = trained[first] & trained[second]
    small = {"ms": 4} if few else {"ms": 2, "mew": 0.5}
    entries, words = [], []
    for which, text, colour, mark, side in (
        (inside, "two trained classes", COLOURS[0], "o", -1),
        (~inside, "with a held-out class", COLOURS[1], "s", 1),
    ):
        if not which.any():
            continue
        error = values[:, which].std(0, ddof=1) if len(values) > 1 and few else None
        drawn = style.marks(ax, x[which], y[which], colour, mark, None, error, **small)
        if few and inside.any() and not inside.all():
            _aside(ax, drawn, side * _ASIDE)
        entries.append((drawn, text))
        if which.sum() > 2 and np.ptp(x[which]) > 0:
            r = np.mean([np.corrcoef(run[which], x[which])[0, 1] for run in values])
            words.append(f"{'r' if which is inside else 'held out'} = {r:.2f}".replace("-", "−"))
    dense = np.geomspace(max(x[x > 0].min(), 1e-12), x.max(), 200)
    slope = y[inside].mean() / x[inside].mean() if inside.any() else y.mean() / x.mean()
    (line,) = ax.plot(dense, slope * dense, color="black", lw=1.0, ls=DASHES[1], zorder=1)
    own = float(tables[:, trained, trained].mean())
    level = ax.axhline(own, color=GREY, lw=1.0, ls=DASHES[2], zorder=1)
    entries += [(line, "proportional"), (level, "two images of one\ntrained class")]
    if (x > 0).all():
        style.plain_log(ax, "x")
    else:
        ax.set_xscale("symlog", linthresh=float(dense[0]), linscale=0.3)
        tens = np.arange(np.ceil(np.log10(dense[0])), np.log10(dense[-1]))
        style.ticks(ax, "x", [0, *10**tens])
    style.title(ax, f"{alpha_text(data.alpha)}: " + ", ".join(words) if words else alpha_text(data.alpha))
    points, texts = _named(names, first, second, x, y, slope)
    across = np.geomspace(dense[0] / 2, 2 * dense[-1], 200)
    drawn = [(x, y), (dense, slope * dense), (across, np.full(across.size, own))]
    return entries, points, texts, np.concatenate(drawn, axis=1).T


def _aside(ax: "Axes", drawn: Any, points: float) -> None:
    """Move marks and their bars to the right, not their numbers."""
    from matplotlib.transforms import ScaledTranslation

    figure: Any = ax.figure
    moved = ax.transData + ScaledTranslation(points / 72, 0, figure.dpi_scale_trans)
    line, caps, bars = drawn.lines
    for part in (line, *caps, *bars):
        part.set_transform(moved)


def _named(names: Any, first: Any, second: Any, x: Any, y: Any, slope: float) -> tuple[list[Any], list[str]]:
    """Pairs worth a name: all of one class, where only they are the farthest; the closest; those off the line."""
    far, close = np.flatnonzero(x == x.max()), int(x.argmin())
    common = [c for c in range(len(names)) if far.size > 2 and ((first[far] == c) | (second[far] == c)).all()]
    named = [(far[y[far].argmin()], f"{names[c]} and\nany other") for c in common[:1]]
    off = np.abs(y - slope * x)
    off[[*far, close]] = -1
    chosen = [close, *(k for k in np.argsort(-off)[:_OUTLIERS] if off[k] >= 0)]
    named += [(k, f"{names[first[k]]}, {names[second[k]]}") for k in chosen]
    return [(x[k], y[k]) for k, _ in named], [text for _, text in named]


def _some(alphas: np.ndarray) -> list[int]:
    """Places of the first alpha, the largest that still tells classes apart, and the one halfway."""
    last = max((k for k, alpha in enumerate(alphas) if alpha <= _MOST_ALPHA), default=0)
    middle = int(np.abs(alphas - (alphas[0] + alphas[last]) / 2).argmin())
    return sorted({0, middle, last})


def _spread(data: "xarray.Dataset") -> str:
    runs = data.sizes["run"]
    if runs == 1:
        return "one run, no bars"
    return f"bars: standard deviation\nof {runs} runs" if _few(data) else f"means of {runs} runs"


def _few(data: "xarray.Dataset") -> bool:
    """Whether there is room for a bar at every pair."""
    return data.sizes["class"] * (data.sizes["class"] - 1) // 2 <= _MOST_BARS
