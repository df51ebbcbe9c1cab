"""What p_S gains from distances at which ln(1/g) is deeper than the panels of `_integrals` reach.

There an item as near as r is in doubt only against the few that are within some 40 nats of it. With s = e^y / g(r)

    p_S = n ∫ db_p(r) ∫ e^y e^{-e^y} [1 - b_p(r) - L(r, y)]^{n-1} dy,   L = ∫_{d>r} (1 - exp(-e^y g(d)/g(r))) db_p(d),

and for n = 2 the integral over y is that of the logistic function of ln g(d) - ln g(r). Both integrals over distances
are smooth between the kinks of the ball and of g, however deep these are: nothing grows with the depth.
"""

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array
from semres_jax.laws import _panels
from semres_jax.laws._ends import around, mass_radii, panel_ends
from semres_jax.laws._probes import in_parts
from semres_jax.laws._setting import NOTHING, Rule, powered, probes_of, setting, setting_probes
from semres_jax.laws.reciprocal import bisected
from semres_jax.similarity import Similarity
from semres_jax.spaces.base import MetricSpace

# Nats past an item at which panels of those that compete with it end; e^-34 is nothing.
_SPANS = (1.5, 4.0, 9.0, 18.0, 38.0)
# Panels between the first and the farthest distance, in equal ratios.
_RATIOS = 12
# Nodes in a panel of competing items.
_NODES = 10
_END = math.log(40.0)
# Numbers handled at once.
_NUMBERS = 2**16


@functools.partial(jax.jit, static_argnames=("ns", "rule"))
def beyond_cut(space: MetricSpace, members: Similarity, exponent: Array, *, ns: tuple[int, ...], rule: Rule) -> Array:
    """(members, ns): what p_S gains from nearest items beyond `Setting.cut`; 0 for members that are not deep."""

    def member(similarity: Similarity) -> Array:
        log_g = powered(similarity, exponent)
        probes, weights = probes_of(space, similarity, exponent, rule)
        farthest = jnp.max(jnp.stack(space.radius_kinks(space.probe(probes)))).astype(exponent.dtype)
        settled = setting(log_g, exponent, farthest, rule)
        own = [jnp.asarray(kink, exponent.dtype) for kink in similarity.kinks()]
        given = _Member(log_g, jnp.stack([jnp.zeros((), exponent.dtype), *own]), settled.deep, settled.cut)
        p_s = in_parts(lambda v: _probes(space, given, v, ns, rule), probes, weights)
        return jnp.where(given.deep, p_s, 0.0)

    count = setting_probes(space, members, rule)
    heights = 1 if ns == (2,) else len(_heights(rule, ns))
    return _by_member(member, members, count * rule.nodes * len(_SPANS) * _NODES * heights)


