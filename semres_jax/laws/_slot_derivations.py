"""The laws of compositional codes, derived in SymPy as in `_derivations`, and in closed form as in `_transcriptions`.

A stimulus has S features; a slot of an item is inside the probe's ball of its feature with probability b, whatever the
others are, and has strength 1 there and Δ outside. Functions named `..._closed` know the answers, the others don't.
"""

import itertools
from typing import Any

import sympy as sp

from semres_jax.laws import slots
from semres_jax.laws._derivations import Delta, Equations, as_double, b, luce

S = sp.Symbol("S", positive=True)
nu = sp.Symbol("nu", positive=True)
t, x = sp.symbols("t x", positive=True)
j, j_other = sp.symbols("j k", integer=True, positive=True)
HALF = sp.Rational(1, 2)


def _strength(outside: Any, aggregate: str, floor: Any) -> Any:
    strengths = [floor if out else sp.S.One for out in outside]
    return sp.Mul(*strengths) if aggregate == "product" else sp.Add(*strengths) / len(strengths)


def _patterns(count: int) -> list[tuple[tuple[bool, ...], Any]]:
    """Which slots of an item are outside, and how likely that is."""
    patterns = itertools.product((True, False), repeat=count)
    return [(outside, sp.Mul(*(1 - b if out else b for out in outside))) for outside in patterns]


def identification(count: int, aggregate: str, items: int, floor: Any) -> Any:
    """p_I over all patterns of the n - 1 others: the probe itself has strength 1."""
    total = sp.S.Zero
    for others in itertools.product(_patterns(count), repeat=items - 1):
        strengths = [_strength(outside, aggregate, floor) for outside, _ in others]
        total += sp.Mul(*(chance for _, chance in others)) * luce(sp.S.One, [sp.S.One, *strengths])
    return sp.expand(total)


def nearer(own: Any, other: Any) -> Any:
    """Probability that the largest of `own` uniform distances is smaller than the largest of `other` ones."""
    return sp.integrate(sp.expand(own * x ** (own - 1) * (1 - x**other)), (x, 0, 1))


def wholes(count: int, aggregate: str, floor: Any) -> Any:
    """p_S of wholes, n = 2: an item with nothing outside is nearer than one with something, else uniform distances."""
    total = sp.S.Zero
    for (first, chance), (second, chance_too) in itertools.product(_patterns(count), repeat=2):
        strengths = [_strength(outside, aggregate, floor) for outside in (first, second)]
        out, out_too = sum(first), sum(second)
        if out and out_too:
            wins = nearer(out, out_too)
        else:
            wins = HALF if out == out_too else sp.Integer(out == 0)
        credit = wins * luce(strengths[0], strengths) + (1 - wins) * luce(strengths[1], strengths)
        total += chance * chance_too * credit
    return sp.expand(total)


def product() -> Equations:
    cases = itertools.product((1, 2, 3), (2, 3, 4))
    equations = {f"p_i, S = {s}, n = {n}": identification(s, "product", n, sp.S.Zero) for s, n in cases}
    equations |= {f"p_i, S = {s}, n = 2, with a floor": identification(s, "product", 2, Delta) for s in (1, 2, 3)}
    return equations | {f"p_s of wholes, S = {s}, n = 2": wholes(s, "product", sp.S.Zero) for s in (1, 2, 3)}


def product_closed() -> Equations:
    """Theorems 1 and 3 at the ball measure b^S; with a floor a binomial sum."""
    equations = {}
    for s, n in itertools.product((1, 2, 3), (2, 3, 4)):
        equations[f"p_i, S = {s}, n = {n}"] = sp.cancel((1 - (1 - b**s) ** n) / (n * b**s))
    for s in (1, 2, 3):
        sums = (sp.binomial(s, k) * (1 - b) ** k * b ** (s - k) / (1 + Delta**k) for k in range(s + 1))
        equations[f"p_i, S = {s}, n = 2, with a floor"] = sp.Add(*sums)
        equations[f"p_s of wholes, S = {s}, n = 2"] = HALF + b**s - b ** (2 * s)
    return equations


def mean() -> Equations:
    equations = {f"p_i, S = {s}": identification(s, "mean", 2, sp.S.Zero) for s in (1, 2, 3, 4)}
    return equations | {f"p_i, S = {s}, with a floor": identification(s, "mean", 2, Delta) for s in (1, 2, 3)}


def mean_closed() -> Equations:
    def total(s: int, floor: Any) -> Any:
        return sp.Add(
            *(sp.binomial(s, k) * b**k * (1 - b) ** (s - k) * s / (s + k + (s - k) * floor) for k in range(s + 1))
        )

    equations = {f"p_i, S = {s}": total(s, sp.S.Zero) for s in (1, 2, 3, 4)}
    return equations | {f"p_i, S = {s}, with a floor": total(s, Delta) for s in (1, 2, 3)}


