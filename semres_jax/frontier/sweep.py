"""Accuracies over grids of resolutions, floors, numbers of items, similarities and spaces, in few compiled calls."""

import dataclasses
import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray

from semres_jax import _memory
from semres_jax._checks import require_items
from semres_jax._random import key_or_default
from semres_jax._surroundings import on_host
from semres_jax._types import ArrayLike
from semres_jax.execution import Execution
from semres_jax.frontier import _grids, _parts
from semres_jax.laws import closed_form, enumeration, quadrature
from semres_jax.montecarlo import sharding
from semres_jax.montecarlo.estimate import DEFAULT_TRIALS
from semres_jax.similarity import get as family_of
from semres_jax.spaces import by_label, neighbours
from semres_jax.spaces.base import MetricSpace
from semres_jax.storage.attributes import PURE, labelled
from semres_jax.storage.fingerprints import fingerprint
from semres_jax.storage.results import provenance
from semres_jax.storage.resume import Saved

METHODS = ("exact", "lattice", "prng")
_MOMENTS = ("mean_b", "var_b")
_NUMBERS = ("p_s", "p_i", "p_s_stderr", "p_i_stderr", *_MOMENTS)


@on_host("frontier.sweep")
def sweep(
    spaces: Any,
    similarities: Any,
    ns: Any,
    *,
    epsilon: ArrayLike | None = None,
    delta: ArrayLike = 0.0,
    exponent: ArrayLike = 1.0,
    method: str = "exact",
    trials: int | None = None,
    key: Any = None,
    replace: bool = False,
    execution: Execution | None = None,
) -> xarray.Dataset:
    """p_S and p_I on a grid of spaces, similarities, resolutions, floors and numbers of items.

    Exactly, one program serves a space and a kind of similarity: all resolutions, floors and (by quadrature) numbers of
    items. New numbers compile nothing. Work is spread over the cores, devices and hosts; the numbers are the same bits
    whatever there is of them.

    Args:
        spaces: one or several `MetricSpace`, or names of them, or a dict of them by the label to show.
        similarities: one or several names ("linear", "powerlaw(3)"), classes, or similarities, whose epsilon and delta
            the grid replaces.
        ns: one or several numbers of items, each at least 2.
        epsilon: resolutions, increasing, at least 0, in the unit of each space's distances; None: 101 from 0 to the
            diameter of each space (of one without bounds: to the distance that 99 of 100 pairs are within).
        delta: floors, increasing, in [0, 1].
        exponent: Luce exponents, at least 0, infinity included; several of them, increasing, make one more dimension.
        method: "exact" (`laws.accuracy`), or Monte Carlo by "lattice" or "prng" (`estimate`).
        trials: of Monte Carlo, for each space, similarity, n and exponent; default 2^20.
        key: JAX random key of Monte Carlo; default that of seed 0. Cells draw from keys of their own, so that p_s and
            p_i of a cell are the same whatever else is swept.
        replace: on finite spaces, whether stimuli may repeat.
        execution: how to run. Closed forms and counts use one device; `progress` counts members of the grid;
            `finished` is called with the dataset so far (NaN where not done yet) after each part; with `saved` finished
            parts aren't computed again, a simulation in the making goes on, to the bits of a sweep never stopped.

    Returns:
        Dataset with dimensions (space, similarity, epsilon, delta, n), and exponent where there are several. Without
        `epsilon`, for spaces of different diameters, the coordinate epsilon is the share of the diameter, and
        `resolution` over (space, epsilon) has the resolutions in the unit of each space. Variables
        p_s, p_i; p_s_stderr, p_i_stderr, standard errors, 0 where exact; mean_b, var_b, over the probes the moments of
        b_p(epsilon), exact where there is a formula (on finite spaces with distinct items of the share of the others);
        tie_rate over (space, n), NaN where it is not known. Attributes: versions, commit, device, key, method, seconds.
        All have `long_name`, numbers `units`.

    Raises:
        ValueError: a grid that is empty, not increasing or out of range; an unknown similarity or method; a space on
            which no exact engine applies; what was saved is of another run.

    Example:
        >>> import numpy as np
        >>> from semres_jax import Constant, frontier, spaces
        >>> table = frontier.sweep(spaces.Circle(), Constant, [2, 3], epsilon=np.linspace(0, 0.5, 5))
        >>> table.p_s.sel(n=2).values.ravel().tolist()
        [0.5, 0.6875, 0.75, 0.6875, 0.5]
    """
    places = by_label(spaces)
    named = [family_of(similarity) for similarity in _grids.several(similarities)]
    families = {family.label: family for family in named}
    counts = [require_items(n) for n in (ns if isinstance(ns, (list, tuple)) else np.ravel(ns).tolist())]
    if not (places and families and counts):
        raise ValueError("a sweep needs at least one space, one similarity and one n")
    for what, labels in (("similarities", [family.label for family in named]), ("ns", counts)):
        if len(set(labels)) < len(labels):
            raise ValueError(f"{what} must differ; got {labels}")
    epsilons, grids = _grids.resolutions(epsilon, places)
    deltas = _grids.grid("delta", delta, 1.0, "a floor between 0 and 1")
    powers = _grids.exponents(exponent)
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    key, how = key_or_default(key), execution or Execution()
    devices = sharding.resolve(how.devices)
    members = [tuple(x.ravel() for x in np.meshgrid(own, deltas, indexing="ij")) for own in grids]
    size = len(epsilons) * len(deltas)
    parts = _parts.cut(places, families, counts, powers, members, method, replace)
    table = _empty(places, families, epsilons, grids, deltas, counts, powers)
    options: dict[str, Any] = {"method": method, "key": str(jax.random.key_data(key).tolist()), "replace": int(replace)}
    if method != "exact":
        options["trials"] = int(trials if trials is not None else DEFAULT_TRIALS)
    table.attrs |= provenance() | {"device": devices[0].device_kind} | options
    saved = how.saved or Saved(None)
    saved.open({"run": "sweep"} | options | _settings(places, families, epsilons, deltas, counts, powers))
    known = [_describe(table, i, space, grids[i], counts, replace) for i, space in enumerate(places.values())]
    planned, done = size * len(places) * len(families) * len(powers), 0

    def enter(part: _parts.Part, numbers: np.ndarray) -> None:
        nonlocal done
        for name, values in zip(_NUMBERS, numbers, strict=True):
            if name in _MOMENTS and (method == "exact" or known[part.at[0]]):
                continue
            target = table[name].values.reshape(*table[name].shape[:2], size, len(counts), -1)
            target[part.at[0], part.at[1], part.members, part.columns, part.at[2]] = values
        done += len(numbers[0]) * len(range(*part.columns.indices(len(counts)))) / len(counts)
        table.attrs["seconds"] = round(saved.seconds, 3)
        how.tell(part.what, round(done), planned)

    def keep(part: _parts.Part, numbers: np.ndarray) -> None:
        enter(part, numbers)
        saved.finish(part.name, {"numbers": numbers}, table)
        if how.finished is not None:
            how.finished(table)

    waiting = []
    for part in parts:
        there = saved.finished(part.name)
        if there is None:
            waiting.append(part)
        else:
            enter(part, there["numbers"])
    if method == "exact":
        under_way = lambda part, share: how.tell(part.what, round(done + share * len(part.epsilon)), planned)  # noqa: E731
        _parts.compute(waiting, devices, keep, under_way)
    else:
        for part in waiting:
            keep(part, part.simulate(key, method, trials, dataclasses.replace(how, saved=saved)))
    table.attrs["seconds"] = round(saved.seconds, 3)
    return table


