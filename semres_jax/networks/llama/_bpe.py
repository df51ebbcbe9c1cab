"""Tokenizers of GGUF files, made anew from the pieces in them, and their merges or scores."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from semres_jax.networks.llama import matrices

# How text is split before merges, by the name in `tokenizer.ggml.pre` (the names and expressions are llama.cpp's).
_LLAMA_3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPLITS = ("gpt-2", "smollm", "llama-bpe")
# Kinds of pieces, `tokenizer.ggml.token_type`: what is merged, and two kinds that are found in text before it is split.
_NORMAL, _CONTROL, _ADDED = 1, 3, 4
# What SentencePiece has for a space.
_SPACE = "\N{LOWER ONE EIGHTH BLOCK}"
_INSTEAD = "give the folder of the model instead, with its tokenizer.json"


def of_gguf(file: str, fields: Mapping[str, Any]) -> Any:
    """The `tokenizers.Tokenizer` of a file's metadata: byte-level BPE, or that of SentencePiece.

    Raises:
        ValueError: no tokenizer there, one of another kind, text split in an unknown way.
    """
    from tokenizers import AddedToken

    kind, tokens = fields.get("tokenizer.ggml.model"), fields.get("tokenizer.ggml.tokens")
    if kind not in tuple(_KINDS) or tokens is None:
        known = "only 'gpt2' (byte-level BPE) and 'llama' (BPE of SentencePiece) are read"
        raise ValueError(f"{file!r} has a tokenizer of kind {kind!r}, and {known}; {_INSTEAD}")
    if not _are_texts(tokens):
        raise ValueError(f"{file!r} has a tokenizer without a list of tokens")
    types = fields.get("tokenizer.ggml.token_type", [_NORMAL] * len(tokens))
    if np.shape(types) != (len(tokens),):
        raise ValueError(f"{file!r} has a tokenizer of {len(tokens)} tokens and {np.size(types)} types of tokens")
    tokenizer = _KINDS[kind](file, fields, tokens, types)
    special, added = ([token for token, of in zip(tokens, types, strict=True) if of == at] for at in (_CONTROL, _ADDED))
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in added])
    return tokenizer


def _bpe(file: str, tokens: list[str], pairs: list[Any], **options: Any) -> Any:
    """A tokenizer with pieces and the pairs that merge, the first first; nothing else."""
    from tokenizers import Tokenizer, models

    try:
        return Tokenizer(models.BPE({token: i for i, token in enumerate(tokens)}, pairs, **options))
    except Exception as problem:  # the package raises nothing narrower
        raise ValueError(f"{file!r} has a broken tokenizer: {str(problem).splitlines()[0]}") from problem


def _are_texts(entry: Any) -> bool:
    return isinstance(entry, list) and all(isinstance(text, str) for text in entry)


def _byte_level(file: str, fields: Mapping[str, Any], tokens: list[str], types: Sequence[int]) -> Any:
    """Merges are listed in the file; all bytes have pieces of their own."""
    from tokenizers import Regex, decoders, pre_tokenizers

    split, merges = fields.get("tokenizer.ggml.pre", "gpt-2"), fields.get("tokenizer.ggml.merges")
    if split not in SPLITS:
        raise ValueError(f"{file!r} splits text as {split!r}, and only {', '.join(SPLITS)} are known; {_INSTEAD}")
    if not isinstance(merges, list) or not _are_texts(merges):
        raise ValueError(f"{file!r} has a tokenizer without a list of merges")
    pairs = [tuple(merge.split(" ", 1)) for merge in merges]
    tokenizer = _bpe(file, tokens, pairs, ignore_merges=split == "llama-bpe")
    parts: list[Any] = []
    if split == "llama-bpe":
        parts = [pre_tokenizers.Split(Regex(_LLAMA_3), "isolated")]
    elif split == "smollm":
        parts = [pre_tokenizers.Digits(individual_digits=True)]
    level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=split != "llama-bpe")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*parts, level])
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentencepiece(file: str, fields: Mapping[str, Any], tokens: list[str], types: Sequence[int]) -> Any:
    """Of the pairs that make a piece together, that with the highest score merges first; what has no piece is bytes.

    So merges are all ways to make one piece of two, by falling score.
    """
    from tokenizers import decoders, normalizers

    if fields.get("tokenizer.ggml.add_space_prefix", True):
        raise ValueError(f"{file!r} begins texts with a space (add_space_prefix), which isn't known; {_INSTEAD}")
    scores = np.asarray(fields.get("tokenizer.ggml.scores", ()))
    if scores.shape != (len(tokens),) or scores.dtype.kind not in "iuf" or np.isnan(scores).any():
        raise ValueError(f"{file!r} has a tokenizer of {len(tokens)} tokens without as many scores")
    pieces = {token for token, of in zip(tokens, types, strict=True) if of == _NORMAL}
    ranked = (tokens[i] for i in np.argsort(-scores, kind="stable") if tokens[i] in pieces)
    pairs = [
        (piece[:i], piece[i:])
        for piece in ranked
        for i in range(1, len(piece))
        if piece[:i] in pieces and piece[i:] in pieces
    ]
    unknown = matrices.Entries(file, fields).tokens("tokenizer.ggml.unknown_token_id")
    named = tokens[unknown[0]] if unknown and unknown[0] < len(tokens) else None
    tokenizer = _bpe(file, tokens, pairs, unk_token=named, fuse_unk=True, byte_fallback=True)
    tokenizer.normalizer = normalizers.Replace(" ", _SPACE)
    tokenizer.decoder = decoders.Sequence([decoders.Replace(_SPACE, " "), decoders.ByteFallback(), decoders.Fuse()])
    return tokenizer


# By `tokenizer.ggml.model`.
_KINDS: Mapping[Any, Callable[[str, Mapping[str, Any], list[str], Sequence[int]], Any]] = {
    "gpt2": _byte_level,
    "llama": _sentencepiece,
}


def starts(file: str, fields: Mapping[str, Any]) -> tuple[int, ...]:
    """The token that a text begins with, if any: as llama.cpp has it, that of Llama 3 and SentencePiece unless told."""
    usual = fields.get("tokenizer.ggml.model") == "llama" or fields.get("tokenizer.ggml.pre") == "llama-bpe"
    begins = fields.get("tokenizer.ggml.add_bos_token", usual)
    return matrices.Entries(file, fields).tokens("tokenizer.ggml.bos_token_id")[:1] if begins else ()


def stops(file: str, fields: Mapping[str, Any]) -> frozenset[int]:
    """The tokens after which nothing is generated."""
    names = ("eos_token_id", "eot_token_id", "eom_token_id")
    return frozenset(matrices.Entries(file, fields).tokens(*(f"tokenizer.ggml.{name}" for name in names)))
