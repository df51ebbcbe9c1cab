"""A run that is stopped and goes on: no trial is lost or made twice, whatever the moment, chunk and devices."""

import importlib

import jax
import numpy as np
import pytest

import semres_jax
from semres_jax import Constant, Execution, Exponential, estimate, spaces
from semres_jax.montecarlo import _errors, _run, sharding
from semres_jax.montecarlo.exact_sum import ExactSum
from semres_jax.storage import processes
from semres_jax.storage.resume import Saved

KEY = jax.random.key(11)
_estimate = importlib.import_module("semres_jax.montecarlo.estimate")  # the package has a function of that name
CIRCLE = spaces.get("circle")


class Stop(Exception):
    pass


class States:
    """What a run keeps, as the sums of one moment and what is called with those of others."""

    opened = True

    def __init__(self, state=None, keep=None):
        self.state, self._keep = state, keep

    def running(self, cell):
        return self.state

    def keep(self, cell, snapshot):
        if self._keep is not None:
            self._keep(snapshot)


def goes_on(state, **how):
    return estimate(CIRCLE, key=how.pop("key", KEY), execution=Execution(saved=States(state)), **how)


def _stopped(at, **how):
    """The state that a run leaves that is stopped after its call number `at`; None where it ended before."""
    calls, kept = [], []

    def keep(snapshot):
        calls.append(1)
        if len(calls) == at:
            kept.append(snapshot())
            raise Stop

    try:
        estimate(CIRCLE, key=KEY, execution=Execution(saved=States(keep=keep)), **how)
    except Stop:
        return {name: np.array(array) for name, array in kept[0].items()}
    return None


CASES = {
    "prng": {"similarity": Constant([0.1, 0.2]), "method": "prng", "trials": 2**12 * 5 + 77},
    "lattice": {"similarity": Constant([0.1, 0.2]), "trials": 2**14},
    "credits": {"similarity": Exponential([0.1, 0.2]), "method": "prng", "trials": 2**12 * 5 + 77},
    "until": {"similarity": Constant([0.1, 0.2]), "target_stderr": 1e-4, "trials": 2**17},
}


@pytest.mark.thorough(keep=2)
@pytest.mark.parametrize("case", CASES)
def test_a_run_stopped_after_any_call_ends_with_the_same_bits(case):
    how = {"chunk": 2**10, "devices": 1, **CASES[case]}
    whole = estimate(CIRCLE, key=KEY, **how)
    stops = 0
    for at in (1, 2, 3, 5, 8, 13, 21):
        state = _stopped(at, **how)
        if state is None:
            break
        stops += 1
        again = goes_on(state, **(how | ({"chunk": None, "devices": 3} if at % 2 else {})))
        np.testing.assert_array_equal(np.stack([*again[:6]]), np.stack([*whole[:6]]))
        assert again.trials == whole.trials
    assert stops >= 3


def test_a_state_of_the_end_is_the_end():
    how = {"similarity": Constant(0.1), "trials": 2**12, "method": "prng"}
    states = []
    keeping = States(keep=lambda snapshot: states.append(snapshot()))
    whole = estimate(CIRCLE, key=KEY, execution=Execution(saved=keeping), **how)
    calls = []
    again = goes_on(states[-1], progress=lambda *_: calls.append(1), **how)
    assert not calls
    assert again[:7] == whole[:7]


def test_states_of_other_runs_are_refused():
    how = {"similarity": Constant([0.1, 0.2]), "trials": 2**12}
    state = _stopped(1, **how)
    with pytest.raises(ValueError, match="state is that of another estimate"):
        goes_on(state, key=jax.random.key(12), **how)
    with pytest.raises(ValueError, match="state is that of another estimate"):
        goes_on(state, **(how | {"similarity": Constant([0.1, 0.3])}))
    with pytest.raises(ValueError, match="it lacks level, shifts"):
        goes_on({k: v for k, v in state.items() if k not in ("shifts", "level")}, **how)


def test_sums_of_a_trillion_trials_keep_every_digit():
    """2^40 trials as the sums of 2^21 tiles: of credits, rounded once a tile, and of counts, not at all."""
    tile, batch, batches = 2**19, 2**16, 2**5
    rng = np.random.default_rng(0)
    total, counted, exact = ExactSum((1, 2)), ExactSum((1, 1)), [0, 0]
    for _ in range(batches):
        # Sums of a tile of credits, as float64 has them: multiples of 2^-40, so that their sum is known as an integer.
        values = tile / 2 + tile / 4 * rng.random((batch, 2))
        units = np.ldexp(values, 40).astype(np.int64)
        exact = [e + int(u) for e, u in zip(exact, units.astype(object).sum(0), strict=True)]
        total.add(np.zeros(batch, int), values)
        counted.add(np.zeros(batch, int), np.full((batch, 1), tile, np.int32))
    assert counted.value().item() == 2**40
    got = [int(w) * 2**40 + int(f) for w, f in zip(total.whole[0], total.fraction[0], strict=True)]
    assert got == exact


def test_what_hosts_gather_comes_back_bit_for_bit():
    tree = {"a": np.array([np.nan, -0.0, 1e-300]), "b": np.array([[True], [False]]), "c": np.array(2**63, np.uint64)}
    leaves, structure = jax.tree.flatten(tree)
    packed = np.frombuffer(b"".join(leaf.tobytes() for leaf in leaves), np.uint8)
    back = jax.tree.unflatten(structure, processes._unpacked(packed, leaves))
    for name, array in tree.items():
        assert back[name].dtype == array.dtype
        assert back[name].tobytes() == array.tobytes()
        assert back[name].shape == array.shape


