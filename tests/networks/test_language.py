"""Files of language models that can't be used: one line that says what is wrong and what would do."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from semres_jax.networks import language
from semres_jax.networks.llama import gemma, matrices
from tests.networks import tiny_llamas

for package in ("tokenizers", "gguf"):
    pytest.importorskip(package, reason=f"{package} is not installed: scripts/setup llm")


# Pieces of texts by the scores of `tiny_llamas.GEMMA_MERGES`: what has none is bytes, what is listed is found first.
GEMMA_TEXTS = {
    "Anna is": ["A", "nna", "▁is"],
    " Anna is Mark": ["▁Anna", "▁is", "▁Mark"],
    "nnna": ["nn", "n", "a"],
    "é ß": ["é", "▁", "<0xC3>", "<0x9F>"],
    "a\n  is\n": ["a", "\n", "  ", "is", "\n"],
    "<eos>Anna": ["<eos>", "A", "nna"],
}


def refusal(path: Path, error: type[Exception] = ValueError) -> str:
    with pytest.raises(error) as caught:
        language.load(path)
    said = str(caught.value)
    assert "\n" not in said
    assert repr(str(path))[:-1] in said
    return said


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"general.architecture": "qwen3"}, "architecture 'qwen3', and only 'llama' and 'gemma3' are evaluated"),
        ({"llama.expert_count": 8}, "is a mixture of experts; serve it"),
        ({"llama.rope.scaling.type": "yarn"}, "scales positions as 'yarn'; only 'none' and 'linear' are known"),
        ({"llama.block_count": None}, "does not say 'llama.block_count'"),
        ({"llama.block_count": 3}, "has no 'blk.2.attn_norm.weight', which a Llama of 3 layers has"),
        ({"llama.block_count": 1}, "has 'blk.1.attn_k.weight' (and 8 more), which a plain Llama has not"),
        ({"llama.attention.head_count_kv": 3}, "has 4 heads of size 8 on 3 of keys and values"),
        (
            {"llama.feed_forward_length": 32},
            "has 'blk.0.ffn_gate.weight' of shape (64, 32) where (32, 32)",
        ),
        ({"llama.rope.dimension_count": 4}, "turns 4 of the 8 numbers of a head"),
        ({"tokenizer.ggml.model": "bert"}, "a tokenizer of kind 'bert', and only 'gpt2' (byte-level BPE) and 'llama'"),
        ({"tokenizer.ggml.model": ["gpt2"]}, "a tokenizer of kind ['gpt2'], and only"),
        ({"tokenizer.ggml.pre": "chaos"}, "splits text as 'chaos', and only gpt-2, smollm, llama-bpe are known"),
        ({"tokenizer.ggml.merges": ["x yy"]}, "has a broken tokenizer"),
    ],
)
def test_gguf_files_of_other_networks(tmp_path, changed, words):
    assert words in refusal(tiny_llamas.write_gguf(tmp_path / "tiny.gguf", "tied", changed=changed))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"gemma3.attention.sliding_window": None}, "does not say 'gemma3.attention.sliding_window'"),
        ({"gemma3.attention.sliding_window": 0}, "says that gemma3.attention.sliding_window is 0; must be above 0"),
        ({"gemma3.final_logit_softcapping": 30.0}, "has gemma3.final_logit_softcapping, which Gemma 3 has not"),
        ({"gemma3.rope.scaling.type": "yarn"}, "scales positions as 'yarn'"),
        ({"gemma3.block_count": 8}, "has no 'blk.7.attn_norm.weight', which a Gemma of 8 layers has"),
        ({"gemma3.block_count": 6}, "has 'blk.6.attn_k.weight' (and 12 more), which a plain Gemma has not"),
        ({"gemma3.attention.head_count_kv": 1}, "has 'blk.0.attn_k.weight' of shape (32, 32) where (16, 32)"),
        ({"tokenizer.ggml.add_space_prefix": True}, "begins texts with a space (add_space_prefix)"),
        ({"tokenizer.ggml.scores": [0.5, 1.5]}, f"of {len(tiny_llamas.GEMMA_PIECES)} tokens without as many scores"),
        ({"tokenizer.ggml.tokens": [1, 2]}, "has a tokenizer without a list of tokens"),
    ],
)
def test_gguf_files_of_other_gemmas(tmp_path, changed, words):
    assert words in refusal(tiny_llamas.write_gguf(tmp_path / "tiny.gguf", "gemma", changed=changed))


def test_gguf_files_cut_anywhere(tmp_path):
    content = tiny_llamas.write_gguf(tmp_path / "whole.gguf", "tied").read_bytes()
    assert language.load(tmp_path / "whole.gguf").weights.heads == 4
    file = tmp_path / "cut.gguf"
    for length in [5, 23, 24, 30, *np.linspace(100, len(content) - 1, 20).astype(int)]:
        file.write_bytes(content[:length])
        assert "is truncated or corrupt: " in refusal(file)
    for length, words in ((0, "begins with b''"), (3, "begins with b'GGU'")):
        file.write_bytes(content[:length])
        assert words in refusal(file)
    file.write_bytes(b"GGUF" + b"\x00\x00\x00\x03" + content[8:])
    assert "is GGUF of version 50331648; must be 2 or 3, little-endian" in refusal(file)


def test_nan_is_told(tmp_path):
    file = tiny_llamas.write_gguf(tmp_path / "nan.gguf", "tied")
    content = bytearray(file.read_bytes())
    content[-4:] = np.float32(np.nan).tobytes()
    file.write_bytes(content)
    assert "has NaN or infinity in 'output_norm.weight'; must be finite" in refusal(file)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"model_type": "gemma3"}, "architecture 'gemma3', and only 'llama' and 'gemma3_text' are"),
        ({"model_type": ["llama"]}, "architecture ['llama'], and only"),
        ({"attention_bias": True}, "has attention_bias, which a plain Llama has not"),
        ({"hidden_act": "gelu"}, "has hidden_act 'gelu'; only 'silu' is known"),
        ({"rope_scaling": {"rope_type": "yarn"}}, "scales positions as 'yarn'"),
        ({"rope_scaling": {"rope_type": "llama3"}}, "does not say 'factor'"),
        ({"quantization_config": {"bits": 4}}, "has quantised weights"),
        ({"tie_word_embeddings": False}, "has no 'lm_head.weight', and tie_word_embeddings is not set"),
        ({"num_hidden_layers": 4}, "has no 'model.layers.2.input_layernorm.weight'"),
        ({"hidden_size": 0}, "says that hidden_size is 0; must be above 0"),
    ],
)
def test_folders_of_other_networks(tmp_path, changed, words):
    assert words in refusal(changed_folder(tmp_path, "tied", changed))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"hidden_activation": "gelu"}, "has hidden_activation 'gelu'; only 'gelu_pytorch_tanh' is known"),
        ({"final_logit_softcapping": 30.0}, "has final_logit_softcapping, which Gemma 3 has not"),
        ({"use_bidirectional_attention": True}, "attends to what comes later (use_bidirectional_attention)"),
        ({"layer_types": ["full_attention"]}, "has layer_types ['full_attention']; must be 7 of sliding_attention and"),
        ({"layer_types": ["full_attention"] * 6 + ["chunked_attention"]}, "must be 7 of sliding_attention and"),
        ({"sliding_window": -1}, "says that sliding_window is -1; must be above 0"),
        ({"query_pre_attn_scalar": [1]}, "says that query_pre_attn_scalar is [1]; must be one number above 0"),
        ({"rope_parameters": {"rope_type": "default"}}, "must be an object with sliding_attention and full_attention"),
        ({"rope_scaling": {"rope_type": "dynamic"}}, "scales positions as 'dynamic'"),
        ({"tie_word_embeddings": False}, "has no 'lm_head.weight', and tie_word_embeddings is not set"),
        ({"num_hidden_layers": 6}, "has 'model.layers.6.input_layernorm.weight' (and 12 more), which a plain Gemma"),
    ],
)
def test_folders_of_other_gemmas(tmp_path, changed, words):
    assert words in refusal(changed_folder(tmp_path, "gemma", changed))


def test_how_products_are_scaled_by_the_size_of_a_gemma():
    """As llama.cpp has it for the shapes of Gemma 3's own models, 270M and 27B, and their config.json: 256 and 168."""
    said = matrices.Entries("x.gguf", {"gemma3.attention.sliding_window": 512})
    for width, layers, heads, size, scalar in ((640, 18, 4, 256, 256), (5376, 62, 32, 128, 168)):
        shape = matrices.Shape(262144, width, layers, heads, 1, size, 2048, 32768, 1e-6)
        use = gemma.of_gguf(said, shape, np.ones(size // 2, np.float32))
        assert (use.attention_scale, use.embedding_scale) == (scalar**-0.5, width**0.5)
        assert use.is_local is not None
        assert np.flatnonzero(~use.is_local).tolist() == list(range(5, layers, 6))


def changed_folder(place: Path, name: str, changed: dict) -> Path:
    folder = tiny_llamas.write_folder(place / "tiny", name)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changed))
    return folder


