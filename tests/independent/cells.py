"""One cell: a space, a similarity, numbers, and a way to ask the package; drawn, computed twice, compared.

A `Program` is what decides compilation, a `Cell` a program with its numbers, so that cells of a program share what is
compiled. `check(cell)` asks the package and the references and gives the comparisons that failed.
"""

import dataclasses
import functools
import math

import jax
import numpy as np

import semres_jax
from semres_jax import frontier, spaces
from semres_jax.laws import quadrature, tables
from tests.independent import finite, integrals
from tests.independent.drawing import SLOPES, Cell, discrete
from tests.independent.finite import Stimuli

# Exact against exact, in float64: sums, and one-dimensional laws of distance, hold all digits that are claimed.
EXACT = 1e-10
# An average over probes on top: the package's own promise for heterogeneous spaces.
PROBED = 1e-9
# ... and for products with two edges, for which it promises less.
TWO_EDGES = 1e-7
# Traced calls with float32 numbers answer in float32 (6e-8 a rounding); the references take the rounded numbers.
SINGLE = 1e-6
# Slopes: differences of references hold 1e-8; float32 holds 1e-7 of a slope, and sums of terms of both signs lose some.
SLOPE, SLOPE_SINGLE = 1e-6, 1e-4
# Monte Carlo, in standard errors.
STANDARD_ERRORS = 5.0
# The estimate of its error that `quadrature.integrate` gives must reach the true one, up to the reference's own.
REFERENCE = 1e-11


# References


def reference(cell, strength=None, finer=False):
    """(p_S, p_I) from the definitions."""
    program, strength = cell.program, cell.strength if strength is None else strength
    space = program.space
    if isinstance(space, Stimuli):
        strength = _seen(strength, space.table(), program)
        return finite.accuracies(space, Stored(strength) if program.way == "tables" else strength, program.n)
    if space.kind == "hamming":
        return finite.bits(space.dim, _seen(strength, np.arange(space.dim + 1) / space.dim, program), program.n)
    return integrals.accuracies(space, strength, program.n, finer)


class Stored:
    """A strength as a table of float64 has it: what is below its smallest number is 0 there."""

    def __init__(self, strength):
        self._strength = strength

    def __getattr__(self, name):
        return getattr(self._strength, name)

    def loss(self, d):
        loss = self._strength.loss(d)
        return np.where(np.exp(-loss) == 0, np.inf, loss)


def _seen(strength, distances, program):
    """A resolution in float32 that is a distance but for its rounding means that distance."""
    if program.dtype != "float32" or not _compares(program):
        return strength
    distances = np.unique(distances)

    def meant(value):
        same = distances[distances.astype(np.float32) == np.float32(value)]
        return float(same[-1]) if len(same) else value

    known = tuple(map(meant, strength.distances))
    return dataclasses.replace(strength, epsilon=meant(strength.epsilon), distances=known)


def _compares(program):
    """Whether the similarity compares distances with numbers of its own."""
    return program.family in ("constant", "linear", "tabulated")


def slopes(cell, finer=False):
    """Slopes of both accuracies in `cell.wrt` by central differences of references; finer: and how well known."""
    start = _get(cell.strength, cell.wrt)
    if cell.wrt == "delta":
        step = 4e-3 * min(start, 1 - start)
    else:
        step = 4e-3 * start
    if cell.wrt == "values":
        gaps = np.diff(cell.strength.values)
        step = 0.02 * min(abs(gaps[0]), abs(gaps[1]))

    def at(k, h):
        return np.array(reference(cell, _set(cell.strength, cell.wrt, start + k * h), finer))

    slopes = []
    for h in (step / 2, step)[: 1 + finer]:  # fourth order
        slopes.append((8 * (at(1, h) - at(-1, h)) - (at(2, h) - at(-2, h))) / (12 * h))
    return slopes[0], np.abs(slopes[-1] - slopes[0])


def _get(strength, name):
    return strength.values[1] if name == "values" else getattr(strength, name)


def _set(strength, name, value):
    if name == "values":
        return dataclasses.replace(strength, values=(strength.values[0], value, *strength.values[2:]))
    return dataclasses.replace(strength, **{name: value})


# The package


