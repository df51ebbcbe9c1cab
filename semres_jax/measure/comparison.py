"""Which of two models is better: many models of the same stimuli, their differences with intervals and p-values."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from semres_jax import _memory
from semres_jax._checks import require_count
from semres_jax._random import key_or_default
from semres_jax._surroundings import on_host
from semres_jax._types import Quantity
from semres_jax.execution import Execution
from semres_jax.frontier.families import Front
from semres_jax.measure import intervals
from semres_jax.measure.compared import Comparison, Differences
from semres_jax.measure.embeddings import position
from semres_jax.measure.embeddings.result import Embedded, Placed
from semres_jax.measure.embeddings.stimulus_sums import Scored
from semres_jax.measure.members import Influence, Member, Sample
from semres_jax.measure.resolution import FITTED

CORRECTIONS = ("holm", "none")
# Tables of all pairs of stimuli that are kept of a model: accuracies, families, fronts.
_TABLES = 8
_FEWEST = 2


def compare(
    models: Any,
    distances: Any,
    *,
    labels: Any = None,
    similarity: str | Mapping[str, str] = "relu",
    floor: float | None = None,
    n: int = 2,
    family: str | None = None,
    optimal: str = "homogeneous",
    delta: float | None = None,
    bootstrap: int = 1000,
    key: Any = None,
    limit: int = position.LIMIT,
    families: Sequence[Any] = FITTED,
    correction: str = "holm",
    paths: Mapping[str, Sequence[str]] | None = None,
    execution: Execution | None = None,
) -> Comparison:
    """Do models of the same stimuli differ: in p_S, in p_I, in resolution, in their distance from the fronts?

    Each model is measured as by `measure.embeddings`. What a stimulus contributes to a number is known, so a difference
    of two models has the contributions' differences, as in a bootstrap that weighs the stimuli alike for all models:
    what makes a set of stimuli easy or hard for both cancels. Standard errors, intervals and two-sided p-values are
    those of `measure.intervals.paired`; resolutions are compared as ln ε, of one family for all. Of classes, exemplars
    are drawn again and classes stay. p-values of one quantity are corrected over all pairs of models (Holm 1979).

    Of two models that are alike, p-values were near uniform in scripts/study_comparison.py, for 24 and 40 stimuli, in
    designs on which the method was chosen, too (docs/howto/compare.md has the figures); of ε, where fitted floors are
    at 0 for many models, they tend to be too large. Source: new, of this project.

    Args:
        models: by name, at least two: (N, D) embeddings, `Embedded` (of at most 256 stimuli), a `Member`; or
            (layers, N, D), which become members "NAME 0", "NAME 1", ... and a path.
        distances, labels, floor, n, families, limit, key: as in `measure.embeddings`, the same for all models.
        similarity: "relu", "cosine" or "euclidean"; or by name.
        family: whose ε is compared; None: that of the smallest AIC, summed over models, of those without steps.
        optimal, delta: the optimal front, as there; one for all models, down to the lowest similarity of any of them.
        bootstrap: replicates of the intervals of single models; those of differences need none.
        correction: "holm" or "none".
        paths: names of members in order, by the name of what they are the layers of; they are joined in pictures.
        execution: how to run; `progress` counts models.

    Returns:
        `Comparison`.

    Raises:
        ValueError: fewer than two models, a name that is there twice, models of different stimuli, labels or distances,
            and what `measure.embeddings` refuses, with the model's name.

    Example:
        >>> import numpy as np
        >>> from semres_jax import measure, spaces
        >>> ring, angle = spaces.grid(spaces.get("circle"), 16), 2 * np.pi * np.arange(16) / 16
        >>> clean = np.stack([np.cos(angle), np.sin(angle)], 1)
        >>> noisy = clean + np.random.default_rng(0).normal(size=clean.shape)
        >>> comparison = measure.compare({"clean": clean, "noisy": noisy}, ring, optimal="none")
        >>> [bool(comparison.differences[name].p[0] < 0.05) for name in ("p_s", "p_i")]
        [True, False]
    """
    if correction not in CORRECTIONS:
        raise ValueError(f"correction must be {' or '.join(CORRECTIONS)}; got {correction!r}")
    given, paths = _listed(models, paths or {})
    return _compared(
        given, distances, labels, similarity, family, optimal, delta, correction, paths, execution or Execution(),
        floor=floor, n=n, bootstrap=require_count("bootstrap", bootstrap, 0), key=key_or_default(key), limit=limit,
        families=families, shares=[0.5],
    )  # fmt: skip


@on_host("measure.compare")
def _compared(
    given: dict[str, Any], distances: Any, labels: Any, similarity: str | Mapping[str, str], family: str | None,
    optimal: str, delta: float | None, correction: str, paths: dict[str, tuple[str, ...]], how: Execution,
    **settings: Any,
) -> Comparison:  # fmt: skip
    if labels is None:
        size = max((len(x) for x in given.values() if not isinstance(x, (Embedded, Member))), default=0)
        size = min(size, settings["limit"])
        _memory.require(8 * _TABLES * len(given) * size**2, f"contributions of {size} stimuli to {len(given)} models")
    members = []
    for done, (name, model) in enumerate(given.items()):
        how.tell("models", done, len(given))
        kind = similarity if isinstance(similarity, str) else similarity.get(name, "relu")
        members.append(_member(name, model, distances, labels, {"similarity": kind, **settings}))
        _require_same(members[0], members[-1])
    how.tell("models", len(given), len(given))
    sample, n = members[0].influence.sample, settings["n"]
    lowest = min((member.lowest for member in members if np.isfinite(member.lowest)), default=0.0)
    floored = lowest if delta is None else delta
    known = position.fronts(sample.space, n=n)
    known |= position.optimal_fronts(sample.space, floored, optimal, n=n)
    placed = {member.name: _on_fronts(member, known, settings["bootstrap"], settings["key"]) for member in members}
    chosen = _family(members, family)
    numbers = {member.name: _numbers(member, placed[member.name], chosen) for member in members}
    return Comparison(
        members={member.name: member for member in members}, fronts=known, placed=placed, family=chosen, n=n,
        delta=floored, correction=correction, paths=paths, sample=sample,
        differences=_differences(numbers, sample, correction),
    )  # fmt: skip


def _listed(models: Any, paths: Mapping[str, Sequence[str]]) -> tuple[dict[str, Any], dict[str, tuple[str, ...]]]:
    """Models by name, with those of many layers taken apart, and all paths."""
    if not isinstance(models, Mapping):
        raise ValueError(f"models must be a mapping from names to embeddings; got {type(models).__name__}")
    given: dict[str, Any] = {}
    known = {str(name): tuple(map(str, path)) for name, path in paths.items()}
    for name, model in models.items():
        layers = {str(name): model}
        if not isinstance(model, (Embedded, Member)) and np.ndim(model) == 3:
            layers = {f"{name} {k}": layer for k, layer in enumerate(model)}
            known[str(name)] = tuple(layers)
        twice = next((layer for layer in layers if layer in given), None)
        if twice is not None:
            raise ValueError(f"two models have the name {twice!r}; names must differ")
        given |= layers
    if len(given) < _FEWEST:
        raise ValueError(f"comparing needs at least {_FEWEST} models; got {len(given)}")
    in_paths = [(path, layer) for path, layers in known.items() for layer in layers]
    for path, layer in in_paths:
        if layer not in given:
            raise ValueError(f"path {path!r} names {layer!r}, which is no model; models are {', '.join(given)}")
        if sum(layer == other for _, other in in_paths) > 1:
            raise ValueError(f"{layer!r} is in paths more than once; a model is one step of one path")
    return given, known


def _member(name: str, model: Any, distances: Any, labels: Any, settings: dict[str, Any]) -> Member:
    """A model as a member of the comparison."""
    if isinstance(model, Member):
        if model.name != name:
            raise ValueError(f"the member under the name {name!r} calls itself {model.name!r}; use one name")
        return model
    if not isinstance(model, Embedded):
        try:
            model = position.placed(model, distances, labels, {}, optimal="none", delta=None, **settings)
        except ValueError as error:
            raise ValueError(f"model {name!r}: {error}") from error
    elif model.n != settings["n"]:
        raise ValueError(
            f"model {name!r} was measured with n = {model.n} items; the comparison is of n = {settings['n']}"
        )
    if model.influence is None:
        raise ValueError(
            f"model {name!r} was measured on {model.rows} embeddings, too many for contributions to be kept; give its "
            "embeddings instead"
        )
    resolution = {family: fit.resolution for family, fit in model.fits.items()}
    aic = {family: fit.aic for family, fit in model.fits.items()}
    return Member(
        name, model.p_s, model.p_i, model.influence, resolution=resolution, aic=aic, lowest=model.delta,
        floors={family: float(fit.delta.value) for family, fit in model.fits.items()}, cautions=model.cautions,
    )  # fmt: skip


def _require_same(first: Member, other: Member) -> None:
    text = first.influence.sample.difference(other.influence.sample)
    if text:
        raise ValueError(
            f"models must be of the same stimuli in the same order; {first.name!r} and {other.name!r}: {text}"
        )


def _on_fronts(member: Member, known: Mapping[str, Front], bootstrap: int, key: Any) -> dict[str, Placed]:
    sample, p_s, p_i, _ = member.influence
    own = Scored(p_s.value, p_i.value, p_s.slope, p_i.slope, p_s.pairs, p_i.pairs)
    return position.on_fronts(sample, own, known, count=bootstrap, key=key)[2]


def _family(members: Sequence[Member], family: str | None) -> str | None:
    """The family whose resolution is compared: of those that all have who have any, that of the smallest sum of AIC."""
    resolved = [member for member in members if member.influence.log_epsilon]
    common = [name for name in (resolved[0].influence.log_epsilon if resolved else ())
              if all(name in member.influence.log_epsilon for member in resolved)]  # fmt: skip
    if family is not None and family not in common:
        there = ", ".join(common) or "none"
        raise ValueError(f"the resolution of {family!r} can't be compared; families that all models have: {there}")
    if family is not None or not common:
        return family
    ranked = [name for name in common if all(name in member.aic for member in resolved)]
    return min(ranked, key=lambda name: sum(member.aic[name] for member in resolved)) if ranked else common[0]


def _numbers(member: Member, placed: Mapping[str, Placed], family: str | None) -> dict[str, Influence]:
    """What is compared, by quantity."""
    numbers = {"p_s": member.influence.p_s, "p_i": member.influence.p_i}
    if family is not None:
        unknown = Influence(np.nan, np.full_like(member.influence.p_s.slope, np.nan))
        numbers["log_epsilon"] = member.influence.log_epsilon.get(family, unknown)
    return numbers | {f"{name}_front": there.influence for name, there in placed.items() if there.influence is not None}


def _differences(
    numbers: Mapping[str, Mapping[str, Influence]], sample: Sample, correction: str
) -> dict[str, Differences]:
    """Of every two models, by quantity."""
    pairs, columns = list(itertools.combinations(numbers, 2)), {}
    for quantity in next(iter(numbers.values())):
        rows = [intervals.paired(numbers[a][quantity], numbers[b][quantity], sample.labels) for a, b in pairs]
        number = Quantity(*map(np.array, zip(*(row.difference for row in rows), strict=True)))
        p, freedom = (np.array([getattr(row, name) for row in rows], float) for name in ("p", "freedom"))
        columns[quantity] = Differences(number, p, intervals.holm(p) if correction == "holm" else p, freedom)
    return columns
