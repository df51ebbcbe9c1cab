"""States at boundaries, restarts and Jacobians: against the forward pass, differences, and numbers of SmolLM2."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from semres_jax import dynamics
from semres_jax.data import assets
from semres_jax.networks import language, llama
from semres_jax.networks.llama.model import attended, attention, gated
from tests.networks import tiny_llamas

TOKENS = np.random.default_rng(0).integers(0, 50, (2, 6))
DEPTH, WIDTH = 3, 16
CLOSE = 1e-5
# SmolLM2-135M-Instruct (Q4_1) on this text: norms of states by boundary, and measures of Jacobians by layer.
TEXT, AGREEMENT = "The capital of France is Paris, and the capital of Italy is", 2e-3
NORMS = {0: 2.6013, 1: 3.5009, 2: 37.2815, 60: 562.5997}
MEASURES = {
    0: {"J": {"henrici": 0.8833, "symmetric": 0.5132, "pr": 19.94, "abscissa": 29.2491},
        "U": {"henrici": 0.8948, "symmetric": 0.5004, "rotation": 0.4978}},
    28: {"J": {"henrici": 0.3502, "symmetric": 0.9170, "pr": 417.41, "abscissa": 2.0546},
         "U": {"henrici": 0.8351, "symmetric": 0.5283, "rotation": 0.4066}},
}  # fmt: skip


@pytest.fixture(scope="module")
def weights():
    """A random Llama of three layers."""
    return llama.random_weights(jax.random.key(1), vocabulary=50, width=WIDTH, layers=DEPTH, heads=4, kv_heads=2)


@pytest.fixture(scope="module")
def whole(weights):
    return dynamics.boundaries(weights, TOKENS, every_position=True)


def test_even_boundaries_are_the_states_between_layers(weights, whole):
    every = np.tile(np.arange(TOKENS.shape[1]), (2, 1))
    np.testing.assert_allclose(whole[::2], llama.hidden(weights, TOKENS, every), atol=CLOSE)
    np.testing.assert_allclose(dynamics.boundaries(weights, TOKENS), whole[:, :, -1], atol=CLOSE)


@pytest.mark.parametrize("boundary", [0, 3, 2 * DEPTH])
def test_a_text_goes_on_from_any_boundary(weights, whole, boundary):
    again = dynamics.run_from(weights, whole[boundary], boundary)
    np.testing.assert_allclose(again, whole[boundary:, :, -1], atol=CLOSE)


def test_a_change_goes_on_from_where_it_is_made(weights, whole):
    moved = whole[2].copy()
    moved[:, -1, 0] += 0.5
    change = dynamics.run_from(weights, moved, 2) - whole[2:, :, -1]
    np.testing.assert_allclose(change[0], np.eye(WIDTH)[[0, 0]] * 0.5, atol=1e-7)
    assert (abs(change[1:]).max(-1) > 0.1).all()


def test_jacobians_are_differences(weights, whole):
    """In float64, where differences are right to 1e-8."""
    step = 1e-5
    (made,) = dynamics.jacobians(weights, TOKENS, layers=[1], chunk=5)
    with jax.enable_x64(True):
        double = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf, np.float64)), weights)
        layer = jax.tree.map(lambda leaf: leaf[1], double.layers)
        x = jnp.asarray(whole[2], jnp.float64)[:1]
        steps = jnp.repeat(x, 2 * WIDTH, axis=0).at[:, -1].add(step * jnp.concatenate([np.eye(WIDTH), -np.eye(WIDTH)]))
        batch = llama.Batch(
            *(np.broadcast_to(row, (2 * WIDTH, 6)) for row in (0 * TOKENS[0], np.arange(6), 0 * TOKENS[0]))
        )
        angles, seen = attended(double, batch)
        middle = steps + attention(double, layer, steps, steps, angles, seen)
        last = (middle + gated(double, layer, middle))[:, -1]
        differences = np.asarray((last[:WIDTH] - last[WIDTH:]) / (2 * step)).T
    np.testing.assert_allclose(made.matrices[0], differences, atol=1e-5)


def test_a_layer_is_its_halves(weights):
    parts = {
        part: np.stack([row.matrices for row in dynamics.jacobians(weights, TOKENS, part=part)])
        for part in ("layer", "attention", "mlp")
    }
    np.testing.assert_allclose(parts["mlp"] @ parts["attention"], parts["layer"], atol=CLOSE)


def test_updates_do_not_see_the_length_of_a_state(weights):
    """Euler's relation: RMSNorm makes updates of a token alone homogeneous of degree 0, so that U x = 0.

    As far as the epsilon of the norm is nothing beside the mean square.
    """
    exact = dataclasses.replace(weights, epsilon=0.0)
    states = dynamics.boundaries(exact, TOKENS)
    for part, shift in (("attention", 0), ("mlp", 1)):
        for row in dynamics.jacobians(exact, TOKENS, part=part, context="alone"):
            x = states[2 * row.layer + shift]
            update = row.matrices - np.eye(WIDTH)
            moved = np.einsum("bij,bj->bi", update, x)
            assert np.linalg.norm(moved) < 1e-6 * np.linalg.norm(update) * np.linalg.norm(x)


def test_chunks_change_nothing(weights):
    one, other = (np.stack([row.matrices for row in dynamics.jacobians(weights, TOKENS, chunk=c)]) for c in (3, 64))
    np.testing.assert_allclose(one, other, atol=CLOSE)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda w: dynamics.boundaries(w, [[50]]), "tokens must be from 0 to 49; got 50 to 50"),
        (lambda w: dynamics.boundaries(w, [1, 2]), r"shape \(texts, tokens\)"),
        (lambda w: dynamics.run_from(w, np.zeros((1, 2, 3)), 0), r"\(texts, tokens, 16\); got shape \(1, 2, 3\)"),
        (lambda w: dynamics.run_from(w, np.full((1, 2, 16), np.nan), 0), "finite"),
        (lambda w: dynamics.run_from(w, np.zeros((1, 2, 16)), 7), "boundary must be from 0 to 6; got 7"),
        (lambda w: dynamics.jacobians(w, [[1]], part="head"), "part must be layer, attention, mlp; got 'head'"),
        (lambda w: dynamics.jacobians(w, [[1]], context="half"), "context must be full, alone; got 'half'"),
        (lambda w: dynamics.jacobians(w, [[1]], layers=[3]), "layer must be from 0 to 2; got 3"),
    ],
)
def test_bad_input(weights, call, message):
    with pytest.raises(ValueError, match=message):
        call(weights)


def test_controls(weights):
    fresh, mixed = dynamics.untrained(weights, key=2), dynamics.shuffled(weights, key=2)
    assert abs(float(fresh.layers.down.std()) * WIDTH**0.5 - 1) < 0.05
    for name in ("query", "down"):
        before, after = (np.asarray(getattr(w.layers, name)) for w in (weights, mixed))
        assert not np.array_equal(before, after)
        assert np.array_equal(np.sort(before.reshape(DEPTH, -1)), np.sort(after.reshape(DEPTH, -1)))
    assert np.array_equal(weights.embedding, mixed.embedding)  # the states that go in are the trained network's
    assert not np.array_equal(weights.embedding, fresh.embedding)


@pytest.fixture(scope="module")
def gemma(tmp_path_factory):
    """Of four layers, every other with a window of 8."""
    pytest.importorskip("tokenizers", reason="tokenizers is not installed: scripts/setup llm")
    return language.load(tiny_llamas.write_folder(tmp_path_factory.mktemp("gemma") / "tiny", "gemma_scaled")).weights


def test_gemmas_have_the_same_boundaries_and_jacobians(gemma):
    """With the norms after the halves of a layer, in a text that is longer than the window of the second and fourth."""
    tokens, layer, step = tiny_llamas.TOKENS[:1, :12], 1, 1e-2
    whole = dynamics.boundaries(gemma, tokens, every_position=True)
    np.testing.assert_allclose(whole[::2], llama.hidden(gemma, tokens, np.arange(12)[None]), atol=CLOSE)
    moved = np.repeat(whole[2 * layer], 2, axis=0)
    direction = np.random.default_rng(3).normal(size=whole.shape[-1])
    moved[:, -1] += step * np.array([[1], [-1]]) * direction
    ends = dynamics.run_from(gemma, moved, 2 * layer)
    halves, products = [], []
    for part in ("layer", "attention", "mlp"):
        (row,) = dynamics.jacobians(gemma, tokens, part=part, layers=[layer])
        halves.append(row.matrices[0])
    np.testing.assert_allclose(halves[2] @ halves[1], halves[0], atol=CLOSE)
    for boundary, matrix in ((1, halves[1]), (2, halves[0])):
        difference = (ends[boundary, 0] - ends[boundary, 1]) / (2 * step)
        products.append(abs(matrix @ direction - difference).max() / abs(difference).max())
    assert max(products) < 1e-3


def test_controls_of_gemmas_keep_what_is_no_matrix(gemma):
    for other in (dynamics.untrained(gemma, key=2), dynamics.shuffled(gemma, key=2)):
        assert (other.embedding_scale, other.attention_scale) == (gemma.embedding_scale, gemma.attention_scale)
        assert jax.tree.all(jax.tree.map(np.array_equal, other.layers.local, gemma.layers.local))
        assert np.isfinite(dynamics.boundaries(other, tiny_llamas.TOKENS[:1, :12])).all()
    assert (np.asarray(dynamics.untrained(gemma, key=2).layers.mlp_post_norm) == 1).all()
    before, after = (np.asarray(w.layers.query_norm) for w in (gemma, dynamics.shuffled(gemma, key=2)))
    assert np.array_equal(before, after)


def test_smollm2_has_the_numbers_that_were_measured():
    try:
        model = language.load(assets.find("smollm2"))
    except (FileNotFoundError, ImportError) as error:
        pytest.skip(str(error))
    tokens = [model.tokens(TEXT)]
    assert len(tokens[0]) == 13
    norms = np.linalg.norm(dynamics.boundaries(model.weights, tokens)[:, 0], axis=-1)
    for boundary, norm in NORMS.items():
        assert norms[boundary] == pytest.approx(norm, rel=AGREEMENT)
    for row in dynamics.jacobians(model.weights, tokens, layers=list(MEASURES)):
        matrix = row.matrices[0].astype(np.float64)
        for which, table in (("J", matrix), ("U", matrix - np.eye(len(matrix)))):
            measured = dynamics.spectra(table)
            for name, value in MEASURES[row.layer][which].items():
                assert float(getattr(measured, name)) == pytest.approx(value, rel=AGREEMENT), (row.layer, which, name)
