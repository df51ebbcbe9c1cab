"""Llamas and Gemmas of a few thousand random weights as files, in both kinds that are read."""

import json
from pathlib import Path
from typing import Any

import numpy as np

# Pieces of the tokenizer: all bytes, some merges, and two special ones.
MERGES = ["Ġ A", "n n", "nn a", "ĠA nna", "Ġ M", "a r", "ar k", "ĠM ark", "i s", "Ġ is", "t h", "th e", "Ġ the"]
SPECIAL = ["<|endoftext|>", "<|im_start|>"]
# What config.json says, for each network.
_CONFIG = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_act": "silu",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "max_position_embeddings": 256,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "tie_word_embeddings": True,
}
_LLAMA_3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
# A window of 8 of 40 positions; layer 6 of 7 is global, as in every Gemma 3.
_GEMMA = {
    "model_type": "gemma3_text",
    "architectures": ["Gemma3ForCausalLM"],
    "hidden_activation": "gelu_pytorch_tanh",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 7,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "query_pre_attn_scalar": 16,
    "sliding_window": 8,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0,
    "rope_local_base_freq": 10000.0,
    "max_position_embeddings": 256,
    "bos_token_id": 2,
    "eos_token_id": 1,
    "tie_word_embeddings": True,
}
# Longer contexts, layers in another order and local frequencies as newer files have them; products scaled otherwise.
_ROPES = {
    "sliding_attention": {"rope_type": "default", "rope_theta": 500.0},
    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1000000.0},
}
NETWORKS: dict[str, dict[str, Any]] = {
    "tied": _CONFIG,
    "untied": _CONFIG | {"tie_word_embeddings": False, "rope_theta": 500000.0, "rope_scaling": _LLAMA_3},
    "wide_heads": _CONFIG | {"num_attention_heads": 3, "num_key_value_heads": 1, "head_dim": 16, "hidden_size": 24},
    "gemma": _GEMMA,
    "gemma_scaled": _GEMMA
    | {
        "num_hidden_layers": 4,
        "num_key_value_heads": 1,
        "query_pre_attn_scalar": 24,
        "layer_types": ["full_attention", "sliding_attention", "full_attention", "sliding_attention"],
        "rope_parameters": _ROPES,
    },
}
# No GGUF file says that products are scaled by another number than the size of a head.
FILES = [(name, kind) for name in NETWORKS for kind in ("gguf", "folder") if (name, kind) != ("gemma_scaled", "gguf")]


def _byte_pieces() -> list[str]:
    """The 256 characters that stand for bytes in byte-level BPE."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in shown]
    names = {byte: chr(byte) for byte in shown} | {byte: chr(256 + i) for i, byte in enumerate(others)}
    return [names[byte] for byte in range(256)]


PIECES = [*SPECIAL, *_byte_pieces(), *(merge.replace(" ", "") for merge in MERGES)]
# Those of a Gemma: special ones, two that are found in text, bytes, and what is merged: pairs by falling score.
GEMMA_SPECIAL, GEMMA_ADDED = ["<pad>", "<eos>", "<bos>", "<unk>"], ["\n", "  "]
GEMMA_MERGES = ["▁ A", "n n", "nn a", "▁A nna", "▁ M", "a r", "ar k", "▁M ark", "i s", "▁ i", "▁ is", "▁i s"]
_SCORED = [*dict.fromkeys(merge.replace(" ", "") for merge in GEMMA_MERGES), *"▁AMainrksé"]
GEMMA_PIECES = [*GEMMA_SPECIAL, *GEMMA_ADDED, *(f"<0x{byte:02X}>" for byte in range(256)), *_SCORED]
TOKENS = np.random.default_rng(5).integers(2, len(PIECES), (2, 40))
# Of these tokens the reference has numbers.
POSITIONS = (0, 1, 13, 39)


def arrays(name: str) -> dict[str, np.ndarray]:
    """Weights by transformers' names, float32; matrices (outputs, inputs)."""
    config = NETWORKS[name]
    rng, gemma = np.random.default_rng(list(NETWORKS).index(name)), is_gemma(name)
    width, hidden = config["hidden_size"], config["intermediate_size"]
    size = config.get("head_dim", width // config["num_attention_heads"])
    queries, keys = config["num_attention_heads"] * size, config["num_key_value_heads"] * size
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (len(pieces(name)), width)}
    for i in range(config["num_hidden_layers"]):
        at = f"model.layers.{i}"
        shapes |= {
            f"{at}.input_layernorm.weight": (width,),
            f"{at}.self_attn.q_proj.weight": (queries, width),
            f"{at}.self_attn.k_proj.weight": (keys, width),
            f"{at}.self_attn.v_proj.weight": (keys, width),
            f"{at}.self_attn.o_proj.weight": (width, queries),
            f"{at}.post_attention_layernorm.weight": (width,),
            f"{at}.mlp.gate_proj.weight": (hidden, width),
            f"{at}.mlp.up_proj.weight": (hidden, width),
            f"{at}.mlp.down_proj.weight": (width, hidden),
        }
        if gemma:
            shapes |= dict.fromkeys((f"{at}.self_attn.q_norm.weight", f"{at}.self_attn.k_norm.weight"), (size,))
            norms = (f"{at}.pre_feedforward_layernorm.weight", f"{at}.post_feedforward_layernorm.weight")
            shapes |= dict.fromkeys(norms, (width,))
    shapes["model.norm.weight"] = (width,)
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (len(pieces(name)), width)
    weights = {}
    for key, shape in shapes.items():
        noise = rng.standard_normal(shape)
        norm = (0.0 if gemma else 1.0) + 0.1 * noise  # Gemma's are held less 1
        weights[key] = (norm if len(shape) == 1 else noise * 2 / shape[1] ** 0.5).astype(np.float32)
    return weights


