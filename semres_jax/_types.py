"""Array aliases and the two result types that every engine gives back."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array as Array, Key

# What user-facing functions take where they want numbers: anything that jnp.asarray takes, lists included.
ArrayLike = Any
# A point of a space, or a batch of points: an array, or a tuple of points for a product.
Point = Any
PRNGKey = Key[Array, ""]


class Accuracy(NamedTuple):
    """Exact accuracies of one system, elementwise over whatever was swept.

    Attributes:
        p_s: probability of choosing the item closest to an independent probe (generalization), in [0, 1].
        p_i: probability of choosing the item that the probe is (identification), in [0, 1].

    Example:
        >>> from semres_jax import laws
        >>> [round(float(p), 3) for p in laws.constant(0.5)]
        [0.75, 0.75]
    """

    p_s: Any
    p_i: Any


class Estimate(NamedTuple):
    """Monte Carlo estimates with their standard errors; arrays of the shape of the swept similarity.

    Attributes:
        p_s, p_i: mean credit in the similarity and the identification task, in [0, 1].
        p_s_stderr, p_i_stderr: standard errors of the two means, with what rare events hardly drawn may add to them.
        mean_b, var_b: mean and variance over probes of the ball measure b_p(epsilon), both unbiased (so `var_b` can be
            slightly negative where the variance is zero); NaN where the similarity has no epsilon.
        trials: number of trials behind each number.
        seconds: wall time of the run, compilation included.
    """

    p_s: np.ndarray
    p_i: np.ndarray
    p_s_stderr: np.ndarray
    p_i_stderr: np.ndarray
    mean_b: np.ndarray
    var_b: np.ndarray
    trials: int
    seconds: float

    def __str__(self) -> str:
        if np.ndim(self.p_s):
            return f"Estimate of shape {np.shape(self.p_s)} from {self.trials:,} trials in {self.seconds:.3g} s"
        return (
            f"p_s = {_with_error(self.p_s, self.p_s_stderr)}, p_i = {_with_error(self.p_i, self.p_i_stderr)} "
            f"({self.trials:,} trials in {self.seconds:.3g} s)"
        )


def _with_error(value: Any, stderr: Any) -> str:
    """The value to the digit that its standard error allows: 0.73912 ± 0.00012."""
    value, stderr = float(value), float(stderr)
    if not stderr > 0 or not np.isfinite(stderr):
        return f"{value:.10g} ± {stderr:.1g}"
    digits = max(0, 1 - int(np.floor(np.log10(stderr))))
    return f"{value:.{digits}f} ± {stderr:.{digits}f}"
