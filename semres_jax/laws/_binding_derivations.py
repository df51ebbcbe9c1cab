"""Rates of illusory conjunctions in SymPy: by enumeration of what lies inside the balls, and as `binding.py` has them.

`derived` knows no binomial law: it goes through all recombinations, and through all patterns of what lies inside their
balls, item by item and slot by slot.
"""

import itertools
from collections.abc import Iterator
from typing import Any

import sympy as sp

from semres_jax.laws._derivations import Delta, Equations, b, luce

c, bound, match = sp.symbols("c e m", positive=True)
# (S, n) of one recombination; S of all those of two items.
CASES = ((2, 2), (2, 3), (2, 4), (3, 2), (3, 3), (4, 2))
ALL_OF_TWO = (2, 3)
EXPORTS = (
    *(f"error, S = {slots}, n = {n}" for slots, n in CASES),
    *(f"error among all, S = {slots}, n = 2" for slots in ALL_OF_TWO),
)


def derived() -> Equations:
    equations = {f"error, S = {slots}, n = {n}": _one(slots, n) for slots, n in CASES}
    equations |= {f"error without a floor, S = {slots}, n = {n}": _one(slots, n).subs(Delta, 0) for slots, n in CASES}
    (share,) = sp.solve(sp.numer(sp.together(_without_a_floor(match) - bound)), c)
    equations["c for an error e"] = share
    return equations | {f"error among all, S = {slots}, n = 2": _all_of_two(slots) for slots in ALL_OF_TWO}


def closed() -> Equations:
    equations = {f"error, S = {slots}, n = {n}": _closed_one(slots, n) for slots, n in CASES}
    for slots, n in CASES:
        equations[f"error without a floor, S = {slots}, n = {n}"] = _without_a_floor(1 - _no_match(slots, n))
    y = (bound - match / 2) / (1 - match)
    equations["c for an error e"] = (1 - 2 * y) / (1 - y)
    return equations | {f"error among all, S = {slots}, n = 2": _closed_all_of_two(slots) for slots in ALL_OF_TWO}


def _familiar(outside: Any) -> Any:
    """M of a recombination from which the nearest shown item differs in so many slots."""
    return 1 - c + c * Delta**outside


def _patterns(places: int) -> Iterator[tuple[tuple[bool, ...], Any]]:
    """Which of so many independent features are outside a ball, and how likely that is."""
    for outside in itertools.product((False, True), repeat=places):
        yield outside, sp.Mul(*(1 - b if far else b for far in outside))


def _subsets(slots: int) -> list[frozenset[int]]:
    """Slots that a recombination has of the first item: some, not all."""
    return [frozenset(some) for k in range(1, slots) for some in itertools.combinations(range(slots), k)]


def _one(slots: int, n: int) -> Any:
    """P(error), one recombination of two of n shown items beside one of these."""
    terms, subsets = [], _subsets(slots)
    for own in subsets:
        # Features that may be outside: of the first item in other slots, of the second in these, of all others in all.
        places = [(0, s) for s in range(slots) if s not in own] + [(1, s) for s in own]
        places += [(item, s) for item in range(2, n) for s in range(slots)]
        for outside, chance in _patterns(len(places)):
            numbers = [sum(far for (item, _), far in zip(places, outside, strict=True) if item == i) for i in range(n)]
            familiar = _familiar(min(numbers))
            terms.append(chance * luce(familiar, [familiar, sp.S.One]) / len(subsets))
    return sp.Add(*terms)


def _all_of_two(slots: int) -> Any:
    """P(error), all recombinations of two shown items beside one of these."""
    terms = []
    for outside, chance in _patterns(slots):
        apart = {s for s, far in enumerate(outside) if far}
        strengths = [_familiar(min(len(apart & own), len(apart - own))) for own in _subsets(slots)]
        terms.append(chance * sp.Add(*strengths) / sp.Add(sp.S.One, *strengths))
    return sp.Add(*terms)


def _without_a_floor(some: Any) -> Any:
    """P(error) where some shown item is taken for the recombination with that probability, and none is like it else."""
    return some / 2 + (1 - some) * (1 - c) / (2 - c)


def _no_match(slots: int, n: int) -> Any:
    ways = (sp.binomial(slots, k) * (1 - b**k) * (1 - b ** (slots - k)) for k in range(1, slots))
    return sp.factor(sp.Add(*ways) / (2**slots - 2)) * (1 - b**slots) ** (n - 2)


def _closed_one(slots: int, n: int) -> Any:
    def below_chance(j: int) -> Any:  # 1/2 - M/(1+M) at J = j
        lost = c * (1 - Delta**j)
        return lost / (2 * (2 - lost))

    tails = [_tail(j, slots, n) for j in range(1, slots // 2 + 1)]
    steps = (below_chance(j) - below_chance(j - 1) for j in range(1, len(tails) + 1))
    return sp.Rational(1, 2) - sp.Add(*(step * tail for step, tail in zip(steps, tails, strict=True)))


def _tail(j: int, slots: int, n: int) -> Any:
    """P(J >= j)."""

    def at_least(places: int) -> Any:
        fewer = (sp.binomial(places, i) * (1 - b) ** i * b ** (places - i) for i in range(min(j, places + 1)))
        return 1 - sp.Add(*fewer) if places >= j else sp.S.Zero

    of_two = [sp.binomial(slots, k) * at_least(k) * at_least(slots - k) for k in range(1, slots)]
    return sp.Add(*of_two) / (2**slots - 2) * at_least(slots) ** (n - 2)


def _closed_all_of_two(slots: int) -> Any:
    terms = []
    for unlike in range(slots + 1):
        ways = [sp.binomial(unlike, a) * Delta ** min(a, unlike - a) for a in range(unlike + 1)]
        total = (1 - c) * (2**slots - 2) + c * (2 ** (slots - unlike) * sp.Add(*ways) - 2)
        chance = sp.binomial(slots, unlike) * (1 - b) ** unlike * b ** (slots - unlike)
        terms.append(chance * total / (1 + total))
    return sp.Add(*terms)
