"""A language model: weights with the tokenizer that goes with them."""

import dataclasses
from typing import Any

from semres_jax.networks.llama.model import Weights


@dataclasses.dataclass(frozen=True)
class LanguageModel:
    """Weights with what makes tokens of text.

    Attributes:
        name: of the file or folder.
        weights: of the network.
        tokenizer: a `tokenizers.Tokenizer`.
        context: the most tokens that the model was trained to take.
        start: tokens put before every text.
        stop: tokens that end what is generated.
    """

    name: str
    weights: Weights
    tokenizer: Any
    context: int
    start: tuple[int, ...] = ()
    stop: frozenset[int] = frozenset()

    def tokens(self, text: str) -> list[int]:
        """Tokens of a text, those of `start` before them. Special tokens, such as <|im_start|>, may be written out."""
        return [*self.start, *self.tokenizer.encode(text, add_special_tokens=False).ids]

    def text(self, tokens: list[int]) -> str:
        """The text of tokens, special ones left out."""
        return self.tokenizer.decode(tokens, skip_special_tokens=True)


def missing(file: str, package: str) -> ImportError:
    """The error where a package is not installed."""
    return ImportError(f"{file!r} needs the package {package}: pip install 'semres-jax[llm]'")
