"""Sweeps against the laws cell by cell, what they refuse, and what they compile."""

import concurrent.futures
import logging
import math
import threading
import time

import jax
import numpy as np
import pytest

from semres_jax import Execution, frontier, laws, spaces
from semres_jax.frontier import _parts
from semres_jax.laws import _integrals, closed_form, enumeration
from semres_jax.similarity import Constant, Exponential, Linear, PowerLaw, Tabulated
from semres_jax.spaces import neighbours
from semres_jax.storage.resume import Saved
from tests.killed import goes_on_from_everywhere, same_bits
from tests.problems import CLOUD, DELTA, PROBLEMS

EXACT = 1e-10
STANDARD_ERRORS = 5
EPSILON = np.array([0.05, 0.2, 0.45])


def _cells_are_those_of_the_laws(table, space, kinds, ns, **options):
    for kind in kinds:
        for n in ns:
            here = table.sel(space=space.label, similarity=kind.name, n=n)
            epsilon, delta = here.epsilon.values[:, None], here.delta.values[None, :]
            want = laws.accuracy(space, kind(epsilon, delta), n=n, **options)
            got = here[["p_s", "p_i"]].transpose("epsilon", "delta")
            np.testing.assert_allclose((got.p_s, got.p_i), want, rtol=0, atol=EXACT, err_msg=f"{kind.name}, n = {n}")


def test_dimensions_and_variables():
    table = frontier.sweep([spaces.Circle(), CLOUD], Constant, [2, 5], epsilon=EPSILON, delta=DELTA)
    assert dict(table.sizes) == {"space": 2, "similarity": 1, "epsilon": 3, "delta": 2, "n": 2}
    assert set(table.data_vars) == {"p_s", "p_i", "p_s_stderr", "p_i_stderr", "mean_b", "var_b", "tie_rate"}
    assert table.tie_rate.dims == ("space", "n")
    assert all(table[name].dims == tuple(table.sizes) for name in table.data_vars if name != "tie_rate")
    assert table.space.values.tolist() == ["circle", "finite(12)"]
    assert table.n.values.tolist() == [2, 5]
    assert not table.isnull().any().to_dataarray().any()
    assert (table.p_s_stderr == 0).all()
    assert (table.p_i_stderr == 0).all()
    assert {"semres_jax", "commit", "jax", "device", "method", "key", "seconds", "exponent"} <= table.attrs.keys()
    for space in (spaces.Circle(), CLOUD):
        _cells_are_those_of_the_laws(table, space, [Constant], (2, 5))


@pytest.mark.thorough(keep=4)
@pytest.mark.parametrize("problem", PROBLEMS, ids=str)
def test_answers_of_the_problems(problem):
    kind = problem.similarity if problem.kind is PowerLaw else problem.kind
    task = {"exponent": problem.exponent, "replace": problem.replace}
    table = frontier.sweep(problem.space, kind, problem.n, epsilon=problem.epsilon, delta=DELTA, **task)
    got = table[["p_s", "p_i"]].squeeze().transpose("epsilon", "delta")
    tolerance = 1e-9 if problem.space.label == "interval" else EXACT
    np.testing.assert_allclose((got.p_s, got.p_i), problem.exact, rtol=0, atol=tolerance)


def test_averages_over_the_probe():
    table = frontier.sweep(spaces.Interval(), "constant", [2, 7], epsilon=EPSILON, delta=DELTA)
    _cells_are_those_of_the_laws(table, spaces.Interval(), [Constant], (2, 7))


@pytest.mark.thorough
def test_linear_on_a_circle_mixes_engines():
    """A closed form for n = 2 without a floor, quadrature for the rest."""
    table = frontier.sweep(spaces.Circle(), Linear, [2, 3], epsilon=EPSILON, delta=DELTA)
    _cells_are_those_of_the_laws(table, spaces.Circle(), [Linear], [3])
    plain = frontier.sweep(spaces.Circle(), Linear, 2, epsilon=EPSILON)
    _cells_are_those_of_the_laws(plain, spaces.Circle(), [Linear], [2])
    np.testing.assert_allclose(plain.p_s, table.p_s.sel(delta=[0.0], n=[2]), rtol=0, atol=EXACT)


