"""Problems with a known answer, which engines, estimates and sweeps all run through.

Every problem is a grid of three resolutions and two floors, so that what runs through them shares its programs.
"""

import dataclasses
import functools
from types import SimpleNamespace
from typing import Any

import numpy as np
from scipy import stats

from semres_jax import similarity, spaces
from tests.independent import finite, integrals
from tests.independent.distances import Space
from tests.independent.similarities import Strength

DELTA = np.array([0.0, 0.1])
DECAY = 2.0
LINE = np.abs(np.subtract.outer(np.arange(4.0), np.arange(4.0)))
WEIGHTED = spaces.Finite(LINE, [0.1, 0.2, 0.3, 0.4])
_POINTS = np.random.default_rng(0).random((12, 2))
CLOUD = spaces.Finite(np.linalg.norm(_POINTS[:, None] - _POINTS[None], axis=-1))


@dataclasses.dataclass(frozen=True, eq=False)
class Problem:
    """A space, a similarity on a grid of `epsilon` and `DELTA`, and a task; `exact` is the answer, by `source`.

    The sources are programs of tests/independent, which take nothing from the package but the names of things:
    `integrals` over the law of distances of a space (named as they name it), `finite` sums over all draws from a table
    of distances, `bits` sums over strings; `counts` is written here. `quick` are the methods of estimates that are
    compared with it without --all.
    """

    space: Any
    kind: Any
    epsilon: tuple[float, float, float]
    engine: str
    source: str
    named: Space | None = None
    n: int = 2
    exponent: float = 1.0
    replace: bool = False
    quick: tuple[str, ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        """Of `accuracy`, `estimate` and their like."""
        replace = {"replace": True} if self.replace else {}
        return {"n": self.n, "exponent": self.exponent, **replace}

    @property
    def similarity(self):
        epsilon = np.array(self.epsilon)[:, None]
        decay = (DECAY,) if self.kind is similarity.PowerLaw else ()
        return self.kind(epsilon, *decay, DELTA[None, :])

    @functools.cached_property
    def exact(self) -> np.ndarray:
        """p_S and p_I along the first axis, resolutions and floors along the others."""
        answers = [[self._solved(epsilon, float(delta)) for delta in DELTA] for epsilon in self.epsilon]
        return np.moveaxis(np.array(answers), -1, 0)

    def _solved(self, epsilon, delta):
        strength = Strength(self.kind.name, epsilon, delta, DECAY, exponent=self.exponent)
        if self.source == "integrals":
            return integrals.accuracies(self.named, strength, self.n)
        if self.source == "counts":
            return _counts(np.asarray(self.space.distances), epsilon, delta, self.n)
        if self.source == "bits":
            return finite.bits(self.space.dim, strength, self.n)
        table = np.asarray(self.space.distances, float)
        weights = getattr(self.space, "weights", None)
        mass = np.full(len(table), 1 / len(table)) if weights is None else np.asarray(weights, float)
        stimuli = SimpleNamespace(
            size=len(table), table=lambda: table, mass=lambda: mass, weights=weights, replace=self.replace
        )
        return finite.accuracies(stimuli, strength, self.n)

    def __str__(self):
        task = "".join(f", {name}={value:g}" for name, value in self.options.items() if name != "replace")
        return f"{self.space.label}, {self.kind.name}{task}{', replace' if self.replace else ''}"


def _counts(table, epsilon, delta, n):
    """Both accuracies of a constant similarity on distinct items of a table: credit by how many are within reach."""
    others, within = len(table) - 1, (table <= epsilon).sum(1) - 1
    k = np.arange(n + 1)
    credit = np.where(k > 0, 1 / np.maximum(k + (n - k) * delta, 1e-300), 1 / n)
    p_s = stats.hypergeom(others, within[:, None], n).pmf(k) @ credit
    p_i = stats.hypergeom(others, within[:, None], n - 1).pmf(k[:-1]) @ (1 / (1 + k[:-1] + (n - 1 - k[:-1]) * delta))
    return p_s.mean(), p_i.mean()


_CIRCLE, _ON_CIRCLE = spaces.Circle(), Space("circle")
_INTERVAL, _ON_INTERVAL = spaces.Interval(), Space("interval")
_SMALL = (0.1, 0.2, 0.26)
_OF_LINE = (0.7, 1.0, 2.5)
_C, _L, _E = similarity.Constant, similarity.Linear, similarity.Exponential
_G, _P = similarity.Gaussian, similarity.PowerLaw

PROBLEMS = [
    Problem(_CIRCLE, _C, _SMALL, "closed_form", "integrals", _ON_CIRCLE, quick=("prng",)),
    Problem(_CIRCLE, _C, _SMALL, "closed_form", "integrals", _ON_CIRCLE, n=3, quick=("lattice",)),
    Problem(_CIRCLE, _C, _SMALL, "closed_form", "integrals", _ON_CIRCLE, n=40),
    Problem(_CIRCLE, _L, _SMALL, "quadrature", "integrals", _ON_CIRCLE, quick=("prng",)),
    Problem(_CIRCLE, _L, _SMALL, "quadrature", "integrals", _ON_CIRCLE, n=3),
    Problem(_CIRCLE, _E, _SMALL, "quadrature", "integrals", _ON_CIRCLE, n=3, exponent=2.0),
    Problem(spaces.Torus(1), _L, _SMALL, "quadrature", "integrals", Space("torus")),
    Problem(spaces.Sphere(1), _L, (0.3, 1.0, 2.0), "quadrature", "integrals", Space("sphere")),
    Problem(_INTERVAL, _C, _SMALL, "quadrature", "integrals", _ON_INTERVAL, n=8),
    Problem(_INTERVAL, _G, (0.2, 0.3, 0.6), "quadrature", "integrals", _ON_INTERVAL),
    Problem(spaces.get("torus"), _C, _SMALL, "closed_form", "integrals", Space("torus", 2), quick=("lattice",)),
    Problem(spaces.get("torus"), _C, _SMALL, "closed_form", "integrals", Space("torus", 2), n=40),
    Problem(spaces.Torus(2, "l2"), _C, _SMALL, "closed_form", "integrals", Space("torus", 2, "l2"), exponent=2.0),
    Problem(spaces.get("sphere(9)"), _C, (0.8, 1.6, 2.08), "closed_form", "integrals", Space("sphere", 9), n=3),
    Problem(spaces.Hamming(8), _C, (0.1, 0.25, 0.5), "closed_form", "bits", n=7),
    Problem(spaces.get("hamming"), _C, (0.25, 0.5, 0.65), "closed_form", "bits", n=3, quick=("prng",)),
    Problem(CLOUD, _C, (0.2, 0.4, 0.52), "enumeration", "finite"),
    Problem(CLOUD, _C, (0.2, 0.4, 0.52), "enumeration", "counts", n=3),
    Problem(CLOUD, _C, (0.2, 0.4, 0.52), "enumeration", "finite", n=4),
    Problem(CLOUD, _C, (0.2, 0.4, 0.52), "enumeration", "finite", n=4, replace=True),
    Problem(CLOUD, _E, (0.05, 0.2, 0.45), "enumeration", "finite", n=4),
    Problem(CLOUD, _P, (0.05, 0.2, 0.45), "enumeration", "finite"),
    Problem(spaces.get("finite"), _C, (0.2, 0.4, 0.52), "enumeration", "counts"),
    Problem(spaces.get("finite"), _C, (0.2, 0.4, 0.52), "enumeration", "counts", n=3),
    Problem(spaces.get("finite"), _C, (0.2, 0.4, 0.52), "enumeration", "counts", n=40),
    Problem(spaces.Tree.birds(), _C, (20.0, 40.0, 50.0), "enumeration", "counts", n=10),
    Problem(WEIGHTED, _C, _OF_LINE, "enumeration", "finite", quick=("prng",)),
    Problem(WEIGHTED, _C, _OF_LINE, "enumeration", "finite", n=3),
    Problem(WEIGHTED, _C, _OF_LINE, "enumeration", "finite", n=3, replace=True),
    Problem(WEIGHTED, _E, _OF_LINE, "enumeration", "finite"),
]  # fmt: skip
