"""Every exact law against the simulation, space by space: the check that both are right.

A case is one space, one similarity and one number of items, at a grid of resolutions and floors that share their draws.
Its result is how many standard errors lie between simulation and law: numbers that follow a standard normal
distribution where both are right, and don't where one is wrong.
"""

import dataclasses
import time
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray

from semres_jax import spaces
from semres_jax._checks import require, require_count
from semres_jax._resolutions import QUANTILES as QUANTILES, resolutions as resolutions
from semres_jax.laws import engines
from semres_jax.montecarlo.estimate import SHIFTS, estimate
from semres_jax.similarity import Constant, Linear, Similarity
from semres_jax.spaces import MetricSpace

# No |z| of a right law gets here: the chance is 6e-7 for each.
Z_LIMIT = 5.0
NS, DELTAS = (2, 3, 8, 32), (0.0, 0.05)
# The linear similarity on the circle, in units of the diameter: beyond 1 it never reaches 0.
_LINEAR_REACHES = (0.0, 0.1, 0.25, 0.5, 0.618, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 3.0, 5.0)
_CURVE_POINTS = 65
_ANIMALS = 2000
# Both numbers are float64 sums: closer than this they are equal.
_EQUAL = 1e-12
# Trials between two calls of `progress`.
_CHUNK = 2**18
# Of so few, the first of which compiles, nobody can tell a speed.
_ENOUGH_CHUNKS = 2


@dataclasses.dataclass(frozen=True)
class Case:
    """One space, similarity and number of items, at all resolutions and floors.

    Attributes:
        label: names the space, and the similarity where it isn't the constant one.
        space, n: what is drawn: n items and a probe.
        similarity: of shape (resolution, delta).
        note: why the case is left out; empty where it isn't.
    """

    label: str
    space: MetricSpace
    n: int
    similarity: Similarity
    note: str = ""


def default_spaces() -> dict[str, MetricSpace]:
    """One space of every kind, the bird tree among them, and 2,000 animal silhouettes; by label."""
    return {space.label: space for space in spaces.catalogue().values()} | spaces_by_name(["animals"])


def spaces_by_name(names: Iterable[str]) -> dict[str, MetricSpace]:
    """The spaces of these names, by the label that they have in results.

    Args:
        names: what `spaces.get` takes ("sphere(9)"), paths of Newick files, or "animals".

    Raises:
        ValueError: unknown name or parameter (the message suggests the nearest), broken Newick.
        OSError: no such file.

    Example:
        >>> from semres_jax import validation
        >>> list(validation.spaces_by_name(["circle", "sphere:9"]))
        ['circle', 'sphere(9)']
    """
    found: dict[str, MetricSpace] = {}
    for name in names:
        path = Path(name)
        if name == "animals":
            from semres_jax.data import silhouette_points

            points = silhouette_points(_ANIMALS)
            found[f"animals({len(points)})"] = spaces.Finite.from_points(points, "euclidean")
        elif path.suffix.lower() in (".nwk", ".newick", ".tree", ".tre") or path.is_file():
            space = spaces.Tree.from_newick(path)
            found[f"{path.stem}({space.size})" if f"{path.stem}({space.size})" not in found else name] = space
        else:
            space = spaces.get(name)
            found[space.label] = space
    return found


