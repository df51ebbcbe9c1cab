"""What scores text with a language model: a model read here (`Local`), or a server (`Endpoint`)."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from semres_jax._checks import require_count
from semres_jax.measure._endpoint import Endpoint as Endpoint
from semres_jax.measure.language._continuations import Split, split
from semres_jax.networks import language, llama

Progress = Callable[[int, int], None]
# Sequences are filled up to a multiple of this, so that few lengths are compiled.
_STEP = 16
# Tokens that are evaluated at once, and numbers of logits.
_TOKENS, _LOGITS = 1024, 1 << 25


@runtime_checkable
class Backend(Protocol):
    """A language model as measurements use it."""

    @property
    def name(self) -> str:
        """Of the model."""
        ...

    def tokens(self, text: str) -> list[int]:
        """Tokens of a text, those that begin every text before them."""
        ...

    def score(
        self, prompts: Sequence[str], continuations: Sequence[Sequence[str]], progress: Progress | None = None
    ) -> list[np.ndarray]:
        """For each prompt the (K,) log-probabilities of its K continuations, summed over their tokens."""
        ...

    def generate(self, prompts: Sequence[str], max_tokens: int = 16, progress: Progress | None = None) -> list[str]:
        """What the model writes after each prompt, always the likeliest token."""
        ...


def open_backend(
    model: str | Path | None = None, endpoint: str | None = None, *, served: str | None = None, key: str | None = None
) -> Backend:
    """The backend that options name: exactly one of a model's file or folder and an endpoint.

    Raises:
        ValueError: both or none of them; what `Local` and `Endpoint` raise.
    """
    if (model is None) == (endpoint is None):
        raise ValueError("give either a model (a GGUF file, a folder, smollm2) or an endpoint, and not both")
    return Local(model) if model is not None else Endpoint(str(endpoint), model=served, key=key)


class _Item(NamedTuple):
    """A prompt with its continuations as one sequence of branches."""

    text: int
    tokens: list[int]
    places: list[int]
    branches: list[int]
    positions: list[int]
    sources: list[int]
    targets: list[int]
    owners: list[int]


class Local:
    """A Llama from a GGUF file or a Hugging Face folder, evaluated here in float32.

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
        if isinstance(path, language.LanguageModel):
            self.model = path
            return
        if not Path(path).exists():
            from semres_jax.data import assets

            if str(path) in assets.ASSETS:
                path = assets.find(str(path))
        self.model = language.load(path)

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
            progress: called with (prompts done, prompts in all).

        Returns:
            For each prompt a (K,) float64 array, natural logarithms.

        Raises:
            ValueError: an empty prompt or continuation; more tokens than the model's context.
        """
        splits = [split(self.tokens, *pair) for pair in _pairs(prompts, continuations)]
        items = [_item(i, one) for i, one in enumerate(splits)]
        self._check_lengths([len(item.tokens) for item in items])
        found = [np.zeros(len(one.continuations)) for one in splits]
        done = 0
        for length, group in _by_length(items):
            unique = _power(max(len(item.positions) for item in group))
            wanted = _power(max(len(item.targets) for item in group))
            vocabulary = self.model.weights.embedding.shape[0]
            rows = _rows(len(group), length, unique * vocabulary)
            for first in range(0, len(group), rows):
                some = group[first : first + rows]

                def table(part: str, width: int, fill: int, some=some, rows=rows) -> np.ndarray:
                    """(rows, width) of a part of items."""
                    return _filled([getattr(item, part) for item in some], rows, width, fill)

                batch = llama.Batch(
                    table("tokens", length, 0), table("places", length, 0), table("branches", length, -1)
                )
                chosen = table("positions", unique, 0), table("sources", wanted, 0), table("targets", wanted, 0)
                scores = np.asarray(llama.log_probs(self.model.weights, batch, *chosen), np.float64)
                for item, row in zip(some, scores, strict=False):
                    np.add.at(found[item.text], item.owners, row[: len(item.owners)])
                done += len(some)
                if progress:
                    progress(done, len(items))
        return found

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
        done = 0
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
            done += len(group)
            if progress:
                progress(done, len(texts))
        return [self.model.text(tokens) for tokens in written]

    def hidden(
        self, texts: Sequence[str], characters: Sequence[int] | None = None, progress: Progress | None = None
    ) -> np.ndarray:
        """(1 + L, N, D) states of N texts: the embedding, and after each of the L layers, before the last norm.

        Args:
            texts: N of them.
            characters: (N,) state of the token with this character of the text, from 0; the last character's if not
                given. Negative ones count from the end.
            progress: called with (texts done, texts in all).

        Raises:
            ValueError: an empty text; no such character; more tokens than the model's context.
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
            start = len(self.model.start)
            tokens = [*self.model.start, *encoding.ids]
            items.append(_Item(i, tokens, [], [], [start + place], [], [], []))
        self._check_lengths([len(item.tokens) for item in items])
        weights = self.model.weights
        depth, width = weights.layers.query.shape[0], weights.embedding.shape[1]
        found = np.zeros((1 + depth, len(texts), width), np.float32)
        done = 0
        for length, group in _by_length(items):
            rows = _rows(len(group), length, 1)
            for first in range(0, len(group), rows):
                some = group[first : first + rows]
                tokens = _filled([item.tokens for item in some], rows, length, 0)
                places = _filled([item.positions for item in some], rows, 1, 0)
                states = np.asarray(llama.hidden(weights, tokens, places))
                found[:, [item.text for item in some]] = states[:, : len(some), 0]
                done += len(some)
                if progress:
                    progress(done, len(items))
        return found

    def _check_lengths(self, lengths: list[int]) -> None:
        longest = max(lengths, default=0)
        if longest > self.model.context:
            raise ValueError(f"a text of {longest} tokens; {self.name!r} takes at most {self.model.context}")