def nearest() -> Equations:
    equations = {"P(nearer)": sp.simplify(nearer(j, j_other))}
    cases = itertools.product((2, 3), ("product", "mean"))
    return equations | {f"p_s of wholes, S = {s}, {name}": wholes(s, name, Delta) for s, name in cases}


def nearest_closed() -> Equations:
    """Sums over the numbers of slots outside."""
    equations: Equations = {"P(nearer)": j_other / (j + j_other)}
    for s, name in itertools.product((2, 3), ("product", "mean")):
        h = [Delta**k if name == "product" else (s - k + k * Delta) / s for k in range(s + 1)]
        chance = [sp.binomial(s, k) * (1 - b) ** k * b ** (s - k) for k in range(s + 1)]
        total = chance[0] ** 2 / 2
        for k, k_other in itertools.product(range(s + 1), repeat=2):
            if k + k_other:
                total += (
                    2 * chance[k] * chance[k_other] * sp.Rational(k_other, k + k_other) * h[k] / (h[k] + h[k_other])
                )
        equations[f"p_s of wholes, S = {s}, {name}"] = total
    return equations


def limit() -> Equations:
    """The mean by 1/(1 + K/S) = ∫ e^{-t (1 + K/S)} dt, K binomial; x = 1/S. The product with b = e^{-a}, a > 0."""
    a = sp.Symbol("a", positive=True)
    log = sp.series(sp.log(1 - b + b * sp.exp(-t * x)) / x, x, 0, 2).removeO()
    first, second = (sp.simplify(log.coeff(x, power)) for power in (0, 1))
    return {
        "p_i of the product as S grows": sp.limit(1 - sp.exp(-a * S) / 2, S, sp.oo),
        "p_i of the mean as S grows": sp.integrate(sp.exp(-t) * sp.exp(first), (t, 0, sp.oo)),
        "coefficient of 1/S in p_i of the mean": sp.integrate(
            sp.expand(sp.exp(-t * (1 + b)) * sp.simplify(second)), (t, 0, sp.oo)
        ),
    }


def limit_closed() -> Equations:
    return {
        "p_i of the product as S grows": sp.S.One,
        "p_i of the mean as S grows": 1 / (1 + b),
        "coefficient of 1/S in p_i of the mean": b * (1 - b) / (1 + b) ** 3,
    }


def front() -> Equations:
    """What p_I is beyond 1 - b/2, where one similarity of the same p_S = 1/2 + b - b² is."""
    alone = identification(1, "product", 2, sp.S.Zero)
    equations = {
        f"product beyond the front, S = {s}": identification(s, "product", 2, sp.S.Zero) - alone for s in (2, 3, 4)
    }
    for s in (2, 3):
        equations[f"mean below the front, S = {s}"] = alone - identification(s, "mean", 2, sp.S.Zero)
    return equations | {"mean below the front as S grows": alone - limit()["p_i of the mean as S grows"]}


def front_closed() -> Equations:
    """All positive for 0 < b < 1."""
    equations = {f"product beyond the front, S = {s}": b * (1 - b ** (s - 1)) / 2 for s in (2, 3, 4)}
    return equations | {
        "mean below the front, S = 2": b * (1 - b) / 6,
        "mean below the front, S = 3": b * (1 - b) * (5 - b) / 20,
        "mean below the front as S grows": b * (1 - b) / (2 * (1 + b)),
    }


def half_point() -> Equations:
    """p_I of the product at n = x/B items as the ball B of the whole vanishes, and where it is 1/2."""
    ball = sp.Symbol("B", positive=True)
    p_i = sp.limit((1 - sp.exp(x / ball * sp.log(1 - ball))) / x, ball, 0, "+")
    return {"lim p_i": p_i, "HALF_POINT": as_double(sp.nsolve(p_i - HALF, x, 1.6, prec=40))}


def half_point_closed() -> Equations:
    return {"lim p_i": (1 - sp.exp(-x)) / x, "HALF_POINT": sp.Rational(slots.HALF_POINT)}


def noise() -> Equations:
    """Slots that share their precision: noise power S ν of each, whose floor is S ν / (1 + S ν)."""
    one_slot = nu / (1 + nu)
    ratio = S * nu
    return {
        "floor of each of S": ratio / (1 + ratio),
        "limit of the S-th power of the floor": sp.limit((ratio / (1 + ratio)) ** S, S, sp.oo),
        "floor of each at S = 1": sp.simplify((ratio / (1 + ratio)).subs(S, 1) - one_slot) + one_slot,
    }


def noise_closed() -> Equations:
    delta = nu / (1 + nu)
    return {
        "floor of each of S": S * delta / (1 + (S - 1) * delta),
        "limit of the S-th power of the floor": sp.exp(-1 / nu),
        "floor of each at S = 1": delta,
    }
