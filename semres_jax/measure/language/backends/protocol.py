"""What a language model must offer to be measured."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np

from semres_jax._types import Progress


@runtime_checkable
class Backend(Protocol):
    """A language model as measurements use it; a class of one's own may inherit from it.

    Where functions take `progress`, it is called with (what is being done, texts done, texts in all).
    """

    # Layers whose states `hidden` gives, the embedding not counted; 0: it gives none.
    depth: int = 0
    # Whether prompts are answered, and kept, one by one, as by a server that may be gone before the next.
    alone: bool = False

    @property
    def name(self) -> str:
        """The model's name."""
        ...

    def tokens(self, text: str) -> list[int]:
        """Tokens of a text, those that begin every text before them."""
        ...

    def score(
        self, prompts: Sequence[str], continuations: Sequence[Sequence[str]], progress: Progress | None = None
    ) -> list[np.ndarray]:
        """For each prompt the (K,) log-probabilities of its K >= 1 continuations, summed over their tokens.

        Raises:
            ValueError: an empty prompt or continuation; what the model can't score.
        """
        ...

    def generate(self, prompts: Sequence[str], max_tokens: int = 16, progress: Progress | None = None) -> list[str]:
        """What the model writes after each prompt, always the likeliest token."""
        ...

    def answers(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Places and results of a function that asks this model, for each item: here one after the other."""
        yield from enumerate(map(function, items))

    def close(self) -> None:
        """Let go of what the model holds, such as connections."""

    def hidden(
        self, texts: Sequence[str], characters: Sequence[int] | None = None, progress: Progress | None = None
    ) -> np.ndarray:
        """(1 + depth, N, D) states of N texts: the embedding, and after each layer, before the last norm.

        Args:
            texts: N of them.
            characters: (N,) state of the token with this character of the text, from 0; the last character's if not
                given. Negative ones count from the end.
            progress: called as texts are done.

        Raises:
            ValueError: the model tells no states; an empty text; no such character.
        """
        raise ValueError(f"{self.name!r} tells no states of its layers; leave out the task layers")
