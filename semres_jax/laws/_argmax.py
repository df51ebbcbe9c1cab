"""The integrals of `quadrature` for an infinite exponent: only ties take anything from certainty."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from semres_jax._types import Accuracy
from semres_jax.laws import reciprocal
from semres_jax.laws._probes import in_parts, probe_nodes
from semres_jax.laws._setting import Rule, splits
from semres_jax.similarity import Similarity
from semres_jax.spaces.base import MetricSpace


@functools.partial(jax.jit, static_argnames=("ns", "rule"))
def argmax(space: MetricSpace, members: Similarity, *, ns: tuple[int, ...], rule: Rule) -> Accuracy:
    """(members, ns): the strongest items, by the similarity's `order`, share the choice."""

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
        rank = similarity.order
        near, far = rank(ends[:-1] * (1 + eps) + float(jnp.finfo(dtype).tiny)), rank(ends[1:] * (1 - eps))
        flat = (near == far) | (jnp.diff(ends) <= 0)
        value, mass, level = (
            jnp.concatenate([jnp.stack([a[:-1], b], axis=-1).ravel(), a[-1:]])
            for a, b in (
                (rank(ends), jnp.where(jnp.diff(ends) > 0, near, rank(ends[1:]))),
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
        s, s_weights = (jnp.asarray(x, dtype) for x in reciprocal.nodes(max(ns)))
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
        v, weights = probe_nodes(space, splits(space, similarity), dtype, rule.probe_step, rule.probe_nodes)
        return in_parts(lambda v: jax.vmap(lambda p: probe(p, similarity, dtype))(space.probe(v)), v, weights)

    return jax.lax.map(member, members)