def _by_member(f: Any, members: Similarity, numbers: int) -> Any:
    """f of every member of a grid, as many at once as fit, `numbers` for each."""
    size = members.shape[0]
    together = min(size, max(1, _NUMBERS // numbers))
    # Whole batches: `lax.map` would compile what is left over a second time.
    padded = np.minimum(np.arange(-(-size // together) * together), size - 1)
    members = jax.tree.map(lambda leaf: jnp.asarray(leaf)[padded], members)
    return jax.tree.map(lambda p: p[:size], jax.lax.map(f, members, batch_size=together))


class _Member(NamedTuple):
    """A similarity, raised to the Luce exponent."""

    log_g: Callable[[Array], Array]  # ln g^a of distances
    kinks: Array  # (k,) distances at which g or its slope jumps
    deep: Array
    cut: Array


class _Law(NamedTuple):
    """How the distances of items around (q,) probes are distributed, and what splits integrals over them."""

    ball: Callable[[Array], Array]  # the ball measure of (q, radii)
    kinks: Array  # (q, k) of the ball and of g
    farthest: Array  # (q, 1)
    atoms: Array  # (q, a) distances that have mass ...
    masses: Array  # ... and their masses

    def density(self, r: Array) -> tuple[Array, Array]:
        """b and its slope at (q, radii)."""
        return jax.jvp(self.ball, (r,), (jnp.ones_like(r),))


def _probes(space: MetricSpace, given: _Member, v: Array, ns: tuple[int, ...], rule: Rule) -> Array:
    """(q, ns) around probes of uniforms v."""
    ball, own, farthest = around(space, v)
    cut = jnp.where(given.deep, given.cut, farthest / 2.0)
    kinks = jnp.concatenate([jnp.broadcast_to(given.kinks[None], (len(own), given.kinks.size)), own], axis=-1)
    kinks = jnp.clip(kinks, 0.0, farthest)
    atoms, masses = _atoms(ball, own) if space.discrete else (own[:, :0], own[:, :0])
    law = _Law(ball, kinks, farthest, atoms, masses)
    shares = jnp.arange(_RATIOS, dtype=v.dtype)[None] / _RATIOS
    ratios = jax.lax.stop_gradient(cut * (farthest / cut) ** shares)
    fixed = jnp.concatenate([ratios, _before_kinks(given.log_g, kinks), mass_radii(ball, farthest, max(ns))], axis=-1)
    ends = jnp.maximum(panel_ends(fixed, given.kinks, own, farthest), cut)
    nodes, slopes, weights, _ = (jnp.asarray(x, v.dtype)[None] for x in _panels.running_rule(rule.nodes))

    def panel(i: Array, p_s: Array) -> Array:
        start, width = ends[:, i, None], (ends[:, i + 1] - ends[:, i])[:, None]
        r = jnp.where(width > 0, start + width * nodes, 0.5 * (cut + farthest))
        within, density = law.density(r)
        mass = jnp.where(given.log_g(r) > -jnp.inf, density * width * slopes * weights, 0.0)
        left = _left(within, _competitors(given.log_g, law, r, ns, rule), ns, rule)
        return p_s + jnp.stack([jnp.sum(n * mass * x, axis=-1) for n, x in zip(ns, left, strict=True)], axis=-1)

    first = jnp.min(jnp.sum(ends <= cut, axis=-1)) - 1
    last = jnp.max(jnp.sum(ends < farthest, axis=-1))
    p_s = jax.lax.fori_loop(first, last, panel, jnp.zeros((len(own), len(ns)), v.dtype))
    return p_s + _at_atoms(given, law, cut, ns, rule) if space.discrete else p_s


def _before_kinks(log_g: Callable[[Array], Array], kinks: Array) -> Array:
    """(q, radii) at which the items that compete begin to feel a kink."""
    depth = log_g(kinks)[..., None] + jnp.asarray(_SPANS, kinks.dtype)[None, None]
    high = jnp.broadcast_to(kinks[..., None], depth.shape)
    radii = bisected(lambda r: log_g(r) < depth, jnp.zeros_like(high), high, 50)
    return jnp.where(jnp.isfinite(depth), radii, jnp.inf).reshape(len(kinks), -1)


def _competitors(
    log_g: Callable[[Array], Array], law: _Law, r: Array, ns: tuple[int, ...], rule: Rule
) -> tuple[Any, Any]:
    """What items beyond r (q, R) take from it: ∫ σ(ln g(d)/g(r)) db, (q, R), and L(r, y), (q, R, Y), as `ns` need."""
    strength = log_g(r)[..., None]
    strength = jnp.where(strength > -jnp.inf, strength, 0.0)
    room = jnp.log2(jnp.maximum(law.farthest - r, float(jnp.finfo(r.dtype).tiny)))[..., None]
    spans = jnp.asarray(_SPANS, r.dtype)[None, None]
    low = jnp.broadcast_to(room - 60.0, (*r.shape, len(_SPANS)))
    reach = bisected(lambda e: strength - log_g(r[..., None] + jnp.exp2(e)) > spans, low, low + 60.0, 24)
    ends = jnp.minimum(r[..., None] + jnp.exp2(reach), law.farthest[..., None])
    kinks = jnp.clip(law.kinks[:, None, :], r[..., None], ends[..., -1:])
    ends = jnp.sort(jnp.concatenate([r[..., None], ends, kinks], axis=-1), axis=-1)
    nodes, slopes, weights, _ = (jnp.asarray(x, r.dtype)[None, None, None] for x in _panels.running_rule(_NODES))
    start, width = ends[..., :-1, None], jnp.diff(ends, axis=-1)[..., None]
    d = jnp.where(width > 0, start + width * nodes, r[..., None, None] + 0.5 * (law.farthest - r)[..., None, None])
    _, density = law.density(d.reshape(len(r), -1))
    mass = (density.reshape(d.shape) * width * (slopes * weights)).reshape(*r.shape, -1)
    ratio = log_g(d).reshape(mass.shape) - strength
    if law.atoms.shape[-1]:
        farther = law.atoms[:, None, :] > r[..., None]
        mass = jnp.concatenate([mass, jnp.where(farther, law.masses[:, None, :], 0.0)], axis=-1)
        ratio = jnp.concatenate([ratio, jnp.where(farther, log_g(law.atoms)[:, None, :] - strength, 0.0)], axis=-1)
    some = ratio > -jnp.inf
    ratio = jnp.where(some, jnp.minimum(ratio, 0.0), 0.0)
    pair = jnp.sum(jnp.where(some, mass, 0.0) * jax.nn.sigmoid(ratio), axis=-1) if 2 in ns else None
    if ns == (2,):
        return pair, None
    s = jnp.exp(_heights(rule, ns).astype(r.dtype))[None, None]
    x = s[..., None] * jnp.where(some, jnp.exp(ratio), 0.0)[..., None, :]
    return pair, jnp.sum(-jnp.expm1(-x) * mass[..., None, :], axis=-1)


def _heights(rule: Rule, ns: tuple[int, ...]) -> Array:
    """y, in steps."""
    return jnp.asarray(np.arange(-NOTHING - math.log(max(ns)), _END, rule.step))


def _left(within: Array, lost: tuple[Any, Any], ns: tuple[int, ...], rule: Rule) -> list[Array]:
    """∫ e^y e^{-e^y} [1 - b - L(y)]^{n-1} dy for every n, (q, R) each."""
    pair, taken = lost
    s = jnp.exp(_heights(rule, ns).astype(within.dtype))[None, None]
    weights = rule.step * s * jnp.exp(-s)
    left: Any = None if taken is None else jnp.maximum(1.0 - within[..., None] - taken, 0.0)
    return [1.0 - within - pair if n == 2 else jnp.sum(weights * left ** (n - 1), axis=-1) for n in ns]


def _atoms(ball: Callable[[Array], Array], own: Array) -> tuple[Array, Array]:
    """Distances that have mass, in order, and their masses; 0 where one is listed twice."""
    atoms = jnp.sort(own, axis=-1)
    before = jnp.where(atoms > 0, ball(atoms * (1.0 - 4.0 * float(jnp.finfo(own.dtype).eps))), 0.0)
    first = jnp.diff(atoms, axis=-1, prepend=-jnp.ones_like(atoms[:, :1])) > 0
    return atoms, jnp.where(first, ball(atoms) - before, 0.0)


def _at_atoms(given: _Member, law: _Law, cut: Array, ns: tuple[int, ...], rule: Rule) -> Array:
    """(q, ns): nearest items at distances that have mass; those at the same one tie."""
    here = (law.atoms > cut) & (given.log_g(law.atoms) > -jnp.inf)
    within, mass = law.ball(law.atoms), jnp.where(here, law.masses, 0.0)
    pair, taken = _competitors(given.log_g, law, law.atoms, ns, rule)
    s = jnp.exp(_heights(rule, ns).astype(within.dtype))[None, None]
    gained = []
    for n in ns:
        if n == 2:
            credit = mass * (0.5 * mass + 2.0 * (1.0 - within - pair))
        else:
            left = jnp.maximum(1.0 - within[..., None] - taken, 0.0)
            credit = jnp.sum(rule.step * s * ((left + mass[..., None] * jnp.exp(-s)) ** n - left**n), axis=-1)
        gained.append(jnp.sum(credit, axis=-1))
    return jnp.stack(gained, axis=-1)