@pytest.fixture
def small_lattice(monkeypatch):
    """Lattices that are full at 64 points a shift, and as few trials as 64 of them have at most."""
    monkeypatch.setattr(_run, "LOG2_LATTICE", 6)
    monkeypatch.setattr(_estimate, "MOST_TRIALS", 2**16)


def test_a_full_lattice_goes_on_with_others(small_lattice):
    """Until the standard error is what was asked for; before, a full lattice was waited for without end."""
    similarity, stops = Exponential([0.1, 0.2]), 0
    how = {"similarity": similarity, "target_stderr": 2e-6, "chunk": 2**10}
    with pytest.warns(UserWarning, match=r"target_stderr = 2e-06 was not reached: .* after 65,536 trials$"):
        whole = estimate(CIRCLE, key=KEY, **how)
    exact = semres_jax.accuracy(CIRCLE, similarity)
    assert whole.trials == 2**16
    assert (np.abs(whole.p_s - exact.p_s) < 5 * whole.p_s_stderr).all()
    assert (np.abs(whole.p_i - exact.p_i) < 5 * whole.p_i_stderr).all()
    # 64 lattices are 8 times as good as one: others, not the same again
    assert (whole.p_s_stderr < 0.25 * estimate(CIRCLE, similarity, key=KEY, trials=2**10).p_s_stderr).all()
    for at in (3, 20, 40):
        state = _stopped(at, **how)
        assert state is not None
        with pytest.warns(UserWarning, match="was not reached"):
            again = goes_on(state, **how)
        np.testing.assert_array_equal(np.stack([*again[:6]]), np.stack([*whole[:6]]))
        stops += 1
    assert stops == 3


def test_more_trials_than_a_full_lattice_has_are_several_lattices(small_lattice):
    for trials in (2**10 + 1, 2**12 + 5, 2**15):
        e = estimate(CIRCLE, Constant(0.2), key=KEY, trials=trials)
        assert trials <= e.trials < trials * 17 / 16
        assert abs(e.p_i - 0.8) < 5 * e.p_i_stderr
    # as many as were given: nothing to warn of
    e = estimate(CIRCLE, Exponential(0.2), key=KEY, trials=2**12, target_stderr=1e-9)
    assert e.trials == 2**12


@pytest.mark.parametrize("method", ["lattice", "prng"])
def test_a_standard_error_below_that_of_the_points_is_told_to_be_out_of_reach(method, monkeypatch):
    monkeypatch.setattr(_errors, "RESOLUTION", 1e-3)
    monkeypatch.setattr(_estimate, "RESOLUTION", 1e-3)
    with pytest.warns(UserWarning, match=r"2\^-32 = .* is the least there is"):
        e = estimate(CIRCLE, Constant(0.2), key=KEY, target_stderr=1e-4, method=method)
    assert e.p_i_stderr < 1.5e-3


def test_plain_trials_go_on_in_streams_and_passes(monkeypatch):
    """A pass seeds the streams that it touches only, so that it can begin anywhere."""
    how = {"similarity": Exponential(0.2), "trials": 2**13, "method": "prng"}
    monkeypatch.setattr(_run, "_LOG2_STREAM", 11)
    jax.clear_caches()
    sharding.over_tiles.cache_clear()
    at_once = estimate(CIRCLE, key=KEY, **how)
    monkeypatch.setattr(_run, "_PASS", 2**12)
    in_passes = estimate(CIRCLE, key=KEY, **how)
    np.testing.assert_array_equal(np.stack([*in_passes[:6]]), np.stack([*at_once[:6]]))
    sharding.over_tiles.cache_clear()


def test_an_estimate_goes_on_from_a_file_of_its_own(tmp_path):
    """Without a word about states: the file is opened, kept and completed by `estimate`."""
    how = {"key": KEY, "trials": 2**14, "chunk": 2**10}
    whole, calls = estimate(CIRCLE, Constant([0.1, 0.2]), **how), []

    def stop(what, done, planned):
        calls.append(done)
        if len(calls) == 5:
            raise Stop

    path = tmp_path / "estimate.state"
    saved = Saved(path)
    saved._pause = 0.0  # every call is kept
    with pytest.raises(Stop), saved:
        estimate(CIRCLE, Constant([0.1, 0.2]), **how, execution=Execution(saved=saved, progress=stop))
    with Saved(path, resume=True) as saved:
        again = estimate(CIRCLE, Constant([0.1, 0.2]), **how, execution=Execution(saved=saved))
    np.testing.assert_array_equal(np.stack([*again[:6]]), np.stack([*whole[:6]]))
    nothing = Execution(saved=Saved(path, resume=True), progress=lambda *_: pytest.fail("computed again"))
    assert estimate(CIRCLE, Constant([0.1, 0.2]), **how, execution=nothing).trials == whole.trials
    with pytest.raises(ValueError, match=r"can't resume with n = 3: .* was made with 2"):
        estimate(CIRCLE, Constant([0.1, 0.2]), n=3, **how, execution=Execution(saved=Saved(path, resume=True)))
