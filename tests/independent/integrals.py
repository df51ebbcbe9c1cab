"""Both accuracies from the law of the distance, by quadratures of their definitions.

Given the probe, distances of items are independent with density f. With losses φ = -a ln g, so that strengths are
e^-φ, the nearest item at u and the others beyond,

    p_S = n ∫ f(u) E[1 / (1 + Σ_k e^(φ(u) - φ(v_k))); all v_k > u] du,     p_I = E[1 / (1 + Σ_k e^-φ(v_k))].

For n = 2 these are sums as they stand; for more, 1/(1 + x) = ∫ e^-s e^-sx ds makes products of the items. Two ways of
doing so share no quadrature: `together` has one set of distances for the nearest item and the others, and logarithms
of s in equal steps; `nested` chooses the others' distances anew for each place of the nearest, where strengths of steep
similarities need it. `strongest` is for an infinite exponent: the nearest wins, but where items tie.
"""

import functools
import itertools
import math

import numpy as np
from scipy import special, stats

from tests.independent.distances import Law, graded, law as law_of, legendre, probes

# Nodes in a panel, and nodes in a panel of probes.
ORDER, PROBES = 14, 12
FINER = 8  # more of each in a second, finer pass
# Steeper similarities than so many nats where there is any mass are done by `nested`.
SHALLOW = 70.0
QUANTILES = (1e-15, 1e-12, 1e-9, 1e-7, 1e-5, 3e-4, 0.005, 0.03, 0.1, 0.22, 0.4, 0.6, 0.78, 0.9, 0.97, 0.995)
QUANTILES += (1 - 3e-4, 1 - 1e-5, 1 - 1e-7, 1 - 1e-9, 1 - 1e-12)
NATS = 45.0  # e^-45 of a strength changes nothing


def accuracies(space, strength, n, finer=False):
    """(p_S, p_I) of the definitions on a space with a law of distances."""
    order, count = (ORDER + FINER, PROBES + FINER) if finer else (ORDER, PROBES)
    total = np.zeros(3)
    for weight, law in probes(space, marks(space, strength), count):
        if math.isinf(strength.exponent):
            pair = strongest(law, strength, n)
        else:
            table = Table(law, strength)
            way = together if table.depth <= SHALLOW else nested
            pair = way(law, strength, n, order, table)
        total += weight * np.array([*pair, 1.0])
    if abs(total[2] - 1) > 1e-9:
        raise ArithmeticError(f"weights of probes on {space.label} add up to {total[2]}")
    return total[0] / total[2], total[1] / total[2]


def marks(space, strength):
    """Radii where accuracies have kinks, or change fast, when they meet an edge of the space."""
    places = list(strength.kinks)
    if strength.family != "tabulated" and not math.isinf(strength.exponent):
        near = [strength.epsilon * k for k in (0.1, 0.4, 1, 2.5, 6, 15)]
        places += [place for place in near if place < 0.3 * space.scale]
        if strength.family == "powerlaw":
            places += [space.scale * 8.0**-k for k in range(1, 8)]
    if space.kind == "product":
        laws = [law_of(factor, () if factor.homogeneous else (0.5,)) for factor in space.factors]
        for factor, law in zip(space.factors, laws, strict=True):
            places += [law.end, *law.kinks] if factor.homogeneous else []
    return [place for place in places if 0 < place < 4 * space.scale]


