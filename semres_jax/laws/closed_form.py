"""What is known in closed form about the two accuracies, as JAX functions of ball measures.

b is the ball measure b_p(epsilon): the probability that an item falls within the resolution of the probe. Functions are
elementwise and broadcast. Of known numbers they are answered in float64 NumPy, whatever JAX's precision; traced ones
(in `jit`, `vmap`, `grad`) keep their dtype. Every formula is derived from its definition, and proved equal, in
`semres_jax.laws.symbolic`. Sums over outcomes are in `_outcomes`.
"""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np

from semres_jax._checks import concrete, require, require_count
from semres_jax._types import Accuracy, Array, ArrayLike
from semres_jax.laws import _outcomes
from semres_jax.laws._precision import host_in_float64
from semres_jax.laws.reciprocal import nodes

# The best lambda in the limit of many items, and the value of both accuracies there: the root of
# e^{-λ}(Ei(λ) - ln λ - γ) = (1 - e^{-λ})/λ. LAMBDA_SLOPE is the next term: n b*(n) = λ* + LAMBDA_SLOPE/n + O(1/n²).
# All three are recomputed to 30 digits, and compared, by `symbolic`'s law "universal constant".
LAMBDA_STAR = 1.5028610173354529
LAMBDA_STAR_ACCURACY = 0.517351436894373
LAMBDA_SLOPE = -1.41117829447654

_UNIT = "a probability between 0 and 1"


@host_in_float64
def constant(b: ArrayLike, *, n: int = 2, delta: ArrayLike = 0.0) -> Accuracy:
    """Accuracies of the constant similarity for a probe of ball measure b, among n items.

    With K ~ Binomial(n, b) items inside the ball,

        p_S = Σ_{k>=1} C(n,k) b^k (1-b)^{n-k} / (k + (n-k)Δ) + (1-b)^n / n
        p_I = Σ_{j>=0} C(n-1,j) b^j (1-b)^{n-1-j} / (1 + j + (n-1-j)Δ);  at Δ = 0, (1 - (1-b)^n) / (n b).

    Source: Nurisso et al., arXiv 2506.14797, theorems 1 and 2 (n = 2) and 3. New, of this project: for any n and Δ
    dp_S/db = n (p_I - p_S) / (1 - b), so generalization is best exactly where the two curves cross.

    Args:
        b: ball measure in [0, 1], any shape.
        n: number of items, at least 2; static. Good for any size: the cost grows like ln n.
        delta: noise floor in [0, 1], broadcasting against b.

    Returns:
        Accuracy, both of the broadcast shape; in float64 to a relative error below 1e-13.

    Raises:
        ValueError: n below 2, b or delta outside [0, 1].

    Example:
        >>> from semres_jax import laws
        >>> [round(float(p), 4) for p in laws.constant(0.1, n=8)]
        [0.5231, 0.7119]
    """
    n = require_count("n", n, 2, " items")
    require("b", b, 0.0, 1.0, _UNIT)
    require("delta", delta, 0.0, 1.0, "a floor between 0 and 1")
    if n == 2:
        return _two_items(*_floats(b, 0.0, delta))
    return _outcomes.binomial(*_floats(b, delta), n=n)


def identification(b: ArrayLike, n: ArrayLike) -> np.ndarray:
    """p_I of `constant` at Δ = 0, (1 - (1-b)^n) / (n b), in NumPy: for fits, which want it for many b and n at once.

    Args:
        b: ball measures in [0, 1]; small ones keep all digits.
        n: numbers of items, broadcasting against b.

    Example:
        >>> from semres_jax import laws
        >>> laws.identification(0.5, [2, 4]).tolist()
        [0.75, 0.46875]
    """
    b, n = np.asarray(b, np.float64), np.asarray(n, np.float64)
    some = np.where(b > 0, b, 1.0)
    with np.errstate(divide="ignore"):
        return np.where(b > 0, -np.expm1(n * np.log1p(-some)) / (n * some), 1.0)


