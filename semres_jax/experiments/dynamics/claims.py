"""What two papers say of the residual stream, a row each: the number here, its control or null, and the verdict.

The papers are "Transformer Dynamics" (arXiv 2502.12131) and "Dynamics of the Transformer Residual Stream" (arXiv
2605.14258). A verdict is made of the numbers alone, by the rule that its row states; where a difference has a standard
error, one of less than three of them is none.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import xarray

P1, P2 = "2502.12131", "2605.14258"
_CERTAIN = 3.0
HOLDS, FAILS, UNKNOWN = "holds", "doesn't hold", "not measured"


class Claim(NamedTuple):
    """A row of the table.

    Attributes:
        paper: its number on arXiv; "bridge" for what this project asks.
        claim: in words.
        network: the model.
        what: the number in words.
        number: NaN where it was not measured.
        controls: numbers of controls and nulls by name.
        rule: when the claim holds.
        verdict: "holds", "doesn't hold", or how far, in words.
    """

    paper: str
    claim: str
    network: str
    what: str
    number: float
    controls: dict[str, float]
    rule: str
    verdict: str


class _Numbers:
    """Numbers of a model and of its controls, from the dataset of a study."""

    def __init__(self, table: "xarray.Dataset", network: str):
        self.name, self._table = network, table
        self._names = [str(name) for name in table.network.values]
        prefix = f"{network}, "
        self._controls = {name.removeprefix(prefix): name for name in self._names if name.startswith(prefix)}

    def __call__(self, variable: str, control: str = "", **at: Any) -> Any:
        """A variable's numbers without the NaN that fill it up; all NaN where it isn't there."""
        if variable not in self._table:
            return np.array([np.nan])
        row = self._names.index(self._controls[control] if control else self.name)
        values = self._table[variable].isel(network=row).sel(at).values
        return values if values.ndim == 0 else np.moveaxis(values, -1, 0)[: self._length(values)]

    @staticmethod
    def _length(values: np.ndarray) -> int:
        there = np.isfinite(values).reshape(-1, values.shape[-1]).any(0)
        return int(np.flatnonzero(there)[-1]) + 1 if there.any() else 1

    def of_controls(self, number: Callable[[str], float]) -> dict[str, float]:
        """A number of each control that is there."""
        return {control: float(number(control)) for control in self._controls}


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
    rows = [row for model in models for part in (_of_states, _of_ways, _of_matrices, _of_units, _of_years)
            for row in part(_Numbers(table, model))]  # fmt: skip
    return rows


def _row(
    of: _Numbers, paper: str, claim: str, what: str, number: Any, controls: dict[str, float], rule: str,
    verdict: Callable[[float, dict[str, float]], str],
) -> Claim:  # fmt: skip
    value, known = float(number), {name: float(x) for name, x in controls.items() if np.isfinite(x)}
    return Claim(
        paper, claim, of.name, what, value, known, rule, verdict(value, known) if np.isfinite(value) else UNKNOWN
    )


def _above(error: float = 0.0) -> Callable[[float, dict[str, float]], str]:
    """Whether a number is above all of its controls, and otherwise which are as large."""

    def verdict(number: float, controls: dict[str, float]) -> str:
        as_large = [name for name, value in controls.items() if value >= number - _CERTAIN * error]
        return HOLDS if not as_large else f"not beyond controls: {', '.join(as_large)}"

    return verdict


def _of_states(of: _Numbers) -> Iterator[Claim]:
    error = float(np.nan_to_num(of("continuity_mean_stderr")))
    controls = {"rotated basis": float(of("rotated_mean")), "null": float(of("continuity_null").mean())}
    controls |= of.of_controls(lambda c: of("continuity_mean", c))
    yield _row(
        of, P1, "units are continuous along depth", "correlation with the next boundary, mean", of("continuity_mean"),
        controls, "above 0.5 and above every control",
        lambda r, c: f"{HOLDS[:-1]}s, but {_above(error)(r, c)}" if r > 0.5 and _above(error)(r, c) != HOLDS
        else HOLDS if r > 0.5 else FAILS,
    )  # fmt: skip

    def speed(variable: str) -> Callable[[str], float]:
        def ratio(control: str = "") -> float:
            values = of(variable, control)
            return values[-2] / values[1] if len(values) > 3 else np.nan

        return ratio

    for claim, name in (("states speed up", "layer_velocity"), ("states speed up, relative to them", "layer_relative")):
        ratio = speed(name)
        yield _row(
            of, P1, claim, "velocity of the last layer but one over the second's", ratio(""), of.of_controls(ratio),
            "above 1 and above every control", lambda r, c: _above()(r, c) if r > 1 else FAILS,
        )  # fmt: skip
    for claim, name, what in (
        ("states get denser (fixed threshold)", "large", "share of units above 1, last boundary less first"),
        ("states get denser (of no scale)", "participation", "participation ratio over D, last boundary less first"),
    ):

        def change(control: str = "", name: str = name) -> float:
            values = of(name, control)
            return values[-1] - values[0]

        yield _row(
            of, P1, claim, what, change(), of.of_controls(change), "above 0 and above every control",
            lambda d, c: _above()(d, c) if d > 0 else FAILS,
        )  # fmt: skip


def _of_ways(of: _Numbers) -> Iterator[Claim]:
    error = float(np.hypot(np.nan_to_num(of("rotations_stderr")), np.nan_to_num(of("rotations_walk_stderr"))))
    nulls = {"random walk": "walk", "layers shuffled": "layers", "signs random": "signs"}
    controls = {name: float(of(f"rotations_{null}")) for name, null in nulls.items()}
    yield _row(
        of, P1, "units go round periodic orbits", "turns of a unit, mean", of("rotations"),
        controls | of.of_controls(lambda c: of("rotations", c)), "more turns than a random walk makes",
        lambda r, c: HOLDS if abs(r) > abs(c["random walk"]) + _CERTAIN * error else "no more turns than a random walk",
    )  # fmt: skip
    yield _row(
        of, P1, "the mean path is curved", "length over distance of its ends", of("mean_tortuosity"),
        {"walk": float(of("mean_walk"))} | of.of_controls(lambda c: of("mean_tortuosity", c)),
        "longer than a walk of its steps", lambda t, c: HOLDS if t > c["walk"] else "straighter than a walk",
    )  # fmt: skip
    sd = float(of("path_walk_sd")[0])
    yield _row(
        of, P1, "few axes hold the mean path", "share of the first axis", of("path_shares")[0],
        {"random walk": float(of("path_walk")[0])} | of.of_controls(lambda c: of("path_shares", c)[0]),
        "above random walks and every control", _above(sd),
    )  # fmt: skip

    def after(control: str = "", variable: str = "return") -> float:
        if "return" not in of._table:
            return np.nan
        start = 2 * int(np.nan_to_num(of("push_layer", control)[0]))
        values = of(variable, control)
        values = values[:, 0] if values.ndim == 2 else values
        return values[min(start + 10, len(values) - 1)]

    yield _row(
        of, P1, "states in lower layers return after a push", "distance 5 layers after a push, over the push's length",
        after(), of.of_controls(after), "below 1/2; below 1: weakly",
        lambda d, c: HOLDS if d < 0.5 else "weakly" if d < 1 else FAILS,
    )  # fmt: skip


def _of_matrices(of: _Numbers) -> Iterator[Claim]:
    def late(name: str) -> Callable[[str], float]:
        def mean(control: str = "") -> float:
            values = of(name, control)
            return float(values[-max(1, len(values) // 3) :].mean()) if len(values) else np.nan

        return mean

    share, width = of("j_complex"), len(of("eigenvalues")) if "eigenvalues" in of._table else np.nan
    width = of._table.sizes.get("eigenvalue", np.nan) if np.isfinite(width) else np.nan
    yield _row(
        of, P2, "nearly all eigenvalues are complex", "share of J, mean over layers and texts", share.mean(),
        {"random matrix": 1 - np.sqrt(2 / (np.pi * width))} | of.of_controls(lambda c: of("j_complex", c).mean()),
        "above every control", _above(),
    )  # fmt: skip
    for letter in "ju":

        def change(control: str = "", name: str = f"{letter}_symmetric") -> float:
            values = of(name, control)
            third = max(1, len(values) // 3)
            return float(values[-third:].mean() - values[:third].mean())

        yield _row(
            of, P2, f"layers go from rotation to symmetric ({letter.upper()})",
            "symmetric share, last third of the layers less first", change(), of.of_controls(change),
            "above 0.02 and above every control", lambda d, c: _above()(d, c) if d > 0.02 else FAILS,
        )  # fmt: skip

    def end(kind: str, start: int) -> Callable[[str], float]:
        def rank(control: str = "") -> float:
            if "product_pr" not in of._table:
                return np.nan
            return float(np.mean(of("product_pr", control, kind=kind, start=start)[-1]))

        return rank

    plain = end("as it is", 1)
    yield _row(
        of, P2, "products have a learned low-rank bottleneck", "participation ratio at the end, from layer 1", plain(),
        {"random bases": end("bases", 1)()} | of.of_controls(plain), "below every control",
        lambda r, c: HOLDS if all(r < x for x in c.values()) else f"not below {', '.join(k for k, x in c.items() if x <= r)}",
    )  # fmt: skip
    first = end("as it is", 0)
    yield _row(
        of, P2, "the bottleneck comes of non-normality", "participation ratio at the end, from layer 0", first(),
        {"normal part": end("normal", 0)(), "scrambled": end("scrambled", 0)()} | of.of_controls(first),
        "the normal part has 4 times as many; twice: partly",
        lambda r, c: UNKNOWN if "normal part" not in c else HOLDS if c["normal part"] > 4 * r
        else "partly" if c["normal part"] > 2 * r else FAILS,
    )  # fmt: skip


def _of_units(of: _Numbers) -> Iterator[Claim]:
    yield _row(
        of, P2, "a unit's place between communities predicts its growth", "rank correlation with boundary edges",
        of("graph_boundary_share").mean(), {"with the unit's spread": float(of("graph_spread").mean())}
        | of.of_controls(lambda c: of("graph_boundary_share", c).mean()),
        "beyond 0.3 and beyond the unit's spread alone",
        lambda r, c: HOLDS if abs(r) > max(0.3, abs(c.get("with the unit's spread", 0.0))) else FAILS,
    )  # fmt: skip
    told = of("information").mean()
    yield _row(
        of, P1, "units tell of themselves at the next boundary", "mutual information, nats", told,
        {"texts permuted": float(of("information_shuffled").mean()), "correlation alone":
         float(of("information_gaussian").mean())} | of.of_controls(lambda c: of("information", c).mean()),
        "above texts permuted and every untrained control",
        lambda r, c: _above()(r, {k: x for k, x in c.items() if k != "correlation alone"}),
    )  # fmt: skip


def _of_years(of: _Numbers) -> Iterator[Claim]:
    if "relation_name" not in of._table:
        return
    names = [str(name) for name in of._table["relation_name"].isel(network=of._names.index(of.name)).values]
    wanted = (
        ("p_I changes with the dimension of states", "p_i ~ dimension"),
        ("the Jacobian along years predicts how ε grows", "ln ε ~ gain along years / typical"),
        ("the Jacobian along years predicts how p_I falls", "p_i ~ gain along years / typical"),
    )
    for claim, name in wanted:
        if name not in names:
            continue
        place = names.index(name)
        rho, largest = (float(np.atleast_1d(of(f"relation_{field}"))[place]) for field in ("rho", "largest"))
        yield _row(
            of, "bridge", claim, "rank correlation over layers", rho, {"largest circular shift": largest},
            "beyond every circular shift",
            lambda r, c: HOLDS if abs(r) > c.get("largest circular shift", np.inf) else "not told from circular shifts",
        )  # fmt: skip