def _pairs(prompts: Sequence[str], continuations: Sequence[Sequence[str]]) -> list[tuple[str, Sequence[str]]]:
    if len(prompts) != len(continuations):
        raise ValueError(f"{len(prompts)} prompts and {len(continuations)} lists of continuations; must be as many")
    return list(zip(prompts, continuations, strict=True))


def _item(index: int, one: Split) -> _Item:
    count = len(one.prompt)
    tokens, places, branches = list(one.prompt), list(range(count)), [llama.PROMPT] * count
    positions, sources, targets, owners = [count - 1], [], [], []
    for k, rest in enumerate(one.continuations):
        for j, token in enumerate(rest):
            targets.append(token)
            owners.append(k)
            sources.append(0 if j == 0 else len(positions) - 1)
            if j + 1 < len(rest):
                positions.append(len(tokens))
                tokens.append(token)
                places.append(count + j)
                branches.append(k + 1)
    return _Item(index, tokens, places, branches, positions, sources, targets, owners)


def _up(length: int) -> int:
    return -(-length // _STEP) * _STEP


def _power(count: int) -> int:
    return 1 << (count - 1).bit_length()


def _rows(count: int, length: int, numbers: int) -> int:
    """Sequences at once."""
    return max(1, min(_power(count), _TOKENS // length, _LOGITS // numbers))


def _by_length(items: list[_Item]) -> list[tuple[int, list[_Item]]]:
    """Items by the length that they are filled up to."""
    groups: dict[int, list[_Item]] = {}
    for item in items:
        groups.setdefault(_up(len(item.tokens)), []).append(item)
    return sorted(groups.items())


def _filled(rows: Sequence[Sequence[int]], count: int, width: int, fill: int) -> np.ndarray:
    """(count, width) integers of ragged rows."""
    found: Any = np.full((count, width), fill, np.int32)
    for place, row in zip(found, rows, strict=False):
        place[: len(row)] = row
    return found
