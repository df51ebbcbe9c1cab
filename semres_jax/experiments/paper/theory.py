"""Data of the figures that show theorems: the laws as curves, and simulations of the same tests as marks."""

from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from semres_jax import frontier, laws, measure, spaces
from semres_jax._random import generator
from semres_jax.experiments.paper.setting import Setting
from semres_jax.experiments.validation import resolutions

if TYPE_CHECKING:
    import xarray

HOMOGENEOUS = ("circle", "torus(2)", "sphere(2)", "hamming(16)")
HETEROGENEOUS = ("interval", "ball(2)", "gaussian(2)")
FLOORS = (0.0, 0.1, 0.3)
NS = (2, 3, 4, 8, 16, 32)
# Of the law against n, which is compiled for each.
ITEMS = np.unique(np.geomspace(2, 1000, 45).round().astype(int))
# Ball measures at which accuracies are shown against n.
BALLS = (0.02, 0.05, 0.1, 0.3)
# Numbers of hues in a picture, pictures of each, and ball measures of the simulated observers.
HUES, PICTURES, OBSERVERS = (4, 6, 8, 10, 12), 1000, (0.1, 0.3)
_SHARES = (0.03, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
_TRIALS, _QUICK_TRIALS = 2**22, 2**18
_B = np.linspace(0.0, 1.0, 201)
_MEANINGS = {
    "p_s": "generalization: probability of a right answer in the similarity task",
    "p_i": "identification: probability of a right answer in the identification task",
    "mean_b": "mean over probes of the ball measure at the resolution",
    "var_b": "variance over probes of the ball measure at the resolution",
}


def two_items(setting: Setting) -> "xarray.Dataset":
    """Figure 2: the front of homogeneous spaces with and without a floor, and what heterogeneity costs.

    Dimensions: `delta`, `b` of the laws (theorems 1 and 2 without variance); `space`, `point` of the simulations, whose
    resolutions reach `_SHARES` of the pairs; `curve` of the exact curves without a floor.
    """
    import xarray

    names = (*HOMOGENEOUS, *HETEROGENEOUS)
    with jax.enable_x64(True):
        law = laws.constant(_B[None], n=2, delta=np.array(FLOORS)[:, None])
    content: dict[str, Any] = {
        f"law_{name}": (("delta", "b"), np.asarray(value), _meaning(name))
        for name, value in zip(("p_s", "p_i"), law, strict=True)
    }
    rows = []
    for done, name in enumerate(names):
        setting.execution.tell(f"figure 2: {name}", done, len(names))
        rows.append(_space(spaces.get(name), setting))
    for name in rows[0]:
        dims = ("space", "curve") if name.startswith("curve_") else ("space", "delta", "point")
        values, plain = [row[name] for row in rows], name.removeprefix("curve_").removesuffix("_stderr")
        error = {"long_name": f"standard error of {plain}", "units": "1"}
        content[name] = (dims, _stacked(values), error if name.endswith("_stderr") else _meaning(plain))
    content["homogeneous"] = ("space", [name in HOMOGENEOUS for name in names], {"long_name": "Var(b) = 0"})
    return xarray.Dataset(content, {"space": list(names), "delta": list(FLOORS), "b": _B})


def _space(space: spaces.MetricSpace, setting: Setting) -> dict[str, np.ndarray]:
    """Simulated accuracies (delta, point) of one space, and its exact curve without a floor."""
    epsilon = resolutions(space, _SHARES)
    trials = _QUICK_TRIALS if setting.quick else _TRIALS
    grid: Any = {"epsilon": epsilon, "delta": FLOORS}
    table = frontier.sweep(space, "constant", 2, **grid, method="prng", trials=trials, key=setting.key)
    seen = table.isel(space=0, similarity=0, n=0).transpose("delta", "epsilon")
    exact = frontier.sweep(space, "constant", 2, epsilon=resolutions(space, np.linspace(0, 1, 41)))
    curve = exact.isel(space=0, similarity=0, delta=0, n=0)
    values = {f"curve_{name}": curve[name].values for name in _MEANINGS}
    names = ("p_s", "p_i", "p_s_stderr", "p_i_stderr", "mean_b")
    return values | {name: seen[name].broadcast_like(seen.p_s).values for name in names}


def many_items(setting: Setting) -> "xarray.Dataset":
    """Figure 3: accuracies of n items on the circle, against the ball measure and against n.

    Dimensions: `n`, `b` of the law (theorem 3); `n`, `ball` of the simulations, at resolution ball / 2 of the circle;
    `items`, `ball` of the law against a fine grid of n.
    """
    import xarray

    trials = (_QUICK_TRIALS if setting.quick else _TRIALS) // 4
    balls = np.array([*BALLS, 0.5, 0.8])
    with jax.enable_x64(True):
        law = [laws.constant(_B, n=n) for n in NS]
        fine = [laws.constant(balls, n=int(n)) for n in ITEMS]
    setting.execution.tell("figure 3: circle", 0, 1)
    table = frontier.sweep(
        "circle", "constant", NS, epsilon=balls / 2, method="prng", trials=trials, key=setting.key,
        execution=setting.execution,
    )  # fmt: skip
    seen = table.isel(space=0, similarity=0, delta=0).transpose("n", "epsilon")
    content: dict[str, Any] = {}
    for place, name in enumerate(("p_s", "p_i")):
        content[f"law_{name}"] = (("n", "b"), np.stack([row[place] for row in law]), _meaning(name))
        content[f"items_{name}"] = (("items", "ball"), np.stack([row[place] for row in fine]), _meaning(name))
        content[name] = (("n", "ball"), seen[name].values, _meaning(name))
        error = {"long_name": f"standard error of {name}", "units": "1"}
        content[f"{name}_stderr"] = (("n", "ball"), seen[f"{name}_stderr"].values, error)
    best = [laws.optimal_ball_measure(n) for n in NS]
    with jax.enable_x64(True):
        top = [float(laws.constant(b, n=n).p_s) for b, n in zip(best, NS, strict=True)]
    content["best_b"] = ("n", best, {"long_name": "ball measure at which p_S is largest", "units": "1"})
    content["best_p_s"] = ("n", top, {"long_name": "largest p_S, where p_I = p_S", "units": "1"})
    return xarray.Dataset(content, {"n": list(NS), "b": _B, "ball": balls, "items": ITEMS})


def colours(setting: Setting) -> "xarray.Dataset":
    """Figure 14: identification of one of n hues by simulated observers, and the n-item law fitted to their answers.

    An observer can't tell hues within a/2 of the hue circle from the probe, and takes one of them at random; no law is
    used. Dimensions: `observer` (its ball measure a), `n`.
    """
    import xarray

    rng, rows = generator(setting.key, 0), []
    for done, a in enumerate(OBSERVERS):
        setting.execution.tell("figure 14: simulated observers", done, len(OBSERVERS))
        right = [_identified(n, a / 2, rng) for n in HUES]
        bootstrap = 100 if setting.quick else 1000
        rows.append(measure.fit_items_law(HUES, right, [PICTURES] * len(HUES), bootstrap=bootstrap, key=setting.key))
    by, fits = ("observer", "n"), {"long_name": "ball measure fitted", "units": "share of the hue circle"}
    content: dict[str, Any] = {
        "right": (by, np.stack([fit.right for fit in rows]), {"long_name": "identifications that were right"}),
        "trials": (by, np.stack([fit.trials for fit in rows]), {"long_name": "pictures"}),
        "expected": (by, np.stack([fit.expected for fit in rows]), _meaning("p_i")),
        "a": ("observer", [fit.a.value for fit in rows], fits),
        "low": ("observer", [fit.a.low for fit in rows], {"long_name": "low end of the 95 % interval of a"}),
        "high": ("observer", [fit.a.high for fit in rows], {"long_name": "high end of the 95 % interval of a"}),
        "p_value": ("observer", [fit.p_value for fit in rows], {"long_name": "p of the fit, by simulated tables"}),
    }
    return xarray.Dataset(content, {"observer": list(OBSERVERS), "n": list(HUES)})


def _identified(n: int, epsilon: float, rng: np.random.Generator) -> int:
    """How many of the pictures an observer of this resolution answers rightly."""
    hues = rng.random((PICTURES, n))
    apart = np.abs(hues[:, 1:] - hues[:, :1])
    confused = (np.minimum(apart, 1 - apart) <= epsilon).sum(1)
    return int((rng.random(PICTURES) * (1 + confused) < 1).sum())


def _meaning(name: str) -> dict[str, str]:
    return {"long_name": _MEANINGS[name], "units": "1"}


def _stacked(rows: list[np.ndarray]) -> np.ndarray:
    """Rows on top of each other, NaN where one has fewer points along its last axis."""
    longest = max(row.shape[-1] for row in rows)
    wide = [
        np.pad(row, [(0, 0)] * (row.ndim - 1) + [(0, longest - row.shape[-1])], constant_values=np.nan) for row in rows
    ]
    return np.stack(wide)