@pytest.mark.parametrize("replace", [False, True])
def test_finite_space(replace):
    kinds = [Constant] if replace else [Constant, Exponential]
    table = frontier.sweep(CLOUD, kinds, 4, epsilon=EPSILON, delta=DELTA, replace=replace)
    _cells_are_those_of_the_laws(table, CLOUD, kinds, [4], replace=replace)
    moments = neighbours.moments(CLOUD, EPSILON, replace=replace)
    here = table.sel(similarity="constant", n=4).isel(space=0, delta=0)
    np.testing.assert_allclose((here.mean_b, here.var_b), moments, rtol=0, atol=1e-15)
    np.testing.assert_allclose(table.tie_rate[0, 0], enumeration.tie_rate(CLOUD, n=4, replace=replace), rtol=1e-14)


def test_ties():
    """In a square two of the three others are equally far: one pair in three ties, and all three do."""
    square = spaces.Finite([[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 1], [1, 2, 1, 0]])
    weighted = spaces.Finite(CLOUD.distances, weights=np.arange(1.0, 13.0) / 78)
    table = frontier.sweep(
        {"square": square, "weighted": weighted, "circle": spaces.Circle()}, Constant, [2, 3], epsilon=[1.0]
    )
    np.testing.assert_allclose(table.tie_rate.sel(space="square"), [1 / 3, 1.0], rtol=0, atol=1e-15)
    assert table.tie_rate.sel(space="circle").values.tolist() == [0.0, 0.0]
    assert np.isnan(table.tie_rate.sel(space="weighted", n=3))
    assert table.tie_rate.sel(space="weighted", n=2) == 0


def test_moments_of_the_balls():
    epsilon = np.linspace(0.0, 1.2, 13)
    table = frontier.sweep([spaces.Interval(), spaces.Circle()], Constant, [2, 3], epsilon=epsilon, delta=DELTA)
    with jax.enable_x64(True):
        mean, variance = (np.asarray(x) for x in closed_form.segment_moments(epsilon))
    for n in (2, 3):
        for delta in DELTA:
            here = table.sel(n=n, delta=delta).isel(similarity=0)
            np.testing.assert_allclose(here.mean_b.sel(space="interval"), mean, rtol=0, atol=1e-12)
            np.testing.assert_allclose(here.var_b.sel(space="interval"), variance, rtol=0, atol=1e-12)
            np.testing.assert_allclose(here.mean_b.sel(space="circle"), np.minimum(2 * epsilon, 1), rtol=0, atol=1e-12)
            np.testing.assert_allclose(here.var_b.sel(space="circle"), 0, rtol=0, atol=1e-12)


def test_several_exponents_are_a_dimension():
    powers = np.array([0.0, 1.0, 2.5, np.inf])
    table = frontier.sweep(spaces.Circle(), Constant, [2, 5], epsilon=EPSILON, delta=DELTA, exponent=powers)
    assert tuple(table.sizes) == ("space", "similarity", "epsilon", "delta", "n", "exponent")
    assert "exponent" not in table.attrs
    for power in powers:
        _cells_are_those_of_the_laws(
            table.sel(exponent=power), spaces.Circle(), [Constant], (2, 5), exponent=float(power)
        )
    assert frontier.sweep(CLOUD, Constant, 2, epsilon=0.2, exponent=2.5).attrs["exponent"] == 2.5


