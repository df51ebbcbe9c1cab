"""The closed forms of `closed_form.py`, transcribed to SymPy: what the derivations of `_derivations` must come to."""

from typing import Any

import sympy as sp

from semres_jax.laws import _derivations as d, closed_form
from semres_jax.laws._derivations import Delta, Equations, b, lam, mean_b, var_b


def two_items(floor: Any) -> Equations:
    p_s = sp.Rational(1, 2) + (mean_b - mean_b**2 - var_b) * (1 - floor) / (1 + floor)
    return {"p_s": p_s, "p_i": mean_b / 2 + (1 - mean_b) / (1 + floor)}


def constant(n: int) -> tuple[Any, Any]:
    """`constant`: binomial sums."""
    q = 1 - b
    p_s = sum(sp.binomial(n, k) * b**k * q ** (n - k) / (k + (n - k) * Delta) for k in range(1, n + 1)) + q**n / n
    p_i = sum(sp.binomial(n - 1, j) * b**j * q ** (n - 1 - j) / (1 + j + (n - 1 - j) * Delta) for j in range(n))
    return p_s, p_i


def many_items() -> Equations:
    return {f"{name}, n = {n}": p for n in range(2, 9) for name, p in zip(("p_s", "p_i"), constant(n), strict=True)}


def heterogeneous() -> Equations:
    mean = d.share * d.b_1 + (1 - d.share) * d.b_2
    known = {mean_b: mean, var_b: d.share * (1 - d.share) * (d.b_1 - d.b_2) ** 2}
    two, (m1, m2, m3) = two_items(Delta), d.moment[1:4]
    third = sp.Rational(1, 3)
    return {
        "p_s, two kinds of probes": two["p_s"].subs(known),
        "p_i, two kinds of probes": two["p_i"].subs(known),
        "p_s, n = 3": third + 2 * m1 - 7 * m2 / 2 + 3 * m3 / 2,
        "p_i, n = 3": 1 - m1 + m2 / 3,
    }


def crossing() -> Equations:
    equations = {}
    for n in range(2, 9):
        p_s, p_i = constant(n)
        equations[f"dp_s/db, n = {n}"] = n * (p_i - p_s) / (1 - b)
    # p_S = Σ_k C(n,k) b^k (1-b)^{n-k} c(k) and p_I = Σ_k C(n-1,k-1) b^{k-1} (1-b)^{n-k} c(k).
    n, k, q = d.n, d.k, 1 - b
    right = sp.binomial(n - 1, k - 1) * b ** (k - 1) * q ** (n - k) - sp.binomial(n, k) * b**k * q ** (n - k)
    return equations | {
        "coefficient of c(k) in dp_s/db, any n": n * right / q,
        "coefficient of c(0) in dp_s/db, any n": -n * q**n / q,
    }


def one_maximum() -> Equations:
    n, k = d.n, d.k

    def falls(n, k):  # c(k) - c(k+1), over 1 - Δ
        return 1 / ((k + (n - k) * Delta) * (k + 1 + (n - 1 - k) * Delta))

    equations = {
        "c(1) - c(0)": (1 - Delta) * (n - 1) / (n * (1 + (n - 1) * Delta)),
        "c(k+1) - c(k)": -(1 - Delta) * falls(n, k),
    }
    for items in (2, 3, 4, 5):
        rising = (1 - b) ** (items - 1) * sp.Rational(items - 1, items) / (1 + (items - 1) * Delta)
        falling = sum(
            sp.binomial(items - 1, j) * b**j * (1 - b) ** (items - 1 - j) * falls(items, j) for j in range(1, items)
        )
        equations[f"dp_s/db, n = {items}"] = items * (1 - Delta) * (rising - falling)
    return equations


def constant_optimum() -> Equations:
    half, quarter = sp.Rational(1, 2), sp.Rational(1, 4)
    best = half + quarter * (1 - Delta) / (1 + Delta)
    return {"argmax p_s": half, "max p_s": best, "max p_s, no floor": sp.Rational(3, 4)}


