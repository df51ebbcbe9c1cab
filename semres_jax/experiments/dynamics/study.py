"""The residual stream of networks as a dynamical system, part by part: what is done is kept, and never done again."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from semres_jax import _memory, _watching
from semres_jax._checks import require_count
from semres_jax._random import key_or_default, setting
from semres_jax.dynamics.jacobians import CONTEXTS, PARTS
from semres_jax.execution import Execution
from semres_jax.experiments.dynamics import parts
from semres_jax.experiments.dynamics.parts import Numbers
from semres_jax.experiments.dynamics.subjects import Network, Subject, networks_of, tokens_of
from semres_jax.experiments.dynamics.variables import table
from semres_jax.storage.fingerprints import fingerprint
from semres_jax.storage.resume import Saved

if TYPE_CHECKING:
    import xarray

_Tell = Callable[[int, int], None]

# Seconds of two cores as measured with D = 576, L = 30 (3.5 million numbers a layer), for `Plan`.
_PASS, _JACOBIAN, _MEASURES, _CONTROLLED = 1.3e-5, 0.34, 0.6, 0.5
_WIDTH, _OF_LAYER, _LAYERS = 576, 3.5e6, 30
# Numbers of 8 bytes for each number of a Jacobian, and of the states; passes over texts of the other parts.
_MATRICES, _COPIES, _STATISTICS, _PUSHES = 24, 6, 2.5e-6, 20
# Copies of the weights: the network, a control, and what it is made of; bytes of the programs.
_NETWORKS, _PROGRAMS = 4, 5e8


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a study does.

    Attributes:
        tokens: T, tokens of a text; its last is looked at.
        samples: N, texts; None: all that are long enough.
        jacobian_samples: texts whose Jacobians are taken, the first ones; 0: none.
        controls: "init", "shuffled" or both, of each model.
        part, context: of Jacobians, as `dynamics.jacobians` has them.
        layers: of Jacobians; None: all. Products are made where these are all layers, whole ones.
        years: stimuli of the bridge; 0: none.
    """

    tokens: int = 64
    samples: int | None = None
    jacobian_samples: int = 4
    controls: tuple[str, ...] = ("init", "shuffled")
    part: str = "layer"
    context: str = "full"
    layers: tuple[int, ...] | None = None
    years: int = 100


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a study will do, and what it takes.

    Attributes:
        networks: models, each with its controls.
        tokens: (N, T) of each model, by its place.
        seconds: about, of two cores of a usual computer.
        memory: about, bytes.
    """

    networks: list[Network]
    tokens: list[np.ndarray]
    seconds: float
    memory: float

    def __str__(self) -> str:
        count, length = self.tokens[0].shape
        minutes = "under a minute" if self.seconds < 60 else f"about {self.seconds / 60:.0f} minutes"
        names = "; ".join(network.name for network in self.networks)
        return (
            f"{len(self.networks)} networks ({names}), {count} texts of {length} tokens: {minutes} on two free cores, "
            f"{self.memory / 1e9:.1f} GB of memory"
        )


def plan(subjects: Sequence[Subject], texts: Sequence[str], settings: Settings) -> Plan:
    """Check everything that a study is asked for, and say what it takes.

    Args:
        subjects: models.
        texts: passages, of which those with enough tokens are taken.
        settings: of the study.

    Raises:
        ValueError: texts too short or too few, a layer, part, context or control that there isn't, numbers out of
            range, more memory than there is.

    Example:
        >>> from semres_jax import data
        >>> from semres_jax.experiments import dynamics
        >>> made = dynamics.plan([dynamics.open_subject("random")], data.passages(), dynamics.Settings(samples=8))
        >>> [network.name for network in made.networks]
        ['random', 'random, init', 'random, shuffled']
    """
    for name, value, known in (("part", settings.part, PARTS), ("context", settings.context, CONTEXTS)):
        if value not in known:
            raise ValueError(f"{name} must be {', '.join(known)}; got {value!r}")
    require_count("jacobian_samples", settings.jacobian_samples, 0)
    if settings.years != 0 and not 4 <= require_count("years", settings.years, 0) <= 800:
        raise ValueError(f"years must be from 4 to 800, or 0 for none; got {settings.years}")
    networks = networks_of(subjects, settings.controls)
    tokens = [tokens_of(subject, texts, settings.tokens, settings.samples) for subject in subjects]
    for subject, rows in zip(subjects, tokens, strict=True):
        for layer in settings.layers or ():
            if not 0 <= layer < subject.layers:
                raise ValueError(f"layer must be from 0 to {subject.layers - 1} of {subject.name!r}; got {layer}")
        if settings.layers is not None and len(set(settings.layers)) < max(1, len(settings.layers)):
            raise ValueError(f"layers must be different ones; got {list(settings.layers)}")
        if settings.jacobian_samples > len(rows):
            raise ValueError(
                f"jacobian_samples must be at most {len(rows)}, the texts; got {settings.jacobian_samples}"
            )
    memory = max(_bytes(subject, rows) for subject, rows in zip(subjects, tokens, strict=True))
    _memory.require(int(memory), f"states and Jacobians of {settings.tokens} tokens of {len(tokens[0])} texts")
    seconds = sum(
        sum(_seconds(network, rows, settings).values())
        for network, rows in zip(networks, _of_each(tokens, networks), strict=True)
    )
    return Plan(networks, tokens, seconds, memory)


def study(
    subjects: Sequence[Subject], texts: Sequence[str], settings: Settings | None = None, *, key: Any = None,
    execution: Execution | None = None,
) -> "xarray.Dataset":  # fmt: skip
    """All measures of the residual stream of models and of their controls, by depth.

    Args:
        subjects: one model, or several to compare.
        texts: passages, as `data.passages` gives them.
        settings: what is done.
        key: of years, directions, permutations and walks; controls have their own, always the same.
        execution: its `progress` is told, its `saved`, which must be open, keeps parts that are done.

    Returns:
        A dataset with a dimension `network`: `experiments.dynamics.variables` names what is in it; depth is `boundary`
        (2L + 1), `step` (2L), `turn` (2L - 1), `layer` (L) and `level` (L + 1).

    Raises:
        ValueError: as `plan`; states that are not finite; a Jacobian that is 0.

    Example:
        >>> from semres_jax import data
        >>> from semres_jax.experiments import dynamics
        >>> settings = dynamics.Settings(samples=4, tokens=6, jacobian_samples=1, controls=(), years=0)
        >>> table = dynamics.study([dynamics.open_subject("random")], data.passages(), settings)
        >>> table.sizes["boundary"], bool(table.product_pr[0, 0, 0, 1, -1] < table.product_pr[0, 0, 0, 1, 1])
        (9, True)
    """
    settings, execution = settings or Settings(), execution or Execution()
    made = plan(subjects, texts, settings)
    saved, key = execution.saved or Saved(None), key_or_default(key)
    costs = [
        _seconds(network, rows, settings)
        for network, rows in zip(made.networks, _of_each(made.tokens, made.networks), strict=True)
    ]
    total, done = sum(sum(cost.values()) for cost in costs), 0.0
    numbers, of_texts = [], []
    for network, rows, cost in zip(made.networks, _of_each(made.tokens, made.networks), costs, strict=True):
        work, own, jacobians = _Work(network, rows, settings, key), {}, []
        for name, share in cost.items():
            cell = f"{network.name}: {name}"
            kept = saved.finished(cell)
            if kept is None:
                execution.tell(cell, round(100 * done), round(100 * total))
                kept = work.part(name, saved, cell, jacobians, _telling(execution, cell, done, share, total))
                saved.finish(cell, kept)
            done += share
            execution.tell(cell, round(100 * done), round(100 * total))
            (jacobians.append if name.startswith("Jacobians") else own.update)(kept)
        numbers.append(own)
        of_texts.append(jacobians)
    return table([network.name for network in made.networks], numbers, of_texts)


def run_settings(made: Plan, settings: Settings, key: Any) -> dict[str, Any]:
    """Everything that decides the numbers of a study, for a run that goes on."""
    models = {network.name: _print(network) for network in made.networks if not network.control}
    texts = [fingerprint(rows) for rows in made.tokens]
    return {"models": models, "texts": texts, **dataclasses.asdict(settings), **setting(key)}


def _print(network: Network) -> str:
    weights = network.subject.weights
    return fingerprint([weights.embedding[:256], *(leaf[0] for leaf in jax.tree.leaves(weights.layers))])


def _of_each(tokens: list[np.ndarray], networks: list[Network]) -> list[np.ndarray]:
    """Tokens of the model that each network is, or is a control of."""
    place, rows = -1, []
    for network in networks:
        place += not network.control
        rows.append(tokens[place])
    return rows


class _Work:
    """Parts of one network, whose weights are made with the first that is not done."""

    def __init__(self, network: Network, tokens: np.ndarray, settings: Settings, key: Any):
        self.network, self.tokens, self.settings, self.key, self._weights = network, tokens, settings, key, None

    def part(self, name: str, saved: Saved, cell: str, jacobians: list[Numbers], tell: _Tell) -> Numbers:
        """The numbers of a part; `jacobians` are those of texts that are done, `tell` its own progress."""
        if self._weights is None:
            self._weights = self.network.weights()
        weights, settings = self._weights, self.settings
        if name == "states":
            with _watching.watched(tell):  # the states themselves; what follows tells nothing
                return parts.of_states(weights, self.tokens, self.key)
        if name == "pushes":
            return parts.of_pushes(weights, self.tokens, self.key)
        if name == "years":
            depth = self.network.subject.layers
            known = dict(parts.means(jacobians)) if jacobians else {}
            unknown = {f"u_{measure}": np.full(depth, np.nan) for measure in ("henrici", "symmetric")}
            return parts.of_years(self.network.subject, weights, settings.years, unknown | known, self.key)
        text = int(name.split()[-1]) - 1
        layers = list(range(self.network.subject.layers)) if settings.layers is None else list(settings.layers)
        return parts.of_jacobians(
            weights, self.tokens[text : text + 1], jax.random.fold_in(self.key, text), part=settings.part,
            context=settings.context, layers=layers, controlled=not self.network.control, there=saved.running(cell),
            keep=lambda snapshot: saved.keep(cell, snapshot), tell=tell,
        )  # fmt: skip


def _seconds(network: Network, tokens: np.ndarray, settings: Settings) -> dict[str, float]:
    """Parts of a network in the order in which they are done, with the time that each takes, about."""
    subject = network.subject
    size = sum(leaf[0].size for leaf in jax.tree.leaves(subject.weights.layers)) / _OF_LAYER * subject.layers / _LAYERS
    count, layers = tokens.size, subject.layers if settings.layers is None else len(settings.layers)
    width, of_layer = subject.width / _WIDTH, size * _LAYERS / subject.layers
    one_pass = _PASS * 1e2 * count * size
    named = {"states": one_pass + _STATISTICS * len(tokens) * subject.width * subject.layers + 5.0}
    named["pushes"] = min(len(tokens), parts.PUSHED) * tokens.shape[1] * 1e2 * _PASS * size * _PUSHES + 1.0
    a_layer = _JACOBIAN * of_layer * width + (_MEASURES + (0 if network.control else _CONTROLLED)) * width**3
    for text in range(settings.jacobian_samples):
        named[f"Jacobians of text {text + 1}"] = layers * a_layer + 0.1
    if settings.years:
        named["years"] = 4 * settings.years * 16 * 1e2 * _PASS * size + 0.5 * subject.layers
    return named


def _bytes(subject: Subject, tokens: np.ndarray) -> float:
    states = (2 * subject.layers + 1) * len(tokens) * subject.width
    weights = sum(leaf.size for leaf in jax.tree.leaves(subject.weights.layers)) + subject.weights.embedding.size
    pushed = min(len(tokens), parts.PUSHED) * tokens.shape[1] * (2 * subject.layers + 1) * subject.width
    return (
        8.0 * pushed + 8.0 * (_MATRICES * subject.width**2 + _COPIES * states) + _NETWORKS * 4.0 * weights + _PROGRAMS
    )


def _telling(execution: Execution, cell: str, before: float, share: float, total: float) -> Callable[[int, int], None]:
    """Progress within a part, whose steps are as long as each other."""

    def tell(done: int, planned: int) -> None:
        execution.tell(cell, round(100 * (before + share * min(done / planned, 1.0))), round(100 * total))

    return tell
