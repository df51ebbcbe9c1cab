"""Similarity functions written from their formulas, in logarithms: nothing here is taken from the package."""

import dataclasses
import math

import numpy as np

FAMILIES = ("constant", "linear", "exponential", "gaussian", "powerlaw", "tabulated")


@dataclasses.dataclass(frozen=True)
class Strength:
    """h(d) = g(d)^a as a loss φ(d) = -a ln g(d), with g = Δ + (1 - Δ) g0.

    g0 is 1 up to ε and 0 beyond ("constant"), max(0, 1 - d/ε), exp(-d/ε), exp(-(d/ε)²/2), (1 + d/ε)^(-decay), or a
    line through tabulated values, the last of which goes on for ever ("tabulated", which has no ε and Δ).
    """

    family: str
    epsilon: float = 0.5
    delta: float = 0.0
    decay: float = 1.0
    distances: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    exponent: float = 1.0

    def loss(self, d):
        """φ(d) >= 0, infinite where h is 0; exponent infinity is read as 1, whose order is the same."""
        a = 1.0 if math.isinf(self.exponent) else self.exponent
        d = np.asarray(d, float)
        if a == 0:
            return np.zeros(d.shape)
        return a * self._log(d)

    def _log(self, d):
        with np.errstate(divide="ignore", over="ignore"):
            if self.family == "tabulated":
                return -np.log(np.interp(d, self.distances, self.values))
            x = self._unfloored(d)
            if self.delta == 0:
                return x
            # Near the top and far below it: each form keeps the digits that the other loses.
            low = np.logaddexp(math.log(self.delta), np.log1p(-self.delta) - x)
            return -np.where(x < 0.5, np.log1p((1 - self.delta) * np.expm1(-x)), low)

    def _unfloored(self, d):
        """-ln g0."""
        e = self.epsilon
        if self.family == "constant":
            return np.where(d <= e, 0.0, np.inf)
        if self.family == "linear":
            return -np.log(np.maximum(e - d, 0.0) / e)  # e - d is exact near e, and 0 at e
        if self.family == "exponential":
            return d / e
        if self.family == "gaussian":
            return 0.5 * (d / e) ** 2
        return self.decay * np.log1p(d / e)

    @property
    def kinks(self):
        """Where g or its slope jumps."""
        if self.family == "tabulated":
            return tuple(self.distances[1:])
        return (self.epsilon,) if self.family in ("constant", "linear") else ()

    @property
    def landing(self):
        """Distances over which a similarity without kinks comes down to its floor."""
        if self.delta in (0, 1) or self.family not in ("exponential", "gaussian", "powerlaw"):
            return ()
        x = -math.log(self.delta) + np.array([-2.0, 0.0, 2.0, 5.0, 9.0, 14.0, 20.0, 27.0, 35.0])
        x = x[x > 0]
        if self.family == "powerlaw":
            x = np.expm1(np.minimum(x / self.decay, 600.0)) if self.decay > 0 else x
        return tuple(self.epsilon * (np.sqrt(2 * x) if self.family == "gaussian" else x))

    @property
    def zero(self):
        """From where on h is 0, infinity if nowhere."""
        if self.exponent == 0:
            return math.inf
        if self.family == "tabulated":
            return next((d for d, g in zip(self.distances, self.values, strict=True) if g == 0), math.inf)
        return self.epsilon if self.family in ("constant", "linear") and self.delta == 0 else math.inf

    @property
    def levels(self):
        """Intervals (from, to) of distance on each of which g keeps one value, for the choice of the strongest."""
        if self.delta == 1 and self.family != "tabulated":
            return ((0.0, math.inf),)
        if self.family == "constant":
            return ((0.0, self.epsilon), (self.epsilon, math.inf))
        if self.family == "linear":
            return ((self.epsilon, math.inf),)
        if self.family == "powerlaw" and self.decay == 0:
            return ((0.0, math.inf),)
        if self.family != "tabulated":
            return ()
        flat = []
        edges, values = (*self.distances, math.inf), (*self.values, self.values[-1])
        for start, end, first, last in zip(edges, edges[1:], values, values[1:], strict=False):
            if first == last and flat and flat[-1][1] == start:
                flat[-1] = (flat[-1][0], end)
            elif first == last:
                flat.append((start, end))
        return tuple(flat)

    def level(self, d):
        """A number for each distance, the same where g is the same."""
        if self.family == "constant" and self.delta < 1:
            return np.where(np.asarray(d) <= self.epsilon, 0.0, 1.0)
        level = np.array(d, float)
        for start, end in self.levels:
            level = np.where((level >= start) & (level <= end), start, level)
        return level
