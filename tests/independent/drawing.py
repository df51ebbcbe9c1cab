"""What a random cell is, and how it is drawn: a program that is compiled once, and numbers for it."""

import dataclasses
import functools
import math
import random as random_module

import numpy as np

from tests.independent.distances import Space
from tests.independent.finite import Stimuli
from tests.independent.similarities import Strength

WAYS = ("plain", "grid", "jit", "vmap", "reverse", "forward", "integrate", "sweep", "tables", "estimate")
SLOPES = ("reverse", "forward")


@dataclasses.dataclass(frozen=True)
class Program:
    """What decides compilation; `knots` is the number of tabulated values, `sharp` an infinite exponent."""

    space: Space | Stimuli
    family: str
    n: int
    way: str = "plain"
    dtype: str = "float64"
    knots: int = 4
    sharp: bool = False

    @property
    def label(self):
        sharp = ", argmax" if self.sharp else ""
        return f"{self.space.label}, {self.family}, n = {self.n}, {self.way}, {self.dtype}{sharp}"


@dataclasses.dataclass(frozen=True)
class Cell:
    """A program and its numbers; `wrt` is the number whose slope is asked for."""

    program: Program
    strength: Strength
    wrt: str = "epsilon"


# Drawing. `random` is a `random.Random`, or what hypothesis gives instead, which shrinks towards the first choices.

CONTINUOUS = (
    Space("circle"),
    Space("interval"),
    Space("sphere", 2),
    Space("ball", 2),
    Space("gaussian", 2),
    Space("hyperbolic"),
    Space("torus", 2, "l2"),
    Space("torus", 3, "l1"),
    Space("torus", 4),
    Space("sphere", 1),
    Space("sphere", 9),
    Space("sphere", 100),
    Space("torus", 50),
    Space("torus", 9, "l1"),
    Space("ball", 1),
    Space("ball", 3),
    Space("ball", 40),
    Space("gaussian", 1),
    Space("gaussian", 3),
    Space("gaussian", 60),
    Space("hyperbolic", radius=0.01),
    Space("hyperbolic", radius=12.0),
    Space("product", factors=(Space("circle"), Space("interval"))),
    Space("product", metric="min", factors=(Space("circle"), Space("sphere", 2))),
    Space("product", metric="max", factors=(Space("sphere", 2), Space("circle"))),
    Space("product", metric="min", factors=(Space("interval"), Space("circle"))),
)
DISCRETE = (
    Stimuli("ring", 12),
    Stimuli("line", 10),
    Stimuli("square", 9),
    Stimuli("tree", 11),
    Stimuli("cloud", 12),
    Stimuli("ring", 50),
    Stimuli("line", 49),
    Stimuli("square", 64),
    Stimuli("tree", 60),
    Stimuli("cloud", 30),
    Stimuli("ring", 10, replace=True),
    Stimuli("cloud", 9, replace=True),
    Stimuli("line", 7, weights=1),
    Stimuli("tree", 7, weights=2),
    Stimuli("line", 40, weights=3),
    Stimuli("cloud", 9, weights=4, replace=True),
    Space("hamming", 10),
    Space("hamming", 4),
    Space("hamming", 20),
)
FAMILIES = ("exponential", "linear", "gaussian", "constant", "powerlaw", "tabulated")


def draw_program(random):
    """A program: any space with any family, n, way and precision that go together."""
    continuous = random.random() < 0.65
    space = random.choice(CONTINUOUS if continuous else DISCRETE)
    family = random.choice(FAMILIES)
    way = random.choice(("plain", "plain", "grid", "jit", "vmap", "reverse", "forward", "integrate", "sweep"))
    if random.random() < 0.05:
        way = "estimate"
    if isinstance(space, Stimuli):
        ns = (2, 2, 3, 5) if space.size <= 12 and space.weights is None else (2, 3) if space.size <= 12 else (2,)
        if way == "integrate":
            way = "tables" if space.weights is None and not space.replace else "plain"
    else:
        ns = (2, 2, 3, 5) if space.kind == "hamming" else (2, 2, 3, 5, 8, 32)
        ns = (2, 3) if space.label == "hamming(20)" else ns
    sharp = random.random() < 0.12 and way not in SLOPES and way != "sweep"
    dtype = random.choice(("float64", "float32")) if way not in ("integrate", "sweep", "estimate") else "float64"
    if (way == "tables" and family == "constant") or (way == "sweep" and family == "tabulated"):
        way = "plain"  # steps need no table of strengths; a table has no resolution to sweep
    return Program(space, family, random.choice(ns), way, dtype, random.choice((3, 5, 6)), sharp)


