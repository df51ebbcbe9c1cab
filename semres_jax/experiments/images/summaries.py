"""The image experiment in a few numbers for each alpha."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.experiments.images.table import GEOMETRY

if TYPE_CHECKING:
    import xarray

# Shares of other classes' images within ε at which alphas are compared.
_COMPARED = (0.1, 0.25, 0.5)


def summary(data: "xarray.Dataset") -> list[dict[str, Any]]:
    """One row for each alpha, means over runs.

    Keys of a row:
        alpha; accuracy, loss_id, loss_sim after the last epoch; accuracy_low and _high, the range over runs.
        best_p_s, best_share: the highest p_S over resolutions, and the share of other classes' images within that ε;
            most_p_s: 1 - tie_rate / 2, what p_S can't pass.
        at: of each share compared, p_s and p_i with [low, high] 95 % intervals over runs and images, and whether they
            are above or below those of the first alpha with no overlap: "above", "below", "overlap".
        separate_p_s, separate_p_i: shares of all resolutions at which the intervals are above, and below, the first's.
        held_best_p_s, held_best_share, held_most_p_s: of probes of held-out classes, where there are any.
        tree_correlation: of embedding and tree distances over pairs of classes; trained ones, and (held_) those with a
            held-out class.
        participation, class_participation, nc1, nc1_ratio, nc2_norms, nc2_cosines, nc2_angles, nc3, nc4: geometry of
            the test images after the last epoch (`measure.geometry`); each with its range over runs, such as nc1_range.
        chi2_...: medians over runs.
    """
    return [_row(data, k) for k in range(data.sizes["alpha"])]


def _row(data: "xarray.Dataset", place: int) -> dict[str, Any]:
    own, first = data.isel(alpha=place), data.isel(alpha=0)
    last = own.isel(epoch=-1)
    row: dict[str, Any] = {"alpha": float(own.alpha)}
    row |= {name: float(last[name].mean()) for name in ("accuracy", "loss_id", "loss_sim")}
    row |= {"accuracy_low": float(last.accuracy.min()), "accuracy_high": float(last.accuracy.max())}
    row |= _best(own, "") | {"at": {f"{share:g}": _compared(own, first, share) for share in _COMPARED}}
    for name in ("p_s", "p_i"):
        above = (own[f"{name}_low"] > first[f"{name}_high"]).values
        below = (own[f"{name}_high"] < first[f"{name}_low"]).values
        row[f"separate_{name}"] = {"above": float(above.mean()), "below": float(below.mean())}
    row |= (_best(own, "held_") if "held_p_s" in data else {}) | _correlations(own)
    for name in (name for name in GEOMETRY if name in data):
        row |= {name: float(last[name].mean()), f"{name}_range": [float(last[name].min()), float(last[name].max())]}
    return row | {str(name): float(own[name].median()) for name in data if str(name).startswith("chi2_")}


def _compared(own: "xarray.Dataset", first: "xarray.Dataset", share: float) -> dict[str, Any]:
    """Accuracies at a share, and whether they are those of the first alpha."""
    place = int(np.abs(own["share"].values - share).argmin())
    row: dict[str, Any] = {"share": float(own["share"][place])}
    for name in ("p_s", "p_i"):
        ends = (float(data[f"{name}_{end}"][place]) for data in (own, first) for end in ("low", "high"))
        low, high, least, most = ends
        row |= {name: float(own[name].mean("run")[place]), f"{name}_interval": [low, high]}
        row[f"{name}_is"] = "above" if low > most else "below" if high < least else "overlap"
    return row


def _best(own: "xarray.Dataset", which: str) -> dict[str, Any]:
    path = own[f"{which}p_s"].mean("run").values
    best = int(path.argmax())
    return {
        f"{which}best_p_s": float(path[best]),
        f"{which}best_p_s_interval": [float(own[f"{which}p_s_{end}"][best]) for end in ("low", "high")],
        f"{which}best_share": float(own["share"][best]),
        f"{which}most_p_s": 1 - float(own[f"{which}tie_rate"].mean()) / 2,
    }


def _correlations(own: "xarray.Dataset") -> dict[str, float]:
    tree, trained = own.tree_distance.values, own.trained.values.astype(bool)
    upper = np.triu(np.ones(tree.shape, bool), 1)
    both = trained[:, None] & trained[None]
    pairs = {"tree_correlation": upper & both, "held_tree_correlation": upper & ~both}
    return {
        name: float(np.mean([np.corrcoef(x[which], tree[which])[0, 1] for x in own.class_distance.values]))
        for name, which in pairs.items()
        if which.sum() > 2
    }
