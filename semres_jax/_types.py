"""Array aliases, numbers with their uncertainty, and the two result types that every engine gives back."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array as Array, Key

from semres_jax._showing import concrete, html_table, members, rows, short

# What user-facing functions take where they want numbers: anything that jnp.asarray takes, lists included.
ArrayLike = Any
# A point of a space, or a batch of points: an array, or a tuple of points for a product.
Point = Any
PRNGKey = Key[Array, ""]
# What long work calls as it goes on: with what is being done, how much of it is done, and how much there is.
Progress = Callable[[str, int, int], None]


class Quantity(NamedTuple):
    """A number with its uncertainty, or arrays of such; NaN where a part isn't known.

    Attributes:
        value: the estimate, in the unit of what it measures.
        stderr: its standard error.
        low, high: ends of its interval; the docstring of what gives it names the level, 95 % where it doesn't.

    It prints itself: with its interval if that is known, else with its standard error in units of the last digit. A
    format such as ".4f" applies to the value and both ends, and to a standard error that follows a plus-minus sign.

    Example:
        >>> from semres_jax import Quantity
        >>> str(Quantity(0.75, 0.0003)), str(Quantity(32.7, 5.0, 23.0, 46.0)), str(Quantity(0.75))
        ('0.7500(3)', '32.7 [23, 46]', '0.75')
        >>> f"{Quantity(0.75, 0.0003):.4f}", f"{Quantity(32.7, 5.0, 23.0, 46.0):.1f}"
        ('0.7500 ± 0.0003', '32.7 [23.0, 46.0]')
    """

    value: Any
    stderr: Any = math.nan
    low: Any = math.nan
    high: Any = math.nan

    def __str__(self) -> str:
        return format(self)

    def __format__(self, spec: str) -> str:
        if any(map(np.ndim, self)):
            return f"Quantity of shape {np.broadcast_shapes(*map(np.shape, self))}"
        value, stderr, low, high = map(float, self)
        if not (math.isnan(low) and math.isnan(high)):
            value, low, high = (f"{x:{spec}}" if spec else _three_digits(x) for x in (value, low, high))
            return f"{value} [{low}, {high}]"
        if spec:
            return f"{value:{spec}}" + (f" ± {stderr:{spec.lstrip('+')}}" if math.isfinite(stderr) else "")
        if not (math.isfinite(value) and math.isfinite(stderr) and stderr > 0):
            return f"{value:.10g}"
        # One digit of the standard error, in units of the last digit of the value.
        digits = -int(f"{stderr:.0e}".partition("e")[2])
        if digits < 0:
            return f"{round(value, digits):.0f}({round(stderr, digits):.0f})"
        return f"{value:.{digits}f}({round(stderr * 10**digits)})"

    def __repr__(self) -> str:
        if not all(map(concrete, self)):
            return f"Quantity({short(self.value)})"
        return str(self) if any(map(np.ndim, self)) else f"Quantity({self})"

    def _repr_html_(self) -> str:
        if not all(map(concrete, self)):
            return html_table({type(self).__name__: [repr(self)]})
        named = {name: part for name, part in self._asdict().items() if name == "value" or not np.isnan(part).all()}
        return html_table({name: members(part, lambda x: f"{x:.6g}") for name, part in named.items()})


def _three_digits(x: float) -> str:
    """The first three digits of a number, without a power of ten where it is neither large nor small."""
    text = f"{x:.3g}"
    return f"{float(text):.0f}" if "e+0" in text and abs(x) < 1e6 else text


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

    def __repr__(self) -> str:
        return f"Accuracy(p_s={short(self.p_s)}, p_i={short(self.p_i)})"

    def _repr_html_(self) -> str:
        if not all(map(concrete, self)):
            return html_table({type(self).__name__: [repr(self)]})
        return html_table({name: members(part, lambda x: f"{x:.6g}") for name, part in self._asdict().items()})

    def to_dataframe(self, **swept: Any) -> Any:
        """A pandas.DataFrame with a row for each member of what was swept, in the order of the last axis first.

        Args:
            swept: columns that stand before p_s and p_i, such as epsilon; arrays that broadcast to the members' shape.

        Raises:
            ValueError: a column of another shape.

        Example:
            >>> from semres_jax import accuracy, Constant
            >>> grid = Constant([0.1, 0.25])
            >>> accuracy("circle", grid).to_dataframe(epsilon=grid.epsilon).round(3).values.tolist()
            [[0.1, 0.66, 0.9], [0.25, 0.75, 0.75]]
        """
        return rows(self._asdict(), swept)


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
            f"p_s = {Quantity(self.p_s, self.p_s_stderr)}, p_i = {Quantity(self.p_i, self.p_i_stderr)} "
            f"({self.trials:,} trials in {self.seconds:.3g} s)"
        )

    def __repr__(self) -> str:
        if not all(map(concrete, self[:4])):
            return f"Estimate(p_s={short(self.p_s)}, p_i={short(self.p_i)})"
        values = [(name, getattr(self, name), getattr(self, f"{name}_stderr")) for name in ("p_s", "p_i")]
        parts = [
            f"{name}={short(value)}" if np.ndim(value) else f"{name}={Quantity(value, stderr)}"
            for name, value, stderr in values
        ]
        return f"Estimate({', '.join(parts)}, trials={self.trials}, seconds={self.seconds:.3g})"

    def _repr_html_(self) -> str:
        if not all(map(concrete, self)):
            return html_table({type(self).__name__: [repr(self)]})
        both = {
            name: members(np.arange(np.size(value)), lambda i, value=value, error=error: str(
                Quantity(np.ravel(value)[i], np.ravel(error)[i])
            ))
            for name, value, error in (("p_s", self.p_s, self.p_s_stderr), ("p_i", self.p_i, self.p_i_stderr))
        }  # fmt: skip
        balls = {name: members(getattr(self, name), lambda x: f"{x:.4g}") for name in ("mean_b", "var_b")}
        return html_table(both | balls, f"{self.trials:,} trials in {self.seconds:.3g} s")

    def to_dataframe(self, **swept: Any) -> Any:
        """A pandas.DataFrame with a row for each member of what was swept; trials and seconds are its `attrs`.

        Args:
            swept: columns that stand before the others, such as epsilon; arrays that broadcast to the members' shape.

        Raises:
            ValueError: a column of another shape.

        Example:
            >>> from semres_jax import Constant, estimate
            >>> grid = Constant([0.1, 0.25])
            >>> made = estimate("circle", grid, key=0, trials=1024).to_dataframe(epsilon=grid.epsilon)
            >>> made.shape, made.attrs["trials"], made.columns[:3].tolist()
            ((2, 7), 1024, ['epsilon', 'p_s', 'p_i'])
        """
        named = self._asdict()
        table = rows({name: named[name] for name in self._fields[:6]}, swept)
        table.attrs |= {"trials": self.trials, "seconds": self.seconds}
        return table
