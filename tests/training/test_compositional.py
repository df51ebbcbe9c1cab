"""Training on tuples of features: losses against sums over all trials, what is learned and what stays, bad input."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from semres_jax import spaces
from semres_jax.training import compositional
from semres_jax.training.compositional import Design, Hyper, losses, train

RING, SEGMENT = (spaces.grid(spaces.get(name), 4) for name in ("circle", "interval"))
SLOTS, FLOOR = [RING, SEGMENT], 0.05
BATCHES, BATCH = 64, 512
SMALL = {"runs": 2, "steps": 80, "records": 3}
DESIGN = Design(hidden=4, batch=8)
# Standard errors that an estimate may be off.
FAR = 5.0


def nearer(distances, probe, first, second):
    """The chance that the first item is right."""
    near, far = distances[probe, first], distances[probe, second]
    return 0.5 if near == far else float(near < far)


def expected(maps, code, gate):
    """Both losses as sums over all trials, from their definitions."""
    slots, size, _ = maps.shape
    wholes = list(itertools.product(range(size), repeat=slots))
    by_slot = [np.maximum(own @ own.T, 0) + FLOOR for own in maps]
    z = np.array([sum(maps[s, whole[s]] for s in range(slots)) for whole in wholes])
    of_wholes = np.maximum(z @ z.T, 0) + FLOOR
    sim = []
    for s, (space, table) in enumerate(zip(SLOTS, by_slot, strict=True)):
        distances, nll = np.asarray(space.distances), []
        for p, a, b in itertools.product(range(len(wholes)), repeat=3):
            features = [wholes[k][s] for k in (p, a, b)]
            if len(set(features)) < 3:
                continue
            g = of_wholes[p, [a, b]] if code == "shared" else table[features[0], features[1:]]
            right = nearer(distances, *features)
            nll.append(np.log(g.sum()) - right * np.log(g[0]) - (1 - right) * np.log(g[1]))
        sim.append(np.mean(nll))
    identity = []
    for p, x in itertools.permutations(range(len(wholes)), 2):
        ratios = [g[a, b] / g[a, a] for g, a, b in zip(by_slot, wholes[p], wholes[x], strict=True)]
        whole = gate * np.prod(ratios) + (1 - gate) * np.mean(ratios)
        identity.append(np.log1p(of_wholes[p, x] / of_wholes[p, p] if code == "shared" else whole))
    return np.mean(sim), np.mean(identity)


@pytest.mark.parametrize("code", compositional.CODES)
def test_losses_are_those_of_all_trials(code):
    maps = np.random.default_rng(0).normal(0.3, 1.0, (2, 4, 3)).astype(np.float32)
    labels = jnp.stack([jnp.asarray(space.distances, jnp.float32) for space in SLOTS])
    hyper = jax.tree.map(jnp.float32, Hyper(gate=0.3, learns=0.0, floor=FLOOR))
    design = Design(hidden=6, code=code, batch=BATCH)
    seed = jnp.array([3, 5], jnp.uint32)

    def batch(number):
        return losses((jnp.float32(0.0), maps), seed, number, hyper, labels, design)

    sampled = jax.jit(jax.vmap(batch))(jnp.arange(BATCHES, dtype=jnp.uint32))
    for values, exact in zip(sampled, expected(maps.astype(float), code, 0.3), strict=True):
        stderr = float(np.std(values, ddof=1)) / np.sqrt(BATCHES)
        assert abs(float(np.mean(values)) - exact) < FAR * stderr


@pytest.fixture(scope="module")
def history():
    """Features alone, a gate that is learned, product, mean."""
    hyper = Hyper(lambda_id=[0, 1, 1, 1], gate=[1, 0.5, 1, 0], learns=[0, 1, 0, 0], learning_rate=0.02)
    return train(SLOTS, DESIGN, hyper, **SMALL)


def test_only_a_gate_that_is_learned_moves(history):
    assert (history.gate[[0, 2]] == 1).all()
    assert (history.gate[3] == 0).all()
    assert (history.gate[1, :, -1] > 0.6).all()  # a product of ratios below 1 is less than their mean
    np.testing.assert_allclose(history.gate[1, :, 0], 0.5, atol=1e-6)


def test_runs_start_alike_whatever_is_trained(history):
    for member in range(1, 4):
        np.testing.assert_array_equal(history.maps[member, :, 0], history.maps[0, :, 0])
    assert (history.maps[0, 0, 0] != history.maps[0, 1, 0]).all()
    assert (np.abs(history.maps[:, :, -1] - history.maps[:, :, 0]).max((-1, -2, -3)) > 0).all()


def test_numbers_of_the_same_shapes_compile_nothing(history):
    before = compositional._advance._cache_size()
    again = train(SLOTS, DESIGN, Hyper(lambda_id=[0, 1, 1, 1], gate=[1, 0.4, 1, 0], learns=[0, 1, 0, 0]), **SMALL)
    assert compositional._advance._cache_size() == before
    np.testing.assert_allclose(again.gate[1, :, 0], 0.4, atol=1e-6)


@pytest.mark.parametrize(
    ("slots", "design", "message"),
    [
        ([], {}, "slots must be at least 1; got 0"),
        ([RING, spaces.grid(spaces.get("circle"), 5)], {}, "equally many stimuli, as their maps are one array"),
        ([RING] * 3, {"hidden": 2}, "3 slots need at least as many hidden units; got hidden = 2"),
        ([RING] * 3, {"hidden": 4}, "4 hidden units can't be shared out among 3 slots; 3 or 6 would do"),
        ([RING], {"code": "common"}, "code must be one of own, shared; got 'common'"),
        ([RING], {"batch": 0}, "batch must be at least 1; got 0"),
    ],
)
def test_bad_designs_are_refused(slots, design, message):
    with pytest.raises(ValueError, match=message):
        train(slots, Design(**design), **SMALL)


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"gate": 1.5}, "gate must be between 0 and 1; got 1.5"),
        ({"lambda_sim": 0, "lambda_id": 0}, "lambda_sim and lambda_id are both 0"),
        ({"floor": 0.0}, "floor must be a positive number"),
        ({"lambda_id": -1}, "lambda_id must be the weight of a loss, at least 0; got -1"),
    ],
)
def test_bad_numbers_are_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        Hyper(**numbers)
