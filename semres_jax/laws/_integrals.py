"""The integrals over distances and s behind `quadrature`, at every probe, for many members of a grid.

With A(r, s) = ∫_{d>=r} e^{-s g(d)} db_p(d), as at the head of `quadrature`,

    p_I = ∫ e^{-s} A(0, s)^{n-1} ds,    p_S = ∫ ds ∫ n g(r) e^{-s g(r)} A(r, s)^{n-1} db_p(r) + P(all g = 0) / n.

One sweep over the distances, from the farthest inward, serves all s at once. All terms are positive; s runs over its
logarithm. A panel of distances, in which ln g changes little, sees a window of s only: where s is smaller nothing is
lost from A yet, where it is larger the panel is all lost.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Accuracy, Array
from semres_jax.laws import _panels, _reciprocal
from semres_jax.laws._probes import probe_count, probe_nodes
from semres_jax.similarity import Similarity
from semres_jax.spaces._base import MetricSpace

# Numbers handled at once: a panel of distances, over all s, for as many probes and members as fit.
_NUMBERS = 2**16
# Where a similarity falls to 0 itself, the last panel holds what is below e^-_LEAST: as good as no mass.
_LEAST = 27.0
# How deep ln(1/g) is resolved, in nats; where the similarity is traced loops have no dynamic length, so less.
_DEPTH, TRACED_DEPTH = 1024, 64
# e^-_NOTHING is nothing.
_NOTHING = 30.0
# Nats by which a panel may exceed its width.
_SLACK = 0.5
# What g has above a floor is resolved from e^2 down to e^-18 floors, by panels of this width in its logarithm.
_ABOVE_FLOOR, _FLOOR_NATS, _FLOOR_LEVELS = 2.0, 4.0, 6
_TINY = 1e-300
# Up to this many items powers are products, which are faster than exponentials of logarithms and as precise.
_BY_PRODUCTS = 65
# Where ln(s g) ends: e^-40 is nothing.
_END = math.log(40.0)
# Kinks of a similarity at which panels of probes are split; finer tables are smooth enough.
_MOST_SPLITS = 4
# Nats after which a smooth similarity has as good as ended, and how far that is looked for in an unbounded space.
_ENDED, _FAR = 4.0, 64.0


class Rule(NamedTuple):
    """What decides the size of the program."""

    nodes: int  # in a panel of distances
    nats: float  # width of a panel in ln(1/g), at most
    step: float  # of ln s
    probe_step: float  # of the double exponential rule
    depth: int = _DEPTH


FINE = Rule(nodes=16, nats=2.0, step=0.3, probe_step=0.14)
COARSE = Rule(nodes=12, nats=2.0, step=0.4, probe_step=0.2)


@functools.partial(jax.jit, static_argnames=("ns", "rule"))
def luce(
    space: MetricSpace, members: Similarity, exponent: Array, *, ns: tuple[int, ...], rule: Rule
) -> tuple[Accuracy, Array]:
    """(members, ns) accuracies, and whether each member falls deeper than `rule.depth`."""
    count = probe_count(space, max(1, len(_splits(members))), rule.probe_step)
    size = members.shape[0]
    together = min(size, max(1, _NUMBERS // (count * _window(rule, ns) * rule.nodes)))
    # Whole batches: `lax.map` would compile what is left over a second time.
    padded = np.minimum(np.arange(-(-size // together) * together), size - 1)
    members = jax.tree.map(lambda leaf: jnp.asarray(leaf)[padded], members)
    each = jax.lax.map(lambda member: _member(space, member, exponent, ns, rule), members, batch_size=together)
    return jax.tree.map(lambda p: p[:size], each)


def _splits(similarity: Similarity) -> tuple[Any, ...]:
    """Kinks at which panels of probes are split."""
    kinks = tuple(similarity.kinks())
    return kinks if len(kinks) <= _MOST_SPLITS else ()


def _reach(space: MetricSpace, log_g: Callable[[Array], Array], dtype: Any) -> Array:
    """The distance at which a smooth similarity has as good as ended.

    Probes closer than that to an edge see it, others don't: panels of probes are split there, too.
    """
    diameter = space.diameter
    farthest = jnp.asarray(diameter if isinstance(diameter, jax.Array) or math.isfinite(diameter) else _FAR, dtype)

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        beyond = -log_g(farthest * jnp.exp2(middle)) > _ENDED
        return jnp.where(beyond, low, middle), jnp.where(beyond, middle, high)

    ends = jax.lax.fori_loop(0, 20, halve, (jnp.asarray(-60.0, dtype), jnp.asarray(0.0, dtype)))
    return jax.lax.stop_gradient(farthest * jnp.exp2(ends[1]))


def _window(rule: Rule, ns: tuple[int, ...]) -> int:
    """Nodes in ln s between s g = e^-_NOTHING / n and 40, for all g of a panel."""
    return math.ceil((_NOTHING + math.log(max(ns)) + rule.nats + _SLACK + _END) / rule.step)


def _member(
    space: MetricSpace, similarity: Similarity, exponent: Array, ns: tuple[int, ...], rule: Rule
) -> tuple[Accuracy, Array]:
    """(ns,): the averages over probes of the integrals over distances and s; and whether g falls too deep for them."""
    dtype = exponent.dtype

    def log_g(r: Array) -> Array:
        some = exponent > 0  # 0^0 = 1
        return jnp.where(some, jnp.where(some, exponent, 1.0) * similarity.log(r), 0.0)

    splits = _splits(similarity) or (_reach(space, log_g, dtype),)
    v, weights = probe_nodes(space, splits, dtype, rule.probe_step)
    probes = space.probe(v)
    own = jnp.stack(space.radius_kinks(probes), axis=-1).astype(dtype)  # (q, kinks)
    most = max(ns)

    def ball(r: Array) -> Array:  # of every probe, for (q, radii)
        return jax.vmap(lambda p, x: space.ball_measure(jax.tree.map(lambda c: c[None], p), x))(probes, r)

    farthest = jnp.max(own, axis=-1, keepdims=True)
    # A similarity that falls deeper is made less steep by a smaller exponent, which makes both accuracies smaller: they
    # grow with it, up to where the strongest item is always chosen, and what they lack falls as its inverse.
    deepest = -log_g(jax.lax.stop_gradient(jnp.max(farthest)))
    deepest = jax.lax.stop_gradient(jnp.where(jnp.isfinite(deepest), deepest, _LEAST * jnp.maximum(exponent, 1.0)))
    steepness = jnp.minimum(1.0, rule.depth / jnp.maximum(deepest, 1.0))
    exponent = exponent * steepness
    levels = _level_radii(log_g, jnp.max(farthest), deepest * steepness, rule)
    marks = jnp.stack([jnp.zeros((), dtype), *(jnp.asarray(kink, dtype) for kink in similarity.kinks())])
    shared = jnp.broadcast_to(jnp.concatenate([marks, levels])[None], (len(own), marks.size + levels.size))
    ends = jnp.concatenate([shared, own, _mass_radii(ball, farthest, most)], axis=-1)
    ends = jnp.sort(jnp.clip(ends, 0.0, farthest), axis=-1)
    nodes, slopes, rule_weights, tail = (jnp.asarray(x, dtype) for x in _panels.running_rule(rule.nodes))
    node = functools.partial(_reciprocal.node, most=most, step=rule.step)
    window = jnp.arange(_window(rule, ns))

    def powers(kept: Array) -> list[Array]:
        """kept^(n-1) for every n."""
        log = jnp.log(jnp.maximum(kept, _TINY)) if most > _BY_PRODUCTS else kept
        return [jax.lax.integer_pow(kept, n - 1) if n <= _BY_PRODUCTS else jnp.exp((n - 1) * log) for n in ns]

    def move(state: tuple[Array, Array], highest: Array) -> tuple[tuple[Array, Array], Array, Array]:
        """The window of s that tells strengths around e^highest (q,) from 0 and from infinity, and its weights.

        It only ever moves towards small s, as strengths grow towards the probe. What leaves it is not needed again,
        what enters it has lost nothing yet.
        """
        first, missing = state
        target = jnp.ceil((-highest - _NOTHING - node(1)[0] + math.log(1.0 / most)) / rule.step)
        target = jnp.where(jnp.isfinite(target), jnp.clip(target, 0, first), first).astype(first.dtype)
        place = window[None] - (first - target)[:, None]
        moved = jnp.take_along_axis(missing, jnp.maximum(place, 0), axis=-1)
        here = target[:, None] + window[None]
        return (target, jnp.where(place >= 0, moved, 0.0)), *node(here)

    def at_atom(state: tuple[Array, Array], r: Array, counts: Array) -> tuple[tuple[Array, Array], Array]:
        """What the ball gains at radii r (q,), where `counts`, falls on one distance: those items tie."""
        inside = ball(r[:, None])[:, 0]
        before = ball(r[:, None] * (1.0 - 4.0 * float(jnp.finfo(dtype).eps)))[:, 0]
        gained = jnp.where(counts, inside - jnp.where(r > 0, before, 0.0), 0.0)[:, None]
        strength = log_g(r)
        (first, missing), own_s, own_steps = move(state, strength)
        x = jnp.exp(jnp.minimum(own_s + strength[:, None], 2.0 * _END))
        kept = jnp.exp(-x)
        beyond = 1.0 - (inside[:, None] + missing)
        with_it = beyond + gained * kept
        more = [jnp.sum(own_steps * x * (with_it**n - beyond**n), axis=-1) for n in ns]
        none = jnp.where(jnp.isfinite(strength), 0.0, gained[:, 0])
        return (first, missing + gained * (1.0 - kept)), jnp.stack([*more, none], axis=-1)

    def panel(i: Any, carry: tuple[tuple[Array, Array], Array]) -> tuple[tuple[Array, Array], Array]:
        """From the end of panel i to its start, for every probe."""
        state, sums = carry
        start, end = ends[:, i], ends[:, i + 1]
        width = (end - start)[:, None]
        if space.discrete:
            state, more = at_atom(state, end, end > start)
            sums = sums + more
        # Where a panel has no width its nodes may be at a kink, where slopes of b are not finite.
        r = jnp.where(width > 0, start[:, None] + width * nodes[None], farthest * 0.37)
        within, density = jax.jvp(ball, (r,), (jnp.ones_like(r),))
        density = density * width * slopes[None]
        mass = density * rule_weights[None]
        strength = log_g(r)
        # Where g falls to 0 at the end of a panel, its last nodes are taken for no deeper than the window of s reaches:
        # as good as no mass is there, but it decides how p_S changes as the end moves.
        highest = jnp.max(jnp.where(width > 0, strength, -jnp.inf), axis=-1)
        some = jnp.isfinite(highest)[:, None]
        level = jnp.where(some, highest[:, None], 0.0)
        relative = jnp.exp(jnp.maximum(strength - level, -rule.nats - _SLACK)) * some
        (first, missing), own_s, own_steps = move(state, highest)
        # Node by node s g is a product, and 1 - e^{-sg} does without expm1: one exponential is most of the work.
        x = jnp.exp(jnp.minimum(own_s + level, 2.0 * _END))[:, :, None] * relative[:, None]
        kept = jnp.exp(-x)
        lost = 1.0 - kept
        inner = 1.0 - (within[:, None] + missing[:, :, None] + (lost * density[:, None]) @ tail.T)
        credit = x * kept * mass[:, None] * own_steps[:, :, None]
        more = [n * jnp.sum(credit * p, axis=(-2, -1)) for n, p in zip(ns, powers(inner), strict=True)]
        none = jnp.sum(jnp.where(some, 0.0, mass), axis=-1)
        return (first, missing + jnp.sum(lost * mass[:, None], axis=-1)), sums + jnp.stack([*more, none], axis=-1)

    # The window begins where all strengths are 0.
    deep = jnp.full(len(own), math.ceil((rule.depth + _NOTHING) / rule.step), jnp.int32)
    state = deep, jnp.zeros((len(own), window.size), dtype)
    carry = state, jnp.zeros((len(own), len(ns) + 1), dtype)
    panels = ends.shape[-1] - 1
    if rule.depth == TRACED_DEPTH:
        carry, _ = jax.lax.scan(lambda c, i: (panel(i, c), None), carry, jnp.arange(panels - 1, -1, -1))
    else:
        used = jnp.max(jnp.sum(ends < farthest, axis=-1))
        carry = jax.lax.fori_loop(0, used, lambda j, c: panel(used - 1 - j, c), carry)
    state, sums = carry
    if space.discrete:
        state, more = at_atom(state, ends[:, 0], jnp.ones(len(own), bool))
        sums = sums + more
    none = sums[:, -1:]
    p_s = sums[:, :-1] + jnp.concatenate([none**n / n for n in ns], axis=-1)
    # The probe itself among the items has strength 1.
    (_, missing), own_s, own_steps = move(state, jnp.zeros(len(own), dtype))
    s = jnp.exp(own_s)
    p_i = jnp.stack([jnp.sum(own_steps * s * jnp.exp(-s) * p, axis=-1) for p in powers(1.0 - missing)], axis=-1)
    always = not (space.discrete or similarity.kinks())  # the strongest is one, whatever the distances
    found = [1.0 - (1.0 - weights @ p) * steepness if always else weights @ p for p in (p_s, p_i)]
    return Accuracy(*found), steepness < 1.0


def _level_radii(log_g: Callable[[Array], Array], farthest: Array, depth: Array, rule: Rule) -> Array:
    """Radii between which ln(1/g) grows by `rule.nats`, and those between which g comes close to a floor.

    Infinity for those beyond `depth`, and where there is no floor.
    """
    farthest = jax.lax.stop_gradient(farthest)

    def halve(beyond: Callable[[Array], Array], count: int) -> Array:
        def step(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = ends
            middle = (low + high) / 2
            far = beyond(middle)
            return jnp.where(far, low, middle), jnp.where(far, middle, high)

        ends = jnp.zeros(count, farthest.dtype), jnp.full(count, farthest)
        return jax.lax.fori_loop(0, 40, step, ends)[1]

    level = rule.nats * jnp.arange(1, math.ceil(rule.depth / rule.nats), dtype=farthest.dtype)
    radii = jnp.where(level > depth, jnp.inf, halve(lambda r: -log_g(r) > level, level.size))
    # Where a floor takes over ln g hardly changes any more, but what g is above the floor falls on. A panel from there
    # to the farthest would see all of that fall in its first few nodes, if at all.
    floor = jax.lax.stop_gradient(log_g(farthest))
    least = jnp.exp(floor)
    above = (1.0 - least) * jnp.exp(floor + _ABOVE_FLOOR - _FLOOR_NATS * jnp.arange(_FLOOR_LEVELS, dtype=floor.dtype))
    settling = halve(lambda r: jnp.exp(log_g(r)) - least < above, _FLOOR_LEVELS)
    settling = jnp.where(floor > -_NOTHING, settling, jnp.inf)
    return jax.lax.stop_gradient(jnp.concatenate([radii, settling]))


def _mass_radii(ball: Callable[[Array], Array], farthest: Array, n: int) -> Array:
    """(q, radii) that divide the mass: down to what the closest of n items is in, and out to a tail.

    Roughly, so that a few steps of bisection do.
    """
    small = 0.25 ** np.arange(1, 2 + math.ceil(math.log(n, 4)))
    mass = jnp.asarray(np.concatenate([small, [0.5, 0.75], 1.0 - 0.1 ** np.arange(1, 7)])[None], farthest.dtype)
    farthest = jax.lax.stop_gradient(farthest)

    def halve(_: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        beyond = ball(farthest * jnp.exp2(middle)) > mass
        return jnp.where(beyond, low, middle), jnp.where(beyond, middle, high)

    shape = (len(farthest), mass.size)
    ends = jnp.full(shape, -60.0, farthest.dtype), jnp.zeros(shape, farthest.dtype)
    high = jax.lax.stop_gradient(jax.lax.fori_loop(0, 12, halve, ends)[1])
    # Infinity, not the farthest: clipped to that it moves with it, as gradients need.
    return jnp.where(high < 0, farthest * jnp.exp2(high), jnp.inf)


@functools.partial(jax.jit, static_argnames=("ns", "rule"))
def argmax(space: MetricSpace, members: Similarity, *, ns: tuple[int, ...], rule: Rule) -> Accuracy:
    """`luce` for an infinite exponent: the strongest share the choice, so only ties take anything from 1."""

    def probe(p: Any, similarity: Similarity, dtype: Any) -> Accuracy:
        own = jnp.stack(space.radius_kinks(p)).astype(dtype)
        farthest = jnp.max(own)
        kinks = [jnp.zeros((), dtype), *(jnp.asarray(kink, dtype) for kink in similarity.kinks())]
        ends = jnp.sort(jnp.clip(jnp.concatenate([jnp.stack(kinks), own]), 0.0, farthest))
        # Cells from the probe outward: an end, the panel up to the next end, that end ... Of each, mass and strength.
        eps = 4 * float(jnp.finfo(dtype).eps)
        point = jax.tree.map(lambda c: c[None], p)
        before = jnp.where(ends > 0, space.ball_measure(point, ends * (1 - eps)), 0.0)
        inside = space.ball_measure(point, ends)
        new = jnp.concatenate([jnp.ones(1, bool), jnp.diff(ends) > 0])
        atoms = jnp.where(new & space.discrete, inside - before, 0.0)
        between = jnp.maximum(jnp.diff(inside) - atoms[1:], 0.0)
        # Constant between two ends, or falling; no flat panel has no width.
        near, far = similarity(ends[:-1] * (1 + eps) + float(jnp.finfo(dtype).tiny)), similarity(ends[1:] * (1 - eps))
        flat = (near == far) | (jnp.diff(ends) <= 0)
        value, mass, level = (
            jnp.concatenate([jnp.stack([a[:-1], b], axis=-1).ravel(), a[-1:]])
            for a, b in (
                (similarity(ends), jnp.where(jnp.diff(ends) > 0, near, similarity(ends[1:]))),
                (atoms, between),
                (jnp.ones(len(ends), bool), flat),
            )
        )
        other = jnp.concatenate([jnp.ones(1, bool), (value[1:] != value[:-1]) | ~level[1:] | ~level[:-1]])
        group = jnp.cumsum(other) - 1
        size = len(value)
        tied = jax.ops.segment_sum(jnp.where(level, mass, 0.0), group, size)
        weaker = jnp.maximum(1.0 - jnp.cumsum(jax.ops.segment_sum(mass, group, size)), 0.0)
        best = tied[0]  # the group of the probe itself, at distance 0
        s, s_weights = (jnp.asarray(x, dtype) for x in _reciprocal.nodes(max(ns)))
        s = s[:, None]
        p_s, p_i = [], []
        for n in ns:
            rest = weaker**n
            shared = s_weights @ ((tied[None] * jnp.exp(-s) + weaker[None]) ** n - rest[None])
            p_s.append(1.0 - jnp.sum((tied + weaker) ** n - rest - shared))
            some = best > 0
            b = jnp.where(some, jnp.minimum(best, 1.0), 1.0)
            log = jnp.log1p(-jnp.minimum(b, 1.0 - float(jnp.finfo(dtype).eps)))
            p_i.append(jnp.where(some, -jnp.expm1(n * log) / (n * b), 1.0))
        return Accuracy(jnp.stack(p_s), jnp.stack(p_i))

    def member(similarity: Similarity) -> Accuracy:
        dtype = jnp.result_type(*jax.tree.leaves(similarity), 0.0)
        v, weights = probe_nodes(space, _splits(similarity), dtype, rule.probe_step)
        each = jax.vmap(lambda p: probe(p, similarity, dtype))(space.probe(v))
        return Accuracy(*(weights @ x for x in each))

    return jax.lax.map(member, members)
