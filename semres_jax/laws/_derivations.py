"""The laws derived in SymPy from their definitions: sums over outcomes of the Luce credit, integrals over distances.

Nothing here knows an answer. Each function gives the equations of one law as {left side: derived expression};
`symbolic` holds the closed forms they are proved equal to. Items are draws from the stimulus measure, b is the ball
measure, and n, k, j are whole numbers.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import sympy as sp

b, Delta = sp.symbols("b Delta", positive=True)
lam = sp.Symbol("lambda", positive=True)
mean_b, var_b = sp.symbols("mean_b var_b", positive=True)
epsilon = sp.Symbol("epsilon", positive=True)
n = sp.Symbol("n", integer=True, positive=True)
k, m = sp.symbols("k m", integer=True, positive=True)
j = sp.Symbol("j", integer=True, nonnegative=True)
hit_rate, near, far = sp.symbols("hit_rate near far", positive=True)
share, b_1, b_2 = sp.symbols("share b_1 b_2", positive=True)  # a space of two kinds of probes
moment = sp.symbols("M_0:9", positive=True)  # moment[i] = <b^i> over probes

Equations = dict[str, Any]  # SymPy's own annotations don't know what its operators give


def luce(right: Any, strengths: Sequence[Any]) -> Any:
    """Credit of one trial; all strengths zero share it."""
    total = sp.Add(*strengths)
    return sp.Rational(1, len(strengths)) if total == 0 else right / total


def outcomes(items: int, floor: Any) -> tuple[Any, Any]:
    """p_S and p_I given a probe of ball measure b, by the 2^n ways in which items fall inside its ball or outside."""
    p_s = [
        chance * luce(sp.S.One if any(inside) else floor, strengths)  # the closest item is inside if any item is
        for inside, strengths, chance in _patterns(items, floor)
    ]
    p_i = [
        chance * luce(sp.S.One, [sp.S.One, *strengths])  # the probe itself is an item, at distance 0
        for _, strengths, chance in _patterns(items - 1, floor)
    ]
    return sp.Add(*p_s), sp.Add(*p_i)


def _patterns(items: int, floor: Any):
    for inside in itertools.product((True, False), repeat=items):
        chance = sp.Mul(*(b if within else 1 - b for within in inside))
        yield inside, [sp.S.One if within else floor for within in inside], chance


def averaged(given_probe: Any) -> Any:
    """Average over probes of a polynomial in b, in terms of the moments <b^i>."""
    coefficients = sp.Poly(sp.expand(given_probe), b).all_coeffs()[::-1]
    return sp.Add(*(c * (moment[i] if i else 1) for i, c in enumerate(coefficients)))


def two_items(floor: Any) -> Equations:
    known = {moment[1]: mean_b, moment[2]: var_b + mean_b**2}
    p_s, p_i = (averaged(p).subs(known) for p in outcomes(2, floor))
    return {"p_s": p_s, "p_i": p_i}


def many_items() -> Equations:
    sums = {items: zip(("p_s", "p_i"), outcomes(items, Delta), strict=True) for items in range(2, 9)}
    return {f"{name}, n = {items}": p for items, pair in sums.items() for name, p in pair}


def no_floor() -> Equations:
    """Credit 1/(1+j) with j of the n - 1 others inside, summed over j for symbolic n."""
    q = sp.Symbol("q", positive=True)
    chance = sp.binomial(n - 1, j) * b**j * q ** (n - 1 - j)
    summed: Any = sp.piecewise_fold(sp.summation(chance / (1 + j), (j, 0, n - 1)))
    # SymPy sums where b/q <= 1. Both sides are polynomials in b and q, so what holds there holds everywhere.
    if isinstance(summed, sp.Piecewise):
        summed = summed.args[0].args[0]
    ratio = sp.Wild("ratio")
    within = summed.replace(ratio**n, lambda ratio: sp.together(ratio).subs(q, 1 - b) ** n)
    return {"p_i": sp.powsimp(sp.expand(within.subs(q, 1 - b)))}


def heterogeneous() -> Equations:
    mixture = {moment[i]: share * b_1**i + (1 - share) * b_2**i for i in (1, 2)}
    two = [averaged(p).subs(mixture) for p in outcomes(2, Delta)]
    three = [averaged(p) for p in outcomes(3, sp.S.Zero)]
    return {
        "p_s, two kinds of probes": two[0],
        "p_i, two kinds of probes": two[1],
        "p_s, n = 3": three[0],
        "p_i, n = 3": three[1],
    }


def collapse() -> Equations:
    """With b = 1 - e^{-a}, a > 0, so that SymPy knows that (1-b)^n vanishes."""
    a = sp.Symbol("a", positive=True)
    decaying = sp.expand(n * no_floor()["p_i"]).subs(b, 1 - sp.exp(-a))
    limit = sp.limit(sp.powdenest(sp.simplify(decaying), force=True), n, sp.oo)
    return {"lim n p_i": limit.subs(a, -sp.log(1 - b))}


def derivative() -> Equations:
    """dp_S/db, outcome by outcome; and, for any n and any credit c(k), the coefficient of c(k) in it."""
    equations = {f"dp_s/db, n = {items}": sp.diff(outcomes(items, Delta)[0], b) for items in range(2, 9)}
    chance = sp.binomial(n, k) * b**k * (1 - b) ** (n - k)
    equations["coefficient of c(k) in dp_s/db, any n"] = sp.diff(chance, b)
    equations["coefficient of c(0) in dp_s/db, any n"] = sp.diff(chance.subs(k, 0), b)
    return equations


def one_maximum() -> Equations:
    """Steps of the credit 1/(k + (n-k)Δ) of the similarity task as one more item falls inside, for any n."""

    def credit(inside):
        return 1 / (inside + (n - inside) * Delta)

    equations = {"c(1) - c(0)": credit(1) - 1 / n, "c(k+1) - c(k)": credit(k + 1) - credit(k)}
    for items in (2, 3, 4, 5):
        equations[f"dp_s/db, n = {items}"] = sp.diff(outcomes(items, Delta)[0], b)
    return equations


def constant_optimum() -> Equations:
    p_s = two_items(Delta)["p_s"].subs({var_b: 0, mean_b: b})
    (best,) = sp.solve(sp.diff(p_s, b), b)
    return {"argmax p_s": best, "max p_s": p_s.subs(b, best), "max p_s, no floor": p_s.subs(b, best).subs(Delta, 0)}


def large_n() -> Equations:
    """At b = λ/n: the law of K by its value at 0 and its ratios, the limit of p_I, p_S summed over the limit law."""
    real_n = sp.Symbol("n", positive=True)
    chance = sp.binomial(n, j) * (lam / n) ** j * (1 - lam / n) ** (n - j)
    ratio = sp.combsimp(sp.simplify(chance.subs(j, j + 1) / chance)).subs(n, real_n)
    poisson = lam**k * sp.exp(-lam) / sp.factorial(k)
    term = lam**k / (k * sp.factorial(k))
    p_s = sp.expand(sp.summation(poisson / k, (k, 1, sp.oo)))
    return {
        "lim P(K = 0)": sp.limit(chance.subs(j, 0).subs(n, real_n), real_n, sp.oo),
        "lim P(K = j+1) / P(K = j)": sp.limit(ratio, real_n, sp.oo),
        "lim p_i": sp.limit(no_floor()["p_i"].subs(b, lam / n).subs(n, real_n), real_n, sp.oo),
        "p_i": sp.expand(sp.summation(lam**j * sp.exp(-lam) / sp.factorial(j) / (1 + j), (j, 0, sp.oo))),
        "p_s": p_s,
        "d(exp(λ) p_s)/dλ, term by term": sp.summation(sp.simplify(sp.diff(term, lam)), (k, 1, sp.oo)),
        "dp_s/dλ": sp.diff(p_s, lam),
        "p_s at λ = 0": sp.limit(p_s, lam, 0),
        "p_i at λ = 0": sp.limit((1 - sp.exp(-lam)) / lam, lam, 0),
    }


def universal_constant(p_s: Any, p_i: Any) -> Equations:
    """λ*, the accuracy there, and how n b*(n) approaches it, from the next term in 1/n of both accuracies."""
    x = sp.Symbol("x", positive=True)  # 1/n
    i = sp.Symbol("i", integer=True, nonnegative=True)
    # ln of C(n,k) (λ/n)^k (1-λ/n)^{n-k} = Σ_{i<k} ln(1 - i x) + (1/x - k) ln(1 - λx) - ln k! + k ln λ, to first order.
    falling = sp.summation(sp.diff(sp.log(1 - i * x), x).subs(x, 0), (i, 0, k - 1))
    rest = sp.series((1 / x - k) * sp.log(1 - lam * x), x, 0, 2).removeO().coeff(x, 1)
    correction = sp.expand(falling + rest)
    poisson = lam**k * sp.exp(-lam) / sp.factorial(k)
    moments = {power: sp.summation(poisson * k ** (power - 1), (k, 1, sp.oo)) for power in (1, 2)} | {0: p_s}
    p_s_next = sum(correction.coeff(k, power) * moments[power] for power in (0, 1, 2)) + sp.exp(-lam)  # c(0) = 1/n
    p_i_exact = (1 - sp.exp(sp.log(1 - lam * x) / x)) / lam
    p_i_next = sp.limit(sp.diff(p_i_exact, x), x, 0)
    slope = -(p_i_next - p_s_next) / sp.diff(p_i - p_s, lam)
    meets = sp.exp(lam) * p_i + sp.log(lam) + sp.EulerGamma  # Ei(λ) where p_S = p_I
    best = sp.nsolve(p_i - p_s, lam, 1.5, prec=40)
    return {
        "coefficient of 1/n in n b*(n)": slope.subs(sp.Ei(lam), meets),
        "LAMBDA_STAR": as_double(best),
        "LAMBDA_STAR_ACCURACY": as_double(p_s.subs(lam, best)),
        "LAMBDA_SLOPE": as_double(slope.subs(lam, best)),
    }


def as_double(number: Any) -> Any:
    """The float64 nearest to a number, as an exact rational."""
    return sp.Rational(float(sp.N(number, 30)))


def linear_within() -> Equations:
    """b <= 1: u = d/diameter is uniform on [0, 1], g = 1 - u/b inside and 0 outside; a = g(u), w = g(v) with u < v."""
    a, w, u = sp.symbols("a w u", positive=True)
    both_inside = 2 * b**2 * sp.integrate(sp.integrate(a / (a + w), (w, 0, a)), (a, 0, 1))
    one_inside = 2 * b * (1 - b)  # credit 1
    none_inside = (1 - b) ** 2 / 2
    p_i = b * sp.integrate(1 / (1 + (1 - u)), (u, 0, 1)) + (1 - b)  # u here in units of b
    return {"p_s": both_inside + one_inside + none_inside, "p_i": p_i}


def linear_beyond() -> Equations:
    """b > 1: every item is inside, and similarities are uniform on [lowest, 1], lowest = 1 - 1/b, with density b."""
    a, w, lowest = sp.symbols("a w lowest", positive=True)
    density = 1 / (1 - lowest)
    beyond = {
        "p_s": 2 * density**2 * sp.integrate(sp.integrate(a / (a + w), (w, lowest, a)), (a, lowest, 1)),
        "p_i": density * sp.integrate(1 / (1 + a), (a, lowest, 1)),
    }
    equations = {name: p.subs(lowest, 1 - 1 / b) for name, p in beyond.items()}
    for name, p in beyond.items():
        by_b = sp.diff(p, lowest) * (1 - lowest) ** 2  # d lowest / db = 1/b²
        equations[f"{name} as b falls to 1"] = sp.limit(p, lowest, 0, "+")
        equations[f"d{name}/db as b falls to 1"] = sp.limit(sp.expand(by_b), lowest, 0, "+")
        equations[f"{name} as b grows"] = sp.limit(p, lowest, 1, "-")
    return equations


def linear_optimum() -> Equations:
    p_s = linear_within()["p_s"]
    (best,) = sp.solve(sp.diff(p_s, b), b)
    return {"argmax p_s": best, "max p_s": p_s.subs(b, best)}


def _segment_pieces(example: Any) -> list[tuple[Any, Any, Any]]:
    """(ball measure, from, to) of the probes of [0, 1] whose ball is cut by the same ends, for ε like the example."""
    cuts: list[Any] = sorted(
        {sp.S.Zero, sp.S.One, epsilon, 1 - epsilon}, key=lambda cut: float(cut.subs(epsilon, example))
    )
    cuts = [cut for cut in cuts if 0 <= cut.subs(epsilon, example) <= 1]
    pieces = []
    for start, stop in itertools.pairwise(cuts):
        middle = ((start + stop) / 2).subs(epsilon, example)
        top = _probe + epsilon if middle + example <= 1 else sp.S.One
        bottom = _probe - epsilon if middle - example >= 0 else sp.S.Zero
        pieces.append((top - bottom, start, stop))
    return pieces


_probe = sp.Symbol("p")
# The ways in which the ends can cut balls, each with one example that decides which.
_regimes = (
    ("ε <= 1/2", sp.Rational(1, 3), epsilon <= sp.Rational(1, 2)),
    ("1/2 <= ε <= 1", sp.Rational(2, 3), epsilon <= 1),
    ("ε >= 1", sp.Integer(2), sp.true),
)


def box(dim: int) -> Equations:
    """Moments over probes of the ball measure of [0, 1]^dim, integrated over every combination of pieces."""
    equations = {}
    for where, example, _ in _regimes:
        cells = list(itertools.product(_segment_pieces(example), repeat=dim))
        first, second = (
            sp.Add(*(sp.Mul(*(sp.integrate(size**power, (_probe, *ends)) for size, *ends in cell)) for cell in cells))
            for power in (1, 2)
        )
        equations[f"mean_b, {where}"] = first
        equations[f"var_b, {where}"] = second - first**2
    return equations


def joined(equations: Equations) -> Equations:
    """The regimes of `box` as one piecewise function each."""
    return {
        name: sp.Piecewise(*((sp.expand(equations[f"{name}, {where}"]), condition) for where, _, condition in _regimes))
        for name in ("mean_b", "var_b")
    }


def finite_space() -> Equations:
    """Ordered pairs of distinct items, k of m inside the ball of the probe."""
    p_s, p_i = [], []
    for first, second in itertools.product((True, False), repeat=2):
        drawn = k if first else m - k
        left = (k if second else m - k) - (1 if first == second else 0)
        strengths = [sp.S.One if inside else Delta for inside in (first, second)]
        right = sp.S.One if first or second else Delta
        p_s.append(drawn / m * left / (m - 1) * luce(right, strengths))
    for inside in (True, False):
        p_i.append((k if inside else m - k) / m * luce(sp.S.One, [sp.S.One, sp.S.One if inside else Delta]))
    equations = {"p_s": sp.Add(*p_s), "p_i": sp.Add(*p_i)}
    limit = {k: b * m}
    grown = {f"{name}, k = b m, as m grows": sp.limit(p.subs(limit), m, sp.oo) for name, p in equations.items()}
    return equations | grown


def two_exemplars() -> Equations:
    """Two items within ε of the probe with any joint probabilities; the first of them is the right answer."""
    both = sp.Symbol("both", positive=True)

    def credit(right: Any, wrong: Any) -> Any:
        chances = {(1, 1): both, (1, 0): right - both, (0, 1): wrong - both, (0, 0): 1 - right - wrong + both}
        return sp.Add(
            *(chance * luce(sp.Integer(hit[0]), [sp.Integer(h) for h in hit]) for hit, chance in chances.items())
        )

    return {"p_s": sp.expand(credit(near, far)), "p_i": sp.expand(credit(hit_rate, mean_b))}
