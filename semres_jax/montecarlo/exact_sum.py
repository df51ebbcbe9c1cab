"""Sums without rounding, so that the order of the terms does not matter."""

import numpy as np

_FRACTION = 2.0**40


class ExactSum:
    """Running sums of floating-point numbers in fixed point: integers, whose sum is the same in every order.

    Each term is rounded once to a multiple of 2^-40 (the sums of a tile of trials: at most 2^30 large, with an error of
    their own above 2^-40). Whole parts and fractions are kept in 64 bits each, enough for 2^62.
    """

    def __init__(self, shape: tuple[int, ...]):
        self.whole = np.zeros(shape, np.int64)
        self.fraction = np.zeros(shape, np.int64)
        self.nan = np.zeros(shape, bool)

    def add(self, index: np.ndarray, values: np.ndarray) -> None:
        """Add values[i] to the sum at index[i] along the first axis, for all i."""
        if values.dtype.kind == "i":
            np.add.at(self.whole, index, values)
            return
        missing = ~np.isfinite(values)
        np.logical_or.at(self.nan, index, missing)
        values = np.where(missing, 0.0, values)
        whole = np.floor(values)
        np.add.at(self.whole, index, whole.astype(np.int64))
        np.add.at(self.fraction, index, np.rint((values - whole) * _FRACTION).astype(np.int64))
        self._carry()

    def _carry(self) -> None:
        carry = self.fraction >> 40
        self.whole += carry
        self.fraction -= carry << 40

    def merge(self, whole: np.ndarray, fraction: np.ndarray, nan: np.ndarray) -> None:
        """Add other sums of the same shape."""
        self.whole += whole
        self.fraction += fraction
        self.nan |= nan
        self._carry()

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """What `merge` takes, copied."""
        return self.whole.copy(), self.fraction.copy(), self.nan.copy()

    def value(self) -> np.ndarray:
        """The sums, rounded once to float64."""
        return np.where(self.nan, np.nan, self.whole + self.fraction / _FRACTION)
