"""The image experiment in a few numbers for each alpha."""

from typing import TYPE_CHECKING, Any

import numpy as np

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
        chi2_...: medians over runs.
    """
    rows = []
    for k, alpha in enumerate(data.alpha.values):
        one = data.isel(alpha=k)
        last = one.isel(epoch=-1)
        row: dict[str, Any] = {"alpha": float(alpha)}
        row |= {name: float(last[name].mean()) for name in ("accuracy", "loss_id", "loss_sim")}
        row |= {"accuracy_low": float(last.accuracy.min()), "accuracy_high": float(last.accuracy.max())}
        row |= _best(one, "")
        row["at"] = {}
        for share in _COMPARED:
            place = int(np.abs(data["share"].values - share).argmin())
            told: dict[str, Any] = {"share": float(data["share"][place])}
            for name in ("p_s", "p_i"):
                low, high = (float(one[f"{name}_{end}"][place]) for end in ("low", "high"))
                told[name] = float(one[name].mean("run")[place])
                told[f"{name}_interval"] = [low, high]
                first = [float(data[f"{name}_{end}"][0, place]) for end in ("low", "high")]
                told[f"{name}_is"] = "above" if low > first[1] else "below" if high < first[0] else "overlap"
            row["at"][f"{share:g}"] = told
        for name in ("p_s", "p_i"):
            above = (one[f"{name}_low"] > data[f"{name}_high"][0]).values
            below = (one[f"{name}_high"] < data[f"{name}_low"][0]).values
            row[f"separate_{name}"] = {"above": float(above.mean()), "below": float(below.mean())}
        if "held_p_s" in data:
            row |= _best(one, "held_")
        row |= _correlations(one)
        row |= {str(name): float(one[name].median()) for name in data if str(name).startswith("chi2_")}
        rows.append(row)
    return rows


def _best(one: "xarray.Dataset", which: str) -> dict[str, Any]:
    path = one[f"{which}p_s"].mean("run").values
    best = int(path.argmax())
    most = 1 - float(one[f"{which}tie_rate"].mean()) / 2
    return {
        f"{which}best_p_s": float(path[best]),
        f"{which}best_p_s_interval": [float(one[f"{which}p_s_{end}"][best]) for end in ("low", "high")],
        f"{which}best_share": float(one["share"][best]),
        f"{which}most_p_s": most,
    }


def _correlations(one: "xarray.Dataset") -> dict[str, float]:
    tree, trained = one.tree_distance.values, one.trained.values.astype(bool)
    upper = np.triu(np.ones(tree.shape, bool), 1)
    both = trained[:, None] & trained[None]
    found = {}
    for name, which in (("tree_correlation", upper & both), ("held_tree_correlation", upper & ~both)):
        if which.sum() > 2:
            each = [np.corrcoef(x[which], tree[which])[0, 1] for x in one.class_distance.values]
            found[name] = float(np.mean(each))
    return found