@pytest.mark.parametrize("given", ["powerlaw(3)", " powerlaw( 3.0 ) ", PowerLaw(17.0, 3.0)], ids=str)
def test_powers_by_label(given):
    """The resolution of a similarity that is handed in gives way to the grid."""
    table = frontier.sweep(CLOUD, given, 2, epsilon=EPSILON, delta=DELTA)
    assert table.similarity.values.tolist() == ["powerlaw(3)"]
    want = laws.accuracy(CLOUD, PowerLaw(EPSILON[:, None], 3.0, DELTA[None]))
    np.testing.assert_allclose((table.p_s.squeeze(), table.p_i.squeeze()), want, rtol=0, atol=EXACT)


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize("method", ["lattice", "prng"])
def test_monte_carlo_agrees(method):
    grid = {"epsilon": EPSILON, "delta": DELTA}
    run = frontier.sweep([spaces.Circle(), CLOUD], Constant, 3, **grid, method=method, trials=2**14)
    exact = frontier.sweep([spaces.Circle(), CLOUD], Constant, 3, **grid)
    assert run.attrs["trials"] == 2**14
    for name in ("p_s", "p_i"):
        assert (run[f"{name}_stderr"] > 0).all()
        assert (np.abs(run[name] - exact[name]) < STANDARD_ERRORS * run[f"{name}_stderr"]).all()
    assert (np.abs(run.mean_b - exact.mean_b) < 0.05).all()
    assert run.tie_rate.equals(exact.tie_rate)


def test_a_cell_is_the_same_whatever_else_is_swept():
    options = {"method": "lattice", "trials": 2**12, "key": jax.random.key(7)}
    alone = frontier.sweep(spaces.Circle(), Constant, 3, epsilon=[0.2], **options)
    places = {"cloud": CLOUD, "circle": spaces.Circle()}
    among = frontier.sweep(places, Constant, [2, 3], epsilon=EPSILON, delta=DELTA, **options)
    here = among.sel(space="circle", similarity="constant", n=3, epsilon=0.2, delta=0.0)
    for name in ("p_s", "p_i", "p_s_stderr", "p_i_stderr", "mean_b", "var_b"):
        assert here[name].item() == alone[name].item(), name
    other = frontier.sweep(spaces.Circle(), Constant, 3, epsilon=[0.2], **options | {"key": jax.random.key(8)})
    assert other.p_s.item() != alone.p_s.item()


def test_other_numbers_compile_nothing(caplog):
    """Other values, another size of the grid and another number of floors; the programs are those of the first."""
    circle = spaces.Circle()
    frontier.sweep(circle, [Constant, Linear], [2, 3], epsilon=EPSILON, delta=DELTA)
    programs = _integrals.luce._cache_size()
    jax.config.update("jax_log_compiles", True)
    try:
        with caplog.at_level(logging.WARNING):
            jax.jit(lambda x: x + 1)(1.0)
            assert [m for m in caplog.messages if m.startswith("Compiling")]  # they are heard of
            caplog.clear()
            epsilon = np.linspace(0.01, 0.3, 50)[1:4]
            frontier.sweep(circle, [Constant, Linear], [2, 3], epsilon=epsilon, delta=[0.05, 0.2])
    finally:
        jax.config.update("jax_log_compiles", False)
    assert [m for m in caplog.messages if m.startswith("Compiling")] == []
    frontier.sweep(circle, Linear, [2, 3], epsilon=np.linspace(0.01, 0.3, 20), delta=[0.05, 0.2, 0.4])
    assert _integrals.luce._cache_size() == programs