@host_in_float64
def constant_moments(mean_b: ArrayLike, var_b: ArrayLike, *, delta: ArrayLike = 0.0) -> Accuracy:
    """Theorems 1 and 2: the constant similarity and n = 2 items need only mean and variance of the ball measure.

        p_S = 1/2 + (<b> - <b>² - Var b) (1-Δ)/(1+Δ),   p_I = <b>/2 + (1 - <b>)/(1+Δ)

    Source: Nurisso et al., arXiv 2506.14797, theorems 1 (Δ = 0) and 2.

    Args:
        mean_b: <b> over probes, in [0, 1], any shape.
        var_b: variance over probes, at most 1/4 (an unbiased estimate may be slightly negative); broadcasts.
        delta: noise floor in [0, 1]; broadcasts.

    Raises:
        ValueError: an argument out of its range.

    Example:
        >>> from semres_jax import laws
        >>> [float(p) for p in laws.constant_moments(0.5, 0.0)]
        [0.75, 0.75]
    """
    require("mean_b", mean_b, 0.0, 1.0, _UNIT)
    require("var_b", var_b, -0.25, 0.25, "a variance of numbers between 0 and 1, at most 1/4")
    require("delta", delta, 0.0, 1.0, "a floor between 0 and 1")
    return _two_items(*_floats(mean_b, var_b, delta))


@host_in_float64
def constant_average(
    b: ArrayLike, weights: ArrayLike | None = None, *, n: int = 2, delta: ArrayLike = 0.0, axis: int = -1
) -> Accuracy:
    """Theorem 3: on a heterogeneous space the accuracies of n items are averages of `constant` over the probes.

    Source: Nurisso et al., arXiv 2506.14797, theorem 3.

    Args:
        b: ball measures of the probes, along `axis`, in [0, 1].
        weights: of the probes, (probes,) or of the shape of b; at least 0, in any unit; None weighs them equally.
        n, delta: as `constant`.
        axis: the axis of the probes in b (broadcast against delta).

    Returns:
        Accuracy of the shape of b (broadcast against delta) without that axis.

    Raises:
        ValueError: as `constant`; weights negative, all zero or of another length.

    Example:
        >>> import numpy as np
        >>> from semres_jax import laws
        >>> [round(float(p), 3) for p in laws.constant_average(np.array([0.25, 0.75]))]
        [0.688, 0.75]
    """
    b = jnp.asarray(b)
    accuracies = constant(b, n=n, delta=delta)
    if weights is None:
        return Accuracy(*(jnp.mean(p, axis=axis) for p in accuracies))
    require("weights", weights, 0.0, np.inf, "finite and at least 0")
    if (known := concrete(weights)) is not None and not known.sum() > 0:
        raise ValueError("weights must not all be 0")
    w, p_s = jnp.asarray(weights), accuracies.p_s
    if w.ndim == 1 != p_s.ndim:
        w = jnp.expand_dims(w, [i for i in range(p_s.ndim) if i != axis % p_s.ndim])
    if w.ndim != p_s.ndim or w.shape[axis] != p_s.shape[axis]:
        raise ValueError(f"weights must have one entry for each probe: got {jnp.shape(weights)} for b of {p_s.shape}")
    return Accuracy(*(jnp.sum(p * w, axis=axis) / jnp.sum(w, axis=axis) for p in accuracies))


