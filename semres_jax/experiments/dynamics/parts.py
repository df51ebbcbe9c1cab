"""The parts of a study of one network: each gives its numbers by the names of `variables`, and is kept when done."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from semres_jax import dynamics
from semres_jax._random import generator
from semres_jax._types import Quantity
from semres_jax.dynamics import matrices, products
from semres_jax.dynamics.trajectories import over_texts
from semres_jax.experiments.dynamics.subjects import Subject, year_texts
from semres_jax.networks import llama

Numbers = dict[str, np.ndarray]
AXES = 3
# Units whose mutual information is estimated, at random: the mean over them is that over all, and sorting takes time.
_UNITS = 64
# Texts whose states are pushed and teleported; directions of a push; points a side of the flow's grid, and its reach in
# standard deviations of the states; texts whose context it is in.
PUSHED, _DIRECTIONS, _SIZE, _GRID, _REACH, _FLOWING = 16, 2, 0.1, 9, 3.0, 4
# Texts of years at which Jacobians are taken along the years, and replicates of intervals of the bridge.
_GAINS, _REPLICATES = 8, 200
MEASURES = ("henrici", "symmetric", "rotation", "complex", "abscissa", "pr", "erank")
KINDS = ("as it is", *products.CONTROLS)
STARTS = (0, 1)
# Depths whose eigenvalues are kept, as shares of the last layer.
_SHOWN = (0.0, 1 / 3, 2 / 3, 1.0)


def of_states(weights: llama.Weights, tokens: np.ndarray, key: Any) -> Numbers:
    """Continuity, motion, density, rotations, paths, information and communities, each with its nulls."""
    states = dynamics.boundaries(weights, tokens).astype(np.float64)
    rng = generator(key, 1)
    r, turned = dynamics.continuity(states), dynamics.continuity(dynamics.rotated(states, key=key))
    made: Numbers = {"continuity_null": r.null, "constant": r.constant}
    _put(made, continuity=r.r, continuity_mean=r.mean, rotated=turned.r, rotated_mean=turned.mean)
    order = rng.permutation(states.shape[-1])
    pairs = itertools.pairwise(states)
    made["permuted"] = np.array([dynamics.continuity(np.stack([a, b[:, order]])).r.value[0] for a, b in pairs])
    _put(made, **dynamics.motion(states)._asdict())
    update = np.linalg.norm(states[2::2] - states[:-2:2], axis=-1)
    relative = update / np.linalg.norm(states[:-2:2], axis=-1)
    _put(made, layer_velocity=over_texts(update), layer_relative=over_texts(relative))
    _put(made, **dynamics.density(states)._asdict())
    _put(made, rotations=dynamics.rotations(states))
    for name, null in dynamics.rotation_nulls(states, key=key).items():
        _put(made, **{f"rotations_{name}": null})
    way = dynamics.paths(states, axes=AXES, key=key)
    made |= {f"path_{name}": value for name, value in way._asdict().items()}
    if states.shape[1] >= 4:
        small = dynamics.compress(states, key=key)
        made |= {f"codes_{name}": np.asarray(value) for name, value in small._asdict().items() if name != "loss"}
    units = rng.permutation(states.shape[-1])[:_UNITS]
    told = dynamics.mutual_information(states[:, :, units], groups=4, key=key)
    made |= {"information_shuffled": told.shuffled, "information_gaussian": told.gaussian}
    _put(made, information=told.value)
    return made | _of_graph(states, key)


def _of_graph(states: np.ndarray, key: Any) -> Numbers:
    """Communities at a third of the depth, and what they say of growth to two thirds; nothing without networkx."""
    last = len(states) - 1
    now, then = 2 * (last // 6), 2 * (last // 3)
    with contextlib.suppress(ImportError):
        graph = dynamics.communities(states, now, key=key)
        grown = dynamics.coupling(states, now, then, graph)
        named = {name: getattr(grown, name) for name in ("boundary_share", "degree", "spread")}
        named |= {"modularity": graph.modularity, "agreement": graph.agreement, "count": int(graph.labels.max()) + 1}
        return {f"graph_{name}": np.array(float(value)) for name, value in named.items()}
    return {}


def starts(layers: int) -> list[int]:
    """Layers before which states are pushed: near the first, at one third and at two thirds."""
    return sorted({min(max(1, round(share * layers)), layers - 1) for share in (1 / 30, 1 / 3, 2 / 3)})


def of_pushes(weights: llama.Weights, tokens: np.ndarray, key: Any) -> Numbers:
    """Returns after a push, what stays of a teleport, and the flow in the plane of the states' first two axes."""
    depth, few = 2 * len(weights.layers.query), tokens[:PUSHED]
    at = starts(depth // 2)
    made: Numbers = {"push_layer": np.array(at)}
    names = ("return", "return_relative", "kept", "kept_in_plane")
    for name in (*names, *(f"{name}_stderr" for name in names)):
        made[name] = np.full((len(at), depth + 1), np.nan)
    states = dynamics.boundaries(weights, few).astype(np.float64)
    for row, layer in enumerate(at):
        back = dynamics.perturb(weights, few, 2 * layer, size=_SIZE, directions=_DIRECTIONS, key=key)
        whole = dynamics.teleport(weights, few, 2 * layer, key=key)
        inside = dynamics.teleport(weights, few, 2 * layer, plane=_plane(states[2 * layer])[0], key=key)
        for name, value in zip(names, (back.distance, back.relative, whole.share, inside.share), strict=True):
            made[name][row, 2 * layer :] = value.value
            made[f"{name}_stderr"][row, 2 * layer :] = value.stderr
    layer = at[len(at) // 2]
    axes, spread = _plane(states[2 * layer])
    flow = dynamics.plane_flow(
        weights, few[:_FLOWING], layer, axes, origin=states[2 * layer].mean(0), reach=_REACH * spread, count=_GRID
    )
    where = (states[2 * layer] - states[2 * layer].mean(0, keepdims=True)) @ axes.T
    return made | {
        "flow_layer": np.array(layer), "flow_points": flow.points, "flow_update": flow.update,
        "flow_outside": flow.outside, "flow_states": where,
    }  # fmt: skip


def _plane(states: np.ndarray) -> tuple[np.ndarray, float]:
    """(2, D) first principal axes of (N, D), and the standard deviation along the first."""
    _, sigma, axes = np.linalg.svd(states - states.mean(0, keepdims=True), full_matrices=False)
    return axes[:2], float(sigma[0] / np.sqrt(len(states))) or 1.0


def of_jacobians(
    weights: llama.Weights, tokens: np.ndarray, key: Any, *, part: str, context: str, layers: list[int],
    controlled: bool, there: Numbers | None = None, keep: Callable[[Callable[[], Numbers]], None] | None = None,
    tell: Callable[[int, int], None] | None = None,
) -> Numbers:  # fmt: skip
    """Measures of J and U of one text at layers, and of products where these are all layers, whole ones.

    Args:
        tokens: (1, T).
        part, context, layers: as for `dynamics.jacobians`.
        controlled: also products of normal parts, scrambled ones, and those between random bases.
        there: what `keep` was given by a run that stopped, from which this goes on.
        keep: called after each layer with what gives the numbers so far, matrices of products among them.
        tell: called with layers done and planned.
    """
    depth, width = len(weights.layers.query), weights.embedding.shape[1]
    whole, kinds = part == "layer" and layers == list(range(depth)), KINDS if controlled else KINDS[:1]
    shown = sorted({layers[round(share * (len(layers) - 1))] for share in _SHOWN})
    made = dict(there) if there else _empty(depth, width, kinds if whole else (), shown)
    running = _restored(made, kinds if whole else ())
    todo = layers[int(made["done"]) :]
    for row in dynamics.jacobians(weights, tokens, part=part, context=context, layers=todo):
        layer, matrix = row.layer, row.matrices[0].astype(np.float64)
        try:
            whole_measures, update, schur = matrices.both(matrix)
        except ValueError as error:
            raise ValueError(f"layer {layer}: {error}") from None
        for letter, measured in (("j", whole_measures), ("u", update)):
            for name in MEASURES:
                made[f"{letter}_{name}"][layer] = getattr(measured, name)
        if layer in shown:
            made["eigenvalues"][shown.index(layer)] = _parts(update.eigenvalues)
        factors = {kind: _factor(matrix, kind, schur, generator(key, layer)) for kind, _ in running}
        for (kind, start), state in running.items():
            if layer >= start:
                place = KINDS.index(kind), STARTS.index(start), layer
                made["product_pr"][place], made["product_erank"][place] = state.times(factors[kind])
                made["product_log_norm"][place] = state.log_norm
        made["done"] = made["done"] + 1
        if keep is not None:
            keep(lambda: made | _stored(running))
        if tell is not None:
            tell(int(made["done"]), len(layers))
    return made


def _factor(matrix: np.ndarray, kind: str, schur: Any, rng: np.random.Generator) -> np.ndarray:
    """A Jacobian as a kind of product has it."""
    control = None if kind == KINDS[0] else kind
    return products.changed(matrix, control, schur=schur, key=int(rng.integers(2**31)))


def _empty(depth: int, width: int, kinds: tuple[str, ...], shown: list[int]) -> Numbers:
    made = {f"{letter}_{name}": np.full(depth, np.nan) for letter in "ju" for name in MEASURES}
    made |= {"shown_layer": np.array(shown), "eigenvalues": np.full((len(shown), width, 2), np.nan)}
    if kinds:
        names = ("product_pr", "product_erank", "product_log_norm")
        made |= {name: np.full((len(KINDS), len(STARTS), depth), np.nan) for name in names}
    return made | {"done": np.array(0)}


def _parts(values: Any) -> np.ndarray:
    return np.stack([values.real, values.imag], axis=-1)


def _restored(made: Numbers, kinds: tuple[str, ...]) -> dict[tuple[str, int], products.Running]:
    """Products by kind and first layer, at where a run stopped; their matrices leave `made`."""
    running = {}
    for kind in kinds:
        for start in STARTS:
            matrix, norm = made.pop(f"matrix {kind} {start}", None), made.pop(f"norm {kind} {start}", np.array(0.0))
            running[kind, start] = products.Running(matrix, float(norm))
    return running


def _stored(running: dict[tuple[str, int], products.Running]) -> Numbers:
    stored: Numbers = {}
    for (kind, start), state in running.items():
        if state.matrix is not None:
            stored[f"matrix {kind} {start}"] = state.matrix
            stored[f"norm {kind} {start}"] = np.array(state.log_norm)
    return stored


def of_years(subject: Subject, weights: llama.Weights, count: int, measures: Numbers, key: Any) -> Numbers:
    """The bridge, of so many years.

    Args:
        measures: `u_henrici` and `u_symmetric` by layer, means over texts.
    """
    years, texts = year_texts(subject, count, key=key)
    states = dynamics.stimuli(weights, texts)
    length = max(len(row[0]) for row in texts)
    alike = [row[0] for row in texts if len(row[0]) == length]
    gains = dynamics.gains(weights, alike[:: max(1, len(alike) // _GAINS)][:_GAINS], states, years, key=key)
    layers = {"h(U)": measures["u_henrici"], "symmetric share of U": measures["u_symmetric"]}
    layers |= {
        "gain along years": np.log(gains.along),
        "gain along years / typical": np.log(gains.along / gains.typical),
    }
    apart = np.abs(years[:, None] - years[None]).astype(np.float64)
    made = dynamics.resolution_by_depth(states, apart, layers=layers, bootstrap=_REPLICATES)
    numbers: Numbers = {f"year_{name}": value for name, value in gains._asdict().items()}
    numbers |= {"year_dimension": made.dimension}
    for name in ("p_s", "p_i", "epsilon", "front", "velocity", "relative", "participation"):
        value = getattr(made, name)
        _put(numbers, **{f"year_{name}": value})
        if np.isfinite(np.asarray(value.low)).any():
            numbers |= {f"year_{name}_{end}": np.asarray(getattr(value, end)) for end in ("low", "high")}
    for field in ("rho", "largest", "p"):
        numbers[f"relation_{field}"] = np.array([getattr(row, field) for row in made.relations])
    return numbers | {"relation_name": np.array([f"{row.outcome} ~ {row.against}" for row in made.relations])}


def _put(made: Numbers, **values: Any) -> None:
    """Values, and the standard errors of those that have one."""
    for name, value in values.items():
        if isinstance(value, Quantity):
            made[name], made[f"{name}_stderr"] = np.asarray(value.value), np.asarray(value.stderr)
        else:
            made[name] = np.asarray(value)


def means(texts: list[Numbers]) -> Iterator[tuple[str, np.ndarray]]:
    """Means over texts of what `of_jacobians` gives."""
    for name in texts[0]:
        if name.startswith(("j_", "u_")):
            yield name, np.mean([numbers[name] for numbers in texts], axis=0)