def test_finished_sees_the_table_grow(monkeypatch):
    monkeypatch.setattr(_parts, "_CHUNK", 32)
    seen, lines = [], []
    table = frontier.sweep(
        [spaces.Circle(), CLOUD],
        Constant,
        [2, 3],
        epsilon=np.linspace(0, 0.5, 40),
        execution=Execution(
            finished=lambda partial: seen.append(partial.copy(deep=True)), progress=lambda *what: lines.append(what)
        ),
    )
    unknown = [int(np.isnan(partial.p_s).sum()) for partial in seen]
    assert len(seen) == len(lines) == 3  # two chunks of the circle, the finite space at once
    assert unknown == sorted(unknown, reverse=True)
    assert unknown[0] > 0 == unknown[-1]
    assert lines[-1][1:] == (80, 80)
    last = seen[-1]
    for partial in seen:
        assert np.isnan(partial.p_s).equals(np.isnan(partial.p_i))
        assert ((partial.p_s == last.p_s) | np.isnan(partial.p_s)).all()
        assert not np.isnan(partial.mean_b).any()
    assert last.p_s.equals(table.p_s)


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize("method", ["exact", "lattice"])
def test_interrupted_between_parts(method):
    """What is waiting is not started any more."""
    calls = []

    def stop(partial):
        calls.append(partial)
        raise KeyboardInterrupt

    circles = {str(i): spaces.Circle() for i in range(2000)}
    started, how = time.perf_counter(), Execution(finished=stop)
    with pytest.raises(KeyboardInterrupt):
        frontier.sweep(circles, Constant, 2, epsilon=EPSILON, method=method, trials=2**10, execution=how)
    assert time.perf_counter() - started < 10
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"epsilon": [0.2, 0.1]}, r"epsilon must increase; got 0\.2 before 0\.1 \(sort it\)"),
        ({"epsilon": [0.1, 0.1]}, "epsilon must increase"),
        ({"epsilon": []}, "epsilon must have at least one value"),
        ({"epsilon": [[0.1]]}, "along one axis"),
        ({"epsilon": [-0.1]}, r"epsilon must be a distance, at least 0; got -0\.1"),
        ({"epsilon": "wide"}, "epsilon must be numbers; got the text 'wide'"),
        ({"delta": [0.0, 1.5]}, r"delta must be a floor between 0 and 1; got 1\.5"),
        ({"delta": [0.5, 0.0]}, "delta must increase"),
        ({"exponent": [2.0, 1.0]}, "exponent must be numbers of at least 0, increasing"),
        ({"exponent": np.linspace(1, 0, 100)}, r"exponent must be .*\.\.\."),
        ({"exponent": "x"}, "exponent must be numbers; got the text 'x'"),
        ({"similarities": "lineal"}, "unknown similarity 'lineal'; there are constant, linear"),
        ({"similarities": "linear(3)"}, r"unknown similarity 'linear\(3\)'"),
        ({"similarities": "powerlaw(x)"}, r"the exponent of 'powerlaw\(x\)' is not a number"),
        ({"similarities": "powerlaw(-1)"}, "exponent must be at least 0; got -1"),
        ({"similarities": Tabulated}, "unknown similarity 'tabulated'"),
        ({"similarities": Tabulated(np.linspace(0, 1, 50), np.linspace(1, 0, 50))}, "a similarity with a resolution"),
        ({"similarities": [Constant, "constant"]}, r"similarities must differ; got \['constant', 'constant'\]"),
        ({"similarities": []}, "at least one space, one similarity and one n"),
        ({"ns": [3, 3]}, r"ns must differ; got \[3, 3\]"),
        ({"ns": 1}, "n must be at least 2"),
        ({"ns": 2.5}, "n must be a whole number"),
        ({"method": "exakt"}, "method must be one of exact, lattice, prng; got 'exakt'"),
        ({"spaces": spaces.Torus(3, "l2")}, r"no exact engine .* torus\(3, l2\) .*; use semres_jax\.estimate"),
        ({"spaces": [CLOUD, CLOUD]}, "spaces must have different labels"),
        ({"spaces": CLOUD, "ns": [2, 12]}, "12 distinct items and a probe need 13 stimuli"),
    ],
)
def test_refuses(changed, message):
    """In one line, before anything is computed."""
    question = {"spaces": spaces.Circle(), "similarities": Constant, "ns": 2, "epsilon": [0.1]} | changed
    never = Execution(finished=lambda _: pytest.fail("something was computed"))
    with pytest.raises(ValueError, match=message) as refused:
        frontier.sweep(**question, execution=never)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 250


