"""Accuracies over grids of resolutions, floors, numbers of items, similarities and spaces, in few compiled calls."""

import concurrent.futures
import dataclasses
import os
import re
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import xarray

from semres_jax._checks import concrete, require, require_count
from semres_jax._types import ArrayLike
from semres_jax.laws import closed_form, engines, enumeration, quadrature
from semres_jax.montecarlo.estimate import estimate
from semres_jax.results import provenance
from semres_jax.similarity import KINDS, Constant, PowerLaw, Similarity
from semres_jax.spaces import get as registered
from semres_jax.spaces._base import MetricSpace

ENGINES = ("exact", "lattice", "prng")
# Members of a grid in one call of a program: whatever the size of the grid, the program is the same.
_CHUNK = 32


def sweep(
    spaces: Any,
    similarities: Any,
    ns: Any,
    *,
    epsilon: ArrayLike,
    delta: ArrayLike = 0.0,
    exponent: ArrayLike = 1.0,
    engine: str = "exact",
    trials: int | None = None,
    key: Any = None,
    replace: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
    finished: Callable[[xarray.Dataset], None] | None = None,
) -> xarray.Dataset:
    """p_S and p_I on a grid of spaces, similarities, resolutions, floors and numbers of items.

    Exactly, one program serves a space and a kind of similarity: all resolutions, floors and (by quadrature) numbers of
    items. New numbers compile nothing. Work is spread over the cores.

    Args:
        spaces: one or several `MetricSpace`, or names of them, or a dict of them by the label to show.
        similarities: one or several names ("linear", "powerlaw(3)"), classes, or similarities, whose epsilon and delta
            the grid replaces.
        ns: one or several numbers of items, each at least 2.
        epsilon: resolutions, increasing, at least 0, in the unit of each space's distances.
        delta: floors, increasing, in [0, 1].
        exponent: Luce exponents, at least 0, infinity included; several of them, increasing, make one more dimension.
        engine: "exact" (`laws.accuracy`), or Monte Carlo by "lattice" or "prng" (`estimate`).
        trials: of Monte Carlo, for each space, similarity, n and exponent; default 2^20.
        key: JAX random key of Monte Carlo; default that of seed 0. Cells draw from keys of their own, so that p_s and
            p_i of a cell are the same whatever else is swept.
        replace: on finite spaces, whether stimuli may repeat.
        progress: called with (what is being done, members done, members planned).
        finished: called with the dataset so far (NaN where not done yet) after each part.

    Returns:
        Dataset with dimensions (space, similarity, epsilon, delta, n), and exponent where there are several. Variables
        p_s, p_i; p_s_stderr, p_i_stderr, standard errors, 0 where exact; mean_b, var_b, over the probes the moments of
        b_p(epsilon), exact where there is a formula (on finite spaces with distinct items of the share of the others);
        tie_rate over (space, n), NaN where it is not known. Attributes: versions, commit, device, key, engine, seconds.

    Raises:
        ValueError: a grid that is empty, not increasing or out of range; an unknown similarity or engine; a space on
            which the engine doesn't apply.

    Example:
        >>> import numpy as np
        >>> from semres_jax import Constant, frontier, spaces
        >>> table = frontier.sweep(spaces.Circle(), Constant, [2, 3], epsilon=np.linspace(0, 0.5, 5))
        >>> table.p_s.sel(n=2).values.ravel().tolist()
        [0.5, 0.6875, 0.75, 0.6875, 0.5]
    """
    started = time.perf_counter()
    places = _by_label(spaces)
    named = [_family(one) for one in _several(similarities)]
    families = dict(named)
    counts = [require_count("n", n, 2, " (the probe needs items to choose from)") for n in np.ravel(ns).tolist()]
    if not (places and families and counts):
        raise ValueError("a sweep needs at least one space, one similarity and one n")
    for what, labels in (("similarities", [label for label, _ in named]), ("ns", counts)):
        if len(set(labels)) < len(labels):
            raise ValueError(f"{what} must differ; got {labels}")
    epsilons = _grid("epsilon", epsilon, np.inf, "a distance, at least 0")
    deltas = _grid("delta", delta, 1.0, "a floor between 0 and 1")
    powers = _exponents(exponent)
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {', '.join(ENGINES)}; got {engine!r}")
    key = jax.random.key(0) if key is None else key
    members = tuple(x.ravel() for x in np.meshgrid(epsilons, deltas, indexing="ij"))
    parts = _parts(places, families, counts, powers, members, engine, replace)
    table = _empty(places, families, epsilons, deltas, counts, powers)
    table.attrs |= provenance() | {
        "engine": engine,
        "device": jax.devices()[0].device_kind,
        "key": str(jax.random.key_data(key).tolist()),
        "replace": int(replace),
    }
    if engine != "exact":
        table.attrs["trials"] = int(trials if trials is not None else 2**20)
    known = [_describe(table, i, space, epsilons, counts, replace) for i, space in enumerate(places.values())]
    planned, done, lock = len(members[0]) * len(places) * len(families) * len(powers), 0, threading.Lock()

    def keep(part: "_Part", found: np.ndarray) -> None:
        nonlocal done
        with lock:
            for name, values in zip(("p_s", "p_i", "p_s_stderr", "p_i_stderr", "mean_b", "var_b"), found, strict=True):
                if name in ("mean_b", "var_b") and (engine == "exact" or known[part.at[0]]):
                    continue
                target = table[name].values.reshape(*table[name].shape[:2], len(members[0]), len(counts), -1)
                target[part.at[0], part.at[1], part.members, part.columns, part.at[2]] = values
            done += len(found[0]) * len(range(*part.columns.indices(len(counts)))) / len(counts)
            table.attrs["seconds"] = round(time.perf_counter() - started, 3)
            if progress is not None:
                progress(part.what, round(done), planned)
            if finished is not None:
                finished(table)

    if engine == "exact":
        _all_cores(parts, keep)
    else:
        for part in parts:
            keep(part, part.simulate(key, engine, trials))
    table.attrs["seconds"] = round(time.perf_counter() - started, 3)
    return table


