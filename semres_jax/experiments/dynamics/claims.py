"""What two papers say of the residual stream, a row each: the number here, its control or null, and the verdict.

The papers are "Transformer Dynamics" (arXiv 2502.12131) and "Dynamics of the Transformer Residual Stream" (arXiv
2605.14258). A verdict is made of the numbers alone, by the rule that its row states; a difference of less than three of
its standard errors, over texts, is none.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from semres_jax._types import Quantity

if TYPE_CHECKING:
    import xarray

P1, P2 = "2502.12131", "2605.14258"
_CERTAIN = 3.0
HOLDS, FAILS, UNKNOWN = "holds", "doesn't hold", "not measured"
Controls = dict[str, Quantity]
_Verdict = Callable[[Quantity, Controls], str]


class Claim(NamedTuple):
    """A row of the table.

    Attributes:
        paper: its number on arXiv; "bridge" for what this project asks.
        claim: in words.
        network: the model.
        what: the number in words.
        number: with its standard error over texts, where it has one; NaN where it was not measured.
        controls: numbers of controls and nulls by name.
        rule: when the claim holds.
        verdict: "holds", "doesn't hold", or how far, in words.
    """

    paper: str
    claim: str
    network: str
    what: str
    number: Quantity
    controls: Controls
    rule: str
    verdict: str

    def summary(self) -> dict[str, Any]:
        """The row for JSON."""
        numbers = {"number": self.number.value, "stderr": self.number.stderr}
        controls = {name: {"number": x.value, "stderr": x.stderr} for name, x in self.controls.items()}
        return self._asdict() | numbers | {"controls": controls}


class _Numbers:
    """Numbers of a model and of its controls, from the dataset of a study."""

    def __init__(self, table: "xarray.Dataset", network: str):
        self.name, self._table = network, table
        self._names = [str(name) for name in table.network.values]
        prefix = f"{network}, "
        self._controls = {name.removeprefix(prefix): name for name in self._names if name.startswith(prefix)}

    def __call__(self, variable: str, control: str = "", **at: Any) -> Any:
        """Its numbers, the last dimension first and without what fills it up; [NaN] where it isn't there."""
        if variable not in self._table:
            return np.array([np.nan])
        row = self._names.index(self._controls[control] if control else self.name)
        values = self._table[variable].isel(network=row).sel(at).values
        if values.ndim == 0 or values.dtype.kind == "O":
            return values
        there = np.isfinite(values).reshape(-1, values.shape[-1]).any(0)
        last = int(np.flatnonzero(there)[-1]) + 1 if there.any() else 1
        return np.moveaxis(values, -1, 0)[:last]

    def at(self, variable: str, control: str = "", place: int | None = None) -> Quantity:
        """One number with its standard error: at a place along depth, or the mean."""
        values, errors = (np.atleast_1d(self(name, control)) for name in (variable, f"{variable}_stderr"))
        if place is None:
            return Quantity(float(values.mean()), float(np.nan_to_num(errors).mean()))
        place = min(place, len(values) - 1)
        return Quantity(float(values[place]), float(np.nan_to_num(errors[min(place, len(errors) - 1)])))

    def each(self, number: Callable[[str], Quantity]) -> Controls:
        """A number of each control that is there."""
        return {control: number(control) for control in self._controls}


def claims(table: "xarray.Dataset") -> list[Claim]:
    """The rows of all models of a study.

    Args:
        table: from `study`.

    Example:
        >>> from semres_jax import data
        >>> from semres_jax.experiments import dynamics
        >>> settings = dynamics.Settings(samples=4, tokens=6, jacobian_samples=0, controls=(), years=0)
        >>> rows = dynamics.claims(dynamics.study([dynamics.open_subject("random")], data.passages(), settings))
        >>> rows[0].claim, rows[0].network, sorted(rows[0].controls)
        ('units are continuous along depth', 'random', ['null', 'rotated basis'])
    """
    names = [str(name) for name in table.network.values]
    models = [name for name in names if not any(name.startswith(f"{other}, ") for other in names)]
    parts = (_of_states, _of_ways, _of_matrices, _of_products, _of_units, _of_years)
    return [row for model in models for part in parts for row in part(_Numbers(table, model))]


def _row(
    of: _Numbers, paper: str, claim: str, what: str, number: Quantity, controls: Controls, rule: str, verdict: _Verdict
) -> Claim:
    known = {name: x for name, x in controls.items() if np.isfinite(x.value)}
    said = verdict(number, known) if np.isfinite(number.value) else UNKNOWN
    return Claim(paper, claim, of.name, what, number, known, rule, said)


def _beyond(a: Quantity, b: Quantity) -> bool:
    """Whether a is above b by more than chance."""
    return float(a.value - b.value) > _CERTAIN * float(np.hypot(*np.nan_to_num([a.stderr, b.stderr])))