def _settings(places, families, epsilons, deltas, counts, powers) -> dict[str, Any]:
    return {
        "n": counts,
        "exponent": [repr(power) for power in powers],
        "delta": deltas,
        "epsilon": epsilons,
        "space": {label: fingerprint(space) for label, space in places.items()},
        "similarity": {label: fingerprint(make(0.5, 0.25)) for label, make in families.items()},
    }


def _empty(places, families, epsilons, grids, deltas, counts, powers) -> xarray.Dataset:
    dims: dict[str, Any] = {
        "space": list(places),
        "similarity": list(families),
        "epsilon": epsilons,
        "delta": deltas,
        "n": counts,
    }
    if len(powers) > 1:
        dims["exponent"] = powers
    shape = tuple(len(values) for values in dims.values())
    _memory.require(100 * math.prod(shape), "the numbers of this sweep")
    full = {name: (tuple(dims), np.full(shape, np.nan)) for name in ("p_s", "p_i", "p_s_stderr", "p_i_stderr")}
    over = {name: (tuple(dims), np.full(shape, np.nan)) for name in ("mean_b", "var_b")}
    ties = {"tie_rate": (("space", "n"), np.full((len(places), len(counts)), np.nan))}
    table = xarray.Dataset(full | over | ties, coords=dims)
    if (grids != epsilons).any():
        table["resolution"] = (("space", "epsilon"), grids)
        table.epsilon.attrs |= {"long_name": "resolution as a share of the space's diameter", "units": PURE}
    if len(powers) == 1:
        table.attrs["exponent"] = powers[0]
    return labelled(table)


