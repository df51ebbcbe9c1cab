"""The best similarity: against brute force, against its own certificate, and against what is known of it."""

import itertools
import math

import numpy as np
import pytest
import scipy.optimize

from semres_jax import Execution, frontier, laws, spaces
from semres_jax.frontier import _climb, _measures, _simplex
from semres_jax.frontier._measures import Program

# Sums of some hundred positive terms against sums over all outcomes.
ROUNDING = 1e-12
# What the exact optimum on a grid may differ from another solver's by.
SOLVER = 1e-8
# An optimum read as a continuous similarity: each accuracy moves along a flat direction.
READ = 5e-6
# The same in the space's own distance, between whose knots the line is another one.
READ_ON_SPACE = 1e-5
# Next orders of an expansion in the length Λ = 0.1.
NEXT_ORDER = 0.02
GAP = 1e-6


def _value(best):
    return best.weight * best.accuracy.p_s + (1 - best.weight) * best.accuracy.p_i


def _outcomes(phi, mass, n):
    """Both accuracies by going through all draws of n items, ties sharing."""
    h, kinds = np.exp(-phi), range(len(phi))
    p_s = sum(np.prod(mass[list(c)]) * h[min(c)] / h[list(c)].sum() for c in itertools.product(kinds, repeat=n))
    others = itertools.product(kinds, repeat=n - 1)
    return p_s, sum(np.prod(mass[list(c)]) / (1 + h[list(c)].sum()) for c in others)


def _read(similarity, n):
    """Accuracies of a tabulated h(u), as atoms at the middles of narrow cells."""
    u, h = np.asarray(similarity.distances), np.asarray(similarity.values)
    edges = np.union1d(np.linspace(0, 1, 20001), u)
    phi = -np.log(np.interp((edges[1:] + edges[:-1]) / 2, u, h))
    return _measures.accuracy(phi, np.diff(edges), n)


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("floor", [0.05, 1e-12])
def test_accuracies_are_those_of_all_outcomes(n, floor):
    random = np.random.default_rng(n)
    phi = np.append(np.sort(random.uniform(0, 3, 4)), -math.log(floor))
    mass = random.dirichlet(np.ones(5))
    np.testing.assert_allclose(_measures.accuracy(phi, mass, n), _outcomes(phi, mass, n), rtol=ROUNDING)
    varied = _measures.vary(Program(floor, 0.3, n), phi, mass)
    np.testing.assert_allclose(varied.accuracy, _outcomes(phi, mass, n), rtol=ROUNDING)


