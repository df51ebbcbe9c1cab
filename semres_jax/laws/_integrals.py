"""The integrals over distances and s behind `quadrature`, at every probe, for many members of a grid.

With A(r, s) = ∫_{d>=r} e^{-s g(d)} db_p(d), as at the head of `quadrature`,

    p_I = ∫ e^{-s} A(0, s)^{n-1} ds,    p_S = ∫ ds ∫ n g(r) e^{-s g(r)} A(r, s)^{n-1} db_p(r) + P(all g = 0) / n.

One sweep over the distances, from the farthest inward, serves all s at once. All terms are positive; s runs over its
logarithm. A panel of distances, in which ln g changes little, sees a window of s only: where s is smaller nothing is
lost from A yet, where it is larger the panel is all lost.
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Accuracy, Array
from semres_jax.laws import _panels, reciprocal
from semres_jax.laws._probes import in_parts
from semres_jax.laws._setting import NOTHING, Rule, Setting, around, mass_radii, panel_ends, setting, setting_probes
from semres_jax.similarity import Similarity
from semres_jax.spaces.base import MetricSpace

# Numbers handled at once: a panel of distances, over all s, for as many probes and members as fit.
_NUMBERS = 2**16
# Nats by which a panel may exceed its width.
_SLACK = 0.5
_TINY = 1e-300
# Up to this many items powers are products, which are faster than exponentials of logarithms and as precise.
_BY_PRODUCTS = 65
# Where ln(s g) ends: e^-40 is nothing.
_END = math.log(40.0)


@functools.partial(jax.jit, static_argnames=("ns", "rule"))
def luce(
    space: MetricSpace, members: Similarity, exponent: Array, *, ns: tuple[int, ...], rule: Rule
) -> tuple[Accuracy, Array]:
    """(members, ns) accuracies, and whether each member falls deeper than `rule.depth`: then p_S lacks `_deep`."""

    def member(similarity: Similarity) -> tuple[Accuracy, Array]:
        given = setting(space, similarity, exponent, rule)
        p_s, p_i = in_parts(lambda v: _Sweep(space, given, v, ns, rule).accuracies(), given.probes, given.weights)
        return Accuracy(p_s, p_i), given.deep

    return by_member(member, members, setting_probes(space, members, rule) * _window(rule, ns) * rule.nodes)


def by_member(f: Any, members: Similarity, numbers: int) -> Any:
    """f of every member of a grid, as many at once as fit, `numbers` for each."""
    size = members.shape[0]
    together = min(size, max(1, _NUMBERS // numbers))
    # Whole batches: `lax.map` would compile what is left over a second time.
    padded = np.minimum(np.arange(-(-size // together) * together), size - 1)
    members = jax.tree.map(lambda leaf: jnp.asarray(leaf)[padded], members)
    return jax.tree.map(lambda p: p[:size], jax.lax.map(f, members, batch_size=together))


def _window(rule: Rule, ns: tuple[int, ...]) -> int:
    """Nodes in ln s between s g = e^-NOTHING / n and 40, for all g of a panel."""
    return math.ceil((NOTHING + math.log(max(ns)) + rule.nats + _SLACK + _END) / rule.step)


# First node of the window of s, (q,), and what is missing from A at its nodes, (q, window).
_State = tuple[Array, Array]


class _Sweep:
    """The distances around (q,) probes of uniforms v, from the farthest inward: panels, and how A falls in each."""

    def __init__(self, space: MetricSpace, given: Setting, v: Array, ns: tuple[int, ...], rule: Rule):
        self.given, self.ns, self.rule, self.most, self.dtype = given, ns, rule, max(ns), v.dtype
        self.discrete = space.discrete
        self.ball, own, self.farthest = around(space, v)
        levels = jnp.broadcast_to(given.levels[None], (len(own), given.levels.size))
        fixed = jnp.concatenate([levels, mass_radii(self.ball, self.farthest, self.most)], axis=-1)
        self.ends = panel_ends(fixed, given.kinks, own, self.farthest)
        self.panel_rule = tuple(jnp.asarray(x, v.dtype) for x in _panels.running_rule(rule.nodes))
        self.node = functools.partial(reciprocal.node, most=self.most, step=rule.step)
        self.window = jnp.arange(_window(rule, ns))

    def accuracies(self) -> tuple[Array, Array]:
        """(q, ns) each."""
        probes = len(self.ends)
        # The window begins where all strengths are 0.
        deep = jnp.full(probes, math.ceil((self.rule.depth + NOTHING) / self.rule.step), jnp.int32)
        state = deep, jnp.zeros((probes, self.window.size), self.dtype)
        carry = state, jnp.zeros((probes, len(self.ns) + 1), self.dtype)
        used = jnp.max(jnp.sum(self.ends < self.farthest, axis=-1))
        state, sums = jax.lax.fori_loop(0, used, lambda j, c: self._panel(used - 1 - j, c), carry)
        if self.discrete:
            state, more = self._at_atom(state, self.ends[:, 0], jnp.ones(probes, bool))
            sums = sums + more
        none = sums[:, -1:]
        p_s = sums[:, :-1] + jnp.concatenate([none**n / n for n in self.ns], axis=-1)
        # The probe itself among the items has strength 1.
        (_, missing), own_s, own_steps = self._move(state, jnp.zeros(probes, self.dtype))
        s = jnp.exp(own_s)
        credits = own_steps * s * jnp.exp(-s)
        return p_s, jnp.stack([jnp.sum(credits * p, axis=-1) for p in self._powers(1.0 - missing)], axis=-1)

    def _powers(self, kept: Array) -> list[Array]:
        """kept^(n-1) for every n."""
        log = jnp.log(jnp.maximum(kept, _TINY)) if self.most > _BY_PRODUCTS else kept
        return [jax.lax.integer_pow(kept, n - 1) if n <= _BY_PRODUCTS else jnp.exp((n - 1) * log) for n in self.ns]

    def _move(self, state: _State, highest: Array) -> tuple[_State, Array, Array]:
        """The window of s that tells strengths around e^highest (q,) from 0 and from infinity, and its weights.

        It only ever moves towards small s, as strengths grow towards the probe. What leaves it is not needed again,
        what enters it has lost nothing yet.
        """
        first, missing = state
        target = jnp.ceil((-highest - NOTHING - self.node(1)[0] + math.log(1.0 / self.most)) / self.rule.step)
        target = jnp.where(jnp.isfinite(target), jnp.clip(target, 0, first), first).astype(first.dtype)
        place = self.window[None] - (first - target)[:, None]
        moved = jnp.take_along_axis(missing, jnp.maximum(place, 0), axis=-1)
        return (target, jnp.where(place >= 0, moved, 0.0)), *self.node(target[:, None] + self.window[None])

    def _at_atom(self, state: _State, r: Array, counts: Array) -> tuple[_State, Array]:
        """What the ball gains at radii r (q,), where `counts`, falls on one distance: those items tie."""
        inside = self.ball(r[:, None])[:, 0]
        before = self.ball(r[:, None] * (1.0 - 4.0 * float(jnp.finfo(self.dtype).eps)))[:, 0]
        gained = jnp.where(counts, inside - jnp.where(r > 0, before, 0.0), 0.0)[:, None]
        strength = self.given.log_g(r)
        (first, missing), own_s, own_steps = self._move(state, strength)
        x = jnp.exp(jnp.minimum(own_s + strength[:, None], 2.0 * _END))
        kept = jnp.exp(-x)
        beyond = 1.0 - (inside[:, None] + missing)
        with_it = beyond + gained * kept
        here = (r <= self.given.cut)[:, None]
        more = [jnp.sum(own_steps * x * here * (with_it**n - beyond**n), axis=-1) for n in self.ns]
        none = jnp.where(jnp.isfinite(strength), 0.0, gained[:, 0])
        return (first, missing + gained * (1.0 - kept)), jnp.stack([*more, none], axis=-1)

    def _panel(self, i: Any, carry: tuple[_State, Array]) -> tuple[_State, Array]:
        """From the end of panel i to its start, for every probe."""
        state, sums = carry
        nodes, slopes, weights, tail = self.panel_rule
        start, end = self.ends[:, i], self.ends[:, i + 1]
        width = (end - start)[:, None]
        if self.discrete:
            state, more = self._at_atom(state, end, end > start)
            sums = sums + more
        # Where a panel has no width its nodes may be at a kink, where slopes of b are not finite. Its ends move as one.
        r = jnp.where(width > 0, start[:, None] + width * nodes[None], self.farthest * 0.37)
        within, density = jax.jvp(self.ball, (r,), (jnp.ones_like(r),))
        density = density * width * slopes[None]
        mass = density * weights[None]
        strength = self.given.log_g(r)
        # Where g falls to 0 at the end of a panel, its last nodes are taken for no deeper than the window of s reaches:
        # as good as no mass is there, but it decides how p_S changes as the end moves.
        highest = jnp.max(jnp.where(width > 0, strength, -jnp.inf), axis=-1)
        some = jnp.isfinite(highest)[:, None]
        level = jnp.where(some, highest[:, None], 0.0)
        relative = jnp.exp(jnp.maximum(strength - level, -self.rule.nats - _SLACK)) * some
        (first, missing), own_s, own_steps = self._move(state, highest)
        # Node by node s g is a product, and 1 - e^{-sg} does without expm1: one exponential is most of the work.
        x = jnp.exp(jnp.minimum(own_s + level, 2.0 * _END))[:, :, None] * relative[:, None]
        kept = jnp.exp(-x)
        lost = 1.0 - kept
        inner = 1.0 - (within[:, None] + missing[:, :, None] + (lost * density[:, None]) @ tail.T)
        credit = x * kept * mass[:, None] * own_steps[:, :, None]
        here = end <= self.given.cut
        sets = zip(self.ns, self._powers(inner), strict=True)
        more = [jnp.where(here, n * jnp.sum(credit * p, axis=(-2, -1)), 0.0) for n, p in sets]
        none = jnp.sum(jnp.where(some, 0.0, mass), axis=-1)
        return (first, missing + jnp.sum(lost * mass[:, None], axis=-1)), sums + jnp.stack([*more, none], axis=-1)