def is_gemma(name: str) -> bool:
    return NETWORKS[name]["model_type"] == "gemma3_text"


def pieces(name: str) -> list[str]:
    return GEMMA_PIECES if is_gemma(name) else PIECES


def write_folder(folder: Path, name: str, *, shards: int = 1, dtype: str = "float32") -> Path:
    """config.json, weights in one or more .safetensors and tokenizer.json, as transformers writes them."""
    import ml_dtypes
    from safetensors.numpy import save_file

    folder.mkdir(exist_ok=True)
    config = NETWORKS[name]
    (folder / "config.json").write_text(json.dumps(config | {"vocab_size": len(pieces(name))}))
    kinds = {"float32": np.float32, "float16": np.float16, "bfloat16": ml_dtypes.bfloat16}
    values = {key: value.astype(kinds[dtype]) for key, value in arrays(name).items()}
    if shards == 1:
        save_file(values, folder / "model.safetensors", {"format": "pt"})
    else:
        places = {key: f"model-{i % shards + 1:05}-of-{shards:05}.safetensors" for i, key in enumerate(values)}
        for part in sorted(set(places.values())):
            save_file({key: value for key, value in values.items() if places[key] == part}, folder / part)
        (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))
    (folder / "tokenizer.json").write_text(json.dumps(_gemma_tokenizer() if is_gemma(name) else _tokenizer()))
    return folder


def _tokenizer() -> dict[str, Any]:
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added(dict.fromkeys(SPECIAL, True), PIECES),
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, level]},
        "post_processor": None,
        "decoder": level,
        "model": {
            "type": "BPE",
            "vocab": {piece: i for i, piece in enumerate(PIECES)},
            "merges": [merge.split(" ") for merge in MERGES],
        },
    }