@pytest.mark.parametrize("n", [2, 3, 4, 7])
def test_variations_are_the_derivatives(n):
    random, program = np.random.default_rng(n), Program(0.02, 0.6, n)
    phi, mass = np.linspace(0, program.length, 6), random.dirichlet(np.ones(6))
    way = random.normal(size=6)
    way -= way.mean()  # n = 2 is told on the simplex only
    step = 1e-5
    ahead, now, behind = (_measures.vary(program, phi, mass + t * way) for t in (step, 0, -step))
    assert now.first @ way == pytest.approx((ahead.value - behind.value) / (2 * step), rel=1e-6)
    alone = program._replace(weight=1.0)  # the Hessian is that of weight p_S
    ahead, behind = (_measures.vary(alone, phi, mass + t * way) for t in (step, -step))
    change = program.weight * (ahead.first - behind.first) / (2 * step)
    np.testing.assert_allclose(now.second @ way, change, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(_measures.first_variation(program, phi, mass), now.first, rtol=ROUNDING)


@pytest.mark.thorough(keep=3)
@pytest.mark.parametrize("weight", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("n", [2, 3])
def test_brute_force_on_three_levels(weight, n):
    best = frontier.optimal(0.1, weight=weight, n=n, levels=3)
    shares = np.linspace(0, 1, 101)
    tried = max(
        weight * p_s + (1 - weight) * p_i
        for a, b in itertools.product(shares, shares)
        if a + b <= 1
        for p_s, p_i in [_measures.accuracy(best.phi, np.array([a, b, max(1 - a - b, 0.0)]), n)]
    )
    assert tried <= _value(best) + ROUNDING
    assert tried >= _value(best) - 1e-4  # a grid of 1 % is that close


@pytest.mark.parametrize("weight", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("n", [2, 4])
def test_another_solver_finds_nothing_better(weight, n):
    best = frontier.optimal(0.02, weight=weight, n=n, levels=9)
    program = Program(0.02, weight, n)

    def lost(mass):
        result = _measures.vary(program, best.phi, np.maximum(mass, 0.0))
        return -result.value, -result.first

    result = scipy.optimize.minimize(
        lost,
        np.full(9, 1 / 9),
        jac=True,
        method="SLSQP",
        bounds=[(0, 1)] * 9,
        constraints={"type": "eq", "fun": lambda mass: mass.sum() - 1, "jac": lambda mass: np.ones(9)},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert -result.fun == pytest.approx(_value(best), abs=SOLVER)


def test_pivoting_from_any_start_ends_at_the_same_place():
    random = np.random.default_rng(0)
    for size in (2, 5, 30):
        root = random.normal(size=(size, size))
        matrix, linear = root @ root.T + 0.01 * np.eye(size), 3 * random.normal(size=size)
        starts = [np.ones(size, bool), np.arange(size) == 0, random.random(size) < 0.5]
        starts[2][0] = True
        result = [_simplex.maximise(matrix, linear, start) for start in starts]
        gain = linear - matrix @ result[0]
        assert gain.max() - gain @ result[0] < 1e-9
        for other in result[1:]:
            np.testing.assert_allclose(other, result[0], atol=1e-9)


@pytest.mark.parametrize("delta", [0.5, 0.02, 1e-6])
@pytest.mark.parametrize("weight", [0.2, 1.0])
def test_the_gap_covers_what_a_finer_grid_gains(delta, weight):
    coarse, fine = (frontier.optimal(delta, weight=weight, levels=levels) for levels in (9, 513))
    assert _value(fine) >= _value(coarse) - ROUNDING  # equal where all of the mass is at the floor
    assert _value(fine) <= _value(coarse) + coarse.gap + ROUNDING
    assert fine.gap <= coarse.gap


def test_the_gap_covers_every_place_between_levels():
    program = Program(0.02, 0.7, 2)
    best = frontier.optimal(0.02, weight=0.7, levels=12)
    bound = _measures.bounds_between(program, best.phi, best.mass)
    fine = np.unique(np.concatenate([np.linspace(a, b, 50) for a, b in itertools.pairwise(best.phi)]))
    mass = np.where(np.isin(fine, best.phi), np.interp(fine, best.phi, best.mass), 0.0)
    first = _measures.first_variation(program, fine, mass)
    place = np.clip(np.searchsorted(best.phi, fine, side="right") - 1, 0, 10)
    assert (first <= bound[place] + ROUNDING).all()
    assert best.gap == pytest.approx(max(bound) - first @ mass, rel=1e-9)


@pytest.mark.parametrize("delta", [0.9, 0.3, 0.02, 1e-4, 1e-12])
def test_by_default_the_gap_is_met_and_both_accuracies_agree(delta):
    best = frontier.optimal(delta)
    assert best.gap <= GAP
    assert best.certificate == "global"
    assert best.accuracy.p_s == pytest.approx(best.accuracy.p_i, abs=ROUNDING)
    assert best.accuracy.p_s > frontier.best_constant(delta)[1]
    assert best.mass.sum() == pytest.approx(1, abs=ROUNDING)
    assert best.atoms[0] == pytest.approx(best.atoms[1], abs=1e-9)  # φ -> Λ - φ changes nothing at weight 1


@pytest.mark.parametrize(("n", "delta"), [(3, 0.1), (5, 0.02), (8, 0.1), (8, 1e-4), (32, 0.3)])
def test_many_items_are_stationary_and_both_accuracies_agree(n, delta):
    best = frontier.optimal(delta, n=n)
    assert best.gap <= GAP
    assert best.certificate == "stationary"
    assert best.agreeing == best.starts == 4
    assert best.accuracy.p_s == pytest.approx(best.accuracy.p_i, abs=1e-9)
    assert best.accuracy.p_s > frontier.best_constant(delta, n=n)[1]


def test_the_constant_similarity_falls_short_by_the_fifth_order():
    """(1 - Δ)^5 / 1536, atoms 1/2 - Λ²/16, uniform density Λ²/8 between them, as Δ → 1; here in powers of Λ = -ln Δ."""
    deficits = []
    for length in (0.1, 0.2):
        best = frontier.optimal(math.exp(-length), levels=401)
        b, constant = frontier.best_constant(math.exp(-length))
        assert b == 0.5
        deficits.append(best.accuracy.p_s - constant)
        assert best.gap < 1e-3 * deficits[-1] + 1e-9
        assert deficits[-1] * 1536 / length**5 == pytest.approx(1, abs=NEXT_ORDER)
        assert (0.5 - best.atoms[0]) * 16 / length**2 == pytest.approx(1, abs=NEXT_ORDER)
        density = best.mass[1:-1] / np.diff(best.phi)[1:]
        np.testing.assert_allclose(density * 8 / length, 1, atol=NEXT_ORDER)
    assert math.log2(deficits[1] / deficits[0]) == pytest.approx(5, abs=0.03)


def test_without_a_floor_there_would_be_no_tradeoff():
    for delta in (1e-2, 1e-6, 1e-12, 1e-30):
        best, length = frontier.optimal(delta), -math.log(delta)
        lost = 1 - best.accuracy.p_s
        assert 1 / lost - length / (2 * math.log(2)) == pytest.approx(1.871, abs=1e-3)
    assert length * lost == pytest.approx(2 * math.log(2), rel=0.04)


@pytest.mark.parametrize("n", [2, 5])
def test_front_from_the_best_identification_to_the_best_generalization(n):
    front = frontier.optimal_front(0.1, n=n, weights=[0.0, 0.01, 0.2, 0.5, 0.8, 1.0])
    p_s, p_i = (np.array([getattr(best.accuracy, name) for best in front]) for name in ("p_s", "p_i"))
    np.testing.assert_allclose([p_i[0], p_s[0]], [1 / (1 + (n - 1) * 0.1), 1 / n], rtol=ROUNDING)
    assert front[0].gap == 0
    assert front[0].atoms == (0.0, 1.0)
    np.testing.assert_array_equal(front[1].mass > 0, front[0].mass > 0)  # so little weight moves nothing
    moving = p_s > p_s[0] + ROUNDING
    assert moving.sum() >= 3
    assert (np.diff(p_s[moving]) > 0).all()
    assert (np.diff(p_i[moving]) < 0).all()
    for best in front:  # each is best for its own weight
        assert (best.weight * p_s + (1 - best.weight) * p_i <= _value(best) + best.gap + ROUNDING).all()
    b = np.linspace(0, 1, 101)
    constant = laws.constant(b, n=n, delta=0.1)
    for best in front:
        value = best.weight * np.asarray(constant.p_s) + (1 - best.weight) * np.asarray(constant.p_i)
        assert value.max() <= _value(best) + best.gap + 1e-6  # float32


@pytest.mark.parametrize(("weight", "n"), [(1.0, 2), (0.5, 2), (0.05, 2), (0.0, 2), (0.7, 4)])
def test_the_similarity_has_the_accuracies_of_the_measure(weight, n):
    best = frontier.optimal(0.02, weight=weight, n=n)
    result = _read(best.similarity, n)
    np.testing.assert_allclose(result, best.accuracy, atol=READ)
    value = weight * result.p_s + (1 - weight) * result.p_i
    assert abs(value - _value(best)) <= best.gap + 1e-8  # a jump is 1e-9 wide


def test_plateaus_are_the_atoms():
    best = frontier.optimal(0.1)
    u, h = np.asarray(best.similarity.distances), np.asarray(best.similarity.values)
    assert (u[0], u[-1], h[0], h[-1]) == (0, 1, 1, pytest.approx(0.1))
    assert (np.diff(u) > 0).all()
    assert (np.diff(h) <= 0).all()
    np.testing.assert_allclose([u[h == 1].max(), 1 - u[h == h[-1]].min()], best.atoms, atol=1e-9)


@pytest.mark.parametrize("name", ["circle", "sphere(2)", "sphere(9)", "torus(2)"])
def test_on_a_space_it_is_the_same_function_of_the_ball_measure(name, x64):
    space = {
        "circle": spaces.Circle(), "sphere(2)": spaces.Sphere(2), "sphere(9)": spaces.Sphere(9),
        "torus(2)": spaces.Torus(2),
    }[name]  # fmt: skip
    best = frontier.optimal(0.1, levels=65)
    there = best.on(space)
    d = np.asarray(there.distances)
    assert d[0] == 0
    assert d[-1] <= space.diameter
    assert (np.diff(d) > 0).all()
    probe = space.point(np.full(space.uniforms, 0.5))
    u = np.asarray([space.ball_measure(probe, r) for r in d[::8]])
    np.testing.assert_allclose(
        there(d[::8]), np.interp(u, best.similarity.distances, best.similarity.values), atol=1e-7
    )


def test_on_circle_is_half_of_u():
    best = frontier.optimal(0.1)
    np.testing.assert_allclose(
        np.asarray(best.on(spaces.Circle()).distances) * 2, best.similarity.distances, atol=1e-12
    )


def test_levels_are_what_was_asked_for():
    best = frontier.optimal(0.1, levels=17)
    np.testing.assert_allclose(best.phi, np.linspace(0, math.log(10), 17))
    assert best.gap > GAP
    assert "n = 2, weight 1: p_s = 0.716" in str(best)


def test_best_constant_is_where_its_accuracies_meet():
    b, p_s = frontier.best_constant(0.05, n=8)
    result = laws.constant(b, n=8, delta=0.05)
    assert p_s == pytest.approx(float(result.p_s), abs=1e-6)  # float32
    assert float(result.p_i) == pytest.approx(p_s, abs=1e-5)


def test_splitting_keeps_atoms_and_density():
    coarse = frontier.optimal(0.02, weight=0.6, levels=65)
    settled = _climb.on_grid(Program(0.02, 0.6, 2), coarse.phi, coarse.mass)
    phi = _climb._split(coarse.phi, np.full(64, 3))
    np.testing.assert_array_equal(phi[::3], coarse.phi)
    mass = _climb._moved(settled, phi)
    before, after = (_climb.spread(*measure) for measure in ((coarse.phi, coarse.mass), (phi, mass)))
    assert mass.sum() == pytest.approx(1)
    assert after.atoms[-1] == pytest.approx(before.atoms[-1], abs=2e-3)
    np.testing.assert_allclose(after.density[::3][10:-2], before.density[10:-2], rtol=1e-3)


def test_table_holds_all_of_it():
    ticks = []
    table = frontier.optimal_table(
        [0.5, 0.1], weights=[0.0, 0.4], n=3, levels=17, execution=Execution(progress=lambda *tick: ticks.append(tick))
    )
    assert table.weight.values.tolist() == [0.0, 0.4, 1.0]
    assert table.delta.values.tolist() == [0.1, 0.5]
    assert ticks[-1][1:] == (12, 12)
    best = frontier.optimal(0.1, weight=0.4, n=3, levels=17)
    row = table.sel(delta=0.1, weight=0.4)
    assert float(row.p_s) == best.accuracy.p_s
    np.testing.assert_array_equal(row.mass, best.mass)
    np.testing.assert_allclose(table.deficit, table.p_s.sel(weight=1.0) - table.constant_p_s)
    # No family gets beyond the front.
    for weight in table.weight.values:
        value = weight * table.front_p_s + (1 - weight) * table.front_p_i
        own = table.sel(weight=weight)
        assert (value <= weight * own.p_s + (1 - weight) * own.p_i + own.gap + ROUNDING).all()


def test_linear_family_is_the_law_without_much_of_a_floor():
    result = frontier.families.on_circle("linear", 1e-9)
    share = np.linspace(0, 1, result.p_s.size)[1:-1]
    law = laws.linear((share / (1 - share)) ** 2)
    np.testing.assert_allclose(result.p_s[1:-1], law.p_s, atol=1e-5)
    np.testing.assert_allclose(result.p_i[1:-1], law.p_i, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delta": 0.0}, "no tradeoff"),
        ({"delta": 1.0}, "nothing is told apart"),
        ({"delta": 1.5}, "strictly between 0 and 1"),
        ({"delta": -0.1}, "strictly between 0 and 1"),
        ({"delta": math.nan}, "got nan"),
        ({"delta": [0.1, 0.2]}, "delta must be one number"),
        ({"weight": 1.1}, "weight must be between 0"),
        ({"weight": math.nan}, "weight must be between 0"),
        ({"n": 1}, "n must be at least 2"),
        ({"levels": 2}, "levels must be at least 3"),
    ],
)
def test_bad_input(options, message):
    with pytest.raises(ValueError, match=message) as error:
        frontier.optimal(**({"delta": 0.1} | options))
    assert "\n" not in str(error.value)


def test_more_bad_input():
    with pytest.raises(ValueError, match="at least one number"):
        frontier.optimal_front(0.1, weights=[])
    with pytest.raises(ValueError, match="at least one floor"):
        frontier.optimal_table([])
    with pytest.raises(ValueError, match="unknown similarity 'tabulated'"):
        frontier.families.on_circle("tabulated", 0.1)


def test_spaces_without_one_ball_measure_are_refused():
    best = frontier.optimal(0.1, levels=9)
    with pytest.raises(ValueError, match="must be homogeneous"):
        best.on(spaces.Interval())
    with pytest.raises(ValueError, match="no ties"):
        best.on(spaces.get("hamming"))
