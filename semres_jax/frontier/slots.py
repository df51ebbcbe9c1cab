"""Compositional codes over grids: generalization of features against identification of wholes, by product and mean."""

import itertools
from typing import Any

import numpy as np
import xarray

from semres_jax._surroundings import on_host
from semres_jax._types import ArrayLike
from semres_jax.execution import Execution
from semres_jax.frontier import _grids
from semres_jax.frontier.sweep import sweep
from semres_jax.laws import slots as laws
from semres_jax.similarity import AGGREGATES, Constant, get as family_of
from semres_jax.spaces import by_label
from semres_jax.storage.attributes import PURE, labelled


@on_host("frontier.compositional")
def compositional(
    spaces: Any,
    similarities: Any,
    ns: Any,
    *,
    slots: Any,
    aggregates: Any = AGGREGATES,
    epsilon: ArrayLike | None = None,
    delta: ArrayLike = 0.0,
    execution: Execution | None = None,
) -> xarray.Dataset:
    """Exact accuracies of S equal slots on wholes of S features, each from the same space, on a grid.

    A feature is generalized by its slot, whatever the others do: p_s is that of `sweep`. A whole is identified by the
    product or the mean of its slots' similarities: p_i is that of `laws.slots.identification`, and in closed form
    (`laws.compositional`) for the constant similarity on homogeneous spaces, where p_s_whole is known too. Items are
    drawn independently; on finite spaces features may repeat. Source: new, of this project.

    Args:
        spaces, similarities, ns, epsilon, delta: as `sweep`; spaces are those of a feature.
        slots: one or several numbers of slots S, increasing.
        aggregates: one or several of "product" and "mean".
        execution: as `sweep`; `progress` counts members of the grid.

    Returns:
        Dataset with dimensions (space, similarity, aggregate, slots, epsilon, delta, n): p_i, and p_s_whole by the
        largest distance over the features (NaN where it isn't known exactly); over all but aggregate and slots p_s of a
        feature; over all but these two, delta and n mean_b; over all but n items_at_half, the number of items at which
        p_i is 1/2 (constant similarity on homogeneous spaces; else NaN). Attributes as `sweep`.

    Raises:
        ValueError: slots below 1 or no whole numbers, an unknown aggregate; as `sweep`; heterogeneous spaces whose
            probes of all slots together are too many to integrate over (`laws.slots.identification`).

    Example:
        >>> from semres_jax import frontier
        >>> table = frontier.compositional("circle", "constant", 2, slots=[1, 2], epsilon=0.25)
        >>> table.p_s.item(), table.p_i.squeeze().values.round(4).tolist()
        (0.75, [[0.75, 0.875], [0.75, 0.7083]])
    """
    counts = _increasing([laws.require_slots(count) for count in _grids.several(_plain(slots))])
    names = [laws.require_aggregate(name) for name in _grids.several(_plain(aggregates))]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"aggregates must be one or both of {', '.join(AGGREGATES)}, each once; got {names}")
    how, places = execution or Execution(), by_label(spaces)
    families = {family.label: family for family in map(family_of, _grids.several(similarities))}
    features = sweep(places, similarities, ns, epsilon=epsilon, delta=delta, replace=True)
    coordinates = {name: features[name].values for name in ("space", "similarity", "epsilon", "delta", "n")}
    dims = ["space", "similarity", "aggregate", "slots", "epsilon", "delta", "n"]
    coordinates |= {"aggregate": names, "slots": counts}
    shape = tuple(len(coordinates[name]) for name in dims)
    p_i, whole, half = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape[:-1], np.nan)
    cells = [(i, j) for i in range(shape[0]) for j in range(shape[1])]
    for at, (i, j) in enumerate(cells):
        label, family = str(coordinates["similarity"][j]), families[str(coordinates["similarity"][j])]
        space = places[str(coordinates["space"][i])]
        own = features["resolution"].values[i] if "resolution" in features else features.epsilon.values
        if family.kind is Constant and space.homogeneous and not space.enumerable:
            p_i[i, j], whole[i, j], half[i, j] = _constant(features.mean_b.values[i, j, :, 0, 0], coordinates)
            if space.discrete:  # distances beyond the balls tie
                whole[i, j] = np.nan
        else:
            grid = family(own[:, None], features.delta.values[None])
            values = laws.equal_slots(space, grid, counts, names, [int(n) for n in features.n])
            p_i[i, j] = np.moveaxis(values, (0, 1), (2, 3))
        how.tell(f"{space.label}, {label}", at + 1, len(cells))
    del features.attrs["seconds"]  # those of the features alone
    table = features.drop_vars(["p_i", "p_s_stderr", "p_i_stderr", "var_b", "tie_rate"])
    table["mean_b"] = features.mean_b.isel(delta=0, n=0, drop=True)
    table = table.assign_coords(aggregate=names, slots=counts)
    table = table.assign(p_i=(dims, p_i), p_s_whole=(dims, whole), items_at_half=(dims[:-1], half))
    return _labelled(table)


