"""Transformers of the architectures Llama and Gemma 3, and their weights and tokenizers from files."""

from semres_jax.networks.llama.model import (
    PROMPT as PROMPT,
    Batch as Batch,
    Layers as Layers,
    Local as Local,
    Weights as Weights,
    embedded as embedded,
    hidden as hidden,
    log_probs as log_probs,
    logits as logits,
    next_tokens as next_tokens,
    random_weights as random_weights,
    rope_frequencies as rope_frequencies,
)
