"""Two models that are alike, whose fitted floors may not fall below 0: how far their resolutions then differ by chance.

A fit that would have a floor f below 0 keeps it at 0, and ln ε gives way: ln ε = e + q min(f, 0), with e and f what
they would be without the bound and q the pull of the floor on ln ε (`members.Bound`). Of two models that are alike the
sum of the floors says nothing of which is which, so it is taken as it is, f_1 + f_2 = 2 f. What differs by chance is
x = e_1 - e_2 and y = f_1 - f_2, jointly normal about 0 with a covariance that contributions of stimuli tell, so that

    D = x + q [min(f + y/2, 0) - min(f - y/2, 0)]

is x where floors are clear of 0, x + q y where both would lie below, and neither in between, where what contributions
say of single fits is off. Source: new, of this project.
"""

import math
from typing import NamedTuple

import numpy as np

from semres_jax.measure.members import Bound

# Nodes in the standard normal deviate of y, out to so many standard deviations, and in the logarithm of χ².
_NODES, _FAR, _SCALES = 121, 8.5, 160
# ln of what is left out of the law of χ².
_LEAST = 37.0


class Law(NamedTuple):
    """How the difference of two ln ε is spread where models are alike.

    Attributes:
        covariance: (2, 2) of x and y.
        floor: f.
        pull: q.
        freedom: degrees of freedom of the covariance, as Student's t has them.
    """

    covariance: np.ndarray
    floor: float
    pull: float
    freedom: float

    def _nodes(self) -> tuple[np.ndarray, np.ndarray]:
        """Standard normal deviates of y and their weights."""
        deviates = np.linspace(-_FAR, _FAR, _NODES)
        weights = np.exp(-(deviates**2) / 2)
        return deviates, weights / weights.sum()

    def _given(self, deviates: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of D for deviates of y and scales of both, which broadcast."""
        (var_x, both), (_, var_y) = self.covariance
        y = scale * math.sqrt(var_y) * deviates
        kept = np.minimum(self.floor + y / 2, 0.0) - np.minimum(self.floor - y / 2, 0.0)
        mean = (both / var_y * y if var_y > 0 else 0.0 * y) + self.pull * kept
        rest = var_x - (both**2 / var_y if var_y > 0 else 0.0)
        return mean, scale * math.sqrt(max(rest, 1e-12 * var_x))

    def stderr(self) -> float:
        """Standard deviation of D."""
        deviates, weights = self._nodes()
        mean, spread = self._given(deviates, np.ones(1))
        return math.sqrt(float(weights @ (mean**2 + spread**2)))

    def beyond(self, difference: float) -> float:
        """P(|D| >= a difference), with scales as Student's t has them: χ² of the degrees of freedom over these."""
        from scipy.special import ndtr  # scipy comes with jax

        half = self.freedom / 2
        log = np.linspace(-_LEAST / half, math.log1p(2 * _LEAST / half) + 0.5, _SCALES)
        weights = np.exp(half * (log - np.exp(log) + 1))
        deviates, of_deviates = self._nodes()
        mean, spread = self._given(deviates, np.exp(-log / 2)[:, None])
        size = abs(difference)
        share = ndtr((mean - size) / spread) + ndtr((-mean - size) / spread)
        return float(weights @ (share @ of_deviates) / weights.sum())

    def reach(self, level: float) -> float:
        """What |D| stays below with a probability."""
        from scipy.optimize import brentq

        high = self.stderr()
        while self.beyond(high) > 1 - level:
            high *= 2
        return float(brentq(lambda size: self.beyond(size) - (1 - level), 0.0, high, rtol=1e-10))  # pyright: ignore[reportArgumentType]


def law(first: Bound, second: Bound, freedom: float) -> Law | None:
    """The law of the difference of two ln ε whose models are alike; None where no floor is near 0."""
    slopes, pairs = first.slopes - second.slopes, first.pairs - second.pairs
    covariance = _covariance(slopes, pairs)
    floor = (first.floor + second.floor) / 2
    if not covariance[0, 0] > 0 or floor > _FAR * math.sqrt(covariance[1, 1]):
        return None
    return Law(covariance, floor, (first.pull + second.pull) / 2, freedom)


def _covariance(slopes: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """(2, 2) from (2, N) slopes and (2, N, N) pairs: of each combination of both max(Σ s² - V_2, V_2 / 2).

    As `intervals.error` has it for a single number; the combinations are those along which the two parts are diagonal.
    """
    from scipy.linalg import eigh

    whole, second = slopes @ slopes.T, np.einsum("aij,bij->ab", pairs, pairs) / 2
    if not (second[0, 0] > 0 and np.linalg.det(second) > 1e-12 * second[0, 0] * second[1, 1]):
        return whole
    ratios, vectors = eigh(whole, second)
    back = np.linalg.inv(vectors)
    return back.T @ np.diag(np.maximum(ratios - 1.0, 0.5)) @ back