def items_curve(table: xarray.Dataset, points: int = 49) -> xarray.Dataset:
    """p_I against the number of items where features are generalized best, by the law, of a constant similarity.

    Args:
        table: of `compositional`; of several spaces, similarities and floors the first. The resolution is that of the
            largest p_s at the first n.
        points: how many numbers of items, equal ratios from 2 to where all products have fallen to 1/2.

    Returns:
        Dataset with dimensions (aggregate, slots, n): p_i, and items_at_half over all but n. n are real numbers.

    Raises:
        ValueError: there is no closed form for the first space and similarity of the table.

    Example:
        >>> from semres_jax import frontier
        >>> from semres_jax.frontier.slots import items_curve
        >>> table = frontier.compositional("circle", "constant", 2, slots=[8], epsilon=0.25)
        >>> float(items_curve(table).n[-1].round(1)), float(items_curve(table).p_i[0, 0, -1].round(6))
        (408.5, 0.5)
    """
    part = table.isel(space=0, similarity=0, delta=0)
    part = part.isel(epsilon=int(part.p_s.isel(n=0).argmax("epsilon")))
    half = part.items_at_half
    if not np.isfinite(half).all():
        raise ValueError("the items of this sweep have no curve in closed form: that is for the constant similarity")
    n = np.geomspace(2.0, max(float(half.max()), float(table.n.max())), points)
    curves = [
        [
            laws.many_items(float(part.mean_b), n, slots=int(s), aggregate=str(a), delta=float(part.delta))
            for s in part.slots
        ]
        for a in part.aggregate.values
    ]
    curve = part[["items_at_half", "mean_b"]].assign(p_i=(("aggregate", "slots", "n"), np.array(curves)))
    return _labelled(curve.assign_coords(n=n))


def _constant(b: np.ndarray, coordinates: dict[str, Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """p_i, p_s of wholes, items at half over (aggregate, slots, epsilon, delta, n) in closed form."""
    balls, floors = b[:, None], np.asarray(coordinates["delta"])[None]
    cases = itertools.product(coordinates["aggregate"], coordinates["slots"])
    p_i, whole, half = [], [], []
    for name, count in cases:
        by_n = [
            laws.compositional(balls, slots=count, aggregate=name, n=int(n), delta=floors) for n in coordinates["n"]
        ]
        p_i.append(np.stack([own.p_i for own in by_n], axis=-1))
        whole.append(np.stack([own.whole for own in by_n], axis=-1))
        half.append(laws.items_at_half(balls, count, aggregate=name, delta=floors))
    shape = (len(coordinates["aggregate"]), len(coordinates["slots"]))
    parts = (np.stack(part) for part in (p_i, whole, half))
    return tuple(part.reshape(*shape, *part.shape[1:]) for part in parts)  # pyright: ignore[reportReturnType]


_WORDS = {
    "p_s": ("generalization p_S of a feature (probability)", PURE),
    "p_i": ("identification p_I of wholes (probability)", PURE),
    "p_s_whole": ("generalization p_S of wholes (probability)", PURE),
    "items_at_half": ("number of items at which identification of wholes is 1/2", "items"),
    "mean_b": ("mean ball measure ⟨b⟩ of a slot, share of the feature's values within ε", PURE),
    "aggregate": ("how slots are put together", ""),
    "slots": ("number of slots S", "slots"),
}


def _labelled(table: xarray.Dataset) -> xarray.Dataset:
    for name, (words, unit) in _WORDS.items():
        if name not in table:
            continue
        table[name].attrs = {"long_name": words} | ({"units": unit} if unit else {})
    return labelled(table)


def _plain(values: Any) -> Any:
    return values.tolist() if isinstance(values, np.ndarray) else values


def _increasing(counts: list[int]) -> list[int]:
    if not counts or sorted(set(counts)) != counts:
        raise ValueError(f"slots must be one or more numbers of slots, increasing; got {counts}")
    return counts