def cases(
    by_label: Mapping[str, MetricSpace],
    *,
    ns: Sequence[int] = NS,
    deltas: Sequence[float] = DELTAS,
    quantiles: Sequence[float] = QUANTILES,
) -> list[Case]:
    """All cases of the given spaces: the constant similarity everywhere, and the linear one where proposition 1 holds.

    That is the circle with n = 2 and delta = 0, where they are asked for, at resolutions past the diameter too. A
    finite space with fewer than n + 1 stimuli is a case with a note, and is left out of the run.

    Raises:
        ValueError: no spaces, items or floors; n below 2, delta outside [0, 1].

    Example:
        >>> from semres_jax import spaces, validation
        >>> [case.label for case in validation.cases({"circle": spaces.Circle()}, ns=[2])]
        ['circle', 'circle, linear']
    """
    for name, values in (("space", by_label), ("n", ns), ("delta", deltas)):
        if not len(values):
            raise ValueError(f"{name} must name at least one value; got none")
    ns = sorted({require_count("n", n, 2, " (the probe needs items to choose from)") for n in ns})
    require("delta", np.asarray(deltas, np.float64), 0.0, 1.0, "a floor between 0 and 1")
    floors = np.unique(np.asarray(deltas, np.float64))
    found = []
    for label, space in by_label.items():
        grid = Constant(resolutions(space, quantiles)[:, None], floors)
        for n in ns:
            note = ""
            if space.size is not None and n + 1 > space.size:
                note = f"left out: {n} items and a probe of {space.size} stimuli"
            found.append(Case(label, space, n, grid, note))
        if isinstance(space, spaces.Circle) and 2 in ns and floors[0] == 0:
            every = max(1, len(_LINEAR_REACHES) // len(quantiles))
            reaches = np.array(_LINEAR_REACHES[::every])
            found.append(Case(f"{label}, linear", space, 2, Linear(space.diameter * reaches[:, None], 0.0)))
    return found


def z_scores(value: Any, stderr: Any, exact: Any, *, resolution: Any = 0.0, shifts: int | None = None) -> np.ndarray:
    """How many standard errors lie between estimates and laws, signed.

    Args:
        value, stderr, exact: broadcasting arrays.
        resolution: least standard error that can be believed: a run in which all of T trials happened to agree says
            nothing about events rarer than 1/T.
        shifts: number of independent runs behind `stderr` where they are few: t is turned into the z of the same tail.

    Returns:
        z; 0 where the two agree to 1e-12, infinite where they don't and no error is expected; NaN without a law.

    Example:
        >>> from semres_jax import validation
        >>> [float(z) for z in validation.z_scores([0.5, 0.7, 0.7], [0.0, 0.1, 0.0], [0.5, 0.5, 0.5]).round(6)]
        [0.0, 2.0, inf]
    """
    error = np.asarray(value, np.float64) - exact
    spread = np.hypot(stderr, resolution)
    with np.errstate(divide="ignore", invalid="ignore"):
        z = np.where(np.abs(error) <= _EQUAL, 0.0, error / spread)
    if shifts is not None:
        from scipy.special import ndtri, stdtr

        z = np.where(np.isfinite(z), -np.sign(z) * ndtri(stdtr(shifts - 1, -np.abs(z))), z)
    return np.where(np.isnan(error), np.nan, z)


def validate(
    run: Sequence[Case],
    *,
    trials: int,
    seed: int = 0,
    method: str = "prng",
    devices: Any = None,
    progress: Callable[[str, int, int], None] | None = None,
    finished: Callable[[xarray.Dataset], None] | None = None,
) -> xarray.Dataset:
    """Simulate every case, evaluate its law, and compare.

    The key of a case is made of seed, label and n alone: its numbers don't depend on what else runs.

    Args:
        run: what `cases` makes.
        trials: per case.
        seed: of all random numbers.
        method, devices: as `estimate`. "prng" has independent trials and so the cleanest standard errors.
        progress: called with (label of the case, trials done, trials planned), over all cases.
        finished: called with the results so far, NaN where there are none yet, after every case.

    Returns:
        Dataset with dims (space, n, delta, resolution). p_s, p_i, p_s_stderr, p_i_stderr, exact_p_s, exact_p_i, z_s
        and z_i; without delta mean_b and var_b; for each (space, n) trials, seconds (of the simulation, compilation
        included), trials_per_second (without it; NaN in short runs) and note; for each space epsilon, similarity,
        homogeneous, and the law of n = 2 without a floor on a fine grid, curve_p_s and curve_p_i, by (space, curve).
        NaN: not asked, no law, or not yet done.

    Raises:
        ValueError: trials < 1, unknown method, no cases.

    Example:
        >>> from semres_jax import spaces, validation
        >>> run = validation.cases({"circle": spaces.Circle()}, ns=[2], deltas=[0.0])
        >>> bool(abs(validation.validate(run, trials=2**14).z_s).max() < 5)
        True
    """
    trials = require_count("trials", trials, 1)
    if method not in ("prng", "lattice"):
        raise ValueError(f"method must be 'prng' or 'lattice'; got {method!r}")
    table = _empty(run)
    key = jax.random.key(seed)
    todo = [case for case in run if not case.note]
    planned, before = trials * len(todo), 0
    for case in run:
        table.note.values[_place(table, case)] = case.note
    curves: set[str] = set()
    for case in todo:
        place = _place(table, case)
        ticks: list[tuple[float, int]] = []

        def tick(done: int, _: int, case=case, before=before, ticks=ticks) -> None:
            ticks.append((time.perf_counter(), done))
            if progress is not None:
                progress(f"{case.label}, n = {case.n}", before + min(done, trials), planned)

        own = jax.random.fold_in(key, zlib.crc32(f"{case.label}, n = {case.n}".encode()))
        found = estimate(
            case.space, case.similarity, key=own, trials=trials, n=case.n,
            method=method, chunk=_CHUNK, devices=devices, progress=tick,
        )  # fmt: skip
        curve = _curve(case) if case.label not in curves else None
        curves.add(case.label)
        exact, on_curve, note = _laws(case, curve)
        _fill(table, case, found, exact, note, method)
        for name, values in zip(("curve_p_s", "curve_p_i"), on_curve, strict=False):
            table[name].values[place[0], : len(values)] = values
        (start, done), (end, all_done) = ticks[0], ticks[-1]
        table.trials_per_second.values[place] = (
            (all_done - done) / (end - start) if len(ticks) >= _ENOUGH_CHUNKS else np.nan
        )
        before += trials
        if finished is not None:
            finished(table)
    return table


def worst(table: xarray.Dataset) -> xarray.Dataset:
    """The largest |z| and the largest |error| of every (space, n, delta), over resolutions and both accuracies."""
    with np.errstate(invalid="ignore"):
        z = np.fmax(abs(table.z_s), abs(table.z_i)).max("resolution")
        error = np.fmax(abs(table.p_s - table.exact_p_s), abs(table.p_i - table.exact_p_i)).max("resolution")
    return xarray.Dataset({"z": z, "error": error})


def _laws(case: Case, curve: Similarity | None) -> tuple[Any, Any, str]:
    """Exact accuracies of the case, those of n = 2 along a curve, and why there are none (None and ()) otherwise."""
    try:
        if curve is None or case.n != 2:
            on_curve = () if curve is None else _law(case.space, curve, 2)
            return _law(case.space, case.similarity, case.n), on_curve, ""
        # Both at once: one compilation.
        shape, size = case.similarity.shape, curve.shape[0]
        flat = jax.tree.map(
            lambda own, other: np.append(np.broadcast_to(own, shape), np.broadcast_to(other, size)),
            case.similarity, curve,
        )  # fmt: skip
        both = _law(case.space, flat, 2)
        return tuple(p[:-size].reshape(shape) for p in both), tuple(p[-size:] for p in both), ""
    except ValueError as error:
        if "estimate" not in str(error):
            raise
        return None, (), "no exact law"


def _law(space: MetricSpace, similarity: Similarity, n: int) -> tuple[np.ndarray, ...]:
    with jax.enable_x64(True):
        return tuple(np.asarray(p) for p in engines.accuracy(space, similarity, n=n))


def _empty(run: Sequence[Case]) -> xarray.Dataset:
    """The table of all results, with nothing in it yet."""
    if not run:
        raise ValueError("run must hold at least one case; got none")
    by_label = {case.label: case for case in run}
    ns = sorted({case.n for case in run})
    deltas = np.unique(np.concatenate([np.ravel(case.similarity.delta) for case in run]))  # pyright: ignore
    most = max(case.similarity.shape[0] for case in run)
    epsilon = np.full((len(by_label), most), np.nan)
    for row, case in zip(epsilon, by_label.values(), strict=True):
        own = np.asarray(case.similarity.epsilon)[:, 0]  # pyright: ignore[reportAttributeAccessIssue]
        row[: len(own)] = own
    sizes = {"space": len(by_label), "n": len(ns), "delta": len(deltas), "resolution": most, "curve": _CURVE_POINTS}

    def blank(*dims: str) -> tuple[tuple[str, ...], np.ndarray]:
        return dims, np.full([sizes[dim] for dim in dims], np.nan)

    full = ("p_s", "p_i", "p_s_stderr", "p_i_stderr", "exact_p_s", "exact_p_i", "z_s", "z_i")
    variables: dict[str, Any] = {name: blank("space", "n", "delta", "resolution") for name in full}
    variables |= {name: blank("space", "n", "resolution") for name in ("mean_b", "var_b")}
    variables |= {name: blank("space", "n") for name in ("trials", "seconds", "trials_per_second")}
    variables |= {name: blank("space", "curve") for name in ("curve_p_s", "curve_p_i")}
    variables["note"] = ("space", "n"), np.full((len(by_label), len(ns)), "", object)
    coordinates = {
        "space": list(by_label),
        "n": ns,
        "delta": deltas,
        "epsilon": (("space", "resolution"), epsilon),
        "similarity": ("space", [case.similarity.name for case in by_label.values()]),
        "homogeneous": ("space", [bool(case.space.homogeneous) for case in by_label.values()]),
    }
    return xarray.Dataset(variables, coordinates)


def _fill(table: xarray.Dataset, case: Case, found: Any, exact: Any, note: str, method: str) -> None:
    """Enter the results of one case, arrays of shape (resolution, delta)."""
    row, column = _place(table, case)
    size = case.similarity.shape[0]
    floors = np.isin(table.delta.values, case.similarity.delta)  # pyright: ignore[reportAttributeAccessIssue]

    def enter(name: str, values: Any) -> None:
        into = table[name].values[row, column]
        if into.ndim == 2:
            into[floors, :size] = values.T
        else:
            into[:size] = values

    for name in ("p_s", "p_i", "p_s_stderr", "p_i_stderr"):
        enter(name, getattr(found, name))
    for name in ("mean_b", "var_b"):  # the floor doesn't matter to them
        enter(name, getattr(found, name)[:, 0])
    for name, value in (("trials", found.trials), ("seconds", found.seconds), ("note", note)):
        table[name].values[row, column] = value
    if exact is None:
        return
    resolution, shifts = 0.0, SHIFTS
    if method == "prng":
        epsilon = case.similarity.epsilon  # pyright: ignore[reportAttributeAccessIssue]
        # Where the outcome of a trial is certain, so is the estimate.
        certain = (epsilon >= float(case.space.diameter)) | ((epsilon == 0) & (not case.space.discrete))
        resolution = np.where(certain & isinstance(case.similarity, Constant), 0.0, 1.0 / found.trials)
        shifts = None
    for task, value, stderr, law in (
        ("s", found.p_s, found.p_s_stderr, exact[0]),
        ("i", found.p_i, found.p_i_stderr, exact[1]),
    ):
        enter(f"exact_p_{task}", law)
        enter(f"z_{task}", z_scores(value, stderr, law, resolution=resolution, shifts=shifts))


def _curve(case: Case) -> Similarity | None:
    """The case's similarity without a floor on a fine grid of resolutions, for figures."""
    if case.space.size is not None and case.space.size < 3:
        return None
    if isinstance(case.similarity, Constant):
        epsilon = resolutions(case.space, np.linspace(0.0, 1.0, _CURVE_POINTS))
    else:
        most = np.max(case.similarity.epsilon) / float(case.space.diameter)  # pyright: ignore
        even = np.linspace(0.0, most / (1 + most), _CURVE_POINTS)
        epsilon = float(case.space.diameter) * even / (1 - even)  # dense where the curve bends
    return dataclasses.replace(case.similarity, epsilon=epsilon, delta=0.0)  # pyright: ignore


def _place(table: xarray.Dataset, case: Case) -> tuple[int, int]:
    """Where the case is along space and n."""
    return list(table.space.values).index(case.label), list(table.n.values).index(case.n)
