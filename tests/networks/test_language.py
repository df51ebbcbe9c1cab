"""Files of language models that can't be used: one line that says what is wrong and what would do."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from semres_jax.networks import language
from tests.networks import tiny_llamas

for package in ("tokenizers", "gguf"):
    pytest.importorskip(package, reason=f"{package} is not installed: scripts/setup llm")


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
        ({"general.architecture": "qwen3"}, "architecture 'qwen3', and only 'llama' is evaluated here; serve it"),
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
        ({"tokenizer.ggml.model": "llama"}, "a tokenizer of kind 'llama', and only 'gpt2' (byte-level BPE) is read"),
        ({"tokenizer.ggml.pre": "chaos"}, "splits text as 'chaos', and only gpt-2, smollm, llama-bpe are known"),
        ({"tokenizer.ggml.merges": ["x yy"]}, "has a broken tokenizer"),
    ],
)
def test_gguf_files_of_other_networks(tmp_path, changed, words):
    assert words in refusal(tiny_llamas.write_gguf(tmp_path / "tiny.gguf", "tied", changed=changed))


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
        ({"model_type": "gemma3"}, "architecture 'gemma3', and only 'llama' is evaluated here"),
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
    folder = tiny_llamas.write_folder(tmp_path / "tiny", "tied")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changed))
    assert words in refusal(folder)


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
