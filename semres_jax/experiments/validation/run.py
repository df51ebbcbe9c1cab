"""Every exact law against the simulation, space by space: the check that both are right.

A case is one space, one similarity and one number of items, at a grid of resolutions and floors that share their draws.
Its result is how many standard errors lie between simulation and law: numbers that follow a standard normal
distribution where both are right, and don't where one is wrong.
"""

import dataclasses
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
import xarray

from semres_jax._checks import require_count
from semres_jax._random import key_or_default, setting
from semres_jax.execution import Execution
from semres_jax.experiments.validation.cases import Case
from semres_jax.experiments.validation.plan import Plan, plan
from semres_jax.experiments.validation.resolutions import resolutions
from semres_jax.laws import engines
from semres_jax.montecarlo.estimate import SHIFTS, estimate
from semres_jax.similarity import Constant, Similarity
from semres_jax.spaces import MetricSpace
from semres_jax.storage.attributes import labelled
from semres_jax.storage.fingerprints import fingerprint
from semres_jax.storage.resume import Numbers, Saved

# No |z| of a right law gets here: the chance is 6e-7 for each.
Z_LIMIT = 5.0
_CURVE_POINTS = 65
# Both numbers are float64 sums: closer than this they are equal.
_EQUAL = 1e-12
# Trials in a call of the devices; as `estimate` sees fit.
_TRIALS_AT_ONCE: int | None = None
# Of so few, the first of which compiles, nobody can tell a speed.
_ENOUGH_CHUNKS = 2


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
        >>> from semres_jax.experiments import validation
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
    key: Any = None,
    method: str = "prng",
    expected: Callable[[Plan], None] | None = None,
    execution: Execution | None = None,
) -> xarray.Dataset:
    """Simulate every case, evaluate its law, and compare.

    The key of a case is made of key, label and n alone: its numbers don't depend on what else runs.

    Args:
        run: what `cases` makes.
        trials: per case.
        key: JAX key of all random numbers; None: `jax.random.key(0)`.
        method: as `estimate`. "prng" has independent trials and so the cleanest standard errors.
        expected: called with the `plan` of what is left, before the first case; without it nothing is planned.
        execution: how to run. `progress` is told the case and counts trials of all cases; `finished` is called with the
            results so far, NaN where there are none yet, after every case; with `saved` finished cases aren't computed
            again, one in the making goes on, and the result is that of a run never stopped (but for its speed).

    Returns:
        Dataset with dims (space, n, delta, resolution). p_s, p_i, p_s_stderr, p_i_stderr, exact_p_s, exact_p_i, z_s
        and z_i; without delta mean_b and var_b; for each (space, n) trials, seconds (of the simulation, compilation
        included), trials_per_second (without it; NaN in short runs) and note; for each space epsilon, similarity,
        homogeneous, and the law of n = 2 without a floor on a fine grid, curve_p_s and curve_p_i, by (space, curve).
        NaN: not asked, no law, or not yet done.

    Raises:
        ValueError: trials < 1, unknown method, no cases; what was saved is of another run.

    Example:
        >>> from semres_jax import spaces
        >>> from semres_jax.experiments import validation
        >>> run = validation.cases({"circle": spaces.Circle()}, ns=[2], deltas=[0.0])
        >>> bool(abs(validation.validate(run, trials=2**14).z_s).max() < 5)
        True
    """
    trials = require_count("trials", trials, 1)
    if method not in ("prng", "lattice"):
        raise ValueError(f"method must be 'prng' or 'lattice'; got {method!r}")
    table, key, how = _empty(run), key_or_default(key), execution or Execution()
    saved = how.saved or Saved(None)
    saved.open({"run": "validate", "trials": trials, "method": method} | setting(key) | _settings(run))
    how = dataclasses.replace(how, saved=saved)
    todo = [case for case in run if not case.note]
    if expected is not None:
        left = [case for at, case in enumerate(todo) if saved.finished(f"{at}: {case.name}") is None]
        if left:
            expected(plan(left, trials=trials, method=method, execution=how))
    planned, before = trials * len(todo), 0
    for case in run:
        table.note.values[_place(table, case)] = case.note
    curves: set[str] = set()
    for at, case in enumerate(todo):
        name, cell = case.name, f"{at}: {case.name}"

        def tick(what: str, done: int, _: int, name=name, before=before) -> None:
            how.tell(name, before + min(done, trials), planned)

        numbers = saved.finished(cell)
        known = numbers is not None
        if numbers is None:
            numbers = _simulate(case, trials, key, method, how.within(cell, tick))
            numbers |= _laws(case, _curve(case) if case.label not in curves else None)
        curves.add(case.label)
        _fill(table, case, numbers, method)
        before += trials
        if known:
            tick(name, 0, 0, before=before)
            continue
        saved.finish(cell, numbers, table)
        if how.finished is not None:
            how.finished(table)
    return table


def _settings(run: Sequence[Case]) -> dict[str, Any]:
    """What decides the numbers of the cases."""
    settings: dict[str, Any] = {"cases": [case.name for case in run]}
    for case in run:
        similarity: Any = case.similarity
        settings[case.name] = {
            "delta": np.unique(similarity.delta),
            "epsilon": np.ravel(similarity.epsilon),
            "space": fingerprint(case.space),
            "similarity": f"{similarity.name} {fingerprint(similarity)}",
        }
    return settings


