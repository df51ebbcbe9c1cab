"""Three hundred cells: random numbers in programs that are compiled once, the package against the references.

`python -m tests.independent.run` takes thousands, of any program.
"""

import random

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from tests.independent import cells
from tests.independent.distances import Space
from tests.independent.drawing import Cell, Program, draw_cell
from tests.independent.finite import Stimuli
from tests.independent.similarities import Strength

# How many cells each program gets, and the program: few, as each is seconds of compiling.
PROGRAMS = (
    (26, Program(Space("circle"), "linear", 3, "grid")),
    (26, Program(Space("circle"), "gaussian", 2, "jit", "float32")),
    (16, Program(Space("circle"), "exponential", 2, "forward", "float64")),
    (4, Program(Space("interval"), "linear", 2, "reverse", "float32")),
    (8, Program(Space("interval"), "tabulated", 2, "plain", knots=6)),
    (12, Program(Space("ball", 2), "constant", 5, "vmap", "float32")),
    (16, Program(Space("sphere", 100), "powerlaw", 2, "integrate")),
    (26, Program(Space("hyperbolic"), "linear", 8, sharp=True)),
    (26, Program(Space("hamming", 10), "constant", 3, "plain", "float32")),
    (26, Program(Stimuli("ring", 50), "linear", 2, "plain")),
    (26, Program(Stimuli("line", 10), "linear", 3, "jit")),
    (26, Program(Stimuli("tree", 11), "exponential", 2, sharp=True)),
    (26, Program(Stimuli("line", 7, weights=1), "tabulated", 3, "grid")),
    (16, Program(Stimuli("cloud", 9, weights=4, replace=True), "powerlaw", 2, "reverse", "float32")),
    (20, Program(Stimuli("square", 9), "gaussian", 5, "tables")),
)


def test_there_are_three_hundred():
    assert sum(count for count, _ in PROGRAMS) == 300


@pytest.mark.parametrize(("count", "program"), PROGRAMS, ids=[program.label for _, program in PROGRAMS])
def test_cells(count, program):
    failures = []

    # The same ones each time, and all of them, so that failures tell their kind.
    @settings(
        max_examples=count,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**48))
    def compare(seed):
        failures.extend(cells.check(draw_cell(random.Random(seed), program)))

    compare()
    assert not failures, "\n".join(map(str, failures))


# Cells that thousands of random ones found wrong, by what was wrong.
FOUND = {
    "floor of e^-51": Cell(
        Program(Space("torus", 2, "l2"), "gaussian", 5), Strength("gaussian", 7.7e-4, 1.8e-3, exponent=8.0)
    ),
    "floor of e^-31": Cell(
        Program(Space("sphere", 2), "gaussian", 8), Strength("gaussian", 3.6e-3, 0.022, exponent=8.0)
    ),
    "near an edge": Cell(
        Program(Space("interval"), "gaussian", 8, "forward"), Strength("gaussian", 0.00326, 0.16), wrt="epsilon"
    ),
    "exponent where g is 0": Cell(
        Program(Space("hamming", 10), "linear", 3, "forward"), Strength("linear", 0.55, exponent=0.5), wrt="exponent"
    ),
    "kinks that meet": Cell(
        Program(Space("hyperbolic", radius=12.0), "tabulated", 5),
        Strength(
            "tabulated",
            # Just these: a probe's own kink comes to 1e-12 of the fifth.
            distances=(
                0.0,
                1.4533324241638184,
                3.833035707473755,
                4.412952899932861,
                15.496247291564941,
                17.430461883544922,
            ),
            values=(
                1.0,
                0.7701205015182495,
                0.26416534185409546,
                0.09579111635684967,
                0.09579111635684967,
                0.09579111635684967,
            ),
        ),
    ),
    "floor of e^-7": Cell(
        Program(Space("torus", 4), "linear", 3), Strength("linear", 0.125, 0.0011645201667790474, exponent=0.3)
    ),
    "a level of ln g beyond a kink of the ball": Cell(
        Program(Space("torus", 2, "l2"), "gaussian", 2), Strength("gaussian", 0.1767766922712326, 1e-6, exponent=0.5)
    ),
    "a kink of g beyond a kink of the ball": Cell(
        Program(Space("torus", 2, "l2"), "linear", 2), Strength("linear", 0.50001, 0.05)
    ),
    "where a floor takes over, near an edge": Cell(
        Program(Space("hyperbolic"), "exponential", 2),
        Strength("exponential", 0.15787456929683685, 0.00572323938831687, exponent=8.0),
    ),
    "float32 beside a distance": Cell(
        Program(Stimuli("line", 49), "powerlaw", 2, "plain", "float32"), Strength("powerlaw", 0.2448979616165161)
    ),
}


@pytest.mark.parametrize("label", FOUND)
def test_found(label):
    failures = cells.check(FOUND[label])
    assert not failures, "\n".join(map(str, failures))
