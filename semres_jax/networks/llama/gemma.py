"""What Gemma 3 has that Llama has not, from what its files say."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from semres_jax._checks import brief
from semres_jax.networks import llama
from semres_jax.networks.llama import matrices, rope

# What a config.json need not say, by transformers; what it calls layers.
DEFAULTS = {
    "num_key_value_heads": 4,
    "head_dim": 256,
    "max_position_embeddings": 131072,
    "query_pre_attn_scalar": 256,
    "sliding_window": 4096,
    "tie_word_embeddings": True,
}
_LOCAL, _GLOBAL = "sliding_attention", "full_attention"
# Every sixth layer is global; bases of the frequencies of the others, and of these.
_PERIOD, _LOCAL_BASE, _GLOBAL_BASE = 6, 1e4, 1e6
# Of so many layers is the one model whose products are scaled by its width a head; no GGUF file says so.
_LAYERS_OF_27B = 62


def of_gguf(entry: matrices.Entries, shape: matrices.Shape, frequencies: np.ndarray) -> matrices.Use:
    """Of a GGUF file, as llama.cpp has it.

    Args:
        entry: its metadata.
        shape: the network's.
        frequencies: of global layers.

    Raises:
        ValueError: no window, or one that can't be; logits that are capped, which those of Gemma 2 are.
    """
    _refuse_caps(entry, "gemma3.")
    period = entry.whole("gemma3.attention.sliding_window_pattern", _PERIOD)
    turns = llama.rope_frequencies(shape.head_size, entry.number("gemma3.rope.freq_base_swa", _LOCAL_BASE))
    is_local = np.arange(1, shape.layers + 1) % period != 0
    scalar = float(shape.width // shape.heads if shape.layers == _LAYERS_OF_27B else shape.head_size)
    return _use(shape, frequencies, turns, entry.whole("gemma3.attention.sliding_window"), is_local, scalar)


def of_config(file: str, config: Mapping[str, Any], shape: matrices.Shape) -> matrices.Use:
    """Of a config.json, as transformers has it.

    Args:
        file: name of the folder, for messages.
        config: what it says, `DEFAULTS` included.
        shape: the network's.

    Raises:
        ValueError: layers of another kind than local and global ones, or of which nothing is said; positions that are
            scaled in an unknown way; logits that are capped; attention to what comes later.
    """
    entry = matrices.Entries(file, config)
    _refuse_caps(entry, "")
    if config.get("use_bidirectional_attention"):
        raise ValueError(f"{file!r} attends to what comes later (use_bidirectional_attention); it predicts no tokens")
    both = config.get("rope_parameters")
    if both is None:
        of_global, of_local = config, {"rope_theta": config.get("rope_local_base_freq")}
    elif isinstance(both, dict) and all(isinstance(both.get(kind), dict) for kind in (_LOCAL, _GLOBAL)):
        of_global, of_local = ({"rope_parameters": both[kind]} for kind in (_GLOBAL, _LOCAL))
    else:
        raise ValueError(f"{file!r} has rope_parameters {brief(both)}; must be an object with {_LOCAL} and {_GLOBAL}")
    return _use(
        shape, rope.of_config(file, of_global, shape.head_size, _GLOBAL_BASE),
        rope.of_config(file, of_local, shape.head_size, _LOCAL_BASE), entry.whole("sliding_window"),
        _local_layers(file, config, shape.layers), entry.number("query_pre_attn_scalar"),
    )  # fmt: skip


def _refuse_caps(entry: matrices.Entries, prefix: str) -> None:
    for name in (f"{prefix}attn_logit_softcapping", f"{prefix}final_logit_softcapping"):
        if entry.content.get(name):
            raise ValueError(f"{entry.file!r} has {name}, which Gemma 3 has not; it can't be evaluated")


def _local_layers(file: str, config: Mapping[str, Any], layers: int) -> np.ndarray:
    """(L,) which layers are local."""
    kinds = config.get("layer_types")
    if kinds is None:
        period = matrices.Entries(file, config).whole("sliding_window_pattern", _PERIOD)
        return np.arange(1, layers + 1) % period != 0
    if not isinstance(kinds, list) or len(kinds) != layers or any(kind not in (_LOCAL, _GLOBAL) for kind in kinds):
        raise ValueError(f"{file!r} has layer_types {brief(kinds)}; must be {layers} of {_LOCAL} and {_GLOBAL}")
    return np.array([kind == _LOCAL for kind in kinds])


def _use(
    shape: matrices.Shape, frequencies: np.ndarray, of_local: np.ndarray, window: int, is_local: np.ndarray,
    scalar: float,
) -> matrices.Use:  # fmt: skip
    """Embeddings are multiplied by √D in float32, as transformers and llama.cpp do where all is float32."""
    local = llama.Local(jnp.asarray(of_local), jnp.asarray(window, jnp.int32))
    return matrices.Use(frequencies, local, is_local, "gelu", shape.width**0.5, scalar**-0.5)