def _simulate(case: Case, trials: int, key: Any, method: str, execution: Execution) -> Numbers:
    """The estimate of a case, by the names of its fields, and its speed."""
    ticks: list[tuple[float, int]] = []

    def tick(what: str, done: int, planned: int) -> None:
        ticks.append((time.perf_counter(), done))
        execution.tell(what, done, planned)

    key = jax.random.fold_in(key, zlib.crc32(case.name.encode()))
    numbers = estimate(
        case.space, case.similarity, key=key, trials=trials, n=case.n, method=method, chunk=_TRIALS_AT_ONCE,
        execution=dataclasses.replace(execution, progress=tick),
    )  # fmt: skip
    speed = np.nan
    if len(ticks) >= _ENOUGH_CHUNKS:
        (start, done), (end, all_done) = ticks[0], ticks[-1]
        speed = (all_done - done) / (end - start)
    return {name: np.asarray(value) for name, value in numbers._asdict().items()} | {"speed": np.asarray(speed)}


def worst(table: xarray.Dataset) -> xarray.Dataset:
    """The largest |z| and the largest |error| of every (space, n, delta), over resolutions and both accuracies."""
    with np.errstate(invalid="ignore"):
        z = np.fmax(abs(table.z_s), abs(table.z_i)).max("resolution")
        error = np.fmax(abs(table.p_s - table.exact_p_s), abs(table.p_i - table.exact_p_i)).max("resolution")
    return labelled(xarray.Dataset({"z": z.drop_attrs(deep=False), "error": error.drop_attrs(deep=False)}))


def summary(table: xarray.Dataset) -> dict[str, Any]:
    """What validation.json and the last line say: one row for each (space, n, delta), the worst of all, what failed."""
    extremes, rows = worst(table), []
    for i, j, k in np.ndindex(extremes.z.shape):
        if not table.note.values[i, j] and not np.isfinite(table.p_s.values[i, j, k]).any():
            continue  # not asked for, or not done yet
        row = {"space": str(table.space.values[i]), "n": int(table.n.values[j]), "delta": float(table.delta.values[k])}
        row |= {f"worst_{name}": float(extremes[name].values[i, j, k]) for name in ("z", "error")}
        row |= {name: float(table[name].values[i, j]) for name in ("trials", "trials_per_second")}
        rows.append(row | {"note": str(table.note.values[i, j])})
    # JSON has no infinity; a law that fails where nothing may differ is infinitely wrong.
    failed = [f"{row['space']}, n = {row['n']}, delta = {row['delta']:g}" for row in rows if row["worst_z"] > Z_LIMIT]
    checked = [row["worst_z"] for row in rows if row["worst_z"] == row["worst_z"]]
    return {"rows": rows, "worst_z": max(checked, default=None), "z_limit": Z_LIMIT, "failed": failed}


def _laws(case: Case, curve: Similarity | None) -> Numbers:
    """Exact accuracies of the case, those of n = 2 along a curve where one is asked for, and why there are none."""
    try:
        if curve is None or case.n != 2:
            along = {} if curve is None else {"curve": _law(case.space, curve, 2)}
            return along | {"exact": _law(case.space, case.similarity, case.n), "note": np.array("")}
        # Both at once: one compilation.
        shape, size = case.similarity.shape, curve.shape[0]
        flat = jax.tree.map(
            lambda own, other: np.append(np.broadcast_to(own, shape), np.broadcast_to(other, size)),
            case.similarity, curve,
        )  # fmt: skip
        both = _law(case.space, flat, 2)
        return {"exact": both[:, :-size].reshape(2, *shape), "curve": both[:, -size:], "note": np.array("")}
    except ValueError as error:
        if "estimate" not in str(error):
            raise
        return {"note": np.array("no exact law")}


def _law(space: MetricSpace, similarity: Similarity, n: int) -> np.ndarray:
    with jax.enable_x64(True):
        return np.stack([np.asarray(p) for p in engines.accuracy(space, similarity, n=n)])


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
    return labelled(xarray.Dataset(variables, coordinates))


def _fill(table: xarray.Dataset, case: Case, numbers: Numbers, method: str) -> None:
    """Enter the results of one case, arrays of shape (resolution, delta)."""
    row, column = _place(table, case)
    size = case.similarity.shape[0]
    floors = np.isin(table.delta.values, case.similarity.delta)  # pyright: ignore[reportAttributeAccessIssue]

    def enter(name: str, values: Any) -> None:
        table[name].values[row, column, floors, :size] = values.T

    for name in ("p_s", "p_i", "p_s_stderr", "p_i_stderr"):
        enter(name, numbers[name])
    for name in ("mean_b", "var_b"):  # the floor doesn't matter to them
        table[name].values[row, column, :size] = numbers[name][:, 0]
    for name, kept in (("trials", "trials"), ("seconds", "seconds"), ("trials_per_second", "speed"), ("note", "note")):
        table[name].values[row, column] = numbers[kept].item()
    if "curve" in numbers:
        for name, values in zip(("curve_p_s", "curve_p_i"), numbers["curve"], strict=True):
            table[name].values[row, : len(values)] = values
    if "exact" not in numbers:
        return
    resolution, shifts = 0.0, SHIFTS
    if method == "prng":
        epsilon = case.similarity.epsilon  # pyright: ignore[reportAttributeAccessIssue]
        # Where the outcome of a trial is certain, so is the estimate.
        certain = (epsilon >= float(case.space.diameter)) | ((epsilon == 0) & (not case.space.discrete))
        resolution = np.where(certain & isinstance(case.similarity, Constant), 0.0, 1.0 / numbers["trials"])
        shifts = None
    for task, law in zip(("s", "i"), numbers["exact"], strict=True):
        value, stderr = numbers[f"p_{task}"], numbers[f"p_{task}_stderr"]
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
