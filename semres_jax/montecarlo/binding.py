"""Illusory conjunctions by Monte Carlo: any product of spaces, any similarity of its features.

What is shown, kept and asked is told in `semres_jax.laws.binding`, which has the exact rates of constant similarity.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import brief, concrete, require, require_among, require_count
from semres_jax._random import checked_key
from semres_jax._shells import coarse_resolutions, on_shells
from semres_jax._surroundings import on_host
from semres_jax._types import Array, Quantity
from semres_jax.choice import LURES
from semres_jax.similarity import Slots, checked, flatten
from semres_jax.spaces.named import on_space

# Numbers of one call of the device, and of one trial at most.
_NUMBERS, _MOST = 2**22, 2**20
_LANES = 2**15


class _Static(NamedTuple):
    """What decides the compiled program, apart from the shapes of its arguments."""

    n: int
    lanes: int
    lures: str
    recombinations: int  # beside a shown item


@on_host("estimate_binding")
@on_space
def estimate_binding(
    space: Any,
    similarity: Any,
    *,
    n: Any = 2,
    key: Any,
    trials: Any = 2**16,
    conjunctive: Any = 1.0,
    lures: str = "one",
) -> Quantity:
    """Monte Carlo estimate of P(error): how often a recombination of shown wholes is chosen instead of a shown one.

    A trial shows n independent wholes. Luce's rule chooses between one of them, of strength 1, and a recombination of
    two, or all n^S - n recombinations, of strength

        M(q) = (1-c) (1/S) Σ_s max_i g_s(q_s, x_is) + c max_i g(q, x_i).

    c is the share of conjunctive units, and g puts slots together by product or mean as the similarity says. A
    recombination of two has the features of a random subset of slots, neither none nor all, from one of them and the
    rest from the other. Source: new, of this project.

    Args:
        space: a `spaces.Product`; stimuli of finite spaces may repeat.
        similarity: `Slots`, one for each of its features; grids of them see the same trials.
        n: number of shown items, at least 2.
        key: a JAX random key, or a seed; the answer depends on it and on trials alone.
        trials: how many; rounded up to whole calls of the device, of at most 2^15.
        conjunctive: c in [0, 1], any shape: all shares see the same trials.
        lures: "one" recombination, or "all" of them, up to n^(S+1) = 2^20.

    Returns:
        Quantity with standard errors, of the similarity's shape followed by that of conjunctive. Errors are those of
        the scatter, and of one trial that goes unseen as often as not.

    Raises:
        ValueError: similarity other than Slots, a space without as many features, one feature alone, n or trials too
            small, a share outside [0, 1], lures unknown or too many.
        TypeError: an argument is traced.

    Example:
        >>> from semres_jax import Constant, Slots, laws, montecarlo, spaces
        >>> pair = spaces.Product((spaces.Circle(), spaces.Circle()))
        >>> error = montecarlo.estimate_binding(pair, Slots([Constant(0.1)] * 2), n=4, key=0, conjunctive=0.5)
        >>> exact = laws.illusory_conjunctions(0.2, slots=2, n=4, conjunctive=0.5)
        >>> bool(abs(error.value - exact) < 5 * error.stderr)
        True
    """
    if not isinstance(similarity, Slots):
        what = brief(getattr(similarity, "name", similarity))
        raise ValueError(f"similarity must be Slots, one for each feature; got {what}")
    checked(similarity, space)
    n = require_count("n", n, 2, " shown items, whose features are recombined")
    trials = require_count("trials", trials, 1)
    require("conjunctive", conjunctive, 0.0, 1.0, "a share between 0 and 1")
    require_among("lures", lures, LURES)
    shares, static = np.asarray(concrete(conjunctive), np.float64), _static(len(similarity.slots), n, lures, trials)
    chunks, key = -(-trials // static.lanes), checked_key(key)
    coarse = coarse_resolutions(similarity, space)
    members = on_shells(jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), flatten(similarity)), space, coarse)
    with jax.enable_x64(True):
        sums = [np.asarray(_sums(static, space, members, shares.ravel(), key, chunk)) for chunk in range(chunks)]
    trials = chunks * static.lanes
    mean, square = np.moveaxis(np.sum(sums, axis=0) / trials, -1, 0)
    lowest = static.recombinations * (1.0 - shares.ravel())  # where no whole is like a recombination
    unseen = (_error(static.recombinations) - _error(lowest)) / trials
    variance = np.maximum(square - mean**2, 0.0) / max(trials - 1, 1)
    values = (mean, np.sqrt(variance + unseen**2))
    return Quantity(*(x.reshape(similarity.shape + shares.shape)[()] for x in values))


def _static(slots: int, n: int, lures: str, trials: int) -> _Static:
    require_count("the number of slots", slots, 2, ", or nothing can be recombined")
    numbers = n ** (slots + 1) if lures == "all" else 2 * n * slots
    if numbers > _MOST:
        small = f"n^(S+1) must be at most {_MOST:,}" if lures == "all" else f"n S must be at most {_MOST // 2:,}"
        raise ValueError(f"{small}, numbers of a trial; got n = {n} and S = {slots}")
    lanes = min(_LANES, 1 << (_NUMBERS // numbers).bit_length() - 1, 1 << (trials - 1).bit_length())
    return _Static(n, lanes, lures, n**slots - n if lures == "all" else 1)


def _error(strength: Any) -> Any:
    """Luce's choice of the lures, of so much strength together, beside a shown item of strength 1."""
    return strength / (1.0 + strength)


