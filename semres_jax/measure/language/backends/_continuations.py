"""Where a prompt ends and its continuations begin, in tokens."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Split(NamedTuple):
    """Tokens of a prompt, and of each of its continuations."""

    prompt: list[int]
    continuations: list[list[int]]


def paired(prompts: Sequence[str], continuations: Sequence[Sequence[str]]) -> list[tuple[str, Sequence[str]]]:
    """Prompts with their continuations; raises `ValueError` where there is nothing to score."""
    if len(prompts) != len(continuations):
        raise ValueError(f"{len(prompts)} prompts and {len(continuations)} lists of continuations; must be as many")
    for prompt, texts in zip(prompts, continuations, strict=True):
        if isinstance(texts, str) or not len(texts):
            raise ValueError(f"the prompt {prompt[-40:]!r} must have a list of one or more continuations")
        if not prompt or not all(texts):
            raise ValueError(f"prompts and continuations must not be empty; got {prompt[-40:]!r}, {list(texts)!r}")
    return list(zip(prompts, continuations, strict=True))


def split(tokens: Callable[[str], list[int]], prompt: str, continuations: Sequence[str]) -> Split:
    """Prompt and continuations as tokens that are made of both together.

    The prompt's part is what its own tokens and those of all texts have in common at the beginning.

    Example:
        >>> from semres_jax.measure.language.backends._continuations import split
        >>> words = {"a b": [1, 2], "a bc": [1, 3], "a b d": [1, 2, 4]}
        >>> split(words.get, "a b", ["c", " d"])
        Split(prompt=[1], continuations=[[3], [2, 4]])
    """
    texts = [tokens(prompt + continuation) for continuation in continuations]
    first = common([tokens(prompt), *texts])
    first = min(first, *(len(text) - 1 for text in texts))
    if first < 1:
        raise ValueError(f"the prompt {prompt!r} has no token of its own before {continuations[0]!r}; make it longer")
    return Split(texts[0][:first], [text[first:] for text in texts])


def common(rows: Sequence[Sequence[Any]]) -> int:
    """How many tokens all rows have in common at the beginning."""
    length = 0
    for column in zip(*rows, strict=False):
        if len(set(column)) > 1:
            break
        length += 1
    return length
