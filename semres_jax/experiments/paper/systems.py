"""Data of the figures that show systems: trained networks, a language model, a model that sees."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax import data, measure
from semres_jax.execution import Execution
from semres_jax.experiments import images, toy
from semres_jax.experiments.paper.setting import Setting

if TYPE_CHECKING:
    import xarray

# Each of them has a near relative among the other animals: dog, cow, horse.
_HELD_OUT = ("bear", "sheep", "zebra")
_MODEL = "smollm2"
# Edges of the bins of distances (pixels) in which choices are counted.
_BINS = np.array([0.0, 100.0, 150.0, 200.0, 250.0, 300.0, 350.0, 400.0, 450.0, 650.0])
_FAMILIES = ("constant", "linear", "exponential", "gaussian")


def toy_networks(setting: Setting) -> "xarray.Dataset":
    """Figures 4a and 4b: the preset fig4 of `semres toy`, ten runs of 7500 steps (quickly, three of 1500)."""
    if "toy" not in setting.studies:
        runs, steps = (3, 1500) if setting.quick else (10, 7500)
        setting.studies["toy"] = toy.study(
            toy.PRESETS["fig4"].conditions(), runs=runs, steps=steps, key=setting.key, checkpoints=setting.part("toy"),
            resume=setting.resume, execution=setting.execution,
        )  # fmt: skip
    return setting.studies["toy"]


def resnet(setting: Setting) -> "xarray.Dataset":
    """Figure 5a: `semres resnet` on the silhouettes of animals, as far as the figure needs it."""
    from semres_jax.training.images.loop import Recipe

    alphas = (0.0, 0.5, 0.9) if setting.quick else (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)
    runs, epochs = (2, 3) if setting.quick else (3, 12)
    return images.study(
        data.animal_images(), Recipe(epochs=epochs), alphas=alphas, runs=runs, key=setting.key, held_out=_HELD_OUT,
        graded_shares=(), checkpoints=setting.part("resnet"), resume=setting.resume, execution=setting.execution,
    )  # fmt: skip


def no_language_model() -> str:
    """Why the language model can't be asked; nothing where it can."""
    from importlib.util import find_spec

    if find_spec("gguf") is None or find_spec("tokenizers") is None:
        return "the packages that read a language model are not installed: install the extra llm"
    if not data.assets.path(_MODEL).is_file():
        return "the weights of SmolLM2-135M, 98 MB, are not on this machine: scripts/fetch_assets fetches them"
    return ""


def year_pairs(setting: Setting) -> "xarray.Dataset":
    """Figure 5b: who of two was born closest to a year, by the year asked for."""
    return _asked(setting, ("pairs",), "pairs", 384 if setting.quick else 1600)


def year_items(setting: Setting) -> "xarray.Dataset":
    """Figure 10: who of n was born closest to a year, and who in it, by n."""
    return _asked(setting, ("items", "identify"), "items", 160 if setting.quick else 1000)


def _asked(setting: Setting, tasks: tuple[str, ...], name: str, prompts: int) -> "xarray.Dataset":
    import contextlib

    from semres_jax.measure import backends

    with contextlib.closing(backends.open_backend(_MODEL)) as backend, setting.saved(name) as saved:
        saved.open({"model": backend.name, "tasks": tasks, "prompts": prompts, "seed": setting.seed})
        how = Execution(progress=setting.execution.progress, saved=saved)
        counts = (2, 4, 8, 16) if setting.quick else (2, 4, 8, 16, 32)
        result = measure.years(
            backend, tasks=tasks, prompts=prompts, counts=counts, key=setting.key, likelihood="pairs" in tasks,
            execution=how,
        )  # fmt: skip
        return result.dataset().assign_attrs(model=backend.name, template="chat")


def shapes(setting: Setting) -> "xarray.Dataset":
    """Figure 5c: which of four shapes is closest to an X: the 400 answers of Qwen2.5-VL-7B that ship, with fits.

    Dimensions: `trial`; `bin` of the distance of the closest shape (pixels); `fit`: the likeliest similarity by AIC,
    with a bias for each shape and without.
    """
    import xarray

    table = data.vlm_spatial()
    fits = {}
    for bias in ("label", "none"):
        for done, family in enumerate(_FAMILIES):
            setting.execution.tell(f"figure 5c: {family}, bias {bias}", done, len(_FAMILIES))
            fits[bias, family] = measure.fit_choices(
                table.distances, table.chosen, family=family, labels=table.labels, bias=bias
            )
    best = {bias: min((fits[bias, f] for f in _FAMILIES), key=lambda fit: fit.aic) for bias in ("label", "none")}
    every = np.arange(len(table.chosen))
    closest = table.distances.argmin(1)
    nearest = table.distances[every, closest]
    right = table.chosen == closest
    predicted = np.stack([fit.probabilities[every, closest] for fit in best.values()])
    place = np.digitize(nearest, _BINS[1:-1])
    counts = np.bincount(place, minlength=len(_BINS) - 1)
    means = [np.bincount(place, row, len(counts)) / np.maximum(counts, 1) for row in (nearest, right, *predicted)]
    content: dict[str, Any] = {
        "place": (("trial", "axis"), _places(table), {"long_name": "place of the X", "units": "pixel"}),
        "chosen": ("trial", table.labels[every, table.chosen].astype(object), {"long_name": "shape answered"}),
        "right": ("trial", right, {"long_name": "whether the closest shape was answered"}),
        "nearest": ("trial", nearest, {"long_name": "distance of the closest shape", "units": "pixel"}),
        "count": ("bin", counts, {"long_name": "choices in the bin"}),
        "middle": ("bin", means[0], {"long_name": "mean distance of the closest shape", "units": "pixel"}),
        "share": ("bin", means[1], {"long_name": "share of answers that were right", "units": "1"}),
        "predicted": (("fit", "bin"), np.stack(means[2:]), {"long_name": "the same by the fit", "units": "1"}),
        "family": ("fit", np.array([fit.family for fit in best.values()], object), {"long_name": "similarity"}),
        "aic": ("fit", [fit.aic for fit in best.values()], {"long_name": "Akaike's information criterion"}),
    }
    for end in ("value", "low", "high"):
        values = [getattr(fit.epsilon, end) for fit in best.values()]
        content[f"epsilon_{end}"] = ("fit", values, {"long_name": "resolution, 95 % interval", "units": "pixel"})
    content["floor"] = ("fit", [fit.delta.value for fit in best.values()], {"long_name": "noise floor", "units": "1"})
    return xarray.Dataset(content, {"fit": ["with biases", "no bias"], "axis": ["x", "y"]})


def _places(table: data.Choices) -> np.ndarray:
    """(T, 2) places of the X in pixels, from its distances of four shapes at known places."""
    corners = np.array(
        [[[float(x) for x in str(place).strip("()").split(",")] for place in row] for row in table.positions]
    )
    first, others = corners[:, :1], corners[:, 1:]
    # |x - c|² = d² at each corner c: the difference of two is linear in x.
    sides = (others**2).sum(-1) - (first**2).sum(-1) - table.distances[:, 1:] ** 2 + table.distances[:, :1] ** 2
    return np.stack([np.linalg.lstsq(2 * a, s, rcond=None)[0] for a, s in zip(others - first, sides, strict=True)])