@host_in_float64
def linear(b: ArrayLike) -> Accuracy:
    """Accuracies of the linear similarity max(0, 1 - d/ε) on the circle, n = 2, for every resolution.

    b = ε / diameter: the ball measure up to 1, and beyond 1 how far the resolution passes the diameter.

        b <= 1: p_S = 1/2 + b - (3/2 - ln 2) b²,   p_I = 1 - (1 - ln 2) b
        b > 1:  p_S = 1/2 + ∫_0^1 (1-v) artanh(v/y) dv = 1/2 + [(1+y)² ln(1+1/y) - (1-y)² ln(1-1/y)] / 4 - y/2
                with y = 2b - 1,   p_I = b ln(2 / (2 - 1/b))

    Source: b <= 1 is proposition 1 of Nurisso et al., arXiv 2506.14797; b > 1 is new, of this project. Both accuracies
    and their first derivatives are continuous at b = 1, where both are ln 2. p_S is largest at b = 1/(3 - 2 ln 2).

    Args:
        b: greater than 0, any shape.

    Raises:
        ValueError: b not above 0, or not finite.

    Example:
        >>> from semres_jax import laws
        >>> [round(float(p), 4) for p in laws.linear(1.0)]
        [0.6931, 0.6931]
    """
    require("b", b, np.nextafter(0.0, 1.0), np.inf, "a resolution in units of the diameter, above 0")
    (b,) = _floats(b)
    within = b <= 1
    near, far = jnp.where(within, b, 1.0), jnp.where(within, 2.0, b)  # each branch sees only what it can bear
    y = 2 * far - 1
    wide = y > 2
    p_s_far = 0.5 + jnp.where(wide, _linear_series(1 / jnp.where(wide, y, 3.0)), _linear_logs(jnp.where(wide, 1.5, y)))
    p_i_far = -far * jnp.log1p(-0.5 / far)
    log2 = math.log(2.0)
    return Accuracy(
        jnp.where(within, 0.5 + near - (1.5 - log2) * near**2, p_s_far),
        jnp.where(within, 1 - (1 - log2) * near, p_i_far),
    )


@host_in_float64
def large_n_limit(lam: ArrayLike) -> Accuracy:
    """Accuracies of the constant similarity in the limit n → ∞ at b = λ/n, Δ = 0.

        p_S = e^{-λ} (Ei(λ) - ln λ - γ),   p_I = (1 - e^{-λ}) / λ

    Source: new, of this project. The curves cross once, at `LAMBDA_STAR`, where p_S is largest and both accuracies are
    `LAMBDA_STAR_ACCURACY` > 1/2: at the right resolution even infinitely many items do not push generalization to zero.

    Args:
        lam: expected number of items inside the ball, at least 0, any shape.

    Returns:
        Accuracy of that shape; p_S = 0 and p_I = 1 at λ = 0; in float64 to a relative error below 1e-13.

    Raises:
        ValueError: lam negative or not finite.

    Example:
        >>> from semres_jax import laws
        >>> [round(float(p), 4) for p in laws.large_n_limit(laws.LAMBDA_STAR)]
        [0.5174, 0.5174]
    """
    require("lam", lam, 0.0, np.inf, "an expected number of items, at least 0")
    return _outcomes.poisson(*_floats(lam))


def optimal_ball_measure(n: int, delta: ArrayLike = 0.0) -> float:
    """b*(n): the ball measure at which the constant similarity generalizes best, where also p_S = p_I.

    Source: new, of this project. With K ~ Binomial(n-1, b), p_S rises while

        (1-b)^{n-1} (n-1) / (n (1 + (n-1)Δ)) > E[1 / ((K + (n-K)Δ) (K+1 + (n-1-K)Δ)); K >= 1].

    Divided by (1-b)^{n-1} the left side is constant and the right one a polynomial in b/(1-b) with positive
    coefficients: there is exactly one maximum. n b*(n) = LAMBDA_STAR + LAMBDA_SLOPE/n + O(1/n²) at Δ = 0; for n = 2
    b* = 1/2 at every Δ.

    Args:
        n: number of items, at least 2.
        delta: noise floor in [0, 1]; at 1, where p_S is flat, the limit 1 - n^{-1/(n-1)}.

    Returns:
        b*, a float in (0, 1), to about 1e-14 of itself.

    Raises:
        ValueError: n below 2, delta outside [0, 1].

    Example:
        >>> from semres_jax import laws
        >>> round(laws.optimal_ball_measure(2), 12), round(laws.optimal_ball_measure(100), 5)
        (0.5, 0.01489)
    """
    from scipy.optimize import brentq  # 0.2 s, and nothing else here needs it

    n = require_count("n", n, 2, " items")
    require("delta", delta, 0.0, 1.0, "a floor between 0 and 1")
    delta = float(delta)
    s, weight = nodes(n)
    contrast = 1 - delta
    gap = -np.expm1(-contrast * s) / contrast if contrast > 0 else s

    def slope(b: float) -> float:  # of p_S in b, over n (1 - Δ): the two positive sides above
        item = b * np.expm1(-contrast * s)
        some_inside = -np.expm1((n - 1) * np.log1p(-b * np.exp(-contrast * s) / (1 + item)))
        falls = weight * gap * np.exp((n - 1) * np.log1p(item) - n * delta * s) * some_inside
        return np.exp((n - 1) * np.log1p(-b)) * (n - 1) / (n * (1 + (n - 1) * delta)) - falls.sum()

    low, high = 0.5 / n, min(1 - 0.5 / n, (2 + 2 * np.log(n)) / n)  # n b* grows from 1.5 at Δ = 0 to ln n at Δ = 1
    return brentq(slope, low, high, xtol=1e-300, rtol=4 * np.finfo(float).eps)  # pyright: ignore[reportReturnType]


