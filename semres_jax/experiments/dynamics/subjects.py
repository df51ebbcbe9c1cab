"""Which networks are looked at, and on which tokens: models from files, a small random one, their controls."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from semres_jax._checks import require_count
from semres_jax._files import shown
from semres_jax.dynamics.controls import shuffled, untrained
from semres_jax.dynamics.trajectories import FEWEST
from semres_jax.networks import llama

CONTROLS = ("init", "shuffled")
_MADE = {"init": untrained, "shuffled": shuffled}
# The network called "random": its tokens are bytes.
RANDOM = "random"
_SMALL = {"vocabulary": 256, "width": 32, "layers": 4, "heads": 4, "kv_heads": 2}
_RANDOM_CONTEXT = 4096
# Names of each year, of as many names of one length, as `semres measure llm` has them.
_NAMES_OF_A_YEAR, _NAMES = 4, 48


@dataclasses.dataclass(frozen=True)
class Subject:
    """A network with what makes tokens of text.

    Attributes:
        name: of the model.
        weights: of its network.
        tokens_of: tokens of a text.
        context: the most tokens that it takes.
    """

    name: str
    weights: llama.Weights
    tokens_of: Callable[[str], Sequence[int]]
    context: int

    @property
    def layers(self) -> int:
        """L."""
        return len(self.weights.layers.query)

    @property
    def width(self) -> int:
        """D."""
        return self.weights.embedding.shape[1]

    def control(self, name: str) -> llama.Weights:
        """Weights of a control, always the same: "init" (drawn anew, seed 0) or "shuffled" (permuted, seed 0)."""
        return _MADE[name](self.weights, key=0)


def open_subject(model: str | Path) -> Subject:
    """A model by name, or from a file.

    Args:
        model: "smollm2" (fetched by `scripts/fetch_assets`), a GGUF file, a folder as Hugging Face has it, or "random":
            a Llama of 4 layers and width 32 with random weights, seed 0, whose tokens are bytes of UTF-8.

    Raises:
        FileNotFoundError, ImportError, ValueError: as `networks.language.load`; a server's address.

    Example:
        >>> from semres_jax.experiments import dynamics
        >>> subject = dynamics.open_subject("random")
        >>> subject.layers, subject.width, subject.tokens_of("Hi")
        (4, 32, [72, 105])
    """
    if str(model) == RANDOM:
        weights = llama.random_weights(jax.random.key(0), **_SMALL)
        return Subject(RANDOM, weights, lambda text: list(text.encode()), _RANDOM_CONTEXT)
    if "://" in str(model):
        raise ValueError(f"a server tells no states of its layers; got {shown(model)!r}: give a GGUF file or a folder")
    from semres_jax.data import assets
    from semres_jax.measure.language.backends import Local

    made = Local(model).model
    return Subject(str(model) if str(model) in assets.ASSETS else made.name, made.weights, made.tokens, made.context)


def tokens_of(subject: Subject, texts: Sequence[str], tokens: int = 64, samples: int | None = None) -> np.ndarray:
    """(N, T) first tokens of the texts that have as many, in their order.

    Args:
        subject: whose tokens.
        texts: passages.
        tokens: T, at least 2, at most the model's context.
        samples: N, at least 3; None: all there are.

    Raises:
        ValueError: fewer than N texts, or 3, of T tokens; T past the context.

    Example:
        >>> from semres_jax.experiments import dynamics
        >>> subject = dynamics.open_subject("random")
        >>> dynamics.tokens_of(subject, ["abc", "no", "xyz", "long"], 3).tolist()
        [[97, 98, 99], [120, 121, 122], [108, 111, 110]]
    """
    if require_count("tokens", tokens, 2) > subject.context:
        raise ValueError(f"tokens must be at most {subject.context}, the context of {subject.name!r}; got {tokens}")
    wanted = FEWEST if samples is None else require_count("samples", samples, FEWEST)
    rows, longest = [], 0
    for text in texts:
        row = list(subject.tokens_of(text))
        longest = max(longest, len(row))
        if len(row) >= tokens:
            rows.append(row[:tokens])
        if len(rows) == samples:
            break
    if len(rows) < wanted:
        raise ValueError(
            f"{wanted} texts of {tokens} tokens are needed; of {len(texts)} texts {len(rows)} are as long, the longest "
            f"has {longest}; give longer texts, or fewer tokens or samples"
        )
    return np.array(rows, np.int64)


@dataclasses.dataclass(frozen=True)
class Network:
    """One network of a study: a model, or a control of it.

    Attributes:
        name: of the model, with that of the control after it.
        subject: the model.
        control: "" for the model itself.
    """

    name: str
    subject: Subject
    control: str

    def weights(self) -> llama.Weights:
        """Made when they are needed: a control takes as much memory as its model."""
        return self.subject.control(self.control) if self.control else self.subject.weights


def networks_of(subjects: Sequence[Subject], controls: Sequence[str]) -> list[Network]:
    """All networks, each model followed by its controls.

    Raises:
        ValueError: an unknown control, or one twice; no model.

    Example:
        >>> from semres_jax.experiments import dynamics
        >>> from semres_jax.experiments.dynamics.subjects import networks_of
        >>> [network.name for network in networks_of([dynamics.open_subject("random")], ["init"])]
        ['random', 'random, init']
    """
    for control in controls:
        if control not in CONTROLS:
            raise ValueError(f"control must be one of {', '.join(CONTROLS)}; got {shown(control)!r}")
    if len(set(controls)) < len(controls) or not subjects:
        raise ValueError(f"models, and different controls, are needed; got {len(subjects)} and {list(controls)}")
    made: list[Network] = []
    for place, subject in enumerate(subjects):
        double = any(subject.name == other.name for other in subjects[:place])
        name = f"{subject.name} ({place + 1})" if double else subject.name
        made += [Network(name + f", {c}" * bool(c), subject, c) for c in ("", *controls)]
    return made


def year_texts(subject: Subject, count: int, *, key: Any = None) -> tuple[np.ndarray, list[list[list[int]]]]:
    """Years and, of each, the tokens of a sentence with each of four names: the stimuli of `semres measure llm`.

    Args:
        subject: whose tokens.
        count: of years.
        key: of the years.
    """
    from semres_jax.measure.language import wording, year_task

    years = year_task.spread_years(count, key=key)
    names = wording.matched(lambda text: list(subject.tokens_of(text)), _NAMES_OF_A_YEAR, " ", most=_NAMES)
    rows = wording.year_sentences(years.tolist(), names, _NAMES_OF_A_YEAR)
    return years, [[list(subject.tokens_of(text)) for text in row] for row in rows]