def test_optima_of_the_constant_similarity():
    epsilon = np.linspace(0, 0.5, 501)
    best = frontier.optima(frontier.sweep(spaces.Circle(), Constant, [2, 8], epsilon=epsilon, delta=DELTA)).squeeze()
    assert set(best.data_vars) == {"epsilon", "p_s", "p_i", "mean_b", "best_b"}
    for n in (2, 8):
        for delta in DELTA:
            want = closed_form.optimal_ball_measure(n, float(delta))
            here = best.sel(n=n, delta=delta)
            assert here.best_b == want
            assert abs(here.mean_b - want) <= 2 * 0.001
            assert abs(here.epsilon - want / 2) <= 0.001
            assert abs(here.p_s - here.p_i) < 0.01  # they meet at the optimum


def _best_ball_measure(n, floor):
    """By a search on a fine grid of p_S, the average over how many of n items are within reach."""
    b, within = np.linspace(0.001, 0.999, 4991)[:, None], np.arange(n + 1.0)
    ways = np.array([math.comb(n, k) for k in range(n + 1)])
    credit = np.append(1 / n, 1 / (within[1:] + (n - within[1:]) * floor))
    return float(b[(ways * b**within * (1 - b) ** (n - within) * credit).sum(1).argmax(), 0])


def test_best_b_knows_the_exponent():
    """Strengths of far items are Δ^a. With argmax they are 0 whatever Δ is, with exponent 0 nothing is told apart."""
    powers = np.array([0.0, 0.5, 1.0, 4.0, np.inf])
    question = {"epsilon": np.linspace(0.005, 0.495, 99), "delta": [0.2, 0.5]}
    every = frontier.sweep(spaces.Circle(), Constant, [2, 8], **question, exponent=powers)
    best = frontier.optima(every).squeeze()
    assert set(best.best_b.dims) == {"n", "delta", "exponent"}
    for n in (2, 8):
        for delta in (0.2, 0.5):
            for power in powers[1:]:
                here = best.sel(n=n, delta=delta, exponent=power)
                floor = delta**power if np.isfinite(power) else 0.0
                assert abs(here.best_b - _best_ball_measure(n, floor)) < 1e-3, (n, delta, power)
                assert abs(here.best_b - here.mean_b) <= 0.01, (n, delta, power)  # a step of the grid
            flat = best.sel(n=n, delta=delta, exponent=0.0)
            assert flat.best_b == closed_form.optimal_ball_measure(n, 1.0)
    alone = frontier.optima(frontier.sweep(spaces.Circle(), Constant, [2, 8], **question, exponent=4.0))
    chosen = frontier.optima(every.sel(exponent=4.0))
    assert alone.best_b.dims == chosen.best_b.dims == ("n", "delta")
    for other in (alone, chosen):
        np.testing.assert_array_equal(other.best_b, best.best_b.sel(exponent=4.0).transpose("n", "delta"))
    bare = frontier.sweep(spaces.Circle(), Constant, 2, epsilon=[0.1, 0.2]).drop_attrs()
    with pytest.raises(ValueError, match=r"table doesn't say its Luce exponent .*assign_attrs\(exponent=1\.0\)"):
        frontier.optima(bare)


