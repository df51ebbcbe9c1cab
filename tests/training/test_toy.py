"""Training of the toy network."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from semres_jax import Execution, spaces
from semres_jax.laws import tables
from semres_jax.training import toy
from semres_jax.training.toy import drawing, loop, spread
from semres_jax.training.toy.loop import settings

RING = spaces.grid(spaces.get("circle"), 10)
SMALL = toy.Design(hidden=4, batch=16)
# One program for most tests: 2 runs, 4 recorded steps.
TRAINED = {"runs": 2, "steps": 40, "records": [5, 12]}


def strengths_of(weights, floor=1e-10):
    g = np.maximum(np.einsum("...xm,...ym->...xy", weights.astype(float), weights.astype(float)), 0)
    return g + np.float64(np.float32(floor))


def test_steps_are_those_of_a_plain_loop():
    """The same trials, loss and optimiser, written out: the jitted scan over runs does nothing else."""
    history = toy.train(RING, SMALL, **TRAINED, key=jax.random.key(3))
    key = jax.random.fold_in(jax.random.key(3), 1)
    seed = jax.random.bits(jax.random.fold_in(key, 1), (2,), jnp.uint32)
    weights = jnp.asarray(history.weights[1, 0, 0])
    rank = np.unique(np.asarray(RING.distances), return_inverse=True)[1].reshape(10, 10)
    adam = optax.adam(7e-3)
    moments = adam.init(weights)

    @jax.jit
    def step(weights, moments, number):
        trials = drawing.draw(seed, number, stimuli=10, slots=1, batch=16, items=2)

        def loss(w):
            rows = jnp.maximum(w[trials.probe[0]][:, None] * w[trials.items[0]], -jnp.inf).sum(-1)
            h = jnp.maximum(rows, 0) + 1e-10
            d = jnp.asarray(rank)[trials.probe[0][:, None], trials.items[0]]
            near = (d == d.min(-1, keepdims=True)).astype(jnp.float32)
            return 0.1 * jnp.mean(jnp.log(h.sum(-1)) - (near * jnp.log(h)).sum(-1) / near.sum(-1))

        change, moments = adam.update(jax.grad(loss)(weights), moments)
        return optax.apply_updates(weights, change), moments

    for number in range(12):
        weights, moments = step(weights, moments, jnp.uint32(number))
    np.testing.assert_allclose(weights, history.weights[1, 2, 0], rtol=1e-4, atol=1e-5)  # float32 sums in another order


def test_scores_are_exact_for_the_weights_recorded(x64):
    history = toy.train(RING, SMALL, **TRAINED)
    expected = tables.accuracy(RING, strengths_of(history.weights[:, :, 0]))
    np.testing.assert_allclose(history.p_s[..., 0], expected.p_s, rtol=1e-12)
    np.testing.assert_allclose(history.p_i[..., 0], expected.p_i, rtol=1e-12)
    g = np.maximum(np.einsum("rtxm,rtym->rtxy", *[history.weights[:, :, 0].astype(float)] * 2), 0)
    np.testing.assert_allclose(history.loss_rec, ((g - np.eye(10)) ** 2).mean((-1, -2)), rtol=1e-12)
    assert (history.p_s_stderr == 0).all()


def test_results_depend_neither_on_recorded_steps_nor_on_resume(tmp_path):
    whole = toy.train(RING, SMALL, **TRAINED)
    dense = toy.train(RING, SMALL, runs=2, steps=40, records=range(0, 41, 4))
    np.testing.assert_array_equal(whole.weights[:, -1], dense.weights[:, -1])
    np.testing.assert_array_equal(whole.weights[:, 2], dense.weights[:, list(dense.steps).index(12)])
    stop = int(np.random.default_rng().integers(6, 40))  # any step will do
    toy.train(RING, SMALL, runs=2, steps=stop, records=[5, *([12] if stop >= 12 else [])], checkpoint=tmp_path)
    resumed = toy.train(RING, SMALL, **TRAINED, checkpoint=tmp_path, resume=True)
    for expected, values in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(values, expected, err_msg=f"stopped at step {stop}")


def test_a_run_stopped_between_parts_goes_on_from_its_checkpoint(tmp_path):
    steps = {"runs": 2, "steps": 60, "records": range(0, 60, 4)}
    whole = toy.train(RING, SMALL, **steps)
    seen = []

    def stop(what, done, planned):
        seen.append(done)
        if done > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        toy.train(RING, SMALL, **steps, checkpoint=tmp_path, execution=Execution(progress=stop))
    again = []
    resumed = toy.train(
        RING,
        SMALL,
        **steps,
        checkpoint=tmp_path,
        resume=True,
        execution=Execution(progress=lambda what, done, planned: again.append(done)),
    )
    assert again[0] > seen[-1]  # nothing is trained twice
    for expected, values in zip(whole, resumed, strict=True):
        np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize("devices", [1, 2])
def test_a_grid_of_numbers_is_one_program_and_new_seeds_are_no_others(devices, monkeypatch):
    used, program = [], spread._program
    monkeypatch.setattr(spread, "_program", lambda *args: used.append(program(*args)) or used[-1])

    def go(seed, rates):
        hyper = toy.Hyper([0.1, 0.2], learning_rate=rates)
        return toy.train(RING, SMALL, hyper, **TRAINED, key=jax.random.key(seed), execution=Execution(devices=devices))

    def programs():
        return [program._cache_size() for program in (loop._advance, *set(used))]

    first = go(0, 1e-3)
    before = programs()
    second = go(7, 5e-3)
    assert programs() == before
    assert len(before) == devices
    assert first.p_s.shape == (2, 2, 4, 1)
    assert not np.array_equal(first.weights[:, :, 0], second.weights[:, :, 0])
    alone = toy.train(RING, SMALL, toy.Hyper(0.2, learning_rate=1e-3), **TRAINED, key=jax.random.key(0))
    # Products over more runs at once may be summed in another order.
    np.testing.assert_allclose(first.weights[1], alone.weights, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("items", [2, 3])
def test_the_full_loss_is_the_mean_of_those_of_trials(items):
    design = toy.Design(hidden=3, batch=4096, items=items, test_items=(2,))
    exact = toy.Design(hidden=3, items=items, loss="full", test_items=(2,))
    full = toy.train(RING, exact, runs=2, steps=1, records=[])
    drawn = toy.train(RING, design, runs=2, steps=1, records=[])
    # Adam's first step is the sign of each slope: the same but where the slope is small.
    moved_full, moved_drawn = (np.diff(x.weights[:, :, 0], axis=1) for x in (full, drawn))
    assert np.mean(np.sign(moved_full) == np.sign(moved_drawn)) > 0.9
    assert (full.loss_sim[:, 1] < full.loss_sim[:, 0]).all()


def test_one_slot_of_several_ways_is_the_plain_network():
    plain = toy.train(RING, SMALL, **TRAINED)
    summed = toy.train(RING, toy.Design(hidden=4, batch=16, decision="sum", label="l1"), **TRAINED)
    np.testing.assert_array_equal(plain.weights, summed.weights)


def test_scores_of_slots_agree_with_all_trials(x64):
    """Two slots of four stimuli: all probes and pairs of items against the sampled scores and their standard errors."""
    ring = spaces.grid(spaces.get("circle"), 4)
    design = toy.Design(hidden=2, batch=16, slots=2, decision="max", label="l1")
    history = toy.train(ring, design, runs=1, steps=20, records=[])
    h = strengths_of(history.weights[0, -1])
    d = np.asarray(ring.distances)
    p_s, p_i = [], []
    triples = [(p, x, y) for p in range(4) for x in range(4) for y in range(4) if len({p, x, y}) == 3]
    for first in triples:
        for second in triples:
            own, left, right = (max(h[0, first[0], first[k]], h[1, second[0], second[k]]) for k in range(3))
            near = [d[first[0], first[k]] + d[second[0], second[k]] for k in (1, 2)]
            share = left / (left + right)
            p_s.append(share if near[0] < near[1] else 1 - share if near[1] < near[0] else 0.5)
            p_i.append(own / (own + left))
    assert abs(history.p_s[0, -1, 0] - np.mean(p_s)) < 5 * history.p_s_stderr[0, -1, 0]
    assert abs(history.p_i[0, -1, 0] - np.mean(p_i)) < 5 * history.p_i_stderr[0, -1, 0]
    trials = 2**16
    np.testing.assert_allclose(history.p_s_stderr[0, -1, 0], np.std(p_s) / np.sqrt(trials), rtol=0.05)


def test_a_network_learns_to_generalize():
    history = toy.train(RING, toy.Design(hidden=5), runs=2, steps=600, records=[])
    assert (history.p_s[:, 0, 0] < 0.55).all()
    assert (history.p_s[:, -1, 0] > 0.7).all()


def test_a_loss_that_is_not_finite_stops_the_training(tmp_path):
    message = r"not finite at step \d+ of run \d with .*learning_rate = 1e\+30.*last good weights are in"
    with pytest.raises(toy.Diverged, match=message):
        toy.train(RING, SMALL, toy.Hyper(learning_rate=1e30), **TRAINED, checkpoint=tmp_path)
    with pytest.raises(toy.Diverged, match=message):  # nor is it taken for finished
        toy.train(RING, SMALL, toy.Hyper(learning_rate=1e30), **TRAINED, checkpoint=tmp_path, resume=True)
    from semres_jax.training.checkpoints import Checkpoints

    with Checkpoints(
        tmp_path, settings(RING, SMALL, toy.Hyper(learning_rate=1e30), jax.random.key(0), 2), resume=True
    ) as kept:
        assert all(np.isfinite(x).all() for x in kept.restore()["scores"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: toy.Design(hidden=0), "hidden must be at least 1; got 0"),
        (lambda: toy.Design(items=1), "items must be at least 2; got 1"),
        (lambda: toy.Design(decision="mean"), "decision must be one of max, sum; got 'mean'"),
        (lambda: toy.Design(loss="full", slots=2), "the full loss is for one slot; got slots = 2"),
        (lambda: toy.Hyper(0.0, 0.0), "both 0"),
        (lambda: toy.Hyper([0.1, 0.0], 0.0), "both 0"),
        (lambda: toy.Hyper(lambda_sim=-1), "lambda_sim must be the weight of a loss, at least 0; got -1"),
        (lambda: toy.Hyper(floor=0.0), "floor must be a positive number, such as 1e-3; got 0"),
        (lambda: toy.train(RING, toy.Design(items=10)), "10 distinct items and a probe need 11 stimuli"),
        (lambda: toy.train(RING, runs=0), "runs must be at least 1; got 0"),
        (lambda: toy.train(RING, steps=10, records=[20]), "from 0 to steps = 10; got 20"),
        (lambda: toy.train(spaces.Finite(1.0 - np.eye(3), [0.5, 0.25, 0.25])), "unequal weights"),
        (lambda: toy.train(spaces.get("circle")), "no known table"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises((ValueError, Exception), match=message):
        make()


def test_stimuli_at_the_same_place_are_told():
    twins = spaces.Finite([[0, 0, 1, 2], [0, 0, 1, 2], [1, 1, 0, 1], [2, 2, 1, 0]])
    with pytest.warns(UserWarning, match="stimuli 0 and 1 are at distance 0"):
        toy.train(twins, SMALL, runs=1, steps=1, records=[])


def test_a_checkpoint_of_something_else_is_refused(tmp_path):
    toy.train(RING, SMALL, **TRAINED, checkpoint=tmp_path)
    with pytest.raises(ValueError, match=r"can't resume with seed = 4.*was made with 0"):
        toy.train(RING, SMALL, **TRAINED, key=jax.random.key(4), checkpoint=tmp_path, resume=True)
    with pytest.raises(ValueError, match="is at step 40, past"):
        toy.train(RING, SMALL, runs=2, steps=20, records=[5, 12], checkpoint=tmp_path, resume=True)
    with pytest.raises(ValueError, match="has no record of step 7"):
        toy.train(RING, SMALL, runs=2, steps=50, records=[7], checkpoint=tmp_path, resume=True)