class Table:
    """A rough picture of a law and a similarity, from which panels are chosen; no accuracy rests on it."""

    def __init__(self, law, strength):
        places = (*law.kinks, *strength.kinks, *strength.landing)
        edges = sorted({0.0, law.end, *(k for k in places if 0 < k < law.end)})
        grid = [law.end * 2.0 ** -np.arange(0.0, 45.0, 0.5)]
        grid += [a + (b - a) * graded(60)[0] for a, b in itertools.pairwise(edges)]
        if strength.zero < law.end:
            grid += [strength.zero * (1 - 2.0 ** -np.arange(1.0, 48.0))]
        if strength.family in ("exponential", "gaussian", "powerlaw"):
            grid += [strength.epsilon * 2.0 ** np.arange(-6.0, 8.0, 0.25)]
        r = np.unique(np.concatenate(grid))
        self.r = r[(r > 0) & (r < law.end)]
        self.edges = edges
        density = law.density(self.r)
        steps = np.diff(self.r) * (density[1:] + density[:-1]) / 2
        self.below = np.concatenate([[0.0], np.cumsum(steps)]) + density[0] * self.r[0] / 2
        self.below /= self.below[-1]
        self.loss = strength.loss(self.r)
        there = np.isfinite(self.loss) & (self.below < 1 - 1e-15)
        if strength.zero < law.end:  # nothing matters in the last 1e-15 of the mass before h is 0
            there &= self.r < strength.zero * (1 - 1e-15)
        self.depth = float(np.max(self.loss[there], initial=0.0))

    def at_loss(self, loss):
        """The distances where h has fallen so far."""
        known = np.isfinite(self.loss)
        increasing = np.maximum.accumulate(self.loss[known])
        return np.interp(loss, increasing, self.r[known], left=0.0, right=self.edges[-1])

    def panels(self, law, strength, steps):
        """Edges of panels between which everything is smooth on its own scale; `steps` are losses."""
        ends = [*self.edges, *np.interp(QUANTILES, self.below, self.r), *self.at_loss(np.asarray(steps))]
        # A few nats before a kink credits change, as those who are farther are no longer weaker.
        there = strength.loss(np.array(self.edges))
        before = [loss - 0.4 * 2.0 ** np.arange(8.0) for loss in there[np.isfinite(there)]]
        ends += [] if self.depth < 5 else list(self.at_loss(np.concatenate(before)))
        first = np.interp(1e-16, self.below, self.r)
        if strength.family == "powerlaw" or self.depth > SHALLOW:
            ends += [r for r in law.end * 3.0 ** -np.arange(0.0, 40.0) if r > first]
        if strength.zero < law.end:
            ends += list(strength.zero * (1 - 6.0 ** -np.arange(1.0, 18.0)))
        # A panel that begins close to a kink of the law, but not at it, is no wider than a few times the distance.
        for kink, place in itertools.product((*law.kinks, law.end), strength.kinks):
            if 0 < abs(place - kink) < 0.02 * law.end:
                steps = abs(place - kink) * 8.0 ** np.arange(1, 18)
                ends += [*(kink + steps[steps < 0.3 * law.end]), *(kink - steps[steps < 0.3 * law.end])]
        ends = np.unique([x for x in ends if 0 <= x <= law.end])
        keep = [0.0]
        sharp = set(self.edges)
        for edge in ends[1:]:  # no panel too narrow to tell its ends apart, but at kinks
            if edge in sharp or edge - keep[-1] > 1e-13 * law.end:
                keep.append(edge)
        return np.array(keep)


def rule(law, strength, edges, order):
    """Distances (panels, nodes), the mass at each, and the matrix of tails within a panel."""
    x, w = (graded if law.rough else legendre)(order)
    a, b = edges[:-1, None], edges[1:, None]
    r = a + (b - a) * x
    if not np.isinf(strength.zero):  # near the end of g distances from it count
        r = np.where(a < strength.zero, np.minimum(r, strength.zero * (1 - 1e-17)), r)
    mass = law.density(r) * (b - a) * w
    return r, mass, tails(law.rough, order)


@functools.cache
def tails(rough, order):
    """T[i, j]: what mass at node j counts beyond node i of a panel."""
    t, w = legendre(order)
    inverse = np.linalg.inv(np.polynomial.legendre.legvander(2 * t - 1, order - 1))
    top, v = np.polynomial.legendre, np.zeros((order, order))
    for i, start in enumerate(t):
        x = start + (1 - start) * t  # exact for the polynomials through all nodes
        v[i] = (1 - start) * w @ (top.legvander(2 * x - 1, order - 1) @ inverse)
    return v / w