class _Part(NamedTuple):
    """Some members of the grid at one space, similarity and exponent, for some of the numbers of items."""

    at: tuple[int, int, int]  # space, similarity, exponent
    what: str
    space: MetricSpace
    make: Callable[[Any, Any], Similarity]
    epsilon: np.ndarray
    delta: np.ndarray
    exponent: float
    ns: tuple[int, ...]
    replace: bool
    members: slice
    columns: slice

    def exact(self) -> np.ndarray:
        """(6, members, ns) numbers: `keep` says which; the last four are 0."""
        size = len(self.epsilon)
        padded = np.minimum(np.arange(max(_CHUNK, size)), size - 1)
        similarity = self.make(self.epsilon[padded], self.delta[padded])
        if _by_quadrature(self.space, similarity, self.ns[0], self.exponent, self.replace):
            with jax.enable_x64(True):
                found = np.asarray(quadrature.accuracies(self.space, similarity, ns=self.ns, exponent=self.exponent))
        else:
            options = {"exponent": self.exponent, "replace": self.replace}
            found = np.asarray([engines.accuracy(self.space, similarity, n=n, **options) for n in self.ns])
        values = np.moveaxis(found[:, :, :size], 0, -1)
        return np.concatenate([values, np.zeros((4, *values.shape[1:]))])

    def simulate(self, key: Any, method: str, trials: int | None) -> np.ndarray:
        own = jax.random.fold_in(key, zlib.crc32(f"{self.what}|{self.ns}|{self.exponent}".encode()))
        similarity = self.make(self.epsilon, self.delta)
        run = estimate(
            self.space,
            similarity,
            key=own,
            trials=trials,
            n=self.ns[0],
            exponent=self.exponent,
            method=method,
            replace=self.replace,
        )
        return np.stack(run[:6])[..., None]