@pytest.mark.parametrize("kind", ["gguf", "folder"])
def test_what_a_gemma_makes_of_text(tmp_path, kind):
    """Pieces by SentencePiece's scores, or by the merges that transformers makes of them: the same."""
    write = {"gguf": tiny_llamas.write_gguf, "folder": tiny_llamas.write_folder}[kind]
    model = language.load(write(tmp_path / "gemma", "gemma"))
    for text, expected in GEMMA_TEXTS.items():
        tokens = model.tokens(text)
        assert [model.tokenizer.id_to_token(token) for token in tokens] == ["<bos>", *expected], text
        assert model.text(tokens) == text.replace("<eos>", "")
    assert (model.start, model.stop, model.context) == ((2,), frozenset([1]), 256)


def test_a_folder_of_a_gemma_need_not_say_what_is_usual(tmp_path):
    """What transformers takes where a config.json is silent; the shapes of the arrays here want other heads."""
    folder = changed_folder(tmp_path, "gemma", dict.fromkeys(("query_pre_attn_scalar", "sliding_window")))
    weights = language.load(folder).weights
    assert weights.local is not None
    assert (float(weights.local.window), weights.attention_scale, weights.embedding_scale) == (4096, 1 / 16, 32**0.5)
    assert weights.layers.local is not None
    assert weights.layers.local.tolist() == [True] * 5 + [False, True]


