"""The closed forms of `closed_form.py`, each derived in SymPy from its definition and proved equal to it.

    >>> from semres_jax.laws import symbolic
    >>> symbolic.prove("theorem_1").proved
    True

A law is a set of equations. `derive` gives one side of each from the definitions (`_derivations`), `closed` the other
as `closed_form.py` computes it (`_transcriptions`). A proof is that every difference simplifies to exactly 0.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import sympy as sp

from semres_jax._types import Array, ArrayLike, Progress
from semres_jax.laws import (
    _derivations as d,
    _slot_derivations as slots,
    _transcriptions as c,
    closed_form,
    slots as closed_laws,
)
from semres_jax.laws._derivations import Delta, Equations, b, lam, mean_b, var_b
from semres_jax.laws._sympy_to_jax import to_jax

_NURISSO = "Nurisso et al., arXiv 2506.14797, "
_NEW = "new, this project"


@dataclasses.dataclass(frozen=True)
class Law:
    """One law: equations {left side: expression}, from the definitions and in closed form.

    Attributes:
        name: what `prove`, `latex` and `jax_function` call it.
        statement: the law in one line.
        source: theorem and paper, or "new, this project".
        derive: the equations from the definitions.
        closed: the same left sides with the closed forms.
        symbols: arguments of the exported JAX function, in order.
        exports: left sides that are exported; none where the law is no formula to compute with.
        joined: how to put regimes together before the export.
        where: substitution that tells SymPy the range of a symbol, such as b = 1 + excess with a positive excess.
        remark: what the equations leave to be said.
    """

    name: str
    statement: str
    source: str
    derive: Callable[[], Equations]
    closed: Callable[[], Equations]
    symbols: tuple[sp.Symbol, ...] = ()
    exports: tuple[str, ...] = ()
    joined: Callable[[Equations], Equations] | None = None
    where: dict[sp.Symbol, sp.Expr] = dataclasses.field(default_factory=dict)
    remark: str = ""


@dataclasses.dataclass(frozen=True)
class Proof:
    """Outcome of a proof: `detail` says what was shown, or which equations failed; `seconds` is wall time."""

    name: str
    statement: str
    source: str
    proved: bool
    seconds: float
    detail: str


def proves(derived: Any, closed: Any) -> bool:
    """Whether the difference of two expressions simplifies to exactly 0; no number is ever compared.

    Example:
        >>> import sympy as sp
        >>> from semres_jax.laws import symbolic
        >>> b = sp.Symbol("b")
        >>> symbolic.proves((1 - b) ** 2, 1 - 2 * b + b**2), symbolic.proves((1 - b) ** 2, 1 - b**2)
        (True, False)
    """
    difference = sp.sympify(derived) - sp.sympify(closed)
    for rewrite in (sp.factor, _split_logs, sp.gammasimp, lambda e: sp.powsimp(sp.expand(e)), sp.simplify):
        if sp.S.Zero == difference:
            return True
        difference = rewrite(difference)
    return sp.S.Zero == difference


def _split_logs(expression: Any) -> Any:
    """Expanded, with ln(2b) as ln 2 + ln b wherever SymPy knows the factors to be positive."""
    return sp.expand(expression.replace(sp.log, lambda of: sp.expand_log(sp.log(sp.factor(of)))))


def prove(name: str) -> Proof:
    """Derive one law and compare it with its closed form; a failure is a `Proof` with proved=False, not an exception.

    Raises:
        KeyError: there is no law of that name.
    """
    law = _law(name)
    start = time.perf_counter()
    try:
        derived, closed = law.derive(), law.closed()
        failed = sorted(derived.keys() ^ closed.keys())
        for side in (side for side in closed if side in derived):
            if not proves(derived[side].subs(law.where), closed[side].subs(law.where)):
                failed.append(side)
        detail = f"not shown: {'; '.join(failed)}" if failed else f"{len(closed)} equations. {law.remark}".rstrip()
        proved = not failed and bool(closed)
    except (ArithmeticError, NotImplementedError, TypeError, ValueError, sp.PolynomialError) as error:
        proved, detail = False, f"SymPy gave up: {type(error).__name__}: {error}"
    return Proof(law.name, law.statement, law.source, proved, time.perf_counter() - start, detail)


def prove_all(progress: Progress | None = None) -> list[Proof]:
    """Prove every law of `LAWS` in order; `progress` is told the name of each law that is done, and how many are."""
    proofs = []
    for name in LAWS:
        proofs.append(prove(name))
        if progress is not None:
            progress(name, len(proofs), len(LAWS))
    return proofs


def latex(name: str) -> str:
    """The closed form of a law as lines of LaTeX, `left side = right side`.

    Raises:
        KeyError: there is no law of that name.

    Example:
        >>> from semres_jax.laws import symbolic
        >>> print(symbolic.latex("two_exemplars"))
        p_{S} = - \\frac{p_{\\mathrm{far}}}{2} + \\frac{p_{\\mathrm{near}}}{2} + \\frac{1}{2}
        p_{I} = \\frac{h}{2} - \\frac{\\langle b \\rangle}{2} + \\frac{1}{2}
    """
    closed = _law(name).closed()
    return "\n".join(f"{_left_side(side)} = {_right_side(expression)}" for side, expression in closed.items())


def jax_function(name: str) -> Callable[..., dict[str, Array]]:
    """What was *derived*, not the closed form, as a JAX function: {left side: array} of the law's symbols, elementwise.

    Raises:
        KeyError: there is no law of that name.
        ValueError: the law is no formula to compute with.

    Example:
        >>> from semres_jax.laws import symbolic
        >>> {side: round(float(p), 3) for side, p in symbolic.jax_function("theorem_1")(0.4, 0.01).items()}
        {'p_s': 0.73, 'p_i': 0.8}
    """
    law = _law(name)
    if not law.exports:
        with_exports = [law.name for law in LAWS.values() if law.exports]
        raise ValueError(f"the law {name} is no formula to compute with; these are: {', '.join(with_exports)}")
    derived = law.derive() if law.joined is None else law.joined(law.derive())
    functions = {side: to_jax(law.symbols, derived[side]) for side in law.exports}

    def function(*values: ArrayLike) -> dict[str, Array]:
        if len(values) != len(law.symbols):
            raise TypeError(f"{name} takes {', '.join(map(str, law.symbols))}; got {len(values)} arguments")
        return {side: evaluate(*values) for side, evaluate in functions.items()}

    return function


def _law(name: str) -> Law:
    if name not in LAWS:
        raise KeyError(f"there is no law {name!r}; there are {', '.join(LAWS)}")
    return LAWS[name]


_SYMBOLS = {
    mean_b: r"\langle b \rangle",
    var_b: r"\operatorname{Var} b",
    d.hit_rate: "h",
    d.near: r"p_{\mathrm{near}}",
    d.far: r"p_{\mathrm{far}}",
    d.share: "w",
}
_LEFT_SIDES = {"p_s": "p_{S}", "p_i": "p_{I}", "mean_b": r"\langle b \rangle", "var_b": r"\operatorname{Var} b"}
_IN_TEXT = {"λ": r"\lambda", "ε": r"\epsilon", "<=": r"\le", ">=": r"\ge"} | _LEFT_SIDES


def _right_side(expression: Any) -> str:
    if expression.is_Rational and expression.q > 2**40:  # a stored float64, not a fraction of the law
        return repr(float(expression))
    return sp.latex(expression, symbol_names=_SYMBOLS)


def _left_side(side: str) -> str:
    if side in _LEFT_SIDES:
        return _LEFT_SIDES[side]
    side = side.replace("_STAR", r"\_STAR").replace("_ACC", r"\_ACC").replace("_SLOPE", r"\_SLOPE")
    for plain, maths in _IN_TEXT.items():
        side = side.replace(plain, f"${maths}$")
    return rf"\text{{{side}}}"


_BOTH = ("p_s", "p_i")
_MOMENTS = ("mean_b", "var_b")

LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Law("theorem_1", "constant similarity, n = 2, no floor: mean and variance of the ball measure decide",
            _NURISSO + "theorem 1", lambda: d.two_items(sp.S.Zero), lambda: c.two_items(sp.S.Zero), (mean_b, var_b),
            _BOTH),
        Law("theorem_2", "constant similarity, n = 2, floor Δ", _NURISSO + "theorem 2", lambda: d.two_items(Delta),
            lambda: c.two_items(Delta), (mean_b, var_b, Delta), _BOTH),
        Law("theorem_3", "constant similarity, n items, floor Δ: binomial sums", _NURISSO + "theorem 3", d.many_items,
            c.many_items, (b, Delta), tuple(f"{name}, n = {n}" for n in range(2, 9) for name in _BOTH),
            remark="All 2^n ways in which n = 2 to 8 items fall inside or outside."),
        Law("no_floor", "any n, no floor: p_I = (1 - (1-b)^n) / (n b)", _NURISSO + "theorem 3", d.no_floor,
            lambda: {"p_i": (1 - (1 - b) ** d.n) / (d.n * b)}, (d.n, b), ("p_i",),
            where={b: 1 - sp.Symbol("q", positive=True)}),
        Law("heterogeneous", "heterogeneous spaces: averages over probes, by moments of the ball measure",
            _NURISSO + "theorem 3", d.heterogeneous, c.heterogeneous),
        Law("collapse", "n p_I -> 1/b: identification collapses like 1/n", _NURISSO + "theorem 3", d.collapse,
            lambda: {"lim n p_i": 1 / b}, (b,), ("lim n p_i",)),
        Law("crossing",
            "dp_S/db = n (p_I - p_S) / (1 - b), any n and floor: generalization is best where the curves cross", _NEW,
            d.derivative, c.crossing, (b, Delta), tuple(f"dp_s/db, n = {n}" for n in range(2, 9)),
            remark="The coefficients hold for symbolic n and any credit c(k), so for every floor."),
        Law("one_maximum", "p_S has exactly one maximum in b, for every n and every floor below 1", _NEW, d.one_maximum,
            c.one_maximum,
            remark="dp_S/db over n (1-Δ) (1-b)^{n-1} is a constant less a polynomial in b/(1-b) of positive terms."),
        Law("constant_optimum", "constant similarity, n = 2: p_S is largest at b = 1/2 at every floor, 3/4 without one",
            _NURISSO + "theorem 1; with a floor, " + _NEW, d.constant_optimum, c.constant_optimum),
        Law("large_n_limit", "b = λ/n, n -> infinity: p_S -> e^{-λ} (Ei(λ) - ln λ - γ), p_I -> (1 - e^{-λ}) / λ", _NEW,
            d.large_n, c.large_n, (lam,), _BOTH,
            remark="K's law converges at every k, so in total variation (Scheffé), and credits are at most 1."),
        Law("universal_constant",
            f"the best λ of infinitely many items, {closed_form.LAMBDA_STAR}, where p_S = p_I = "
            f"{closed_form.LAMBDA_STAR_ACCURACY}, and the next term of n b*(n)", _NEW,
            lambda: d.universal_constant(c.poisson()["p_s"], c.poisson()["p_i"]), c.universal_constant,
            remark="The stored constants are the float64 nearest to 40-digit ones."),
        Law("proposition_1", "linear similarity on the circle, n = 2, b <= 1", _NURISSO + "proposition 1",
            d.linear_within, c.linear_within, (b,), _BOTH),
        Law("past_the_diameter",
            "linear similarity on the circle, n = 2, b > 1, joining proposition 1 with its slope at b = 1", _NEW,
            d.linear_beyond, c.linear_beyond, (b,), _BOTH, where={b: 1 + sp.Symbol("excess", positive=True)}),
        Law("linear_optimum", "linear similarity: p_S is largest, 1/2 + 1/(6 - 4 ln 2), at b = 1/(3 - 2 ln 2)",
            _NURISSO + "proposition 1", d.linear_optimum, c.linear_optimum),
        Law("segment", "ball measure on [0, 1]: <b> = ε(2-ε), Var b = η³(2/3 - η) with η = min(ε, 1-ε)", _NEW,
            lambda: d.box(1), lambda: c.box(1), (d.epsilon,), _MOMENTS, d.joined),
        Law("box", "ball measure on [0, 1]^2 by largest coordinate distance: <b> = m1², <b²> = m2²", _NEW,
            lambda: d.box(2), lambda: c.box(2), (d.epsilon,), _MOMENTS, d.joined,
            remark="Coordinates are independent: any dimension is the same product."),
        Law("finite_space", "finite spaces, distinct items, n = 2: k of m other stimuli inside the ball", _NEW,
            d.finite_space, c.finite_space, (d.k, d.m, Delta), _BOTH),
        Law("two_exemplars", "two images of one thing, n = 2, no floor: p_I = 1/2 + (h - <b>)/2", _NEW, d.two_exemplars,
            c.two_exemplars, (d.near, d.far, d.hit_rate, mean_b), _BOTH,
            remark="Whatever the joint probabilities of the two items."),
        Law("slots_product",
            "S slots, conjunction: wholes are identified and generalized as with one ball of measure b^S", _NEW,
            slots.product, slots.product_closed, remark="All 2^S patterns of each of the other items."),
        Law("slots_mean", "S slots, addition, n = 2: p_I = E[S / (S + K)] with K ~ Binomial(S, b) slots inside", _NEW,
            slots.mean, slots.mean_closed, remark="All 2^S patterns."),
        Law("slots_nearest",
            "of two wholes with j and k features outside the former is nearer with probability k/(j+k)", _NEW,
            slots.nearest, slots.nearest_closed, remark="j, k >= 1; p_S of wholes are sums over both numbers."),
        Law("slots_limit", "many slots, n = 2: p_I of the product -> 1, of the mean -> 1/(1+b)", _NEW, slots.limit,
            slots.limit_closed, remark="The integrand is at most e^{-t}, so that its limit may be integrated."),
        Law("slots_front",
            "at p_S = 1/2 + b - b² of features the product is beyond the front of one similarity, the mean below", _NEW,
            slots.front, slots.front_closed, remark="All differences are positive for 0 < b < 1."),
        Law("slots_half_point", f"p_I of the product is 1/2 at n b^S -> {closed_laws.HALF_POINT} items", _NEW,
            slots.half_point, slots.half_point_closed, remark="The stored constant is the float64 nearest to it."),
        Law("slots_noise", "slots that share a precision have floors Δ_S = SΔ/(1+(S-1)Δ): the product keeps e^{-1/ν}",
            _NEW, slots.noise, slots.noise_closed, remark="ν = Δ/(1-Δ) is the noise power of one slot."),
    )
}  # fmt: skip