def _above(number: Quantity, controls: Controls) -> str:
    """Whether a number is above all of its controls, and otherwise which it isn't above."""
    others = [name for name, value in controls.items() if not _beyond(number, value)]
    return HOLDS if not others else f"not beyond controls: {', '.join(others)}"


def _above_bar(bar: float) -> _Verdict:
    return lambda x, c: _above(x, c) if _beyond(x, Quantity(bar, 0.0)) else FAILS


def _exact(value: Any) -> Quantity:
    return Quantity(float(value), 0.0)


def _less(a: Quantity, b: Quantity) -> Quantity:
    return Quantity(a.value - b.value, float(np.hypot(a.stderr, b.stderr)))


def _over(a: Quantity, b: Quantity) -> Quantity:
    share = float(np.hypot(a.stderr / a.value, b.stderr / b.value))
    return Quantity(a.value / b.value, abs(a.value / b.value) * share)


def _mean(values: np.ndarray) -> Quantity:
    """Of (texts,)."""
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return Quantity(float(values.mean()), float(error))


def _of_states(of: _Numbers) -> Iterator[Claim]:
    def continuous(r: Quantity, c: Controls) -> str:
        if not _beyond(r, _exact(0.5)):
            return FAILS
        return HOLDS if _above(r, c) == HOLDS else f"yes, but {_above(r, c)}"

    controls = {"rotated basis": of.at("rotated_mean"), "null": _exact(of("continuity_null").mean())}
    yield _row(
        of, P1, "units are continuous along depth", "correlation with the next boundary, mean",
        of.at("continuity_mean"), controls | of.each(lambda c: of.at("continuity_mean", c)),
        "above 0.5 and above every control", continuous,
    )  # fmt: skip
    for claim, name in (("states speed up", "layer_velocity"), ("states speed up, relative", "layer_relative")):

        def ratio(control: str = "", name: str = name) -> Quantity:
            last = len(np.atleast_1d(of(name, control))) - 2
            return _over(of.at(name, control, last), of.at(name, control, 1)) if last > 1 else _exact(np.nan)

        yield _row(
            of, P1, claim, "velocity of the last layer but one over the second's", ratio(), of.each(ratio),
            "above 1 and above every control", _above_bar(1.0),
        )  # fmt: skip
    for claim, name, what in (
        ("states get denser (fixed threshold)", "large", "share of units above 1, last boundary less first"),
        ("states get denser (of no scale)", "participation", "participation ratio over D, last boundary less first"),
    ):

        def change(control: str = "", name: str = name) -> Quantity:
            return _less(of.at(name, control, 10**9), of.at(name, control, 0))

        yield _row(of, P1, claim, what, change(), of.each(change), "above 0 and above every control", _above_bar(0.0))


def _of_ways(of: _Numbers) -> Iterator[Claim]:
    def orbits(r: Quantity, c: Controls) -> str:
        walk = c["random walk"]
        more = _beyond(Quantity(abs(r.value), r.stderr), Quantity(abs(walk.value), walk.stderr))
        return HOLDS if more else "no more turns than a random walk"

    nulls = {"random walk": "walk", "layers shuffled": "layers", "signs random": "signs"}
    yield _row(
        of, P1, "units go round periodic orbits", "turns of a unit, mean", of.at("rotations"),
        {name: of.at(f"rotations_{null}") for name, null in nulls.items()} | of.each(lambda c: of.at("rotations", c)),
        "more turns than a random walk makes", orbits,
    )  # fmt: skip
    yield _row(
        of, P1, "the mean path is curved", "length over distance of its ends", of.at("mean_tortuosity"),
        {"walk": of.at("mean_walk")} | of.each(lambda c: of.at("mean_tortuosity", c)),
        "longer than a walk of its steps",
        lambda t, c: HOLDS if _beyond(t, c["walk"]) else "no more curved than a walk",
    )  # fmt: skip
    walk = Quantity(float(of("path_walk")[0]), float(of("path_walk_sd")[0]))
    yield _row(
        of, P1, "few axes hold the mean path", "share of the first axis", of.at("path_shares", place=0),
        {"random walk": walk} | of.each(lambda c: of.at("path_shares", c, 0)), "above random walks and every control",
        _above,
    )  # fmt: skip

    def after(control: str = "") -> Quantity:
        values, errors = of("return", control), of("return_stderr", control)
        if values.ndim < 2:
            return _exact(np.nan)
        place = min(2 * int(of("push_layer", control)[0]) + 10, len(values) - 1)
        return Quantity(float(values[place, 0]), float(errors[place, 0]))

    yield _row(
        of, P1, "states in lower layers return after a push", "distance 5 layers after it, over the push's length",
        after(), of.each(after), "below 1/2; below 1: weakly",
        lambda d, c: HOLDS if _beyond(_exact(0.5), d) else "weakly" if _beyond(_exact(1.0), d) else FAILS,
    )  # fmt: skip