def test_broken_folders(tmp_path):
    folder = tiny_llamas.write_folder(tmp_path / "tiny", "tied")
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    for length in (len(content) - 1, 100, 3):
        weights.write_bytes(content[:length])
        assert "is truncated or corrupt (" in refusal(folder)
    weights.write_bytes(content[:8] + b"[" * (len(content) - 8))
    assert "is truncated or corrupt (" in refusal(folder)
    weights.unlink()
    assert "no weights 'model.safetensors' in" in refusal(folder, FileNotFoundError)
    (folder / "tokenizer.json").write_text("{}")
    assert "is broken" in refusal(folder)
    (folder / "tokenizer.json").unlink()
    assert "no tokenizer.json in" in refusal(folder, FileNotFoundError)
    (folder / "config.json").write_text("[]")
    assert "holds no JSON object" in refusal(folder)
    (folder / "config.json").unlink()
    assert "no config.json in" in refusal(folder, FileNotFoundError)


@pytest.mark.parametrize("package", ["gguf", "tokenizers"])
def test_missing_packages_are_named(tmp_path, monkeypatch, package):
    file = tiny_llamas.write_gguf(tmp_path / "tiny.gguf", "tied")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"needs the package {package}: pip install 'semres-jax\[llm\]'"):
        language.load(file)


def test_what_a_folder_s_tokenizer_begins_with(tmp_path):
    folder = tiny_llamas.write_folder(tmp_path / "tiny", "tied")
    assert language.load(folder).start == ()
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    first = {"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}
    tokenizer["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [first, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [1], "tokens": ["<|im_start|>"]}},
    }
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    model = language.load(folder)
    assert model.start == (1,)
    assert model.tokens("is")[0] == 1
    gguf = tiny_llamas.write_gguf(tmp_path / "tiny.gguf", "tied", changed={"tokenizer.ggml.add_bos_token": True})
    assert language.load(gguf).start == (0,)