def package_space(space):
    if isinstance(space, Stimuli):
        if space.weights is None and space.kind in ("ring", "line", "square"):
            name = {"ring": "circle", "line": "interval", "square": "torus"}[space.kind]
            return spaces.grid(spaces.get(name), space.size)
        return spaces.Finite(space.table(), None if space.weights is None else space.mass())
    if space.kind == "product":
        return spaces.Product(tuple(package_space(factor) for factor in space.factors), space.metric)
    if space.kind in ("circle", "interval"):
        return spaces.get(space.kind)
    if space.kind == "torus":
        return spaces.get("torus", dim=space.dim, metric=space.metric)
    if space.kind == "hyperbolic":
        return spaces.get("hyperbolic", radius=space.radius)
    return spaces.get(space.kind, dim=space.dim)


package_space = functools.cache(package_space)


def similarity(family, numbers):
    """`numbers`: epsilon, delta, decay, distances, values: of any shapes that broadcast."""
    kinds = {
        "constant": semres_jax.Constant, "linear": semres_jax.Linear,
        "exponential": semres_jax.Exponential, "gaussian": semres_jax.Gaussian,
    }  # fmt: skip
    if family == "tabulated":
        return semres_jax.Tabulated(numbers["distances"], numbers["values"])
    if family == "powerlaw":
        return semres_jax.PowerLaw(numbers["epsilon"], numbers["decay"], numbers["delta"])
    return kinds[family](numbers["epsilon"], numbers["delta"])


def _numbers(strength, dtype):
    names = ("distances", "values") if strength.family == "tabulated" else ("epsilon", "delta", "decay")
    return {name: np.asarray(getattr(strength, name), dtype) for name in names}


def _ask(program, numbers, exponent):
    extra = {"replace": program.space.replace} if isinstance(program.space, Stimuli) else {}
    exponent = math.inf if program.sharp else exponent
    shown = similarity(program.family, numbers)
    return semres_jax.accuracy(package_space(program.space), shown, n=program.n, exponent=exponent, **extra)


@functools.lru_cache(maxsize=4)
def _compiled(program):
    def f(numbers, exponent):
        return tuple(_ask(program, numbers, exponent))

    if program.way == "vmap":
        f = jax.vmap(f)
    if program.way == "reverse":
        return jax.jit(jax.jacrev(f, argnums=(0, 1)))
    return jax.jit(jax.jacfwd(f, argnums=(0, 1)) if program.way == "forward" else f)


def other_member(strength):
    """A second member for grids and vmaps, next to the cell's own."""
    if strength.family == "tabulated":
        return dataclasses.replace(strength, values=tuple(v**1.5 for v in strength.values))
    return dataclasses.replace(strength, epsilon=strength.epsilon * 0.7, delta=strength.delta * 0.5)


def answer(cell):
    """What the package says: both accuracies or both slopes, and for some ways what they may be off by."""
    program, strength, dtype = cell.program, cell.strength, cell.program.dtype
    numbers, exponent = _numbers(strength, dtype), np.asarray(strength.exponent, dtype)
    two = jax.tree.map(lambda a, b: np.stack([a, b]), numbers, _numbers(other_member(strength), dtype))
    space = package_space(program.space)
    if program.way == "plain":
        return np.array(_ask(program, numbers, strength.exponent)), None
    if program.way == "grid":
        return np.array([p[0] for p in _ask(program, two, strength.exponent)]), None
    with jax.enable_x64(dtype == "float64"):
        if program.way in ("jit", "vmap"):
            if program.way == "jit":
                return np.array(_compiled(program)(numbers, exponent), float), None
            return np.array([p[0] for p in _compiled(program)(two, np.stack([exponent] * 2))], float), None
        if program.way in SLOPES:
            accuracies = []
            for by_numbers, by_exponent in _compiled(program)(numbers, exponent):
                accuracies.append(by_exponent if cell.wrt == "exponent" else by_numbers[cell.wrt])
            return np.array([float(x[1] if cell.wrt == "values" else x) for x in accuracies]), None
        shown = similarity(program.family, numbers)
        if program.way == "integrate":
            integral = quadrature.integrate(space, shown, n=program.n, exponent=strength.exponent)
            return np.array(integral[:2], float), np.array(integral[2:], float)
        if program.way == "tables":
            power = strength.exponent
            h = _table_of_strengths(strength, space) if math.isinf(power) else np.exp(-strength.loss(space.distances))
            return np.array(tables.accuracy(space, h, n=program.n), float), None
    if program.way == "sweep":
        kind = shown if program.family in ("powerlaw", "tabulated") else program.family
        extra = {"replace": program.space.replace} if isinstance(program.space, Stimuli) else {}
        table = frontier.sweep(
            {"here": space}, kind, [program.n], epsilon=[strength.epsilon, 1.3 * strength.epsilon],
            delta=[strength.delta], exponent=strength.exponent, **extra,
        )  # fmt: skip
        return np.array([float(table[name].values.ravel()[0]) for name in ("p_s", "p_i")]), None
    extra = {"replace": program.space.replace} if isinstance(program.space, Stimuli) else {}
    run = semres_jax.estimate(
        space, shown, key=jax.random.key(3), trials=2**14, n=program.n, exponent=strength.exponent, **extra
    )
    return np.array([run.p_s, run.p_i], float), np.array([run.p_s_stderr, run.p_i_stderr], float)


