"""The forward pass of Llamas and Gemmas: what transformers computes, and what follows from causality."""

import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from semres_jax.networks import language, llama
from tests.networks import tiny_llamas

pytest.importorskip("tokenizers", reason="tokenizers is not installed: scripts/setup llm")
pytest.importorskip("gguf", reason="gguf is not installed: scripts/setup llm")

# Logits of random weights are of size 2; float32 in another order of sums.
AGREEMENT = 2e-5
# Halves and quarters of the numbers' precision: what is stored with 8 bits of mantissa differs from float32 by as much.
ROUNDED = {"bfloat16": 2.0**-8, "float16": 2.0**-11}
REFERENCE = Path(__file__).with_name("llama_reference.npz")
TOKENS, POSITIONS = tiny_llamas.TOKENS, list(tiny_llamas.POSITIONS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("llamas")


def written(folder: Path, name: str, kind: str) -> language.LanguageModel:
    if kind == "gguf":
        return language.load(tiny_llamas.write_gguf(folder / f"{name}.gguf", name))
    return language.load(tiny_llamas.write_folder(folder / name, name))


@pytest.fixture(scope="module")
def tied(folder) -> llama.Weights:
    return written(folder, "tied", "folder").weights


@pytest.fixture(scope="module")
def gemma(folder) -> llama.Weights:
    return written(folder, "gemma", "folder").weights


@pytest.mark.parametrize(("name", "kind"), tiny_llamas.FILES)
def test_logits_and_states_are_those_of_transformers(folder, name, kind):
    weights = written(folder, name, kind).weights
    with np.load(REFERENCE) as reference:
        logits, states = reference[f"{name}/logits"], reference[f"{name}/hidden"]
    ours = np.asarray(llama.logits(weights, TOKENS))[:, POSITIONS]
    np.testing.assert_allclose(ours, logits, rtol=0, atol=AGREEMENT)
    assert (weights.head is None) == (name != "untied")
    hidden = np.asarray(llama.hidden(weights, TOKENS, np.array([POSITIONS, POSITIONS])))
    assert hidden.shape == states.shape
    np.testing.assert_allclose(hidden[:-1], states[:-1], rtol=0, atol=AGREEMENT)
    scale = np.sqrt(np.mean(hidden[-1] ** 2, axis=-1, keepdims=True) + weights.epsilon)
    np.testing.assert_allclose(hidden[-1] / scale * np.asarray(weights.norm), states[-1], rtol=0, atol=AGREEMENT)


def test_a_rope_in_the_layout_of_the_other_kind_of_file_would_be_told(folder, tied):
    """The test above can fail: with the heads' pairs left as GGUF has them, logits are other ones."""
    first, second = np.split(np.asarray(tied.layers.query).reshape(2, 32, 4, 8), 2, axis=-1)
    mixed = jnp.asarray(np.stack([first, second], axis=-1).reshape(2, 32, 32))
    wrong = dataclasses.replace(tied, layers=tied.layers._replace(query=mixed))
    off = np.asarray(llama.logits(wrong, TOKENS)) - np.asarray(llama.logits(tied, TOKENS))
    assert abs(off).max() > 0.1


@pytest.mark.parametrize(
    "part", ["window", "frequencies", "which", "query_norm", "attention_post_norm", "mlp_post_norm"]
)
def test_each_part_of_a_gemma_is_told(gemma, part):
    """The test above can fail by each: local layers that see one position more or turn as the others, norms of 1."""
    local, layers = gemma.local, gemma.layers
    assert local is not None
    if part == "window":
        wrong = dataclasses.replace(gemma, local=local._replace(window=local.window + 1))
    elif part == "frequencies":
        wrong = dataclasses.replace(gemma, local=local._replace(frequencies=gemma.frequencies))
    elif part == "which":
        wrong = dataclasses.replace(gemma, layers=layers._replace(local=jnp.roll(layers.local, 1)))
    else:
        ones = jnp.ones_like(getattr(layers, part))
        wrong = dataclasses.replace(gemma, layers=layers._replace(**{part: ones}))
    off = np.asarray(llama.logits(wrong, TOKENS)) - np.asarray(llama.logits(gemma, TOKENS))
    assert abs(off).max() > 0.1


def test_what_comes_later_changes_nothing_before(tied):
    later = TOKENS.copy()
    later[:, 20:] = 0
    now, other = (np.asarray(llama.logits(tied, tokens)) for tokens in (TOKENS, later))
    np.testing.assert_array_equal(now[:, :20], other[:, :20])
    assert not np.allclose(now[:, 20:], other[:, 20:])


@pytest.mark.parametrize("kind", ["tied", "gemma"])
def test_branches_see_their_prompt_and_themselves_only(kind, request):
    """And of both, local layers those in their window."""
    weights = request.getfixturevalue(kind)
    prompt, branches = list(range(5, 15)), ([40, 41, 42], [50, 51, 52])
    tokens = [*prompt, *branches[0][:2], *branches[1][:2], 0, 0]
    places = [*range(10), 10, 11, 10, 11, 0, 0]
    owners = [0] * 10 + [1, 1, 2, 2, -1, -1]
    positions, sources, targets = [9, 10, 11, 12, 13], [0, 1, 2, 0, 3, 4], [*branches[0], *branches[1]]
    rows = [np.asarray(row)[None] for row in (tokens, places, owners, positions, sources, targets)]
    ours = np.asarray(llama.log_probs(weights, llama.Batch(*rows[:3]), *rows[3:])).reshape(2, 3)
    texts = np.zeros((2, 40), int)
    texts[:, :13] = [[*prompt, *branch] for branch in branches]
    logits = np.asarray(llama.logits(weights, texts), np.float64)
    for k, branch in enumerate(branches):
        expected = [logits[k, 9 + j, token] - np.log(np.exp(logits[k, 9 + j]).sum()) for j, token in enumerate(branch)]
        np.testing.assert_allclose(ours[k], expected, rtol=0, atol=AGREEMENT)


def test_next_tokens_are_the_likeliest(tied):
    lengths = np.array([40, 7])
    logits = np.asarray(llama.logits(tied, TOKENS))
    expected = [int(logits[0, 39].argmax()), int(logits[1, 6].argmax())]
    assert llama.next_tokens(tied, TOKENS, lengths).tolist() == expected


def test_second_call_does_not_trace(tied):
    batch = llama.Batch(*(np.zeros((1, 16), int),) * 3)
    zeros = np.zeros((1, 1), int)
    llama.log_probs(tied, batch, zeros + 3, zeros, zeros)
    before = llama.log_probs._cache_size()  # pyright: ignore[reportFunctionMemberAccess]
    llama.log_probs(tied, batch, zeros + 9, zeros, zeros + 5)
    assert llama.log_probs._cache_size() == before  # pyright: ignore[reportFunctionMemberAccess]


@pytest.mark.parametrize("dtype", ROUNDED)
def test_folders_in_shards_and_in_fewer_bits(folder, tied, dtype):
    ours = language.load(tiny_llamas.write_folder(folder / dtype, "tied", shards=3, dtype=dtype)).weights
    for part, expected in zip(jax.tree.leaves(ours), jax.tree.leaves(tied), strict=True):
        np.testing.assert_allclose(part, expected, rtol=ROUNDED[dtype], atol=1e-7)
    assert not np.array_equal(ours.embedding, tied.embedding)


@pytest.mark.parametrize(("kind", "error"), [("Q8_0", 0.01), ("Q4_1", 0.12), ("F16", 1e-3)])
def test_quantised_numbers_are_as_gguf_rounds_them(folder, tied, kind, error):
    ours = language.load(tiny_llamas.write_gguf(folder / f"{kind}.gguf", "tied", kind=kind)).weights
    off = np.abs(np.asarray(ours.embedding) - np.asarray(tied.embedding)).max() / np.abs(tied.embedding).max()
    assert error / 20 < off < error
