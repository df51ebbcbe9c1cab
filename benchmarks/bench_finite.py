"""Finite spaces: counts against NumPy, stimuli without a table of distances, a million embeddings; and slopes in N.

What takes gigabytes runs in a process of its own, whose largest resident memory is read when it ends.
"""

import functools

import numpy as np
from bench_exact import EPSILONS, finite
from bench_slopes import MARGIN, slope
from measuring import apart
from report import figure, main, row, say

RESOLUTIONS = 100
MEMORY_OF_POINTS, SECONDS_OF_POINTS, MEMORY_OF_EMBEDDINGS = 4.0, 180.0, 8.0
FAMILIES = ("constant", "exponential", "gaussian", "powerlaw(2)", "linear")


def cloud(stimuli: int):
    from semres_jax import spaces

    return spaces.Points(np.random.default_rng(0).random((stimuli, 2)))


def swept(family: str, stimuli: int) -> None:
    from semres_jax import frontier

    points = cloud(stimuli)
    frontier.sweep(points, family, 2, epsilon=np.linspace(0, points.diameter, RESOLUTIONS + 1)[1:])


def embedded(rows: int, dimensions: int = 256, classes: int = 100) -> None:
    from semres_jax import measure, spaces

    rng = np.random.default_rng(0)
    labels = np.sort(rng.integers(classes, size=rows))
    centre = rng.normal(size=(classes, dimensions)).astype(np.float32)
    points = np.empty((rows, dimensions), np.float32)
    for some in np.array_split(np.arange(rows), 100):
        points[some] = centre[labels[some]] + rng.normal(size=(len(some), dimensions))
    measure.embeddings(points, spaces.Finite.from_points(centre[:, :3]), labels=labels, optimal="none")


def counted_rows(quick: bool) -> list[dict]:
    say("counts against NumPy")
    measured = finite(2000, 3 if quick else 7)
    what = f"2,000 points in the plane, table of distances, constant, {len(EPSILONS)} resolutions, n = 2"
    seconds = measured["seconds"]
    numpy = {"peer": "NumPy, counting anew at each", "peer_value": seconds["numpy"], "better": "less"}
    return [row(what, seconds["semres_jax"], "s", **numpy, bar="ratio >= 50")]


def large_rows(quick: bool) -> list[dict]:
    stimuli, embeddings, rows = (4000, 50_000, []) if quick else (20_000, 1_000_000, [])
    for family in FAMILIES[:2] if quick else FAMILIES:
        say(f"{stimuli:,} stimuli, {family}")
        measured = apart("bench_finite", "swept", family, stimuli)
        what = f"frontier.sweep of {stimuli:,} points in the plane, {family}, {RESOLUTIONS} resolutions, n = 2"
        rows.append(row(f"{what}, from a new process", measured["seconds"], "s", bar=f"value <= {SECONDS_OF_POINTS:g}"))
        rows.append(row(f"{what}: peak memory", measured["gigabytes"], "GB", bar=f"value <= {MEMORY_OF_POINTS:g}"))
    say(f"{embeddings:,} embeddings")
    measured = apart("bench_finite", "embedded", embeddings)
    what = f"measure.embeddings of {embeddings:,} x 256 in 100 classes, 2,000 of them probing"
    rows.append(row(what, measured["seconds"], "s"))
    rows.append(row(f"{what}: peak memory", measured["gigabytes"], "GB", bar=f"value <= {MEMORY_OF_EMBEDDINGS:g}"))
    return rows


def slope_rows(quick: bool) -> list[dict]:
    sizes, rows = [1000, 2000, 4000] if quick else [1000, 2000, 4000, 8000], []
    for family in ("constant", "exponential"):
        say(f"slope, {family}")
        measured = slope(functools.partial(swept, family), sizes, 1 if quick else 3)
        error = figure(measured["slope_stderr"])
        what = f"seconds against N = {sizes[0]:,} to {sizes[-1]:,}, points without a table, {family}: slope"
        rows.append(
            row(f"{what} (theory: 2; standard error {error})", measured["slope"], "", bar=f"value <= {2 + MARGIN:g}")
        )
    return rows


def run(quick: bool) -> dict:
    return {"rows": [*counted_rows(quick), *large_rows(quick), *slope_rows(quick)]}


if __name__ == "__main__":
    main(run, __doc__)
