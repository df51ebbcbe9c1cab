"""Language models from GGUF files of the architecture "llama"."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from semres_jax.networks import llama
from semres_jax.networks.llama import _bpe, _gguf_file, matrices
from semres_jax.networks.llama.language_model import LanguageModel, missing

_NAMES = {
    "embedding": "token_embd.weight",
    "norm": "output_norm.weight",
    "head": "output.weight",
    "attention_norm": "blk.{}.attn_norm.weight",
    "query": "blk.{}.attn_q.weight",
    "key": "blk.{}.attn_k.weight",
    "value": "blk.{}.attn_v.weight",
    "output": "blk.{}.attn_output.weight",
    "mlp_norm": "blk.{}.ffn_norm.weight",
    "gate": "blk.{}.ffn_gate.weight",
    "up": "blk.{}.ffn_up.weight",
    "down": "blk.{}.ffn_down.weight",
}
# By what frequencies are divided, where that is not one number; there is one for the whole file.
_FACTORS = "rope_freqs.weight"


def load(path: Path) -> LanguageModel:
    """The model of a file; see `language.load`."""
    file = str(path)
    for package in ("gguf", "tokenizers"):
        try:
            importlib.import_module(package)
        except ImportError:
            raise missing(file, package) from None
    fields, places = _gguf_file.read(path)
    shape = _shape(file, fields)

    def read(name: str) -> np.ndarray:
        return _gguf_file.array(path, places[name])

    factors: Any = float(fields.get("llama.rope.scaling.factor", 1.0))
    if _FACTORS in places:
        factors = read(_FACTORS)
    base = float(fields.get("llama.rope.freq_base", 10000.0))
    frequencies = llama.rope_frequencies(shape.head_size, base, factors)
    available = set(places) - {_FACTORS}
    tokenizer = _bpe.of_gguf(file, fields)
    weights = matrices.assemble(file, shape, _NAMES, available, read, frequencies, interleaved=True)
    return LanguageModel(path.name, weights, tokenizer, shape.context, _bpe.starts(fields), _bpe.stops(fields))


def _shape(file: str, fields: Mapping[str, Any]) -> matrices.Shape:
    architecture = fields.get("general.architecture")
    if architecture != "llama":
        raise ValueError(
            f"{file!r} is of the architecture {architecture!r}, and only 'llama' is evaluated here; "
            "serve it (llama-server -m FILE) and give --endpoint URL"
        )
    scaling = fields.get("llama.rope.scaling.type", "none")
    if fields.get("llama.expert_count"):
        raise ValueError(f"{file!r} is a mixture of experts; serve it (llama-server -m FILE) and give --endpoint URL")
    if scaling not in ("none", "linear"):
        raise ValueError(f"{file!r} scales positions as {scaling!r}; only 'none' and 'linear' are known")
    try:
        width, heads = int(fields["llama.embedding_length"]), int(fields["llama.attention.head_count"])
        size = int(fields.get("llama.attention.key_length", width // heads))
        vocabulary = fields.get("llama.vocab_size", len(fields.get("tokenizer.ggml.tokens", ())))
        shape = matrices.Shape(
            int(vocabulary),
            width,
            int(fields["llama.block_count"]),
            heads,
            int(fields.get("llama.attention.head_count_kv", heads)),
            size,
            int(fields["llama.feed_forward_length"]),
            int(fields["llama.context_length"]),
            # 1e-5 and not the float32 nearest to it, as elsewhere: it is compiled into the program.
            float(str(np.float32(fields["llama.attention.layer_norm_rms_epsilon"]))),
        )
    except KeyError as missing:
        raise ValueError(f"{file!r} does not say {missing.args[0]!r}; a GGUF file of a Llama must") from None
    turned = int(fields.get("llama.rope.dimension_count", size))
    if turned != size or int(fields.get("llama.attention.value_length", size)) != size:
        raise ValueError(f"{file!r} turns {turned} of the {size} numbers of a head; only all of them is known")
    return shape
