"""Language models from files: a GGUF file, or a folder as Hugging Face has it."""

import dataclasses
from pathlib import Path
from typing import Any

from semres_jax.networks import llama


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
    weights: llama.Weights
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


def load(path: str | Path) -> LanguageModel:
    """The language model in a GGUF file, or in a folder with config.json, weights (.safetensors) and tokenizer.json.

    Quantised numbers become float32, as the package gguf has it. The extra `llm` is needed.

    Raises:
        FileNotFoundError: no such file or folder, or a folder without one of these files.
        ImportError: a package of the extra `llm` is missing.
        ValueError: another architecture than Llama's; truncated or corrupt; weights that are missing, of another
            shape, or not finite; a tokenizer or positions of a kind that is not known.

    Example:
        >>> from semres_jax.networks import language
        >>> language.load("no-such.gguf")
        Traceback (most recent call last):
        FileNotFoundError: no language model 'no-such.gguf': neither a GGUF file nor a folder with config.json
    """
    path = Path(path)
    if path.is_dir():
        from semres_jax.networks import _hf_folder

        return _hf_folder.load(path)
    if not path.is_file():
        raise FileNotFoundError(f"no language model {str(path)!r}: neither a GGUF file nor a folder with config.json")
    from semres_jax.networks import _gguf

    return _gguf.load(path)


def missing(file: str, package: str) -> ImportError:
    """The error where a package is not installed."""
    return ImportError(f"{file!r} needs the package {package}: pip install 'semres-jax[llm]'")
