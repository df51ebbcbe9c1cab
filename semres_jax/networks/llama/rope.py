"""Frequencies of rotary positions, as a config.json says them."""

import functools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from semres_jax._checks import brief
from semres_jax.networks import llama
from semres_jax.networks.llama import matrices


def of_config(file: str, config: Mapping[str, Any], size: int, base: float = 10000.0) -> np.ndarray:
    """(size / 2,), stretched for longer contexts as the config says: not at all, "linear" or "llama3".

    Args:
        file: name of the folder, for messages.
        config: with "rope_theta" and "rope_parameters" or "rope_scaling", as far as it has them.
        size: of a head.
        base: where there is no "rope_theta".

    Raises:
        ValueError: scaled in another way, or by numbers that can't be.
    """
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(rope, dict):
        raise ValueError(f"{file!r} scales positions as {brief(rope)}; must be an object")
    theta = matrices.Entries(file, {"rope_theta": rope.get("rope_theta", config.get("rope_theta"))})
    frequencies = functools.partial(llama.rope_frequencies, size, theta.number("rope_theta", base))
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind not in ("default", "linear", "llama3"):
        raise ValueError(f"{file!r} scales positions as {kind!r}; only 'default', 'linear' and 'llama3' are known")
    if kind == "default":
        return frequencies()
    entry = matrices.Entries(file, rope)
    factor = entry.number("factor")
    if kind == "linear":
        return frequencies(factor)
    low, high = entry.number("low_freq_factor"), entry.number("high_freq_factor")
    if not high > low:
        raise ValueError(f"{file!r} has high_freq_factor {high:g} and low_freq_factor {low:g}; must be above it")
    # How often a pair turns in the context that the model first had: often, it stays; seldom, it slows by factor.
    turns = frequencies() / (2 * math.pi) * entry.number("original_max_position_embeddings")
    smooth = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return frequencies(1.0 / ((1 - smooth) / factor + smooth))