def _table_of_strengths(strength, space):
    level = strength.level(np.asarray(space.distances))
    return (level == level.min(axis=1, keepdims=True)) * 1.0


# Comparison


@dataclasses.dataclass(frozen=True)
class Failure:
    """A comparison that failed; or, with `undecided`, one whose reference isn't known well enough to tell."""

    cell: Cell
    what: str
    answer: float
    reference: float
    tolerance: float
    undecided: bool = False

    def __str__(self):
        word = "undecided" if self.undecided else "differs"
        wrt = f" d/d{self.cell.wrt}" if self.what.startswith("slope") else ""
        return (
            f"{self.cell.program.label}: {self.what}{wrt} {word}: {self.answer:.12g}, reference {self.reference:.12g} "
            f"(difference {self.answer - self.reference:.2e}, tolerance {self.tolerance:.1e}); {self.cell.strength}"
        )


def tolerance(program):
    space = program.space
    if program.dtype == "float32" and program.way in ("jit", "vmap"):
        return SINGLE
    if discrete(space) or space.homogeneous:
        return EXACT
    edges = sum(not factor.homogeneous for factor in space.factors)
    return TWO_EDGES if edges > 1 else PROBED


def check(cell):
    """The comparisons that fail; empty if the package is right."""
    program = cell.program
    slope = program.way in SLOPES
    said, margin = answer(cell)
    names = ("slope of p_S", "slope of p_I") if slope else ("p_S", "p_I")

    def compare(finer):
        if slope:
            right, doubt = slopes(cell, finer)
            natural = {"epsilon": 1 / program.space.scale, "delta": 1.0, "exponent": 0.1, "values": 0.1}[cell.wrt]
            relative = SLOPE if program.dtype == "float64" else SLOPE_SINGLE
            return right, relative * np.maximum(np.abs(right), natural), doubt
        right = np.array(reference(cell, finer=finer))
        allowed = np.full(2, tolerance(program))
        if program.way == "estimate":
            allowed = STANDARD_ERRORS * margin + 1e-9
        return right, allowed, np.zeros(2)

    right, allowed, doubt = compare(False)
    bad = ~(np.abs(said - right) <= allowed)
    beyond_claim = program.way == "integrate" and not (np.abs(said - right) <= margin + REFERENCE).all()
    if (bad.any() or beyond_claim) and (slope or not discrete(program.space)):
        again, allowed, doubt = compare(True)
        doubt = np.maximum(doubt, np.abs(again - right) * (not slope))
        right = again
        bad = ~(np.abs(said - right) <= allowed)
    failures = [
        Failure(cell, name, *map(float, (x, y, t)), undecided=bool(d > t / 3 and abs(x - y) < 10 * d))
        for name, x, y, t, d, wrong in zip(names, said, right, allowed, doubt, bad, strict=True)
        if wrong
    ]
    if program.way == "integrate":
        failures += [
            Failure(cell, f"claimed error of {name}", *map(float, (x, y, e)))
            for name, x, y, e, d in zip(names, said, right, margin, doubt, strict=True)
            if not abs(x - y) <= e + REFERENCE + 3 * d
        ]
    if not slope and program.way != "estimate":
        low = 1 / program.n - 10 * tolerance(program)
        failures += [
            Failure(cell, f"{name} within [1/n, 1]", float(x), low, 0.0)
            for name, x in zip(names, said, strict=True)
            if not low <= x <= 1 + 10 * tolerance(program)
        ]
    return failures
