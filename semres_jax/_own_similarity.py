"""Similarities out of plain functions."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import brief, require
from semres_jax._pytrees import pytree
from semres_jax._resolved import Resolved
from semres_jax._types import Array

# Distances that a function is looked at, in units of ε, and how far off rounding may put it.
_AT = np.unique(np.concatenate([[0.0], np.geomspace(1e-3, 1e3, 121), np.linspace(0.0, 4.0, 161)]))
_ROUNDING = 1e-6
# Resolutions that a function of distance and resolution is looked at.
_RESOLUTIONS = (0.1, 1.0, 10.0)


def from_function(f: Any, *, name: str = "own", kinks: Sequence[float] = ()) -> type[Resolved]:
    """A family of similarities g = Δ + (1 - Δ) g0 out of a plain function g0, as "exponential" is one.

    What comes back is a class: `Own(0.2)` and `Own(0.2, delta=0.1)` are similarities, and the class itself goes
    wherever the name of a family does: sweeps, fits, fronts. The same function gives the same class, so that nothing is
    compiled twice; a lambda that is written anew is another function. `similarity.KINDS["NAME"] = Own` makes it known
    by name.

    Args:
        f: g0, written with jax.numpy, elementwise: of the distance in units of ε, `f(d / epsilon)`; or, where it takes
            two arguments, of distance and resolution, `f(d, epsilon)`. 1 at 0, never rising, at least 0.
        name: in tables and figures.
        kinks: distances, in units of ε, where f is not smooth; integrals split there. Where a function of one argument
            is 0 from ε on, this is seen.

    Raises:
        ValueError: a function that is not 1 at 0, rises, leaves 0 to 1, is NaN, or changes the shape of its argument.

    Example:
        >>> from semres_jax import similarity
        >>> Lorentz = similarity.from_function(lambda x: 1 / (1 + x**2), name="lorentz")
        >>> [round(float(g), 3) for g in Lorentz(0.1, delta=0.05)([0.0, 0.1, 0.3])]
        [1.0, 0.525, 0.145]
    """
    if not callable(f) or isinstance(f, type):
        raise ValueError(f"f must be a function of the distance, such as lambda x: 1 / (1 + x**2); got {brief(f)}")
    require("kinks", kinks, 0.0, np.inf, "distances in units of epsilon, at least 0")
    known = tuple(float(x) for x in np.ravel(np.asarray(kinks, np.float64)))
    try:
        hash(f)
    except TypeError:
        raise ValueError(f"f must be a function that can be hashed; got {brief(f)} (wrap it in a def)") from None
    return _family(f, str(name), known)


def _sided(ratio: Array, d: Array, epsilon: Any) -> Array:
    """d / ε on the same side of 1 as d is of ε, whatever rounding does: it is what decides where g ends there."""
    within = jnp.where(d == epsilon, 1.0, jnp.minimum(ratio, 1.0))
    return jnp.where(jnp.asarray(epsilon) > 0, jnp.where(d <= epsilon, within, jnp.maximum(ratio, 1.0)), ratio)


def _arguments(f: Callable[..., Any]) -> int:
    """How many arguments a function needs; 1 where it doesn't say."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (ValueError, TypeError):
        return 1
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = sum(p.kind in places and p.default is p.empty for p in parameters)
    if needed > 2 or (needed == 0 and not any(p.kind in (*places, p.VAR_POSITIONAL) for p in parameters)):
        raise ValueError(f"f must take the distance in units of epsilon, or distance and epsilon; it takes {needed}")
    return max(needed, 1)


@functools.cache
def _family(f: Callable[..., Any], called: str, places: tuple[float, ...]) -> type[Resolved]:
    """The class of a function, once it is known to be a similarity."""
    two = _arguments(f) == 2
    values = [_values(f, (_AT * epsilon, np.full_like(_AT, epsilon)), called) for epsilon in _RESOLUTIONS] if two else [
        _values(f, (_AT,), called)]  # fmt: skip
    for epsilon, g in zip(_RESOLUTIONS if two else (None,), values, strict=True):
        _require_similarity(g, called, "" if epsilon is None else f" at epsilon = {epsilon:g}")
    over = bool(not two and (values[0][_AT > 1.0] == 0).all() and (values[0][_AT < 1.0] > 0).all())
    at = tuple(sorted({*places, 1.0})) if over else places

    @pytree
    class Own(Resolved):
        """A family out of a function."""

        epsilon: Any
        delta: Any = 0.0
        name: ClassVar[str] = called
        ends: ClassVar[bool] = over

        def _unfloored(self, d: Array) -> Array:
            if two:
                return jnp.asarray(f(d, jnp.asarray(self.epsilon)), d.dtype)
            ratio = self._scaled(d)
            return jnp.asarray(f(_sided(ratio, d, self.epsilon) if over else ratio), ratio.dtype)

        def kinks(self) -> tuple[Any, ...]:
            return tuple(x * self.epsilon for x in at)

    Own.__name__ = Own.__qualname__ = "".join(c for c in called.title() if c.isalnum()) or "Own"
    Own.__doc__ = f"g = delta + (1 - delta) g0, g0 the function {getattr(f, '__name__', 'f')!r}."
    return Own


def _values(f: Callable[..., Any], arguments: tuple[np.ndarray, ...], called: str) -> np.ndarray:
    """f at distances, in float64, through JAX as engines call it."""
    try:
        with jax.enable_x64(True):
            made = np.asarray(jax.jit(lambda *x: jnp.asarray(f(*x)))(*arguments))
    except Exception as error:  # whatever a user's function raises
        reason = " ".join(str(error).split())[:100]
        raise ValueError(
            f"similarity {called!r}: f must be written with jax.numpy and work on arrays of distances; it raised "
            f"{type(error).__name__}: {reason}"
        ) from None
    if made.shape != arguments[0].shape or made.dtype.kind not in "fiub":
        what = f"shape {made.shape}" if made.shape != arguments[0].shape else f"entries of the kind {made.dtype}"
        raise ValueError(f"similarity {called!r}: f must give one number for each distance; of shape "
                         f"{arguments[0].shape} it made {what}")  # fmt: skip
    return made.astype(np.float64)


def _require_similarity(g: np.ndarray, called: str, where: str) -> None:
    def refuse(bad: np.ndarray, rule: str) -> None:
        if bad.any():
            k = int(bad.argmax())
            raise ValueError(f"similarity {called!r}: f must {rule}; it is {g[k]:.6g} at a distance of {_AT[k]:.4g} "
                             f"epsilon{where}")  # fmt: skip

    refuse(np.isnan(g), "have a value at every distance")
    refuse((_AT == 0) & (abs(g - 1) > _ROUNDING), "be 1 at distance 0")
    refuse((g < -_ROUNDING) | (g > 1 + _ROUNDING), "be between 0 and 1")
    risen = np.append(False, np.diff(g) > _ROUNDING)
    if risen.any():
        k = int(risen.argmax())
        raise ValueError(f"similarity {called!r}: f must never rise with distance; it rises from {g[k - 1]:.6g} at "
                         f"{_AT[k - 1]:.4g} epsilon to {g[k]:.6g} at {_AT[k]:.4g} epsilon{where}")  # fmt: skip
