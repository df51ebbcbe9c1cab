"""Any similarity, any number of items, on every space whose ball measure is known: quadrature instead of Monte Carlo.

b_p(r) depends on the probe p through few uniforms only (`MetricSpace.probe`): one on a ball, a gaussian or a hyperbolic
disk, none where the space is homogeneous. The average over p ~ ν is an integral over these uniforms, smooth between
known kinks, with end-point singularities there (the edge of a lens, a gaussian tail). The double exponential rule in
each panel between kinks doesn't mind them.

Given the probe, the distance of an item has the distribution function b_p. With 1/x = ∫ e^{-xs} ds and
A(r, s) = ∫_{d>=r} e^{-s g(d)} db_p(d) both accuracies of n items are integrals over s:

    p_I = ∫ e^{-s} A(0, s)^{n-1} ds,    p_S = ∫ ds ∫ n g(r) e^{-s g(r)} A(r, s)^{n-1} db_p(r) + P(all g = 0) / n.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from semres_jax import choice
from semres_jax._checks import concrete, require_count, require_items
from semres_jax._types import Accuracy, Array, ArrayLike
from semres_jax.laws import _argmax, _deep, _integrals, _panels, closed_form
from semres_jax.laws._mapped import any_of_all
from semres_jax.laws._precision import of_grid, slopes_told, traced
from semres_jax.laws._probes import applies as applies, probe_count, probe_nodes
from semres_jax.laws._setting import COARSE, FINE, Rule
from semres_jax.similarity import Constant, Similarity
from semres_jax.spaces.base import MetricSpace
from semres_jax.spaces.named import on_space

# Probes handled at once, over all members of a grid; bounds memory where a ball measure is itself a quadrature.
_PROBES = 2**13
# Members that are deeper than panels reach, at once.
_DEEP = 32


# Errors of two rules for probes have signs of their own, so that their difference may be small by chance: among 75
# constant similarities on disks and thousands of random ones the true error was up to 17 times as large.
_PROBED = 20.0


class Integral(NamedTuple):
    """Accuracies by quadrature with estimates of their errors.

    Attributes:
        p_s, p_i: as in `Accuracy`.
        p_s_error, p_i_error: the distance to a coarser quadrature of the same (20 times that on heterogeneous spaces),
            and what rounding may do: meant to be at least the true error.
    """

    p_s: Any
    p_i: Any
    p_s_error: Any
    p_i_error: Any


@on_space
def constant(space: MetricSpace, similarity: Constant, *, n: int = 2, exponent: ArrayLike = 1.0) -> Accuracy:
    """Accuracies of the constant similarity on a space with a ball measure, items drawn independently.

        p = <laws.constant(b_p(ε), n, Δ^a)>, averaged over the probes p ~ ν

    Source: theorems 1 to 3 of Nurisso et al., arXiv 2506.14797; exact up to the quadrature, whose error is below 1e-11
    in float64. Can be jitted, vmapped, and differentiated in epsilon and delta; computed in float64 also where that is
    done in JAX's default precision.

    Args:
        space: heterogeneous in at most two uniforms (`probe_uniforms`), or homogeneous.
        similarity: of any shape.
        n: number of items, at least 2; static.
        exponent: a, the Luce exponent, at least 0.

    Returns:
        Accuracy of the similarity's shape.

    Raises:
        ValueError: no ball measure, or one that depends on the probe in too many ways; n below 2.

    Example:
        >>> from semres_jax import Constant, spaces
        >>> from semres_jax.laws import quadrature
        >>> [round(float(p), 4) for p in quadrature.constant(spaces.Interval(), Constant(0.5))]
        [0.6667, 0.625]
    """
    _require(space)
    require_count("n", n, 2, " items")

    return of_grid(functools.partial(members_constant, n=n), space, similarity, exponent)


def members_constant(space: MetricSpace, members: Similarity, exponent: Any, *, n: int) -> Accuracy:
    """`constant` of the members of a grid along one axis, in the precision around."""
    similarity: Any = members
    epsilon, delta = (jnp.asarray(leaf, jnp.result_type(leaf, 0.0)) for leaf in (similarity.epsilon, similarity.delta))
    return _constant(space, epsilon, choice.power(delta, exponent), n=n)


def _require(space: MetricSpace) -> None:
    if not applies(space):
        why = "it has none" if not space.has_ball_measure else "it depends on the probe in too many ways"
        raise ValueError(f"no quadrature over the ball measure of {space.label}: {why}; use semres_jax.estimate")


@functools.partial(jax.jit, static_argnames="n")
def _constant(space: MetricSpace, epsilon: Array, floor: Array, *, n: int) -> Accuracy:
    """For (members,) resolutions and floors."""

    def member(e: Array, f: Array) -> Accuracy:
        return probe_average(space, lambda p: closed_form.constant(space.ball_measure(p, e), n=n, delta=f), (e,))

    if space.probe_uniforms == 0:
        return jax.vmap(member)(epsilon, floor)
    together = max(1, _PROBES // probe_count(space, 1, _panels.STEP))
    return jax.lax.map(lambda pair: member(*pair), (epsilon, floor), batch_size=together)


def probe_average(
    space: MetricSpace, f: Callable[[Any], Any], radii: Sequence[Array] = (), *, step: float = _panels.STEP
) -> Any:
    """The average of f(p) over probes p ~ ν, where f depends on p through ball measures b_p(r) only.

    Args:
        space: at most `MOST_UNIFORMS` of `probe_uniforms`.
        f: maps a batch of probes of batch shape (q,) to a pytree of arrays of shape (q, ...).
        radii: scalars r; panels are split where v -> b_probe(v)(r) is not smooth.
        step: of the double exponential rule.

    Returns:
        The pytree of averages, each of shape (...).

    Example:
        >>> import jax.numpy as jnp
        >>> from semres_jax import spaces
        >>> from semres_jax.laws.quadrature import probe_average
        >>> segment, r = spaces.Interval(), jnp.asarray(0.5)
        >>> round(float(probe_average(segment, lambda p: segment.ball_measure(p, r), (r,))), 5)  # r (2 - r)
        0.75
    """
    dtype = jnp.result_type(*radii) if radii else jnp.result_type(float)
    v, weights = probe_nodes(space, radii, dtype, step)
    values = f(space.probe(v))
    return jax.tree.map(lambda value: jnp.tensordot(weights, value, axes=1), values)


@jax.jit
def ball_moments(space: MetricSpace, epsilons: ArrayLike) -> tuple[Array, Array]:
    """Mean and variance over the probes of b_p(ε).

    Args:
        space: one to which this module `applies`.
        epsilons: resolutions, (members,).

    Example:
        >>> import jax.numpy as jnp
        >>> from semres_jax import spaces
        >>> from semres_jax.laws import quadrature
        >>> [round(float(x[0]), 4) for x in quadrature.ball_moments(spaces.Interval(), jnp.array([0.5]))]
        [0.75, 0.0208]
    """

    def member(e: Array) -> tuple[Array, Array]:
        mean = probe_average(space, lambda p: space.ball_measure(p, e), (e,))
        return mean, probe_average(space, lambda p: jnp.square(space.ball_measure(p, e) - mean), (e,))

    return jax.lax.map(member, jnp.asarray(epsilons))


@on_space
def integrate(space: MetricSpace, similarity: Similarity, *, n: int = 2, exponent: ArrayLike = 1.0) -> Integral:
    """Accuracies of any similarity on a space with a ball measure, with estimates of the error.

    The integrals at the head of this module; items are drawn independently. g is raised to the Luce exponent a, which
    may be infinite (argmax: the strongest share the choice). For n = 2 this is p_S = 2 <∫∫_{d<d'} g/(g + g')> and
    p_I = <∫ 1/(1 + g)>. Source: new, of this project.

    Computed in float64, whatever JAX's precision: known numbers are answered in float64 NumPy, traced ones in the
    precision around. Can be jitted, vmapped, and differentiated in whatever number decides it, to any order. Errors are
    about 1e-12 on homogeneous spaces and below 1e-9 on others (2e-9 was seen on a hyperbolic disk of radius 12), but
    larger where two features each have an edge (products of two intervals).

    Args:
        space: heterogeneous in at most two uniforms (`probe_uniforms`), or homogeneous.
        similarity: any, of any shape; a grid is swept in one compiled call.
        n: number of items, at least 2; static.
        exponent: a, the Luce exponent, at least 0, infinity included.

    Returns:
        `Integral`, of the similarity's shape, however deep ln(1/g^a) falls.

    Raises:
        ValueError: no ball measure, or one that depends on the probe in too many ways; n below 2.

    Example:
        >>> from semres_jax import Exponential, spaces
        >>> from semres_jax.laws import quadrature
        >>> integral = quadrature.integrate(spaces.Interval(), Exponential(0.1), n=32)
        >>> round(float(integral.p_s), 4), bool(integral.p_s_error < 1e-4)
        (0.1616, True)
    """
    (integral,) = several(space, similarity, ns=(n,), exponent=exponent)
    return integral


@on_space
def several(
    space: MetricSpace, similarity: Similarity, *, ns: Sequence[int], exponent: ArrayLike = 1.0
) -> list[Integral]:
    """`integrate` for several numbers of items, which share most of the work and one program. Errors as there.

    Example:
        >>> from semres_jax import Linear, spaces
        >>> from semres_jax.laws import quadrature
        >>> [round(float(f.p_i), 4) for f in quadrature.several(spaces.Circle(), Linear(0.25), ns=(2, 3))]
        [0.8466, 0.7274]
    """
    fine, coarse = (accuracies(space, similarity, ns=ns, exponent=exponent, rule=rule) for rule in (FINE, COARSE))
    rounding = 100 * float(np.finfo(np.float64).eps)
    trust = 1.0 if space.probe_uniforms == 0 else _PROBED
    return [
        Integral(*a, *(trust * abs(x - y) + rounding for x, y in zip(a, b, strict=True)))
        for a, b in zip(fine, coarse, strict=True)
    ]


@on_space
def accuracies(
    space: MetricSpace,
    similarity: Similarity,
    *,
    ns: Sequence[int],
    exponent: ArrayLike = 1.0,
    devices: Sequence[Any] = (),
    wanted: np.ndarray | None = None,
    rule: Rule = FINE,
) -> list[Accuracy]:
    """`accuracy` for several numbers of items, which share most of the work and one program. Errors as there.

    Args:
        space, similarity, exponent: as in `integrate`.
        ns: numbers of items.
        devices: where to run; of several each takes an equal share of the members, in the program that a single one
            would run for as many. Default: where JAX runs anyway.
        wanted: of a similarity along one axis, which members are; others, which fill it up to a size whose program is
            compiled already, take no time and their numbers mean nothing. Default: all.
        rule: what decides the size of the program.

    Example:
        >>> from semres_jax import Linear, spaces
        >>> from semres_jax.laws import quadrature
        >>> [round(float(p.p_i), 4) for p in quadrature.accuracies(spaces.Circle(), Linear(0.25), ns=(2, 3))]
        [0.8466, 0.7274]
    """
    _require(space)
    ns = tuple(require_items(n) for n in ns)
    run = functools.partial(members_accuracies, ns=ns, rule=rule, devices=tuple(devices), wanted=wanted)
    by_items = of_grid(run, space, similarity, exponent)
    return [Accuracy(*(p[..., i] for p in by_items)) for i in range(len(ns))]


@on_space
def accuracy(space: MetricSpace, similarity: Similarity, *, n: int = 2, exponent: ArrayLike = 1.0) -> Accuracy:
    """`integrate` without the error estimate, in about half the time. Arguments and errors as there.

    Example:
        >>> from semres_jax import Linear, spaces
        >>> from semres_jax.laws import quadrature
        >>> [round(float(p), 4) for p in quadrature.accuracy(spaces.Circle(), Linear(0.25), n=3)]
        [0.742, 0.7274]
    """
    (exact,) = accuracies(space, similarity, ns=(n,), exponent=exponent)
    return exact


def members_accuracies(
    space: MetricSpace,
    members: Similarity,
    exponent: Any,
    ns: tuple[int, ...],
    rule: Rule = FINE,
    devices: tuple[Any, ...] = (),
    wanted: np.ndarray | None = None,
) -> Accuracy:
    """(members, ns) accuracies of a grid along one axis, in the precision around; a known exponent may be infinite."""
    known = concrete(exponent)
    if known is not None and np.isinf(known):
        return _spread("argmax", ns, rule, devices)(space, members)
    exponent = jnp.asarray(exponent, jnp.result_type(*jax.tree.leaves(members), 0.0))
    wanted = np.ones(members.shape, bool) if wanted is None else wanted
    lone = space.homogeneous and members.shape == (1,) and not devices and not traced((space, members, exponent))
    (p_s, p_i), deep = _spread("lone" if lone else "luce", ns, rule, devices)(space, members, exponent, wanted)
    below = functools.partial(_deep.beyond_cut, space, members, exponent, ns=ns, rule=rule)
    if traced(deep):
        p_s = p_s + jax.lax.cond(any_of_all(deep), below, functools.partial(jnp.zeros_like, p_s))
    elif np.any(deep & wanted):  # the program for what is deep is compiled only where something is
        # Where slopes are taken without jit, `deep` is known and the members are not: all of them at once.
        few = np.flatnonzero(deep & wanted)
        p_s = p_s + (below() if traced(p_s) else _below(space, members, exponent, few, ns, rule))
    return slopes_told(Accuracy(p_s, p_i), space, members)


def _below(space: MetricSpace, members: Similarity, exponent: Any, deep: np.ndarray, ns: Any, rule: Rule) -> np.ndarray:
    """(members, ns) of `_deep`: of those that are deep, some at a time in one program; 0 for others."""
    gained = np.zeros((members.shape[0], len(ns)))
    together = min(len(gained), _DEEP)
    for some in np.split(deep, range(together, len(deep), together)):
        filled = some[np.minimum(np.arange(together), len(some) - 1)]
        part = jax.tree.map(lambda leaf, filled=filled: jnp.asarray(leaf)[filled], members)
        gained[some] = _deep.beyond_cut(space, part, exponent, ns=ns, rule=rule)[: len(some)]
    return gained


# A single member around a single probe takes about a millisecond: its program is compiled in two thirds of the time.
_LONE = jax.jit(
    _integrals.luce.__wrapped__,  # pyright: ignore[reportAttributeAccessIssue]
    static_argnames=("ns", "rule"),
    compiler_options={"xla_backend_optimization_level": 0},
)
_PROGRAMS: dict[str, Callable[..., Any]] = {"luce": _integrals.luce, "lone": _LONE, "argmax": _argmax.argmax}


@functools.lru_cache(maxsize=64)
def _spread(name: str, ns: tuple[int, ...], rule: Rule, devices: tuple[Any, ...]) -> Callable[..., Any]:
    """One of `_PROGRAMS`, a function of space, members and what else it takes; members in equal shares on devices."""
    run = functools.partial(_PROGRAMS[name], ns=ns, rule=rule)
    if len(devices) < 2:
        return run
    everywhere, split = PartitionSpec(), PartitionSpec("device")
    mesh = Mesh(np.array(devices), ("device",))
    specs = (everywhere, split, everywhere, split)[: {"argmax": 2, "luce": 4}[name]]
    return jax.jit(jax.shard_map(run, mesh=mesh, in_specs=specs, out_specs=split, check_vma=False))