@functools.partial(jax.jit, static_argnums=0)
def _sums(static: _Static, space: Any, members: Slots, shares: Array, key: Any, chunk: Array) -> Array:
    """(members, shares, 2) sums of P(error) and of its square over the trials of a chunk."""
    draws, subsets = jax.random.split(jax.random.fold_in(key, chunk))
    u = jax.random.uniform(draws, (static.lanes, static.n, space.uniforms), float)
    pattern = jax.random.randint(subsets, (static.lanes,), 1, 2 ** len(space.factors) - 1)
    # of the features of any two items; the second is one of the first two, where only these are put together
    others = static.n if static.lures == "all" else 2

    def distances(points: Any) -> list[Array]:
        sources = jax.tree.map(lambda x: x[:others], points)
        to_all = jax.vmap(space.distances_by_feature, (None, 0))
        return jax.vmap(to_all, (0, None))(points, sources)

    by_feature = jax.vmap(distances)(space.point(u))  # for each slot (lanes, n, others)

    def member(similarity: Slots) -> Array:
        make = _all if static.lures == "all" else _one
        features, wholes = jax.vmap(functools.partial(make, similarity))(by_feature, pattern)
        strength = (1.0 - shares[:, None]) * features[None] + shares[:, None] * wholes[None]
        error = _error(strength)
        return jnp.stack([jnp.sum(error, axis=1), jnp.sum(error**2, axis=1)], axis=-1)

    return jax.lax.map(member, members)


def _one(similarity: Slots, by_feature: list[Array], pattern: Array) -> tuple[Array, Array]:
    """What both stores say of a recombination that has the features in `pattern` of the first item."""
    own = [jnp.where((pattern >> s) & 1 == 1, d[:, 0], d[:, 1]) for s, d in enumerate(by_feature)]
    features = [jnp.max(slot(d)) for slot, d in zip(similarity.slots, own, strict=True)]
    return sum(features[1:], features[0]) / len(features), jnp.max(similarity(own))


def _all(similarity: Slots, by_feature: list[Array], pattern: Array) -> tuple[Array, Array]:
    """The same, added up over all recombinations: tuples of items, less those of one item alone."""
    n, slots = by_feature[0].shape[0], len(by_feature)
    spread = [d.reshape(n, *(n if k == s else 1 for k in range(slots))) for s, d in enumerate(by_feature)]
    features = [jnp.sum(jnp.max(slot(d), axis=0)) for slot, d in zip(similarity.slots, by_feature, strict=True)]
    tuples = sum(features[1:], features[0]) / slots * n ** (slots - 1)
    return tuples - n, jnp.sum(jnp.max(similarity(spread), axis=0)) - n