def _of_matrices(of: _Numbers) -> Iterator[Claim]:
    def complex_share(control: str = "") -> Quantity:
        values = of("j_complex", control)
        return _mean(values.mean(0)) if values.ndim == 2 else _exact(np.nan)

    width = len(of("eigenvalues", part="real")) if "eigenvalues" in of._table else np.nan
    yield _row(
        of, P2, "nearly all eigenvalues are complex", "share of J, mean over layers", complex_share(),
        {"random matrix": _exact(1 - np.sqrt(2 / (np.pi * width)))} | of.each(complex_share), "above every control",
        _above,
    )  # fmt: skip
    for letter in "ju":

        def change(control: str = "", name: str = f"{letter}_symmetric") -> Quantity:
            values = of(name, control)
            third = max(1, len(values) // 3)
            return _mean(values[-third:].mean(0) - values[:third].mean(0)) if values.ndim == 2 else _exact(np.nan)

        yield _row(
            of, P2, f"layers go from rotation to symmetric ({letter.upper()})",
            "symmetric share, last third of the layers less first", change(), of.each(change),
            "above 0.02 and above every control", _above_bar(0.02),
        )  # fmt: skip


def _of_products(of: _Numbers) -> Iterator[Claim]:
    def end(kind: str, start: int) -> Callable[..., Quantity]:
        def rank(control: str = "") -> Quantity:
            if "product_pr" not in of._table:
                return _exact(np.nan)
            return _mean(of("product_pr", control, kind=kind, start=start)[-1])

        return rank

    def below(r: Quantity, c: Controls) -> str:
        others = [name for name, x in c.items() if not _beyond(x, r)]
        return HOLDS if not others else f"not below controls: {', '.join(others)}"

    plain, first = end("as it is", 1), end("as it is", 0)
    yield _row(
        of, P2, "products have a learned low-rank bottleneck", "participation ratio at the end, from layer 1", plain(),
        {"random bases": end("bases", 1)()} | of.each(plain), "below every control", below,
    )  # fmt: skip

    def partly(r: Quantity, c: Controls) -> str:
        more = c["normal part"].value / r.value if "normal part" in c else np.nan
        return UNKNOWN if np.isnan(more) else HOLDS if more > 10 else "partly" if more > 2 else FAILS

    yield _row(
        of, P2, "non-normality makes the bottleneck", "participation ratio at the end, from layer 0", first(),
        {"normal part": end("normal", 0)(), "scrambled": end("scrambled", 0)()} | of.each(first),
        "the normal part has 10 times as many directions; twice: partly", partly,
    )  # fmt: skip


def _of_units(of: _Numbers) -> Iterator[Claim]:
    spread = "with the unit's spread"
    yield _row(
        of, P2, "a unit's place between communities predicts its growth", "rank correlation with boundary edges",
        of.at("graph_boundary_share"),
        {spread: of.at("graph_spread")} | of.each(lambda c: of.at("graph_boundary_share", c)),
        "beyond 0.3 and beyond the unit's spread alone",
        lambda r, c: HOLDS if abs(r.value) > max(0.3, abs(c[spread].value)) else FAILS,
    )  # fmt: skip
    alone = "correlation alone"
    yield _row(
        of, P1, "units tell of themselves at the next boundary", "mutual information, nats", of.at("information"),
        {"texts permuted": of.at("information_shuffled"), alone: of.at("information_gaussian")}
        | of.each(lambda c: of.at("information", c)), "above texts permuted and every untrained control",
        lambda r, c: _above(r, {name: x for name, x in c.items() if name != alone}),
    )  # fmt: skip


def _of_years(of: _Numbers) -> Iterator[Claim]:
    names = [str(name) for name in np.atleast_1d(of("relation_name"))]
    shifts = "largest circular shift"
    for claim, name in (
        ("p_I changes with the dimension of states", "p_i ~ dimension"),
        ("the Jacobian along years predicts how ε grows", "ln ε ~ gain along years / typical"),
        ("the Jacobian along years predicts how p_I falls", "p_i ~ gain along years / typical"),
    ):
        if name in names:
            rho, largest = (_exact(of(f"relation_{field}")[names.index(name)]) for field in ("rho", "largest"))
            yield _row(
                of, "bridge", claim, "rank correlation over layers", rho, {shifts: largest},
                "beyond every circular shift",
                lambda r, c: HOLDS if abs(r.value) > c[shifts].value else "not told from circular shifts",
            )  # fmt: skip