def together(law, strength, n, order, table=None):
    """All places of the nearest and of the others on one set of nodes."""
    table = Table(law, strength) if table is None else table
    steps = [0.25, 0.7, *np.arange(1.5, min(table.depth, 2 * SHALLOW) + 1.6, 1.5)]
    r, mass, tail = rule(law, strength, table.panels(law, strength, steps), order)
    loss = strength.loss(r)
    panels = len(r)

    def beyond(q):
        """Σ of q over what is farther than each node: (panels, nodes, ...)."""
        within = np.einsum("ij,kj...->ki...", tail, q)
        sums = q.sum(1)
        later = np.concatenate([np.cumsum(sums[::-1], axis=0)[::-1][1:], np.zeros_like(sums[:1])])
        return within + later[:, None]

    zero = np.isinf(loss)
    nothing = mass[zero].sum()
    if n == 2:
        at, masses, width = loss.ravel(), mass.ravel(), r.shape[1]
        p_s = 0.0
        for i in range(panels):  # the nearest in this panel, the other one in it, or beyond
            with np.errstate(invalid="ignore", over="ignore"):
                credit = 1 / (1 + np.exp(loss[i][:, None] - at[None, i * width :]))
            credit[np.isinf(loss[i])] = 0.5
            credit[:, :width] *= tail
            p_s += 2 * mass[i] @ (credit @ masses[i * width :])
        return p_s, masses @ (1 / (1 + np.exp(-at)))
    depth = np.max(loss[~zero], initial=0.0)
    step = 0.28
    log_s = np.arange(-37.0, depth + 4.2, step)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        decay = np.exp(-np.exp(log_s - np.where(zero, 0.0, loss)[..., None]))
        decay = np.where(zero[..., None], 1.0, decay)
        h_s = np.where(zero[..., None], 0.0, np.exp(log_s - np.where(zero, 0.0, loss)[..., None]))
        others = beyond(mass[..., None] * decay)
        p_s = n * step * np.sum(mass[..., None] * h_s * decay * others ** (n - 1)) + nothing**n / n
        everyone = np.sum(mass[..., None] * decay, axis=(0, 1))
        s = np.exp(log_s)
        p_i = step * np.sum(s * np.exp(-s) * everyone ** (n - 1))
    return p_s, p_i