def poisson() -> Equations:
    p_s = sp.exp(-lam) * (sp.Ei(lam) - sp.log(lam) - sp.EulerGamma)
    return {"p_s": p_s, "p_i": (1 - sp.exp(-lam)) / lam}


def large_n() -> Equations:
    limit = poisson()
    return limit | {
        "lim P(K = 0)": sp.exp(-lam),
        "lim P(K = j+1) / P(K = j)": lam / (d.j + 1),
        "lim p_i": limit["p_i"],
        "d(exp(λ) p_s)/dλ, term by term": sp.diff(sp.expand(sp.exp(lam) * limit["p_s"]), lam),
        "dp_s/dλ": limit["p_i"] - limit["p_s"],
        "p_s at λ = 0": sp.S.Zero,
        "p_i at λ = 0": sp.S.One,
    }


def universal_constant() -> Equations:
    p_i = poisson()["p_i"]
    slope = -(lam**2) / 2 + sp.exp(-lam) * (1 - lam / 2) / sp.diff(p_i, lam)
    stored = ("LAMBDA_STAR", "LAMBDA_STAR_ACCURACY", "LAMBDA_SLOPE")
    return {"coefficient of 1/n in n b*(n)": slope} | {name: sp.Rational(getattr(closed_form, name)) for name in stored}


def linear_within() -> Equations:
    p_s = sp.Rational(1, 2) + b - (sp.Rational(3, 2) - sp.log(2)) * b**2
    return {"p_s": p_s, "p_i": 1 - (1 - sp.log(2)) * b}


def linear_beyond() -> Equations:
    y, half, log2 = 2 * b - 1, sp.Rational(1, 2), sp.log(2)
    p_s = half + ((1 + y) ** 2 * sp.log(1 + 1 / y) - (1 - y) ** 2 * sp.log(1 - 1 / y)) / 4 - y / 2
    equations = {"p_s": p_s, "p_i": b * sp.log(2 / (2 - 1 / b))}
    for name, value, slope in (("p_s", log2, 2 * log2 - 2), ("p_i", log2, log2 - 1)):
        within = linear_within()[name]
        if within.subs(b, 1) != value or sp.diff(within, b).subs(b, 1) != slope:
            raise ValueError(f"{name} of proposition 1 does not meet its extension at b = 1")
        equations |= {
            f"{name} as b falls to 1": value,
            f"d{name}/db as b falls to 1": slope,
            f"{name} as b grows": half,
        }
    return equations


def linear_optimum() -> Equations:
    return {"argmax p_s": 1 / (3 - 2 * sp.log(2)), "max p_s": sp.Rational(1, 2) + 1 / (6 - 4 * sp.log(2))}


def box(dim: int) -> Equations:
    equations = {}
    for where, size, eta in (
        ("ε <= 1/2", d.epsilon, d.epsilon),
        ("1/2 <= ε <= 1", d.epsilon, 1 - d.epsilon),
        ("ε >= 1", sp.S.One, sp.S.Zero),
    ):
        mean, variance = size * (2 - size), eta**3 * (sp.Rational(2, 3) - eta)
        equations[f"mean_b, {where}"] = mean**dim
        equations[f"var_b, {where}"] = (mean**2 + variance) ** dim - mean ** (2 * dim)
    return equations


def finite_space() -> Equations:
    k, m, half = d.k, d.m, sp.Rational(1, 2)
    contrast = (1 - Delta) / (1 + Delta)
    alike = (k * (k - 1) + (m - k) * (m - k - 1)) / (2 * m * (m - 1))
    limit = two_items(Delta)
    return {
        "p_s": alike + 2 * k * (m - k) / (m * (m - 1)) / (1 + Delta),
        "p_i": half + (1 - k / m) * contrast / 2,
        "p_s, k = b m, as m grows": limit["p_s"].subs({mean_b: b, var_b: 0}),
        "p_i, k = b m, as m grows": limit["p_i"].subs(mean_b, b),
    }


def two_exemplars() -> Equations:
    half = sp.Rational(1, 2)
    return {"p_s": half + (d.near - d.far) / 2, "p_i": half + (d.hit_rate - mean_b) / 2}
