"""Laws of the distance between a probe and an item, space by space, from geometry alone.

`Law` is the law given one probe: a density between kinks. `probes` gives probes and weights over which to average;
where a space looks the same from everywhere it is one probe. What the probe is, in one number t:

    interval: its place; ball, gaussian, hyperbolic disk: its distance from the centre; product: those of its factors.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Callable

import numpy as np
from scipy import interpolate, special, stats

# Beyond so many standard deviations a gaussian holds less than 1e-25.
REACH = 10.5


@dataclasses.dataclass(frozen=True)
class Law:
    """Density of the distance on [0, end], smooth between `kinks` but for square roots at them if `rough`."""

    density: Callable
    end: float
    kinks: tuple[float, ...] = ()
    rough: bool = False
    measure: Callable | None = None  # the distribution function, where there is a formula


@dataclasses.dataclass(frozen=True)
class Space:
    """A space by name and numbers: kind, dim, metric, radius, factors."""

    kind: str
    dim: int = 1
    metric: str = "max"
    radius: float = 2.0
    factors: tuple["Space", ...] = ()

    @property
    def label(self):
        inside = ", ".join(factor.label for factor in self.factors)
        return {
            "product": f"product({inside}; {self.metric})",
            "torus": f"torus({self.dim}, {self.metric})",
            "hyperbolic": f"hyperbolic({self.radius:g})",
        }.get(self.kind, self.kind if self.kind in ("circle", "interval") else f"{self.kind}({self.dim})")

    @property
    def scale(self):
        """A typical large distance, by which resolutions are drawn."""
        if self.kind == "product":
            return (max if self.metric == "max" else min)(factor.scale for factor in self.factors)
        torus = {"max": 0.5, "l1": 0.5 * self.dim, "l2": 0.5 * math.sqrt(self.dim)}[self.metric]
        return {
            "circle": 0.5, "interval": 1.0, "torus": torus, "sphere": math.pi, "ball": 2.0, "hamming": 1.0,
            "gaussian": 2.0 * math.sqrt(self.dim), "hyperbolic": 2.0 * self.radius,
        }[self.kind]  # fmt: skip

    @property
    def homogeneous(self):
        if self.kind == "product":
            return all(factor.homogeneous for factor in self.factors)
        return self.kind in ("circle", "torus", "sphere", "hamming")


def legendre(count):
    """Nodes and weights on [0, 1]."""
    x, w = _legendre(count)
    return x, w


@functools.cache
def _legendre(count):
    x, w = np.polynomial.legendre.leggauss(count)
    return (x + 1) / 2, w / 2


@functools.cache
def graded(count):
    """Nodes and weights on [0, 1] after x = sin²(π t / 2): square roots at the ends become smooth."""
    t, w = _legendre(count)
    return np.sin(np.pi * t / 2) ** 2, w * np.pi / 2 * np.sin(np.pi * t)


# Homogeneous spaces


def _arc():
    return Law(lambda r: np.full(np.shape(r), 2.0), 0.5, measure=lambda r: np.clip(2 * r, 0, 1))


def _cube(dim):
    """The largest of `dim` gaps, each uniform on [0, 1/2]."""
    return Law(lambda r: 2.0 * dim * (2 * r) ** (dim - 1), 0.5, measure=lambda r: np.clip(2 * r, 0, 1) ** dim)


def _gaps(dim):
    """The sum of `dim` gaps: a cardinal B-spline."""
    spline = interpolate.BSpline.basis_element(np.arange(dim + 1.0), extrapolate=False)
    whole = spline.antiderivative()
    kinks = tuple(0.5 * k for k in range(1, dim))
    inside = lambda r: np.clip(2 * r, 0, dim * (1 - 1e-16))  # noqa: E731
    return Law(lambda r: 2 * np.nan_to_num(spline(inside(r))), dim / 2, kinks, measure=lambda r: whole(inside(r)))


def _diagonal():
    """Two gaps, Euclidean: the arc of the circle of radius r inside the unit square."""

    def density(r):
        return 2 * np.pi * r - np.where(r > 0.5, 8 * r * np.arccos(np.minimum(1.0, 0.5 / np.maximum(r, 0.5))), 0.0)

    def measure(r):
        far = np.maximum(r, 0.5)
        segment = far**2 * np.arccos(0.5 / far) - 0.5 * np.sqrt(far**2 - 0.25)
        return np.clip(np.pi * r**2 - 4 * segment, 0, 1)

    return Law(density, math.sqrt(0.5), (0.5,), rough=True, measure=measure)


def _sphere(dim):
    norm = math.exp(special.gammaln((dim + 1) / 2) - special.gammaln(dim / 2)) / math.sqrt(math.pi)

    def measure(r):
        half = 0.5 * special.betainc(dim / 2, 0.5, np.sin(r) ** 2)
        return np.where(r <= np.pi / 2, half, 1 - half)

    return Law(lambda r: norm * np.sin(r) ** (dim - 1), math.pi, measure=measure)


# Heterogeneous spaces: the law given the probe t


def _interval(t):
    near, far = min(t, 1 - t), max(t, 1 - t)
    return Law(
        lambda r: np.where(r < near, 2.0, np.where(r < far, 1.0, 0.0)),
        far,
        (near,),
        measure=lambda r: np.minimum(t + r, 1) - np.maximum(t - r, 0),
    )


def _share(dim, cosine):
    """Share of the sphere S^(dim-1) within the angle arccos(cosine) of a pole."""
    cosine = np.clip(cosine, -1, 1)
    if dim == 1:
        return np.where(cosine >= 1, 0.0, np.where(cosine > -1, 0.5, 1.0))
    if dim == 2:
        return np.arccos(cosine) / np.pi
    if dim == 3:
        return (1 - cosine) / 2
    half = 0.5 * special.betainc((dim - 1) / 2, 0.5, (1 - cosine) * (1 + cosine))
    return np.where(cosine >= 0, half, 1 - half)


def _ball(dim, t):
    """A sphere of radius r around the probe, cut by the unit sphere at the angle of the cosine (r² + t² - 1) / 2rt."""

    def density(r):
        with np.errstate(divide="ignore", invalid="ignore"):
            cosine = np.where(r <= 1 - t, -1.0, (r * r + (t - 1) * (t + 1)) / (2 * r * t))
        return dim * r ** (dim - 1) * _share(dim, cosine)

    def cap(cosine):  # share of the solid ball beyond a plane
        half = 0.5 * special.betainc((dim + 1) / 2, 0.5, np.maximum(1 - cosine**2, 0))
        return np.where(cosine >= 0, half, 1 - half)

    def measure(r):
        with np.errstate(divide="ignore", invalid="ignore"):
            lens = cap(np.clip((1 + t * t - r * r) / (2 * t), -1, 1)) + r**dim * cap(
                np.clip((r * r + t * t - 1) / (2 * r * t), -1, 1)
            )
        return np.where(r <= 1 - t, r**dim, np.where(r >= 1 + t, 1.0, lens))

    return Law(density, 1 + t, (1 - t,), rough=True, measure=measure)


def _gaussian(dim, t):
    """Noncentral chi: the distance of N(0, I) from a point at t."""

    def density(r):
        return 2 * r * stats.ncx2.pdf(r * r, dim, t * t) if dim > 1 else _two_sided(r, t)

    def measure(r):
        return stats.ncx2.cdf(r * r, dim, t * t) if t > 0 else stats.chi2.cdf(r * r, dim)

    return Law(density, math.sqrt(t * t + dim) + REACH + 2, measure=measure)


def _two_sided(r, t):
    return (np.exp(-0.5 * (r - t) ** 2) + np.exp(-0.5 * (r + t) ** 2)) / math.sqrt(2 * math.pi)


def _noncentral(dim, t):
    """The same density by the Bessel function, for dimensions from 2 on."""
    order = dim / 2 - 1

    def density(r):
        with np.errstate(divide="ignore", invalid="ignore"):
            x = r * t
            bessel = np.log(special.ive(order, x)) + x
            log = np.log(r) * (dim / 2) - order * math.log(t) - 0.5 * (r * r + t * t) + bessel
        return np.where((r > 0) & np.isfinite(log), np.exp(np.where(np.isfinite(log), log, 0.0)), 0.0)

    return density


def _hyperbolic(radius, t):
    """A circle of radius r in the hyperbolic plane, 2π sinh r long, and the part of it inside the disk."""
    big = radius > 30
    area = math.exp(-radius) * (math.cosh(radius) - 1) if big else 2 * math.sinh(radius / 2) ** 2

    def density(r):
        # tan²(θ/2) = sinh(s - t) sinh(s - r) / (sinh s sinh(s - R)), s half the perimeter; θ the half-angle inside.
        s = 0.5 * (t + r + radius)
        a, b, c = (np.maximum(x, 0.0) for x in (0.5 * (r + radius - t), 0.5 * (t - r + radius), 0.5 * (t + r - radius)))
        if big:  # sinh x = e^x (1 - e^-2x) / 2, and a + b = s + c - 2 c + ... in the exponents
            sinh = lambda x: -np.expm1(-2 * x)  # noqa: E731
            ratio, power = sinh(a) * sinh(b), a + b - s - c
        else:
            sinh, power = np.sinh, 0.0
            ratio = sinh(a) * sinh(b)
        with np.errstate(divide="ignore"):
            theta = np.where(c > 0, 2 * np.arctan2(np.sqrt(ratio * np.exp(power)), np.sqrt(sinh(s) * sinh(c))), np.pi)
        arc = 0.5 * np.exp(r - radius) * -np.expm1(-2 * r) if big else np.sinh(r)
        return arc * theta / (np.pi * area)

    return Law(density, radius + t, (radius - t,), rough=True)


def _joint(laws, metric):
    """The largest ("max") or smallest ("min") of independent distances."""

    def parts(r):
        inside = [np.where(r >= law.end, 1.0, law.measure(np.minimum(r, law.end))) for law in laws]
        density = [np.where(r >= law.end, 0.0, law.density(np.minimum(r, law.end))) for law in laws]
        return inside, density

    def density(r):
        inside, density = parts(r)
        total = 0.0
        for i, own in enumerate(density):
            rest = [b if metric == "max" else 1 - b for j, b in enumerate(inside) if j != i]
            total = total + own * functools.reduce(np.multiply, rest, np.ones(np.shape(r)))
        return total

    def measure(r):
        inside, _ = parts(r)
        if metric == "max":
            return functools.reduce(np.multiply, inside)
        return 1 - functools.reduce(np.multiply, [1 - b for b in inside])

    end = (max if metric == "max" else min)(law.end for law in laws)
    kinks = sorted({k for law in laws for k in (*law.kinks, law.end) if k < end})
    return Law(density, end, tuple(kinks), any(law.rough for law in laws), measure)


def law(space, t=()):
    """The law of the distance given the probe: `t` has a number for each heterogeneous part."""
    if space.kind == "product":
        left, laws = list(t), []
        for factor in space.factors:
            own = () if factor.homogeneous else (left.pop(0),)
            laws.append(law(factor, own))
        return _joint(laws, space.metric)
    if space.kind == "circle" or (space.kind == "torus" and space.dim == 1):
        return _arc()
    if space.kind == "torus":
        return {"max": _cube, "l1": _gaps}[space.metric](space.dim) if space.metric != "l2" else _diagonal()
    if space.kind == "sphere":
        return _sphere(space.dim)
    (own,) = t
    if space.kind == "interval":
        return _interval(own)
    if space.kind == "ball":
        return _ball(space.dim, own)
    return _gaussian(space.dim, own) if space.kind == "gaussian" else _hyperbolic(space.radius, own)


def _axis(space, marks):
    """Edges of panels in the probe's number, and its density; `marks` are radii at which the integrand has kinks."""
    if space.kind == "interval":  # by symmetry up to the middle
        return [0.0, *marks, *(1 - m for m in marks), 0.5], lambda t: 2.0 + 0 * t
    if space.kind == "ball":
        edges = [0.0, *(abs(1 - m) for m in marks), 1.0]
        edges += [q ** (1 / space.dim) for q in (1e-14, 1e-8, 1e-4, 0.03)] if space.dim > 8 else []
        return edges, lambda t: space.dim * t ** (space.dim - 1)
    if space.kind == "gaussian":
        quantiles = stats.chi.ppf((1e-5, 0.2, 0.8, 1 - 1e-5), space.dim)
        return [0.0, *quantiles, math.sqrt(space.dim) + REACH], lambda t: stats.chi.pdf(t, space.dim)
    big = space.radius
    edges = [0.0, *(abs(big - m) for m in marks), big, *(big - k for k in (1, 2, 4, 8, 16, 32) if k < big)]
    if big > 30:
        return edges, lambda t: np.exp(t - big) * -np.expm1(-2 * t) / (1 - 2 * math.exp(-big))
    return edges, lambda t: np.sinh(t) / (2 * math.sinh(big / 2) ** 2)


def probes(space, marks, order):
    """Pairs of a weight and a law: the average over the probe as a sum."""
    parts = space.factors if space.kind == "product" else (space,)
    axes = []
    for part in parts:
        if part.homogeneous:
            continue
        edges, density = _axis(part, marks)
        top = {"interval": 0.5, "ball": 1.0, "hyperbolic": part.radius}.get(part.kind, max(edges))
        edges = sorted({e for e in edges if 0 <= e <= top})
        nodes, weights = [], []
        x, w = (legendre if part.kind == "gaussian" else graded)(order + 4 * (part.kind == "gaussian"))
        for a, b in itertools.pairwise(edges):
            if b - a > 1e-13 * top:
                t = a + (b - a) * x
                nodes.append(t)
                weights.append((b - a) * w * density(t))
        axes.append((np.concatenate(nodes), np.concatenate(weights)))
    for combination in itertools.product(*(range(len(t)) for t, _ in axes)):
        weight = math.prod(axis[1][i] for axis, i in zip(axes, combination, strict=True))
        if weight > 1e-17:
            yield weight, law(space, tuple(axis[0][i] for axis, i in zip(axes, combination, strict=True)))
