"""Tokenizers of GGUF files, made anew from the pieces and merges in them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from semres_jax.networks.llama import matrices

# How text is split before merges, by the name in `tokenizer.ggml.pre` (the names and expressions are llama.cpp's).
_LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITS = ("gpt-2", "smollm", "llama-bpe")
# Kinds of pieces, `tokenizer.ggml.token_type`: those that are found in text before it is split.
_CONTROL, _ADDED = 3, 4


def of_gguf(file: str, fields: Mapping[str, Any]) -> Any:
    """The `tokenizers.Tokenizer` of a file's metadata: byte-level BPE.

    Raises:
        ValueError: no tokenizer there, one of another kind, text split in an unknown way.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

    kind, split = fields.get("tokenizer.ggml.model"), fields.get("tokenizer.ggml.pre", "gpt-2")
    instead = "give the folder of the model instead, with its tokenizer.json"
    if kind != "gpt2" or "tokenizer.ggml.tokens" not in fields or "tokenizer.ggml.merges" not in fields:
        raise ValueError(
            f"{file!r} has a tokenizer of kind {kind!r}, and only 'gpt2' (byte-level BPE) is read; {instead}"
        )
    if split not in SPLITS:
        raise ValueError(f"{file!r} splits text as {split!r}, and only {', '.join(SPLITS)} are known; {instead}")
    tokens, merges = fields["tokenizer.ggml.tokens"], fields["tokenizer.ggml.merges"]
    for entry in (tokens, merges):
        if not isinstance(entry, list) or not all(isinstance(text, str) for text in entry):
            raise ValueError(f"{file!r} has a tokenizer without lists of tokens and merges")
    merges = [tuple(merge.split(" ", 1)) for merge in merges]
    ids = {token: i for i, token in enumerate(tokens)}
    try:
        model = models.BPE(ids, merges, ignore_merges=split == "llama-bpe")
    except Exception as problem:  # the package raises nothing narrower
        raise ValueError(f"{file!r} has a broken tokenizer: {str(problem).splitlines()[0]}") from problem
    tokenizer = Tokenizer(model)
    parts: list[Any] = []
    if split == "llama-bpe":
        parts = [pre_tokenizers.Split(Regex(_LLAMA_3), "isolated")]
    elif split == "smollm":
        parts = [pre_tokenizers.Digits(individual_digits=True)]
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split != "llama-bpe")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*parts, level])
    tokenizer.decoder = decoders.ByteLevel()
    types = fields.get("tokenizer.ggml.token_type", [1] * len(tokens))
    if np.size(types) != len(tokens):
        raise ValueError(f"{file!r} has a tokenizer of {len(tokens)} tokens and {np.size(types)} types of tokens")
    special, added = ([token for token, of in zip(tokens, types, strict=True) if of == at] for at in (_CONTROL, _ADDED))
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in added])
    return tokenizer


def starts(file: str, fields: Mapping[str, Any]) -> tuple[int, ...]:
    """The token that a text begins with, if any: as llama.cpp has it, that of Llama 3 unless told otherwise."""
    begins = fields.get("tokenizer.ggml.add_bos_token", fields.get("tokenizer.ggml.pre") == "llama-bpe")
    return matrices.Entries(file, fields).tokens("tokenizer.ggml.bos_token_id")[:1] if begins else ()


def stops(file: str, fields: Mapping[str, Any]) -> frozenset[int]:
    """The tokens after which nothing is generated."""
    names = ("eos_token_id", "eot_token_id", "eom_token_id")
    return frozenset(matrices.Entries(file, fields).tokens(*(f"tokenizer.ggml.{name}" for name in names)))