def test_optima_of_a_table_with_gaps():
    table = frontier.sweep(spaces.Circle(), Constant, 2, epsilon=[0.1, 0.25, 0.4])
    table.p_s.values[0, 0, 1] = np.nan
    assert frontier.optima(table).epsilon.item() in (0.1, 0.4)
    empty = table.assign(p_s=table.p_s * np.nan)
    assert np.isnan(frontier.optima(empty).p_s).all()


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize("method", ["exact", "lattice"])
def test_killed_at_every_write_it_goes_on_to_the_same_bits(method, tmp_path, monkeypatch):
    monkeypatch.setattr(_parts, "_TRIALS_AT_ONCE", 1024)
    monkeypatch.setattr(_parts, "_CHUNK", 32)
    grid = {"epsilon": np.linspace(0.0, 0.5, 40), "key": jax.random.key(3), "method": method}
    if method != "exact":
        grid["trials"] = 4096
    question = ([spaces.Circle(), CLOUD], Constant, 2)

    def sweep(saved):
        return frontier.sweep(*question, **grid, execution=Execution(devices=1, saved=saved))

    # Two parts of the circle and one of the other space; or of each four chunks and the part.
    assert goes_on_from_everywhere(sweep, tmp_path / "state", monkeypatch) == (3 if method == "exact" else 10)
    other = grid | {"epsilon": np.append(grid["epsilon"][:-1], 0.6)}
    with pytest.raises(ValueError, match=r"can't resume with epsilon\[39\] = 0\.6"):
        frontier.sweep(*question, **other, execution=Execution(saved=Saved(tmp_path / "state", resume=True)))


def test_numbers_do_not_depend_on_devices():
    """Quadrature of four parts, on one device and on all; and a last part that leaves some devices idle."""
    assert len(jax.devices()) == 4
    for powers in (1.0, np.inf):
        grid = {"epsilon": np.linspace(0.01, 0.5, 5 * _parts._CHUNK + 3), "exponent": powers}
        runs = [Execution(devices=k) for k in (1, 4)]
        same_bits(*(frontier.sweep(spaces.Circle(), Exponential, 3, **grid, execution=how) for how in runs))
    with pytest.raises(ValueError, match="devices must be between 1 and 4"):
        frontier.sweep(spaces.Circle(), Constant, 2, epsilon=0.1, execution=Execution(devices=5))


def test_numbers_do_not_depend_on_hosts(monkeypatch):
    """Two processes, played by two threads that wait for each other."""
    grid = {"epsilon": np.linspace(0.0, 0.5, 7 * _parts._CHUNK + 3), "delta": DELTA}
    question = ({"circle": spaces.Circle(), "cloud": CLOUD}, Constant, [2, 3])
    alone = frontier.sweep(*question, **grid)
    own, lines, meeting = threading.local(), [None, None], threading.Barrier(2, timeout=60)

    def gather(array):
        lines[own.index] = array
        meeting.wait()
        every = list(lines)
        meeting.wait()
        return every

    monkeypatch.setattr(_parts.processes, "hosts", lambda: (own.index, 2))
    monkeypatch.setattr(_parts.processes, "gather", gather)
    monkeypatch.setattr(_parts, "_ROUND", 3)
    computed = []
    exact = _parts._exact
    monkeypatch.setattr(_parts, "_exact", lambda batch, devices: (computed.append(1), exact(batch, devices))[1])

    def host(index):
        own.index = index
        return frontier.sweep(*question, **grid)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        tables = list(pool.map(host, (0, 1)))
    assert len(computed) == 16  # fifteen parts of the circle and one of the cloud, each once
    for table in tables:
        same_bits(table, alone)


def test_without_resolutions_a_sweep_goes_up_to_each_diameter():
    far = spaces.Finite(1e3 * np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0))))
    alone = frontier.sweep(far, Constant, 2)
    assert (alone.epsilon[-1], "resolution" in alone) == (4e3, False)
    both = frontier.sweep([spaces.Circle(), far], Constant, 2)
    np.testing.assert_allclose(both.resolution[:, -1], [0.5, 4e3])
    np.testing.assert_array_equal(both.p_s.sel(space="finite(5)").values, alone.p_s.values[0])
    assert frontier.optima(both).epsilon.sel(space="finite(5)").item() == frontier.optima(alone).epsilon.item()
    with pytest.warns(UserWarning, match="no epsilon reaches a distance of finite.*smallest distance 1000"):
        frontier.sweep(far, Constant, 2, epsilon=[0.1, 0.5])
