"""Three hundred cells: random numbers in programs that are compiled once, the package against the references.

`python -m tests.independent.run` takes thousands, of any program.
"""

import random

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from tests.independent import cells
from tests.independent.cells import Program
from tests.independent.distances import Space
from tests.independent.finite import Stimuli

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
        failures.extend(cells.check(cells.draw_cell(random.Random(seed), program)))

    compare()
    assert not failures, "\n".join(map(str, failures))