def draw_cell(random, program):
    """A cell of a program."""
    scale = program.space.scale
    slope = program.way in SLOPES
    atoms = discrete(program.space)
    wrt = "epsilon"
    epsilon = _log_uniform(random, 0.02, 1.5)
    if random.random() < 0.15 and not slope:
        epsilon = random.choice((1.0, 0.5, 0.25, 0.36, 0.1, 2.0))
    if random.random() < 0.15:
        epsilon = _log_uniform(random, 1e-3, 0.02)
    epsilon *= scale
    if atoms and random.random() < 0.5 and not slope:
        epsilon = random.choice([d for d in _distances(program.space) if d > 0])
    delta = 0.0 if random.random() < 0.5 else _log_uniform(random, 1e-3, 1.0)
    if random.random() < 0.1 and not slope:
        delta = random.choice((1.0, 0.5, 0.1, 1e-6))
    exponent = 1.0 if random.random() < 0.5 else random.choice((0.5, 2.0, 0.3, 3.0, 8.0, 30.0, 100.0))
    if random.random() < 0.05 and not slope:
        exponent = 0.0
    # Slopes and sets of items seen from many probes are dear where similarity is steep: few of them.
    dear = not atoms and not program.space.homogeneous and (slope or program.n > 2)
    if dear and random.random() < 0.9:
        exponent, epsilon = min(exponent, 2.0), max(epsilon, 0.1 * scale)
    if program.way == "estimate" or program.sharp:
        exponent = 1.0 if not program.sharp else math.inf
    decay = random.choice((1.0, 2.0, 0.5, 5.0))
    distances, values = (), ()
    if program.family == "tabulated":
        distances, values = _draw_table(random, program.knots, scale, slope)
        wrt = random.choice(("values", "exponent"))
    if slope and program.family != "tabulated":
        wrt = random.choice(("epsilon", "delta", "exponent"))
        if wrt == "delta" and delta == 0:
            delta = _log_uniform(random, 1e-2, 0.9)
        if wrt == "delta":
            delta = min(max(delta, 0.01), 0.9)
    numbers = Strength(program.family, epsilon, delta, decay, distances, values, exponent)
    return Cell(program, _rounded(numbers, program.dtype), wrt)


def _log_uniform(random, low, high):
    return math.exp(math.log(low) + random.random() * math.log(high / low))


def _draw_table(random, knots, scale, slope):
    places = sorted(random.random() * 0.9 for _ in range(knots - 1))
    distances, values = [0.0], [1.0]
    for place in places:
        gap = max(place * scale - distances[-1], 1e-3 * scale)
        if random.random() < 0.15 and not slope:
            gap = 1e-6 * scale  # almost a step
        distances.append(distances[-1] + gap)
        flat = random.random() < 0.2 and not slope
        values.append(values[-1] if flat else values[-1] * (0.05 + 0.9 * random.random()))
    if random.random() < 0.2 and not slope:
        values[-1] = 0.0
    return tuple(distances), tuple(values)


def _rounded(strength, dtype):
    """The numbers that the package will see."""
    if dtype == "float64":
        return strength
    single = lambda x: float(np.float32(x))  # noqa: E731
    return dataclasses.replace(
        strength,
        epsilon=single(strength.epsilon), delta=single(strength.delta), decay=single(strength.decay),
        distances=tuple(map(single, strength.distances)), values=tuple(map(single, strength.values)),
        exponent=single(strength.exponent),
    )  # fmt: skip


def discrete(space):
    return isinstance(space, Stimuli) or space.kind == "hamming"


@functools.cache
def _distances(space):
    if isinstance(space, Stimuli):
        return tuple(np.unique(space.table()).tolist())
    return tuple(k / space.dim for k in range(space.dim + 1))


def seeded(seed, index, block):
    """Cell `index` of a seed: `block` cells in a row share their program."""
    program = draw_program(random_module.Random(f"{seed} program {index // block}"))
    return draw_cell(random_module.Random(f"{seed} cell {index}"), program)