def nested(law, strength, n, order, table=None):
    """The others' distances chosen for each place of the nearest."""
    table = Table(law, strength) if table is None else table
    steps = np.concatenate([[0.1, 0.3], 0.6 * 2.0 ** np.arange(0, math.log2(table.depth + 2) + 2)])
    r, mass, tail = rule(law, strength, table.panels(law, strength, steps), order)
    within = np.einsum("ij,kj->ki", tail, mass)
    sums = mass.sum(1)
    later = np.concatenate([np.cumsum(sums[::-1])[::-1][1:], [0.0]])
    left = (within + later[:, None]).ravel()
    u, m = r.ravel(), mass.ravel()
    loss = strength.loss(u)
    zero = np.isinf(loss)
    keep = ~zero & (m > 1e-19)
    nothing = m[zero].sum()
    p_s = nothing**n / n
    for some in (
        np.array_split(np.flatnonzero(keep), max(1, keep.sum() * (200 if n > 2 else 10) // 4000)) if keep.any() else ()
    ):
        p_s += n * m[some] @ _shared(law, strength, n, u[some], loss[some], left[some], table, order)
    start = np.zeros(1)
    return p_s, _shared(law, strength, n, start, start, np.ones(1), table, order)[0]


def _shared(law, strength, n, u, loss, left, table, order):
    """E[1 / (1 + Σ e^(φ(u) - φ(v_k))); all n - 1 others beyond u], for each u."""
    falls = np.array([0.05, 0.3, 1.0, 2.5, 5.0, 9.0, 15.0, 25.0, NATS])
    # From u on, by the table's local slope: its own steps may be wider than many nats.
    edges = [u[:, None], u[:, None] + table.at_loss(loss[:, None] + falls) - table.at_loss(loss[:, None])]
    if strength.zero < law.end:
        gap = strength.zero - u[:, None]
        edges.append(strength.zero - gap * np.array([0.5, 0.2, 0.05, 5e-3, 2e-4, 1e-6, 1e-9, 0.0]))
    # A fall that lies within a table's step, and geometric steps from u on.
    edges.append(np.broadcast_to(np.array([*table.edges[1:], *np.interp(QUANTILES[6:], table.below, table.r)]),
                                 (len(u), len(table.edges) - 1 + len(QUANTILES[6:]))))  # fmt: skip
    if strength.family == "powerlaw":
        edges.append(u[:, None] + np.maximum(u[:, None], strength.epsilon * 1e-3) * 3.0 ** np.arange(-3.0, 14.0))
    edges = np.clip(np.concatenate(edges, axis=1), u[:, None], min(law.end, strength.zero))
    edges.sort(axis=1)
    x, w = (graded if law.rough else legendre)(max(8, order - 4))
    width = np.diff(edges, axis=1)[..., None]
    useful = np.broadcast_to(width > 1e-15 * law.end, (*width.shape[:2], len(x)))
    v = edges[:, :-1, None] + width * x
    fall = np.full(v.shape, np.inf)
    fall[useful] = (strength.loss(v) - loss[:, None, None])[useful]
    useful = useful & (fall < NATS)
    fall = np.maximum(fall, 0.0)
    mass = np.zeros(v.shape)
    mass[useful] = law.density(v[useful])
    mass = (mass * width * w).reshape(len(u), -1)
    h = np.exp(-fall).reshape(len(u), -1)
    if n == 2:
        return left - np.sum(mass * h / (1 + h), axis=1)
    # ∫ e^-s (left - Σ mass (1 - e^-sh))^(n-1) ds, in panels that double from 1/n on.
    first, last = 0.4 / n, 44.0
    s_edges = np.array([0.0, *first * 2.0 ** np.arange(math.ceil(math.log2(last / first)) + 1)])
    x, w = legendre(8 if order <= ORDER else 12)
    s = (s_edges[:-1, None] + np.diff(s_edges)[:, None] * x).ravel()
    weight = (np.diff(s_edges)[:, None] * w).ravel() * np.exp(-s)
    total = np.zeros(len(u))
    for s_i, w_i in zip(s, weight, strict=True):
        total += w_i * np.maximum(left + np.einsum("uv,uv->u", mass, np.expm1(-s_i * h)), 0.0) ** (n - 1)
    return total


def strongest(law, strength, n):
    """Infinite exponent: full credit, but where items tie on a level of g the right one shares with them."""
    lost, best = 0.0, 0.0
    for start, end in strength.levels:
        if start >= law.end:
            continue
        here, weaker = (_mass(law, start, end), _mass(law, end, law.end))
        together_, alone = (here + weaker) ** n - weaker**n, 0.0
        for k in range(1, n + 1):
            alone += math.comb(n, k) * here**k * weaker ** (n - k) / k
        lost += together_ - alone
        if start == 0.0:
            best = here
    p_i = sum(math.comb(n - 1, k) * best**k * (1 - best) ** (n - 1 - k) / (k + 1) for k in range(n))
    return 1 - lost, p_i


def _mass(law, start, end):
    end = min(end, law.end)
    if end <= start:
        return 0.0
    edges = sorted({start, end, *(k for k in law.kinks if start < k < end)})
    x, w = graded(60) if law.rough else legendre(60)
    pieces = [np.sum((b - a) * w * law.density(a + (b - a) * x)) for a, b in itertools.pairwise(edges)]
    return float(np.clip(sum(pieces), 0, 1))


def averaged(space, strength, finer=False):
    """p_I for n = 2 a second way: the law of the distance of two random points alone, where there is a formula."""
    if space.kind == "interval":
        law = Law(lambda r: 2 * (1 - r), 1.0)
    elif space.kind == "gaussian":  # √2 χ
        law = Law(lambda r: stats.chi.pdf(r / math.sqrt(2), space.dim) / math.sqrt(2), 2 * math.sqrt(space.dim) + 16)
    else:  # Hammersley (1950): d r^(d-1) I_(1 - r²/4)((d+1)/2, 1/2) on the ball
        share = lambda r: special.betainc((space.dim + 1) / 2, 0.5, np.clip(1 - r * r / 4, 0, 1))  # noqa: E731
        law = Law(lambda r: space.dim * r ** (space.dim - 1) * share(r), 2.0, rough=True)
    table = Table(law, strength)
    steps = np.concatenate([[0.1, 0.3, 0.6], np.arange(1.2, 60.0, 1.2), 60.0 * 2.0 ** np.arange(0, 25)])
    r, mass, _ = rule(law, strength, table.panels(law, strength, steps), ORDER + (FINER if finer else 0))
    return float(np.sum(mass / (1 + np.exp(-strength.loss(r)))))