def _parts(places, families, counts, powers, members, engine: str, replace: bool) -> list[_Part]:
    """The work, cut so that it can be spread and kept; refused before anything is computed."""
    parts = []
    for i, (label, space) in enumerate(places.items()):
        for j, (name, make) in enumerate(families.items()):
            for k, power in enumerate(powers):
                if engine == "exact":
                    for n in counts:
                        engines.engine_for(space, make(0.1, 0.0), n=n, exponent=power, replace=replace)
                exact = engine == "exact"
                # A finite space is counted, and a simulation run, for the whole grid at once; a simulation by its n.
                size = _CHUNK if exact and space.size is None else len(members[0])
                columns = [slice(0, len(counts))] if exact else [slice(c, c + 1) for c in range(len(counts))]
                for start in range(0, len(members[0]), size):
                    some = slice(start, start + size)
                    parts += [
                        _Part(
                            (i, j, k), f"{label}, {name}", space, make, members[0][some], members[1][some],
                            power, tuple(counts[own]), replace, some, own,
                        )
                        for own in columns
                    ]  # fmt: skip
    return parts


def _by_quadrature(space: MetricSpace, similarity: Similarity, n: int, exponent: float, replace: bool) -> bool:
    named = engines.engine_for(space, similarity, n=n, exponent=exponent, replace=replace)
    return named == "quadrature" and not isinstance(similarity, Constant)


def _all_cores(parts: list[_Part], keep: Callable[[_Part, np.ndarray], None]) -> None:
    """Every part, in threads (programs run without Python's lock); the first error or Ctrl-C stops the rest."""
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        waiting = {pool.submit(part.exact): part for part in parts}
        for future in concurrent.futures.as_completed(waiting):
            keep(waiting[future], future.result())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _empty(places, families, epsilons, deltas, counts, powers) -> xarray.Dataset:
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
    full = {name: (tuple(dims), np.full(shape, np.nan)) for name in ("p_s", "p_i", "p_s_stderr", "p_i_stderr")}
    over = {name: (tuple(dims), np.full(shape, np.nan)) for name in ("mean_b", "var_b")}
    ties = {"tie_rate": (("space", "n"), np.full((len(places), len(counts)), np.nan))}
    table = xarray.Dataset(full | over | ties, coords=dims)
    if len(powers) == 1:
        table.attrs["exponent"] = powers[0]
    return table


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
        elif space.size is not None and not (n > 2 and enumeration.unequal(space) and not replace):
            table.tie_rate.values[i, j] = enumeration.tie_rate(space, n=n, replace=replace)
    return moments is not None


def _moments(space: MetricSpace, epsilons: np.ndarray, replace: bool) -> tuple[np.ndarray, np.ndarray] | None:
    """Exact mean and variance of b_p(epsilon), where they are known."""
    if space.size is not None:
        return (enumeration.ball_moments if replace else enumeration.share_moments)(space, epsilons)
    if not quadrature.applies(space):
        return None
    with jax.enable_x64(True):
        mean, variance = quadrature.ball_moments(space, jnp.asarray(epsilons))
        return np.asarray(mean), np.asarray(variance)