def _describe(table: xarray.Dataset, i: int, space: MetricSpace, epsilons: np.ndarray, counts, replace: bool) -> bool:
    """What the space alone decides: moments of its balls, and how often items tie. Are the moments known?"""
    moments = _moments(space, epsilons, replace)
    if moments is not None:
        for name, values in zip(("mean_b", "var_b"), moments, strict=True):
            array = table[name].values
            array[i] = values.reshape(1, -1, *(1,) * (array.ndim - 3))
    for j, n in enumerate(counts):
        if not space.discrete:
            table.tie_rate.values[i, j] = 0.0
        elif space.enumerable and not (n > 2 and space.weighted and not replace):
            table.tie_rate.values[i, j] = enumeration.tie_rate(space, n=n, replace=replace)
    return moments is not None


def _moments(space: MetricSpace, epsilons: np.ndarray, replace: bool) -> tuple[np.ndarray, np.ndarray] | None:
    """Exact mean and variance of b_p(epsilon), where they are known."""
    if space.enumerable:
        return neighbours.moments(space, epsilons, replace=replace)
    if not quadrature.applies(space) or not (space.size is None or replace):
        return None
    with jax.enable_x64(True):
        mean, variance = quadrature.ball_moments(space, jnp.asarray(epsilons))
        return np.asarray(mean), np.asarray(variance)


def optima(table: xarray.Dataset) -> xarray.Dataset:
    """Where in a sweep p_S is largest over the resolutions.

    Args:
        table: of `sweep`.

    Returns:
        Dataset without the dimension epsilon: epsilon, p_s, p_i and mean_b at the largest p_S of the grid, and
        `best_b`, b*(n) of the law for the constant similarity on homogeneous spaces (`laws.optimal_ball_measure`) with
        strengths Δ^a of far items, a being the Luce exponent of the sweep; over n, delta, and exponent where there are
        several. Where Δ^a = 1, p_S is the same for all b, and `best_b` is the limit.

    Raises:
        ValueError: the table doesn't say which exponent it is of.

    Example:
        >>> import numpy as np
        >>> from semres_jax import Constant, frontier, spaces
        >>> table = frontier.sweep(spaces.Circle(), Constant, 2, epsilon=np.linspace(0, 0.5, 101))
        >>> float(frontier.optima(table).mean_b.squeeze())
        0.5
    """
    there = table.p_s.fillna(-1.0).argmax("epsilon")
    own = ["resolution"] if "resolution" in table else []
    best = table[["p_s", "p_i", "mean_b", *own]].isel(epsilon=there).reset_coords("epsilon")
    if own:  # in the unit of each space
        best = best.drop_vars("epsilon").rename(resolution="epsilon")
    powers = exponents_of(table)
    floors = table.delta.values[:, None] ** powers[None]
    unique, member = np.unique(floors, return_inverse=True)
    law = np.array([[closed_form.optimal_ball_measure(int(n), float(floor)) for floor in unique] for n in table.n])
    measures = law[:, member.reshape(floors.shape)]
    several = "exponent" in table.dims
    dims = ("n", "delta", "exponent") if several else ("n", "delta")
    return labelled(best.assign(best_b=(dims, measures if several else measures[..., 0])))


def optima_rows(table: xarray.Dataset) -> list[dict[str, Any]]:
    """One row for each space, similarity, floor, n and exponent: the best p_S of the grid and where it is."""
    best = optima(table)
    names = [name for name in ("space", "similarity", "delta", "n", "exponent") if name in best.dims]
    rows = []
    for values in itertools.product(*(best[name].values for name in names)):
        here = best.sel(dict(zip(names, values, strict=True)))
        row = {name: value.item() for name, value in zip(names, values, strict=True)}
        row |= {name: float(here[name]) for name in ("epsilon", "mean_b", "p_s", "p_i")}
        rows.append(row | {"tie_rate": float(table.tie_rate.sel(space=row["space"], n=row["n"]))})
    return rows


def exponents_of(table: xarray.Dataset) -> np.ndarray:
    """The Luce exponents of a sweep: along its dimension, or the only one.

    Raises:
        ValueError: the table doesn't say.

    Example:
        >>> from semres_jax import frontier, spaces
        >>> from semres_jax.frontier.sweep import exponents_of
        >>> exponents_of(frontier.sweep(spaces.Circle(), "constant", 2, epsilon=0.1, exponent=4.0)).tolist()
        [4.0]
    """
    known = table["exponent"].values if "exponent" in table.coords else table.attrs.get("exponent")
    if known is None:
        raise ValueError(
            "table doesn't say its Luce exponent (attributes were lost on the way: table.assign_attrs(exponent=1.0) "
            "says that it is Luce's rule)"
        )
    return np.atleast_1d(np.asarray(known, np.float64))
