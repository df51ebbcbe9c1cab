"""Scores of codes with slots on sprites, against loops over trials; what the heads of a network see."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from semres_jax import data, frontier
from semres_jax.experiments.sprites import run, scored, table
from semres_jax.experiments.sprites.scores import FAMILIES, distances, of_code, resolutions
from semres_jax.training.images import batches, sprites as training

CLOSE = 1e-12
SHARES = np.array([0.1, 0.4])


@pytest.fixture(scope="module")
def stimuli():
    return data.sprites(4)


@pytest.fixture(scope="module")
def points():
    """(draws, N, F) embeddings that know a little of both features."""
    rng = np.random.default_rng(3)
    animal, place = np.divmod(np.arange(40), 4)
    known = np.stack([animal / 5, np.cos(animal), np.cos(np.pi * place / 2), np.sin(np.pi * place / 2)], axis=-1)
    return known + 0.3 * rng.normal(size=(2, 40, 4))


def similarity(family, d, epsilon):
    return (d <= epsilon).astype(float) if family == "constant" else np.exp(-d / epsilon)


def luce(mine, other):
    return mine / (mine + other) if mine + other > 0 else 0.5


def generalization(h, d):
    """Mean credit over all probes and pairs of items, one trial after the other; ties share."""
    credits = []
    for p in range(len(d)):
        items = [i for i in range(len(d)) if i != p]
        for k, i in enumerate(items):
            for j in items[:k]:
                right = 0.5 if d[p, i] == d[p, j] else luce(h[p, i], h[p, j])
                credits.append(right if d[p, i] <= d[p, j] else 1 - right)
    return np.mean(credits)


def identification(h):
    return np.mean([luce(h[p, p], h[p, i]) for p in range(len(h)) for i in range(len(h)) if i != p])


@pytest.mark.parametrize("code", training.CODES)
@pytest.mark.parametrize("family", list(FAMILIES))
def test_scores_are_those_of_all_trials(family, code, points, stimuli):
    sees = training.SpriteRecipe(features=4).sees(code)
    slots = distances(points[0], points[1], sees)
    assert len(slots) == (2 if code == "two heads" else 1)
    got = scored(slots, stimuli, SHARES, family)
    cuts = (slice(0, 2), slice(2, 4)) if code == "two heads" else (slice(0, 4),)
    for k, share in enumerate(SHARES):
        by_slot = []
        for cut in cuts:
            d = np.linalg.norm(points[0][:, None, cut] - points[1][None, :, cut], axis=-1)
            others = np.sort(d[~np.eye(40, dtype=bool)])
            epsilon = others[int(np.ceil(share * len(others))) - 1]
            by_slot.append(similarity(family, d, epsilon * (1 + 1e-15)))
        for s, space in enumerate(stimuli.features):
            want = generalization(by_slot[s % len(by_slot)], np.asarray(space.distances))
            assert got["feature_p_s"][s, k] == pytest.approx(want, abs=CLOSE)
        for a, whole in enumerate((np.prod(by_slot, axis=0), np.mean(by_slot, axis=0))):
            assert got["p_i"][a, k] == pytest.approx(identification(whole), abs=CLOSE)
        want = generalization(np.prod(by_slot, axis=0), np.asarray(stimuli.space.distances))
        assert got["whole_p_s"][0, k] == pytest.approx(want, abs=CLOSE)


def test_resolutions_reach_their_shares(points):
    d = distances(points[0], points[1], np.ones((2, 4)))[0]
    others = d[~np.eye(40, dtype=bool)]
    for share, epsilon in zip(SHARES, resolutions(d, SHARES), strict=True):
        assert np.mean(others <= epsilon) >= share > np.mean(others < epsilon)


def test_the_probe_is_the_same_picture_or_that_of_the_next_draw(points, stimuli):
    sees = training.SpriteRecipe(features=4).sees("two heads")
    got = of_code(points, sees, stimuli, SHARES)
    assert got["p_i"].shape == (2, 2, 2, 2)
    for step in (0, 1):
        pairs = [(points[k], points[(k + step) % 2]) for k in range(2)]
        want = [scored(distances(pair[0], pair[1], sees), stimuli, SHARES, "exponential")["p_i"] for pair in pairs]
        np.testing.assert_allclose(got["p_i"][1, step], np.mean(want, axis=0), atol=CLOSE)
    # Another picture is harder to identify by similarities that are largest at the same one.
    assert (got["p_i"][1, 0] > got["p_i"][1, 1]).all()


def test_exact_slots_leave_the_front_of_single_similarities(stimuli):
    """By the product; each pair of balls against the definitions at two resolutions."""
    slots = run.slots_front(stimuli)
    front = frontier.shared_front(stimuli.features)
    off = frontier.distance(slots.p_s, slots.p_i, front).distance
    assert off.max() > 0.05
    tables = [np.asarray(space.distances) for space in stimuli.features]
    levels = [np.unique(d) for d in tables]
    balls = [(d <= level[1]).astype(float) for d, level in zip(tables, levels, strict=True)]
    at = len(levels[1]) + 1
    assert slots.p_i[at] == pytest.approx(identification(balls[0] * balls[1]), abs=CLOSE)
    want = np.mean([generalization(h, d) for h, d in zip(balls, tables, strict=True)])
    assert slots.p_s[at] == pytest.approx(want, abs=CLOSE)


def test_heads_see_their_own_half():
    classifier = nnx.Linear(4, 7, rngs=nnx.Rngs(0))
    embedded = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4)), jnp.float32)
    sees = training.SpriteRecipe(features=4).sees("two heads")
    changed = embedded.at[:, 2:].add(1.0)
    (mine, scores), (theirs, others) = training._scores(classifier, embedded, jnp.asarray(sees), 3)
    (mine_too, scores_too), (_, others_too) = training._scores(classifier, changed, jnp.asarray(sees), 3)
    assert (scores.shape, others.shape) == ((3, 3), (3, 4))
    np.testing.assert_array_equal(mine, mine_too)
    np.testing.assert_array_equal(scores, scores_too)
    assert not np.array_equal(others, others_too)
    np.testing.assert_array_equal(np.asarray(mine + theirs), np.asarray(embedded))
    (_, whole), _ = training._scores(classifier, embedded, jnp.ones((2, 4)), 3)
    np.testing.assert_allclose(whole, classifier(embedded)[:, :3], rtol=1e-6)


def test_losses_are_those_of_each_feature_s_values():
    """Against loops over the images of a batch of 3 animals at 4 places, 2 renderings of each."""
    shape, rng = (3, 4, 2), np.random.default_rng(5)
    classifier = nnx.Linear(4, 7, rngs=nnx.Rngs(1))
    embedded = rng.normal(size=(24, 4)).astype(np.float32)
    tables = [np.abs(np.arange(size)[:, None] - np.arange(size)) for size in shape[:2]]
    given = [jnp.asarray(batches.over_mean(d, 24 // len(d))) for d in tables]
    sees = training.SpriteRecipe(features=4).sees("two heads")
    got = training._losses(classifier, jnp.asarray(embedded), jnp.asarray(sees), shape, given)
    layer: Any = classifier
    kernel, bias = (np.asarray(x[...], np.float64) for x in (layer.kernel, layer.bias))
    values = np.indices(shape).reshape(3, -1)
    for s, cut in enumerate((slice(0, 3), slice(3, 7))):
        x = embedded.astype(np.float64) * sees[s]
        scores = (x @ kernel + bias)[:, cut]
        chosen = scores[np.arange(24), values[s]]
        cross = np.mean(np.log(np.exp(scores).sum(1)) - chosen)
        far = np.linalg.norm(x[:, None] - x[None], axis=-1)
        wanted = tables[s][values[s][:, None], values[s][None]]
        pairs = ~np.eye(24, dtype=bool)
        off = far / far[pairs].mean() - wanted / wanted[pairs].mean()
        np.testing.assert_allclose(got[s], [cross, np.mean(off[pairs] ** 2)], rtol=2e-5)  # of float32


def test_intervals_over_runs_are_student_s():
    values = np.array([[1.0, 2.0], [2.0, 2.0], [4.0, 2.0]])
    mean = table.over_runs(values, 0)
    # t of two degrees of freedom at 0.975 is 4.302653.
    reach = 4.302653 * np.std([1, 2, 4], ddof=1) / np.sqrt(3)
    np.testing.assert_allclose(mean.high - mean.value, [reach, 0], rtol=1e-6)
    np.testing.assert_allclose(mean.value - mean.low, [reach, 0], rtol=1e-6)
    assert np.isnan(table.over_runs(values[:1], 0).low).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"features": 5}, "features must be even, half of them for each head; got 5"),
        ({"features": 1}, "features must be at least 2"),
        ({"alpha": 1.5}, "alpha must be from 0 to 1; got 1.5"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"learning_rate": 0.0}, "learning_rate must be a positive number"),
    ],
)
def test_recipes_out_of_range(settings, message):
    with pytest.raises(ValueError, match=message):
        training.SpriteRecipe(**settings)


def test_codes_slots_and_families_that_do_not_fit(points, stimuli):
    with pytest.raises(ValueError, match="code must be one of two heads, one embedding; got 'three'"):
        training.train(stimuli, codes=("three",))
    d = distances(points[0], points[1], np.ones((2, 4)))
    with pytest.raises(ValueError, match="slots must be 1 or 2 tables of distances; got 3"):
        scored(d * 3, stimuli, SHARES, "constant")
    with pytest.raises(ValueError, match="family must be one of constant, exponential; got 'linear'"):
        scored(d, stimuli, SHARES, "linear")
    with pytest.raises(ValueError, match="draws must be at least 2"):
        run.study(draws=1)