@host_in_float64
def finite_constant(k: ArrayLike, m: ArrayLike, *, n: int = 2, delta: ArrayLike = 0.0) -> Accuracy:
    """Accuracies of the constant similarity among finitely many stimuli with distinct items.

    A probe has m = N - 1 other stimuli, k of them inside its ball. Items are drawn without replacement, so the
    binomials of `constant` become hypergeometric: n draws of m for p_S, n - 1 draws for p_I. For n = 2 and Δ = 0

        p_S = [k(k-1) + (m-k)(m-k-1)] / (2m(m-1)) + 2k(m-k) / (m(m-1)),   p_I = 1 - k/(2m).

    Source: new, of this project. Average over probes for the accuracy of a space.

    Args:
        k: whole numbers in [0, m], any shape.
        m: whole numbers, at least n; broadcasts.
        n: number of items, at least 2; static. Memory is n + 1 numbers for each probe.
        delta: noise floor in [0, 1]; broadcasts.

    Raises:
        ValueError: n below 2 or above m, k outside [0, m], delta outside [0, 1].

    Example:
        >>> from semres_jax import laws
        >>> [round(float(p), 4) for p in laws.finite_constant(3, 9)]
        [0.75, 0.8333]
    """
    n = require_count("n", n, 2, " items")
    require("m", m, float(n), np.inf, f"the number of other stimuli, at least n = {n} as items are distinct")
    require("delta", delta, 0.0, 1.0, "a floor between 0 and 1")
    require("k", k, 0.0, np.inf, "a number of stimuli, at least 0")
    inside, others = concrete(k), concrete(m)
    if inside is not None and others is not None and (inside > others).any():
        raise ValueError(f"k must be at most m; got k = {np.max(inside):g} inside the ball, m = {np.min(others):g}")
    return _outcomes.hypergeometric(*_floats(k, m, delta), n=n)


@host_in_float64
def two_exemplars(hit_rate: ArrayLike, mean_b: ArrayLike, near: ArrayLike, far: ArrayLike) -> Accuracy:
    """Accuracies when the probe is another exemplar of its class; constant similarity, n = 2, Δ = 0.

        p_I = 1/2 + (h - <b>)/2,   p_S = 1/2 + (P(d_near <= ε) - P(d_far <= ε))/2

    As ε → 0 all four probabilities vanish and both accuracies are chance. Source: new, of this project.

    Args:
        hit_rate: h, probability that the probe lies within ε of its own class, in [0, 1].
        mean_b: <b>, probability that it lies within ε of another class.
        near, far: probability that the nearer and the farther of two items lie within ε of it. All broadcast.

    Raises:
        ValueError: an argument outside [0, 1].

    Example:
        >>> from semres_jax import laws
        >>> [round(float(p), 3) for p in laws.two_exemplars(0.9, 0.2, 0.36, 0.04)]
        [0.66, 0.85]
    """
    for name, value in (("hit_rate", hit_rate), ("mean_b", mean_b), ("near", near), ("far", far)):
        require(name, value, 0.0, 1.0, _UNIT)
    hit_rate, mean_b, near, far = _floats(hit_rate, mean_b, near, far)
    return Accuracy(0.5 + (near - far) / 2, 0.5 + (hit_rate - mean_b) / 2)