def _by_label(spaces: Any) -> dict[str, MetricSpace]:
    if isinstance(spaces, dict):
        return spaces
    spaces = [registered(space) if isinstance(space, str) else space for space in _several(spaces)]
    found = {space.label: space for space in _several(spaces)}
    if len(found) < len(_several(spaces)):
        raise ValueError(f"spaces must have different labels; got {[s.label for s in spaces]} (give a dict of them)")
    return found


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _family(given: Any) -> tuple[str, Callable[[Any, Any], Similarity]]:
    """A label and a function of (epsilon, delta)."""
    if isinstance(given, str):
        return _named_family(given)
    if isinstance(given, type) and issubclass(given, Similarity):
        return _named_family(given.name)
    if isinstance(given, Similarity) and hasattr(given, "epsilon"):
        label = f"{given.name}({float(given.exponent):g})" if isinstance(given, PowerLaw) else given.name
        return label, lambda e, d: dataclasses.replace(given, epsilon=e, delta=d)  # pyright: ignore
    raise ValueError(
        f"similarity must be a name, a class or a similarity with a resolution; got {_shown(given)} (there are "
        f"{', '.join(_SWEPT)})"
    )


_SWEPT = tuple(name for name, kind in KINDS.items() if "epsilon" in {f.name for f in dataclasses.fields(kind)})  # pyright: ignore


def _named_family(text: str) -> tuple[str, Callable[[Any, Any], Similarity]]:
    match = re.fullmatch(r"\s*([a-z]+)\s*(?:\(\s*([^)]*)\s*\))?\s*", text)
    name, inside = (match[1], match[2]) if match else (text, None)
    if name not in _SWEPT or (inside and name != "powerlaw"):
        raise ValueError(f"unknown similarity {text!r}; there are {', '.join(_SWEPT)}, and powerlaw(EXPONENT)")
    if name != "powerlaw":
        kind: Any = KINDS[name]
        return name, kind
    try:
        power = float(inside) if inside else 1.0
    except ValueError:
        raise ValueError(f"the exponent of {text!r} is not a number, as in powerlaw(3)") from None
    PowerLaw(1.0, power)  # refuses what can't be
    return f"powerlaw({power:g})", lambda e, d: PowerLaw(e, np.full(np.shape(e), power), d)


def _grid(name: str, values: Any, high: float, what: str) -> np.ndarray:
    known = concrete(values)
    array = np.atleast_1d(np.asarray(known if known is not None else np.nan, np.float64))
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must have at least one value, along one axis; got {_shown(values)}")
    require(name, array, 0.0, high, what)
    if (np.diff(array) <= 0).any():
        at = int(np.argmax(np.diff(array) <= 0))
        raise ValueError(f"{name} must increase; got {array[at]:g} before {array[at + 1]:g} (sort it)")
    return array


def _exponents(values: Any) -> list[float]:
    known = concrete(values)
    array = np.atleast_1d(np.asarray(known if known is not None else np.nan, np.float64))
    if array.ndim != 1 or array.size == 0 or not (array >= 0).all() or (np.diff(array) <= 0).any():
        raise ValueError(f"exponent must be numbers of at least 0, increasing; got {_shown(values)}")
    return array.tolist()


def _shown(value: Any) -> str:
    """In one line, however large."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else text[:77] + "..."


def optima(table: xarray.Dataset) -> xarray.Dataset:
    """Where in a sweep p_S is largest over the resolutions.

    Args:
        table: of `sweep`.

    Returns:
        Dataset without the dimension epsilon: epsilon, p_s, p_i and mean_b at the largest p_S of the grid, and
        `best_b`, b*(n) of the law for the constant similarity on homogeneous spaces (`laws.optimal_ball_measure`), over
        (n, delta).

    Example:
        >>> import numpy as np
        >>> from semres_jax import Constant, frontier, spaces
        >>> table = frontier.sweep(spaces.Circle(), Constant, 2, epsilon=np.linspace(0, 0.5, 101))
        >>> float(frontier.optima(table).mean_b.squeeze())
        0.5
    """
    there = table.p_s.fillna(-1.0).argmax("epsilon")
    found = table[["p_s", "p_i", "mean_b"]].isel(epsilon=there)
    best = [[closed_form.optimal_ball_measure(int(n), float(d)) for d in table.delta] for n in table.n]
    return found.reset_coords("epsilon").assign(best_b=(("n", "delta"), np.asarray(best)))
