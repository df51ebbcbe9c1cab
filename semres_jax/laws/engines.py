"""The exact engines in one table, and `accuracy`, which takes the first that applies.

A new engine is one line of the table: its name, where it applies, and a function of the shared signature.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from semres_jax._checks import concrete, require_exponent, require_items
from semres_jax._types import Accuracy, ArrayLike
from semres_jax.laws import _slot_engine, closed_form, enumeration, quadrature
from semres_jax.laws._precision import of_grid
from semres_jax.similarity import Constant, Linear, Similarity, Slots, checked
from semres_jax.spaces import Circle, MetricSpace, Sphere, Torus
from semres_jax.spaces.named import on_space


class _Task(NamedTuple):
    """What an engine is asked for."""

    space: MetricSpace
    similarity: Similarity
    n: int
    exponent: Any
    replace: bool


class _Engine(NamedTuple):
    name: str
    applies: Callable[[_Task], bool]
    run: Callable[[_Task], Accuracy]


@on_space
def accuracy(space: Any, similarity: Any, *, n: Any = 2, exponent: ArrayLike = 1.0, replace: bool = False) -> Accuracy:
    """Exact accuracies of a system of finite resolution, by the best exact engine that there is.

    - In closed form: the constant similarity on homogeneous spaces (any n; with the Luce exponent a the floor Δ becomes
      Δ^a), `laws.constant(b(ε), n, Δ^a)`; and the linear one with n = 2, Δ = 0 on the circle, torus(1) and sphere(1),
      `laws.linear(ε / diameter)`.
    - By enumeration: any similarity and any n on finite spaces (`laws.enumeration`).
    - By quadrature: any similarity and any n on all other spaces with a ball measure (`laws.quadrature`; its
      `integrate` gives the same numbers with an estimate of their error, which is about 1e-12 on homogeneous spaces,
      below 1e-9 on others, and larger on products of two heterogeneous spaces).
    - By slots: `Slots` on products, where wholes are compared feature by feature (`laws.slots.accuracy`; not traced).

    Source: theorems 1 to 3 and proposition 1 of Nurisso et al., arXiv 2506.14797; all else: new, of this project.

    Args:
        space: any `MetricSpace`, or its name or file, as `spaces.get` takes it.
        similarity: any `Similarity`; a grid (array leaves) is swept in one compiled call.
        n: number of items, at least 2; static.
        exponent: Luce exponent, at least 0; infinity is argmax.
        replace: on finite spaces, whether stimuli may repeat; elsewhere it makes no difference.

    Returns:
        Accuracy of the similarity's shape: float64 NumPy whatever JAX's precision; or, where an argument is traced (in
        `jit`, `grad`, `vmap`), JAX arrays in the precision around, of the same 64-bit computation. Derivatives are
        taken forward, to any order, and cost one pass for each number that is differentiated in. Where g falls to 0
        without a floor, the slope by Δ isn't known, but for `Constant`: it is told as the lowest number there is.

    Raises:
        ValueError: no exact engine applies (the message names `semres_jax.estimate`); n below 2, or more distinct items
            than there are stimuli.

    Example:
        >>> from semres_jax import Constant, spaces
        >>> from semres_jax.laws import accuracy
        >>> [round(float(p), 4) for p in accuracy(spaces.Circle(), Constant([0.1, 0.25])).p_s]
        [0.66, 0.75]
        >>> round(float(accuracy(spaces.Ball(2), Constant(0.5)).p_i), 4)
        0.9014
    """
    if isinstance(similarity, Slots):
        return _slot_engine.accuracy(space, similarity, n=n, exponent=exponent, replace=replace)
    task = _Task(space, similarity, require_items(n), exponent, replace)
    engine = _engine(task)

    def run(space: MetricSpace, members: Similarity, exponent: Any) -> Accuracy:
        return engine.run(task._replace(space=space, similarity=members, exponent=exponent))

    return of_grid(run, space, similarity, exponent)


@on_space
def engine_for(space: Any, similarity: Any, *, n: Any = 2, exponent: ArrayLike = 1.0, replace: bool = False) -> str:
    """The engine that `accuracy` takes for these arguments: "closed_form", "quadrature", "enumeration" or "slots".

    Arguments and errors as `accuracy`; nothing is computed. `Slots` are for "slots", which may yet refuse them.

    Example:
        >>> from semres_jax import Constant, spaces
        >>> from semres_jax.laws import engine_for
        >>> engine_for(spaces.Circle(), Constant(0.1)), engine_for(spaces.Interval(), Constant(0.1))
        ('closed_form', 'quadrature')
    """
    n = require_items(n)
    return "slots" if isinstance(similarity, Slots) else _engine(_Task(space, similarity, n, exponent, replace)).name


def _engine(task: _Task) -> _Engine:
    checked(task.similarity)
    power = require_exponent(task.exponent)
    if not task.replace:
        task.space.require_distinct(task.n)
    for engine in _ENGINES:
        if engine.applies(task):
            return engine
    exponent = "" if power is None or power == 1 else f" and exponent {float(power):g}"
    raise ValueError(
        f"no exact engine for the {task.similarity.name} similarity on {task.space.label} with n = {task.n}{exponent}; "
        "use semres_jax.estimate"
    )


def _linear_applies(task: _Task) -> bool:
    delta = concrete(task.similarity.delta) if isinstance(task.similarity, Linear) else None
    power = concrete(task.exponent)
    known = delta is not None and not delta.any() and power is not None and bool(power == 1)
    # Where the distance to the probe is uniform between 0 and the diameter.
    space = task.space
    circle = isinstance(space, Circle) or (isinstance(space, (Sphere, Torus)) and space.dim == 1)
    return known and task.n == 2 and circle


def _linear(task: _Task) -> Accuracy:
    similarity: Any = task.similarity
    dtype = jnp.result_type(similarity.epsilon, 0.0)
    epsilon = jnp.broadcast_to(jnp.asarray(similarity.epsilon, dtype), similarity.shape)
    # No more than a hair above the limit at 0, where the law itself is not defined.
    return closed_form.linear(epsilon / task.space.diameter + float(jnp.finfo(epsilon.dtype).tiny))


def _averaged(task: _Task) -> bool:
    """Whether the constant similarity needs no more than an average over the probe."""
    return isinstance(task.similarity, Constant) and _integrable(task)


def _integrable(task: _Task) -> bool:
    # Repeated items of a product of too many stimuli for a table are those of a space that is not finite.
    independent = task.space.size is None or (task.replace and not task.space.enumerable)
    return independent and quadrature.applies(task.space)


def _integrated(task: _Task) -> Accuracy:
    p_s, p_i = quadrature.members_accuracies(task.space, task.similarity, task.exponent, (task.n,))
    return Accuracy(p_s[:, 0], p_i[:, 0])


def _average(task: _Task) -> Accuracy:
    return quadrature.members_constant(task.space, task.similarity, task.exponent, n=task.n)


def _enumerate(task: _Task) -> Accuracy:
    return enumeration.members_accuracy(task.space, task.similarity, task.exponent, n=task.n, replace=task.replace)


# The first that applies is taken.
_ENGINES = (
    _Engine("closed_form", lambda task: _averaged(task) and task.space.probe_uniforms == 0, _average),
    _Engine("closed_form", _linear_applies, _linear),
    _Engine("enumeration", lambda task: task.space.enumerable, _enumerate),
    _Engine("quadrature", _averaged, _average),
    _Engine("quadrature", _integrable, _integrated),
)