@host_in_float64
def segment_moments(epsilon: ArrayLike) -> tuple[Any, Any]:
    """Mean and variance over probes of the ball measure of the segment [0, 1].

    With η = min(ε, 1 - ε): <b> = ε(2 - ε) and Var b = η³ (2/3 - η), the same at ε and at 1 - ε; from ε = 1 on 1 and 0.
    Source: new, of this project.

    Args:
        epsilon: resolution, at least 0, any shape.

    Returns:
        (mean_b, var_b) of that shape.

    Raises:
        ValueError: epsilon negative or not finite.

    Example:
        >>> from semres_jax import laws
        >>> [round(float(x), 4) for x in laws.segment_moments(0.5)]
        [0.75, 0.0208]
    """
    return box_moments(epsilon, 1)


@host_in_float64
def box_moments(epsilon: ArrayLike, dim: int) -> tuple[Any, Any]:
    """Mean and variance over probes of the ball measure of [0, 1]^dim, by the largest of the coordinates' distances.

    Coordinates are independent, so <b> = m1^dim and <b²> = m2^dim with the moments m1, m2 of `segment_moments`.
    Source: new, of this project. Arguments and errors as `segment_moments`; dim at least 1.

    Example:
        >>> from semres_jax import laws
        >>> [round(float(x), 4) for x in laws.box_moments(0.5, 2)]
        [0.5625, 0.0239]
    """
    dim = require_count("dim", dim, 1)
    require("epsilon", epsilon, 0.0, np.inf, "a distance, at least 0")
    (epsilon,) = _floats(epsilon)
    epsilon = jnp.minimum(epsilon, 1.0)
    near = epsilon <= 0.5
    eta = jnp.where(near, epsilon, 1 - epsilon)
    mean = epsilon * (2 - epsilon)
    # Var b / <b>² of one coordinate; ε cancels where it is small, so nothing is divided by 0.
    spread = eta * (2 / 3 - eta) * jnp.where(near, (2 - epsilon) ** -2, (eta / jnp.where(near, 1.0, mean)) ** 2)
    return mean**dim, mean ** (2 * dim) * jnp.expm1(dim * jnp.log1p(spread))


def _floats(*values: Any) -> tuple[Array, ...]:
    """The values as arrays of one floating dtype and one shape."""
    dtype = jnp.result_type(*values, 0.0)
    return tuple(jnp.broadcast_arrays(*(jnp.asarray(value, dtype) for value in values)))


def _two_items(mean_b: Array, var_b: Array, delta: Array) -> Accuracy:
    """Theorem 2."""
    p_s = 0.5 + (mean_b * (1 - mean_b) - var_b) * (1 - delta) / (1 + delta)
    return Accuracy(p_s, mean_b / 2 + (1 - mean_b) / (1 + delta))


def _linear_series(inverse: Array) -> Array:
    """∫_0^1 (1-v) artanh(v/y) dv = Σ_i y^{-i} / (i (i+1) (i+2)) over odd i, for 1/y <= 1/2."""
    odd = np.arange(1.0, 48.0, 2.0)
    return inverse * jnp.polyval(jnp.asarray(1 / (odd * (odd + 1) * (odd + 2)), inverse.dtype)[::-1], inverse**2)


def _linear_logs(y: Array) -> Array:
    """The same in closed form, for y in (1, 2]: beyond, its terms cancel."""
    return ((1 + y) ** 2 * jnp.log1p(1 / y) - (1 - y) ** 2 * jnp.log((y - 1) / y)) / 4 - y / 2
