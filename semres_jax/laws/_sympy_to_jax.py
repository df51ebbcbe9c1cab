"""From SymPy expressions to JAX functions: `sympy.lambdify` with the one map of the functions that it cannot print."""

import builtins
from collections.abc import Callable, Sequence

import jax.numpy as jnp
import sympy as sp
from jax.scipy import special

from semres_jax._types import Array, ArrayLike


def to_jax(symbols: Sequence[sp.Symbol], expression: sp.Expr) -> Callable[..., Array]:
    """The expression as a JAX function of the symbols, elementwise, in the dtype of its arguments.

    Raises:
        ValueError: the expression holds a function that is neither in `SYMPY_TO_JAX` nor printed by SymPy itself.

    Example:
        >>> import sympy as sp
        >>> from semres_jax.laws._sympy_to_jax import to_jax
        >>> x = sp.Symbol("x")
        >>> round(float(to_jax([x], sp.gamma(x) + sp.EulerGamma)(4.0)), 4)
        6.5772
    """
    written = sp.lambdify(symbols, expression, modules=[SYMPY_TO_JAX, "jax"])
    known = {*written.__globals__, *dir(builtins), *dir(jnp)}
    unknown = set(written.__code__.co_names) - known
    if unknown:
        raise ValueError(f"no JAX function is known for {', '.join(sorted(unknown))}: add it to SYMPY_TO_JAX")

    def function(*values: ArrayLike) -> Array:
        dtype = jnp.result_type(*values, 0.0)
        return jnp.asarray(written(*(jnp.asarray(value, dtype) for value in values)), dtype)

    return function


def _besseli(order: ArrayLike, z: ArrayLike) -> Array:
    if order == 0:
        return special.i0(z)
    if order == 1:
        return special.i1(z)
    raise ValueError(f"besseli is known for orders 0 and 1; got {order}")


def _harmonic(x: ArrayLike, order: ArrayLike = 1) -> Array:
    if order == 1:
        return special.digamma(x + 1.0) + jnp.euler_gamma
    return special.zeta(order, 1.0) - special.zeta(order, x + 1.0)


SYMPY_TO_JAX: dict[str, Callable[..., Array]] = {
    "Ei": special.expi,
    "E1": special.exp1,
    "besseli": _besseli,
    # special.beta is off by 6e-7 at (5, 10)
    "beta": lambda a, b: jnp.exp(special.gammaln(a) + special.gammaln(b) - special.gammaln(a + b)),
    "binomial": lambda n, k: jnp.exp(special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)),
    "digamma": special.digamma,
    "erf": special.erf,
    "erfc": special.erfc,
    "erfinv": special.erfinv,
    "factorial": lambda n: special.gamma(n + 1.0),
    "gamma": special.gamma,
    "harmonic": _harmonic,
    "loggamma": special.gammaln,
    "polygamma": lambda order, x: special.digamma(x) if order == 0 else special.polygamma(order, x),
    "zeta": lambda s, a=1.0: special.zeta(s, a),
}
