"""Language models that are read here, from a GGUF file or a folder, and evaluated in float32."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from semres_jax._checks import require_count
from semres_jax._types import Progress
from semres_jax.measure.language.backends._continuations import Split, paired, split
from semres_jax.measure.language.backends.protocol import Backend
from semres_jax.networks import language, llama

# Sequences are filled up to a multiple of this, so that few lengths are compiled.
_STEP = 16
# Tokens that are evaluated at once, and numbers of logits.
_TOKENS, _LOGITS = 1024, 1 << 25


class _Item(NamedTuple):
    """A prompt with its continuations as one sequence of branches."""

    text: int
    tokens: Sequence[int]
    positions: Sequence[int]
    places: Sequence[int] = ()
    branches: Sequence[int] = ()
    sources: Sequence[int] = ()
    targets: Sequence[int] = ()
    owners: Sequence[int] = ()


class _Group(NamedTuple):
    """Items that are evaluated at once, filled up to `length` tokens and to a number of rows."""

    items: list[_Item]
    length: int
    rows: int

    def table(self, part: str, width: int, fill: int = 0) -> np.ndarray:
        """(rows, width) of a part of the items."""
        return _filled([getattr(item, part) for item in self.items], self.rows, width, fill)


class Local(Backend):
    """A Llama or Gemma 3 from a GGUF file or a Hugging Face folder, evaluated here in float32.

    Args:
        path: of the file or folder; "smollm2" is the one that `scripts/fetch_assets` fetches.

    Raises:
        FileNotFoundError, ImportError, ValueError: as `networks.language.load`.

    Example:
        >>> from semres_jax.measure import backends
        >>> backends.Local("no-such-folder")
        Traceback (most recent call last):
        FileNotFoundError: no language model 'no-such-folder': neither a GGUF file nor a folder with config.json
    """

    def __init__(self, path: str | Path | language.LanguageModel):
        if not isinstance(path, language.LanguageModel):
            if not Path(path).exists():
                from semres_jax.data import assets

                path = assets.find(str(path)) if str(path) in assets.ASSETS else path
            path = language.load(path)
        self.model = path
        self.depth = self.model.weights.layers.query.shape[0]

    @property
    def name(self) -> str:
        """Of the file or folder."""
        return self.model.name

    def tokens(self, text: str) -> list[int]:
        """Tokens of a text, those that begin every text before them."""
        return self.model.tokens(text)

    def score(
        self, prompts: Sequence[str], continuations: Sequence[Sequence[str]], progress: Progress | None = None
    ) -> list[np.ndarray]:
        """Log-probabilities of continuations, given their prompts.

        Prompt and continuation are made tokens together. The prompt is what all its continuations have in common with
        its own tokens: where a token spans the boundary, it counts to the continuations, and its part of the prompt is
        the same for all of them, so that differences of scores are those of the texts' log-probabilities.

        Args:
            prompts: N texts.
            continuations: for each prompt K >= 1 texts, K not always the same.
            progress: called as prompts are done.

        Returns:
            For each prompt a (K,) float64 array, natural logarithms.

        Raises:
            ValueError: an empty prompt or continuation; more tokens than the model's context.
        """
        splits = [split(self.tokens, *pair) for pair in paired(prompts, continuations)]
        scores = [np.zeros(len(parts.continuations)) for parts in splits]
        weights = self.model.weights
        items = [_item(i, parts) for i, parts in enumerate(splits)]
        for group, unique, wanted in self._groups("prompts", items, weights.embedding.shape[0], progress):
            batch = llama.Batch(
                group.table("tokens", group.length), group.table("places", group.length),
                group.table("branches", group.length, -1),
            )  # fmt: skip
            chosen = group.table("positions", unique), group.table("sources", wanted), group.table("targets", wanted)
            rows = np.asarray(llama.log_probs(weights, batch, *chosen), np.float64)
            for item, row in zip(group.items, rows, strict=False):
                np.add.at(scores[item.text], item.owners, row[: len(item.owners)])
        return scores

    def generate(self, prompts: Sequence[str], max_tokens: int = 16, progress: Progress | None = None) -> list[str]:
        """What the model writes after each prompt, always the likeliest token, until it stops or has `max_tokens`.

        Every token is a pass over its whole text.

        Raises:
            ValueError: an empty prompt; more tokens than the model's context.
        """
        require_count("max_tokens", max_tokens, 1)
        texts = [self.tokens(prompt) for prompt in prompts]
        if not all(texts):
            raise ValueError("a prompt is empty; there is nothing to go on from")
        self._check_lengths([len(text) + max_tokens for text in texts])
        written: list[list[int]] = [[] for _ in texts]
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        while order:
            length = _up(len(texts[order[0]]) + max_tokens)
            rows = _rows(len(order), length, self.model.weights.embedding.shape[0])
            group = [i for i in order[:rows] if _up(len(texts[i]) + max_tokens) == length]
            order = order[len(group) :]
            going = set(group)
            for _ in range(max_tokens):
                now = [texts[i] + written[i] for i in group]
                lengths = [len(text) for text in now] + [1] * (rows - len(now))
                tokens = llama.next_tokens(self.model.weights, _filled(now, rows, length, 0), np.asarray(lengths))
                for i, token in zip(group, np.asarray(tokens).tolist(), strict=False):
                    if i in going and token in self.model.stop:
                        going.remove(i)
                    elif i in going:
                        written[i].append(token)
                if not going:
                    break
            if progress:
                progress("prompts", len(texts) - len(order), len(texts))
        return [self.model.text(tokens) for tokens in written]

    def hidden(
        self, texts: Sequence[str], characters: Sequence[int] | None = None, progress: Progress | None = None
    ) -> np.ndarray:
        """(1 + L, N, D) states of N texts: the embedding, and after each of the L layers, before the last norm.

        Arguments and errors are those of `Backend.hidden`.
        """
        chosen = [-1] * len(texts) if characters is None else list(characters)
        items = []
        for i, (text, character) in enumerate(zip(texts, chosen, strict=True)):
            if not -len(text) <= character < len(text):
                raise ValueError(f"text {i} has {len(text)} characters; there is none at {character}")
            encoding = self.model.tokenizer.encode(text, add_special_tokens=False)
            at = character % len(text)
            # The last of them: a character of several bytes may be several tokens.
            place = max(k for k, (first, end) in enumerate(encoding.offsets) if first <= at < end)
            items.append(_Item(i, [*self.model.start, *encoding.ids], [len(self.model.start) + place]))
        weights = self.model.weights
        states = np.zeros((1 + self.depth, len(texts), weights.embedding.shape[1]), np.float32)
        for group, *_ in self._groups("texts", items, 1, progress):
            values = llama.hidden(weights, group.table("tokens", group.length), group.table("positions", 1))
            states[:, [item.text for item in group.items]] = np.asarray(values)[:, : len(group.items), 0]
        return states

    def _groups(
        self, what: str, items: list[_Item], numbers: int, progress: Progress | None
    ) -> Iterator[tuple[_Group, int, int]]:
        """Items evaluated at once, how many positions and targets they are filled up to; `numbers` are a position's."""
        self._check_lengths([len(item.tokens) for item in items])
        lengths: dict[int, list[_Item]] = {}
        for item in items:
            lengths.setdefault(_up(len(item.tokens)), []).append(item)
        done = 0
        for length, alike in sorted(lengths.items()):
            unique = _power(max(len(item.positions) for item in alike))
            wanted = _power(max(len(item.targets) for item in alike))
            rows = _rows(len(alike), length, unique * numbers)
            for first in range(0, len(alike), rows):
                group = alike[first : first + rows]
                yield _Group(group, length, rows), unique, wanted
                done += len(group)
                if progress:
                    progress(what, done, len(items))

    def _check_lengths(self, lengths: list[int]) -> None:
        longest = max(lengths, default=0)
        if longest > self.model.context:
            raise ValueError(f"a text of {longest} tokens; {self.name!r} takes at most {self.model.context}")


def _item(index: int, parts: Split) -> _Item:
    count = len(parts.prompt)
    tokens, places, branches = list(parts.prompt), list(range(count)), [llama.PROMPT] * count
    positions, sources, targets, owners = [count - 1], [], [], []
    for k, rest in enumerate(parts.continuations):
        for j, token in enumerate(rest):
            targets.append(token)
            owners.append(k)
            sources.append(0 if j == 0 else len(positions) - 1)
            if j + 1 < len(rest):
                positions.append(len(tokens))
                tokens.append(token)
                places.append(count + j)
                branches.append(k + 1)
    return _Item(index, tokens, positions, places, branches, sources, targets, owners)


def _up(length: int) -> int:
    return -(-length // _STEP) * _STEP


def _power(count: int) -> int:
    return 1 << (count - 1).bit_length()


def _rows(count: int, length: int, numbers: int) -> int:
    """Sequences at once."""
    return max(1, min(_power(count), _TOKENS // length, _LOGITS // numbers))


def _filled(rows: Sequence[Sequence[int]], count: int, width: int, fill: int) -> np.ndarray:
    """(count, width) integers of ragged rows."""
    table = np.full((count, width), fill, np.int32)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table
