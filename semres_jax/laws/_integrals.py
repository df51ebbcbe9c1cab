"""The integrals over distances and s behind `quadrature`, around many probes of many members of a grid.

With A(r, s) = ∫_{d>=r} e^{-s g(d)} db_p(d), as at the head of `quadrature`,

    p_I = ∫ e^{-s} A(0, s)^{n-1} ds,    p_S = ∫ ds ∫ n g(r) e^{-s g(r)} A(r, s)^{n-1} db_p(r) + P(all g = 0) / n.

A member around a probe is a lane; lanes lie along the last axis of all arrays. Each walks over the distances, from the
farthest inward, in panels (`_steps`), and serves all s at once. All terms are positive. Of s a panel sees a window only
(`_windows`): where s is smaller what is lost from A is a polynomial of s, where it is larger the panel is all lost.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Accuracy, Array
from semres_jax.laws import _panels, _windows
from semres_jax.laws._setting import Rule, Setting, powered, probes_of, setting
from semres_jax.laws._steps import Step, Steps, Walk, mass_stops
from semres_jax.similarity import KINDS, Similarity
from semres_jax.spaces.base import MetricSpace

# Numbers handled at once: the nodes of a panel of distances, over the window of s, for as many lanes as fit.
_NUMBERS = 2**16
_TINY = 1e-300
# Nats of depth, up to which members stay in their order.
_SHALLOW = 30.0
# Up to this many items powers are products, which are faster than exponentials of logarithms and as precise.
_BY_PRODUCTS = 65
# Panels after which a lane goes from kink to kink.
_MOST_PANELS = 4096


@functools.partial(jax.jit, static_argnames=("ns", "rule"))
def luce(
    space: MetricSpace, members: Similarity, exponent: Array, wanted: Array, *, ns: tuple[int, ...], rule: Rule
) -> tuple[Accuracy, Array]:
    """(members, ns) accuracies, and whether each member falls deeper than `rule.depth`: then p_S lacks `_deep`.

    Members that are not `wanted` (members,) take no time, and their numbers mean nothing.
    """
    size = members.shape[0]
    probes, weights = jax.vmap(lambda member: probes_of(space, member, exponent, rule))(members)
    around = probes.shape[1]
    own = jnp.stack(space.radius_kinks(space.probe(probes)))
    farthest = jnp.max(own, axis=(0, 2)).astype(exponent.dtype)
    given = setting(strengths(members, exponent), exponent, farthest, rule)

    deep = given.deep
    total = size * around
    lanes = min(total, max(1, _NUMBERS // (len(_window(rule, ns).nodes) * rule.nodes)))
    # Lanes that walk together take as many panels as the longest of them: grids mostly have them in order, but for
    # what is deep, and beside it what a floor keeps from being so.
    depth = jnp.maximum(jnp.minimum(given.depth, rule.depth) / given.share, _SHALLOW)
    order = jnp.argsort(jnp.where(wanted, depth, jnp.inf)) if lanes < total else None
    if order is not None:
        members, given, probes, wanted = jax.tree.map(
            lambda leaf: jnp.asarray(leaf)[order], (members, given, probes, wanted)
        )
    padded = np.minimum(np.arange(-(-total // lanes) * lanes), total - 1)  # the last lane again

    def batches(leaf: Any, which: np.ndarray) -> Array:
        leaf = jnp.asarray(leaf)
        return leaf[which].reshape(len(padded) // lanes, lanes, *leaf.shape[1:])

    lane_of = jax.tree.map(lambda leaf: batches(leaf, padded // around), (members, given, wanted))
    v = batches(probes.reshape(total, probes.shape[-1]), padded)
    stops = None
    if space.probe_uniforms == 0:
        stops = mass_stops(_balls(space, probes[:1, 0]), own[:, :1, 0], max(ns), space.curvature_radius)

    def together(lanes: tuple[tuple[Similarity, Setting, Array], Array]) -> tuple[Array, Array]:
        (members, given, wanted), v = lanes
        return _Lanes(space, members, given, wanted, v, stops, exponent, ns, rule).accuracies()

    p_s, p_i = jax.lax.map(together, (lane_of, v))

    def averaged(p: Array) -> Array:
        p = jnp.moveaxis(p, 1, 2).reshape(-1, len(ns))[:total].reshape(size, around, len(ns))
        p = p if order is None else jnp.zeros_like(p).at[order].set(p)
        return jnp.sum(p * weights[..., None], axis=1)

    return Accuracy(averaged(p_s), averaged(p_i)), deep


def strengths(members: Similarity, exponent: Array) -> Callable[[Array], Array]:
    """ln g^a of distances (..., lanes), each lane a member of its own."""
    if type(members) in KINDS.values() and all(jnp.ndim(leaf) == 1 for leaf in jax.tree.leaves(members)):
        return powered(members, exponent)  # as below, without turning axes round
    by_lane = jax.vmap(lambda member, r: powered(member, exponent)(r), in_axes=(0, -1), out_axes=-1)
    return functools.partial(by_lane, members)


def _window(rule: Rule, ns: tuple[int, ...]) -> _windows.Window:
    return _windows.window(max(ns), rule.step, rule.nats + rule.step)


def _balls(space: MetricSpace, v: Array) -> Callable[[Array], Array]:
    """The ball measures of distances (..., lanes) around probes of uniforms v (lanes, uniforms)."""
    probes = space.probe(v)

    def ball(r: Array) -> Array:
        batch = r.shape[:-1]
        return space.ball_measure(jax.tree.map(lambda c: jnp.broadcast_to(c, batch + c.shape), probes), r)

    return ball


def _once(x: Array) -> Array:
    """x (nodes, lanes): as a product of matrices it is computed once and kept, not again for every node of s."""
    return jnp.dot(jnp.eye(len(x), dtype=x.dtype), x, precision="highest")


def _summed(x: Array) -> Array:
    """The sum over the first axis, as a product of matrices: else XLA takes exponentials one by one."""
    return jnp.dot(jnp.ones(len(x), x.dtype), x.reshape(len(x), -1), precision="highest").reshape(x.shape[1:])


class _State(NamedTuple):
    """What is known of every lane at the distance that it has reached."""

    walk: Walk
    level: Array  # of the window of s, in steps below 1; -1 before the first
    missing: Array  # (nodes of s, lanes) from A
    sums: Array  # (ns + 1, lanes): p_S, and the mass at which g is 0
    panels: Array  # how many there have been


class _Lanes:
    """The distances of items around the probes of uniforms v, each of a member of its own."""

    def __init__(
        self,
        space: MetricSpace,
        members: Similarity,
        given: Setting,
        wanted: Array,
        v: Array,
        stops: Array | None,
        exponent: Array,
        ns: tuple[int, ...],
        rule: Rule,
    ):
        self.space, self.given, self.wanted, self.ball = space, given, wanted, _balls(space, v)
        self.ns, self.rule, self.most, self.dtype = ns, rule, max(ns), v.dtype
        self.log_g = strengths(members, exponent)
        self.window = _window(rule, ns)
        self.s, self.weights = (jnp.asarray(x, v.dtype)[:, None] for x in (self.window.nodes, self.window.weights))
        self.rule_of_panels = tuple(jnp.asarray(x, v.dtype) for x in _panels.gauss_rule(rule.nodes))
        self.own = jnp.stack(space.radius_kinks(space.probe(v))).astype(v.dtype)
        kinks = [jnp.asarray(kink, v.dtype) for kink in members.kinks()]
        if stops is None:
            stops = mass_stops(self.ball, self.own, self.most, space.curvature_radius)
        self.steps = Steps(self.log_g, given, self.own, kinks, stops, space.smooth_balls, rule)

    def accuracies(self) -> tuple[Array, Array]:
        """(ns, lanes) each."""
        walk, lanes = self.steps.first(self.wanted), self.own.shape[1]
        # Where g is 0 without a floor Luce's rule shares the choice.
        none = jnp.where(self.given.end < self.steps.farthest, 1.0 - self.ball(self.steps.ended()), 0.0)
        state = _State(
            walk,
            jnp.full(lanes, -1, jnp.int32),
            jnp.zeros((len(self.s), lanes), self.dtype),
            jnp.concatenate([jnp.zeros((len(self.ns), lanes), self.dtype), none[None]]),
            jnp.zeros((), jnp.int32),
        )
        state = jax.lax.while_loop(lambda state: jnp.any(state.walk.at > 0), self._panel, state)
        if self.space.discrete:
            state = self._at_atom(state, jnp.ones(lanes, bool))
        none = state.sums[-1]
        p_s = state.sums[:-1] + jnp.stack([none**n / n for n in self.ns])
        # The probe itself among the items has strength 1.
        _, missing = self._risen(state, jnp.zeros(lanes, self.dtype))
        credits = self.weights * jnp.exp(-self.s)
        return p_s, jnp.stack([jnp.sum(credits * p, axis=0) for p in self._powers(1.0 - missing)])

    def _powers(self, kept: Array) -> list[Array]:
        """kept^(n-1) for every n."""
        log = jnp.log(jnp.maximum(kept, _TINY)) if self.most > _BY_PRODUCTS else kept
        return [jax.lax.integer_pow(kept, n - 1) if n <= _BY_PRODUCTS else jnp.exp((n - 1) * log) for n in self.ns]

    def _risen(self, state: _State, highest: Array) -> tuple[Array, Array]:
        """The level of a window for strengths up to e^highest, and what is missing from A at its nodes.

        It only ever rises, as strengths do towards the probe; nowhere where all are 0.
        """
        steps = jnp.floor(-jax.lax.stop_gradient(highest) / self.rule.step)
        known = state.level
        level = jnp.where(jnp.isfinite(steps), jnp.maximum(steps, 0.0), 0.0).astype(known.dtype)
        level = jnp.where(known < 0, level, jnp.minimum(level, known))
        level = jnp.where(jnp.isfinite(highest), level, known)
        return level, _windows.carried(state.missing, jnp.maximum(known - level, 0), self.window.carried)

    def _relative(self, log: Array, level: Array) -> Array:
        """Strengths in units of that of the level.

        Where g falls to 0 at the end of a panel, its last nodes are taken for no weaker than the window of s reaches:
        as good as no mass is there, but it decides how p_S changes as the end moves.
        """
        return jnp.exp(jnp.maximum(log + self.rule.step * level, -self.rule.nats - self.rule.step))

    def _panel(self, state: _State) -> _State:
        if self.space.discrete:
            state = self._at_atom(state, state.walk.at > 0)
        walk, step = self.steps.step(state.walk, state.panels >= _MOST_PANELS)
        within, density, mass, log, highest = self._nodes(step)
        level, missing = self._risen(state, highest)
        some = jnp.isfinite(highest)
        relative = jnp.where(some, self._relative(log, level), 0.0)
        within, density, mass, relative = map(_once, (within, density, mass, relative))
        kept = jnp.exp(-(self.s[None] * relative[:, None]))  # (nodes, nodes of s, lanes)
        lost = (1.0 - kept) * density[:, None]
        lost = jnp.dot(self.rule_of_panels[2], lost.reshape(len(lost), -1), precision="highest").reshape(
            -1, *missing.shape
        )
        inner = (1.0 - within)[:, None] - missing[None] - lost[:-1]
        credit = kept * (relative * mass)[:, None]
        here = jax.lax.stop_gradient(step.end) <= self.given.cut
        sets = zip(self.ns, self._powers(inner), strict=True)
        more = [jnp.where(here, n * (self.weights[:, 0] @ _summed(credit * p)), 0.0) for n, p in sets]
        none = jnp.sum(jnp.where(some, 0.0, mass), axis=0)
        sums = state.sums + jnp.stack([*more, none])
        return _State(walk, level, missing + lost[-1], sums, state.panels + 1)

    def _nodes(self, step: Step) -> tuple[Array, ...]:
        """At the nodes of a panel, (nodes, lanes): b, its density in t, masses, ln g; and the largest of the latter."""
        t, weights, _ = self.rule_of_panels
        t = t[:, None]
        starts, ends = step.steep_start[None], step.steep_end[None]
        # Where the ball goes as a square root, the square of t is what it is smooth in.
        x = jnp.where(starts, jnp.where(ends, t * t * (3.0 - 2.0 * t), t * t), jnp.where(ends, t * (2.0 - t), t))
        slope = jnp.where(starts, jnp.where(ends, 6.0 * t * (1.0 - t), 2.0 * t), jnp.where(ends, 2.0 * (1.0 - t), 1.0))
        width = step.end - step.start
        # Where a panel has no width its nodes may be at a kink, where slopes of b are not finite.
        r = jnp.where(width > 0, step.start + width * x, self.steps.farthest * 0.37)
        within, density = jax.jvp(self.ball, (r,), (jnp.ones_like(r),))
        density = density * width * slope
        log = self.log_g(r)
        highest = jnp.where(width > 0, jnp.max(log, axis=0), -jnp.inf)
        return within, density, density * weights[:, None], log, highest

    def _at_atom(self, state: _State, counts: Array) -> _State:
        """What the ball gains at the distances reached, where that counts, falls on one distance: those items tie."""
        r = state.walk.at
        inside = self.ball(r)
        before = self.ball(r * (1.0 - 4.0 * float(jnp.finfo(self.dtype).eps)))
        gained = jnp.where(counts, inside - jnp.where(r > 0, before, 0.0), 0.0)
        log = jnp.where(counts, self.log_g(r), -jnp.inf)
        level, missing = self._risen(state, log)
        some = jnp.isfinite(log)
        relative = jnp.where(some, self._relative(jnp.where(some, log, 0.0), level), 0.0)
        kept = jnp.exp(-self.s * relative)
        beyond = 1.0 - (inside + missing)
        with_it = beyond + gained * kept
        here = r <= self.given.cut
        credits = jnp.where(here, self.weights * relative, 0.0)
        more = [jnp.sum(credits * (with_it**n - beyond**n), axis=0) for n in self.ns]
        none = jnp.where(some, 0.0, gained)
        return state._replace(
            level=level,
            missing=missing + gained * (1.0 - kept),
            sums=state.sums + jnp.stack([*more, none]),
        )