def _gemma_tokenizer() -> dict[str, Any]:
    """As transformers makes it of SentencePiece's model."""
    space, first = {"String": " "}, {"SpecialToken": {"id": "<bos>", "type_id": 0}}
    decoders = [
        {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": _added(dict.fromkeys(GEMMA_SPECIAL, True) | dict.fromkeys(GEMMA_ADDED, False), GEMMA_PIECES),
        "normalizer": {"type": "Replace", "pattern": space, "content": "▁"},
        "pre_tokenizer": {"type": "Split", "pattern": space, "behavior": "MergedWithPrevious", "invert": False},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [first, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [first, {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<bos>": {"id": "<bos>", "ids": [2], "tokens": ["<bos>"]}},
        },
        "decoder": {"type": "Sequence", "decoders": decoders},
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": {piece: i for i, piece in enumerate(GEMMA_PIECES)},
            "merges": [merge.split(" ") for merge in GEMMA_MERGES],
        },
    }


def _added(special: dict[str, bool], of: list[str]) -> list[dict[str, Any]]:
    others = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return [{"id": of.index(piece), "content": piece, "special": is_special} | others
            for piece, is_special in special.items()]  # fmt: skip


_GGUF_NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
_GEMMA_NAMES = _GGUF_NAMES | {
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "post_attention_norm",
    "pre_feedforward_layernorm": "ffn_norm",
    "post_feedforward_layernorm": "post_ffw_norm",
}


def write_gguf(path: Path, name: str, *, kind: str = "F32", changed: dict[str, Any] | None = None) -> Path:
    """The same as a GGUF file: heads of queries and keys with their pairs side by side, as llama.cpp converts those of
    Llamas; norms of Gemmas with the 1 that is missing in folders.

    `changed` are fields with other values, or None to leave one out; "general.architecture" names the architecture.
    """
    import gguf

    changed = dict(changed or {})
    config = NETWORKS[name]
    width, heads = config["hidden_size"], config["num_attention_heads"]
    size = config.get("head_dim", width // heads)
    of = "gemma3" if is_gemma(name) else "llama"
    writer = gguf.GGUFWriter(path, changed.pop("general.architecture", of))
    fields: dict[str, Any] = {
        f"{of}.block_count": config["num_hidden_layers"],
        f"{of}.context_length": config["max_position_embeddings"],
        f"{of}.embedding_length": width,
        f"{of}.feed_forward_length": config["intermediate_size"],
        f"{of}.attention.head_count": heads,
        f"{of}.attention.head_count_kv": config["num_key_value_heads"],
        f"{of}.attention.key_length": size,
        f"{of}.attention.value_length": size,
        f"{of}.attention.layer_norm_rms_epsilon": config["rms_norm_eps"],
        f"{of}.rope.dimension_count": size,
        f"{of}.rope.freq_base": config["rope_theta"],
        f"{of}.vocab_size": len(pieces(name)),
    }
    fields |= (_gemma_fields(config) if is_gemma(name) else _llama_fields()) | changed
    for key, value in fields.items():
        if isinstance(value, bool):
            writer.add_bool(key, value)
        elif isinstance(value, int):
            writer.add_uint32(key, value)
        elif isinstance(value, float):
            writer.add_float32(key, value)
        elif isinstance(value, str):
            writer.add_string(key, value)
        elif value is not None:
            writer.add_array(key, value)
    for key, value in arrays(name).items():
        module = key.removesuffix(".weight")
        if module.startswith("model.layers."):
            _, _, i, rest = module.split(".", 3)
            place = f"blk.{i}.{(_GEMMA_NAMES if is_gemma(name) else _GGUF_NAMES)[rest]}"
        else:
            place = _GGUF_NAMES[module]
        if is_gemma(name):
            value = value + np.float32(value.ndim == 1)
        elif place.endswith(("attn_q", "attn_k")):
            value = value.reshape(-1, 2, size // 2, width).swapaxes(1, 2).reshape(value.shape)
        numbers = gguf.GGMLQuantizationType[kind if value.ndim > 1 else "F32"]
        writer.add_tensor(
            f"{place}.weight", gguf.quants.quantize(np.ascontiguousarray(value), numbers), raw_dtype=numbers
        )
    if scaling := config.get("rope_scaling"):
        turns = config["rope_theta"] ** (-np.arange(0, size, 2) / size) / (2 * np.pi)
        turns *= scaling["original_max_position_embeddings"]
        low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
        smooth = np.clip((turns - low) / (high - low), 0, 1)
        factors = 1 / ((1 - smooth) / scaling["factor"] + smooth)
        writer.add_tensor("rope_freqs.weight", factors.astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _llama_fields() -> dict[str, Any]:
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "smollm",
        "tokenizer.ggml.tokens": PIECES,
        "tokenizer.ggml.token_type": [3] * len(SPECIAL) + [1] * (len(PIECES) - len(SPECIAL)),
        "tokenizer.ggml.merges": MERGES,
        "tokenizer.ggml.bos_token_id": 0,
        "tokenizer.ggml.eos_token_id": 0,
        "tokenizer.ggml.add_bos_token": False,
    }


def _gemma_fields(config: dict[str, Any]) -> dict[str, Any]:
    counts = {3: len(GEMMA_SPECIAL), 4: len(GEMMA_ADDED), 6: 256, 1: len(_SCORED)}
    return {
        "gemma3.attention.sliding_window": config["sliding_window"],
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.pre": "default",
        "tokenizer.ggml.tokens": GEMMA_PIECES,
        "tokenizer.ggml.scores": [-1000.0] * (len(GEMMA_PIECES) - len(_SCORED))
        + [-float(i) for i in range(len(_SCORED))],
        "tokenizer.ggml.token_type": [kind for kind, count in counts.items() for _ in range(count)],
        "tokenizer.ggml.bos_token_id": 2,
        "tokenizer.ggml.eos_token_id": 1,
        "tokenizer.ggml.unknown_token_id": 3,
        "tokenizer.ggml.add_bos_token": True,
        "tokenizer.ggml.add_space_prefix": False,
    }
