"""Layers of the page: what the commands wrote into folders, as points and curves over the laws.

A layer is a dict of what JSON has: `name`, `text`, `source`; `frames`, of which one is shown at a time and `axis` says
what they are (steps of training, α, layers); `start`, the frame that is shown first; `path`, pairs (p_I, p_S) through
the frames; `space`, whose resolutions its curves are over; `scale`, whether distances of its profiles are in units of
its largest distance ("width") or of its resolution ("epsilon"). A frame has a `name` and what there is of `plane`,
pairs (p_I, p_S), `bars`, their ends (p_I low, high, p_S low, high), `curve`, p_s and p_i over b or epsilon, `items`,
pairs (n, p_I), `profile`, pairs (distance, similarity), `note`.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax._files import shown
from semres_jax.frontier import families

if TYPE_CHECKING:
    import xarray

Layer = dict[str, Any]
# Frames of a layer, and points of a curve; of more, so many are taken at even steps.
_FRAMES, _POINTS = 120, 120
# What tells a way of training networks on tuples of features, and of testing them.
_WAY = ("code", "training", "aggregate")


def layers_of(folder: str | os.PathLike[str]) -> list[Layer]:
    """The layers of the runs whose results are in a folder.

    Args:
        folder: the `--out` of `semres toy`, `resnet`, `measure` or `sweep`.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: it holds no results of these commands, or a file that they don't write.

    Example:
        >>> from semres_jax.explore.runs import layers_of
        >>> layers_of("results/none")
        Traceback (most recent call last):
        FileNotFoundError: no folder 'results/none'; name one that --out of semres toy, resnet, measure or sweep named
    """
    place, names = Path(folder), ", ".join(f"{name}.nc" for name in _READERS)
    what = "one that --out of semres toy, resnet, measure or sweep named"
    if not os.path.exists(place):
        raise FileNotFoundError(f"no folder {shown(folder)!r}; name {what}")
    if not os.path.isdir(place):
        raise ValueError(f"{shown(folder)!r} is a file; name the folder of a run, {what}")
    there = [(place / f"{name}.nc", reader) for name, reader in _READERS.items() if (place / f"{name}.nc").exists()]
    if not there:
        raise ValueError(f"{shown(folder)!r} holds no results of a run ({names}); name {what}")
    return [layer for path, reader in there for layer in _read(path, reader)]


def _read(path: Path, reader: Callable[["xarray.Dataset"], list[Layer]]) -> list[Layer]:
    import xarray

    try:
        with xarray.open_dataset(path, engine="h5netcdf", decode_times=False) as data:
            layers = reader(data.load())
    except (OSError, ValueError, KeyError, AttributeError, IndexError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{shown(path)!r} is broken, or not what semres {path.stem} of this version writes ({reason}); run it again"
        ) from error
    usual = {"text": "", "axis": "", "path": [], "space": "", "scale": "width"}
    source = str(path.parent)
    layers = [usual | {"start": len(layer["frames"]) - 1, "source": source} | layer for layer in layers]
    return [layer | {"name": shown(layer["name"]), "text": shown(layer["text"], 400)} for layer in layers]


def _toy(data: "xarray.Dataset") -> list[Layer]:
    """A layer for each condition, frames are steps: every run, the path of the mean, the learned similarity."""
    if "aggregate" in data:
        return _of_features(data)
    layers = []
    for place, name in enumerate(data.condition.values):
        own = data.isel(condition=place)
        n = int(own["items"])
        both = [own[p].sel(n=n).transpose("step", "run").values for p in ("p_i", "p_s")]
        distance = own.distance.values
        profile = own.profile.mean("run").transpose("step", "level").values
        steps = _some(len(data.step), _FRAMES)
        frames: list[dict[str, Any]] = []
        for k in steps:
            learned = _pairs(distance / np.nanmax(distance), profile[k])
            frames.append({"name": str(int(data.step[k])), "plane": _pairs(both[0][k], both[1][k]), "profile": learned})
        if "test_n" in own.coords:
            frames[-1]["items"] = _pairs(own.test_n.values, own.tested_p_i.mean("run").values)
        mean = [p.mean(axis=1)[steps] for p in both]
        text = f"n = {n}, {int(own.stimuli)} stimuli, {data.sizes['run']} runs; the line is their mean"
        layers.append(
            {"name": f"toy: {name}", "text": text, "axis": "step", "frames": frames, "path": _pairs(*mean)}
        )  # fmt: skip
    return layers


def _of_features(data: "xarray.Dataset") -> list[Layer]:
    """A layer for each way of training and testing, frames are numbers of slots: a point for each run."""
    ways = [", ".join(map(str, way)) for way in zip(*(data[x].values for x in _WAY), strict=True)]
    layers = []
    for way in dict.fromkeys(ways):
        rows = data.isel(row=[place for place, name in enumerate(ways) if name == way])
        rows = rows.isel(row=np.argsort(rows.slots.values, kind="stable"))
        both = [rows[p].values for p in ("p_i", "p_s")]
        frames = [
            {"name": str(int(count)), "plane": _pairs(both[0][k], both[1][k])}
            for k, count in enumerate(rows.slots.values)
        ]
        text = f"n = 2, p_S of features and p_I of wholes, {data.sizes['run']} runs; the line is their mean"
        path = _pairs(*(p.mean(axis=1) for p in both))
        layers.append({"name": f"toy: {way}", "text": text, "axis": "slots", "frames": frames, "path": path})
    return layers


def _resnet(data: "xarray.Dataset") -> list[Layer]:
    """One layer, frames are weights α of the loss of distances: accuracies over shares of other images in the ball."""
    frames = []
    for place, alpha in enumerate(data.alpha.values):
        own = data.isel(alpha=place)
        p_s, p_i = (own[p].mean("run").values for p in ("p_s", "p_i"))
        best = int(np.nanargmax(p_s))
        bars = [[own[f"{p}_{end}"].values for end in ("low", "high")] for p in ("p_i", "p_s")]
        note = f"best p_S {p_s[best]:.3f} at b = {float(data.share[best]):.2f}"
        frames.append(_curve_frame(f"{float(alpha):g}", data.share.values, p_s, p_i, note) | {"bars": _bars(*bars)})
    text = f"{data.attrs['network']} on {data.attrs['data']}, {data.sizes['run']} runs; a point for each share within ε"
    return [{"name": "resnet", "text": text, "axis": "α", "frames": frames}]


def _measure(data: "xarray.Dataset") -> list[Layer]:
    if "level_p_s" in data:
        return [_embeddings(data)]
    if "law_p_i" in data:
        return [_people(data)]
    if "difference" in data:
        return _comparison(data)
    if "expected" in data:
        return [_items_law(data)]
    if "bias" in data.coords:
        return [_choices(data)]
    layers = _language(data)
    if not layers:
        raise ValueError("no embeddings, similarities, choices or answers of a language model")
    return layers


def _embeddings(data: "xarray.Dataset") -> Layer:
    """Frames: the model's own similarity, and thresholds of its dissimilarity."""
    itself = _point("its own similarity", data)
    level = _curve_frame(
        "thresholds", data.level_mean_b.values, data.level_p_s.values, data.level_p_i.values, "of its dissimilarity"
    )
    text = f"{data.attrs['rows']} embeddings, {data.attrs['similarity']}, most like the {data.attrs['best_family']} one"
    name = f"embeddings: {data.attrs.get('file', '')}"
    return {"name": name, "text": text, "axis": "similarity", "frames": [itself, level], "start": 0}


def _people(data: "xarray.Dataset") -> Layer:
    """One frame: what people say is alike, and p_I of numbers of items."""
    frame = _point("people", data.isel(n=0)) | {"items": _pairs(data.n.values, data.p_i.values)}
    where = "given" if data.attrs["geometry"] == "given" else "recovered"
    text = f"{data.attrs['kind']} of {data.attrs['stimuli']} stimuli, {where} distances; b = {data.mean_b.item():.3g}"
    return {"name": f"people: {data.attrs.get('file', '')}", "text": text, "frames": [frame]}


def _point(name: str, data: "xarray.Dataset") -> dict[str, Any]:
    """A frame of a measured system: its accuracies with their intervals, its similarity over distance."""
    bars = [[data[f"{p}_{end}"].values.reshape(1) for end in ("low", "high")] for p in ("p_i", "p_s")]
    point, distance = _pairs([data.p_i.item()], [data.p_s.item()]), data.distance.values
    profile = _pairs(*(x[_some(len(distance), _POINTS)] for x in (distance / distance.max(), data.profile.values)))
    return {"name": name, "plane": point, "bars": _bars(*bars), "profile": profile}


def _comparison(data: "xarray.Dataset") -> list[Layer]:
    """A layer for each model, and one for each path, whose frames are its steps."""
    frames: dict[tuple[str, bool], list[dict[str, Any]]] = {}
    for name in data.model.values[np.argsort(data.step.values, kind="stable")]:
        own = data.sel(model=name)
        ends = [[own[f"{p}_{end}"].values.reshape(1) for end in ("low", "high")] for p in ("p_i", "p_s")]
        frame = {"name": str(name), "plane": _pairs([own.p_i.item()], [own.p_s.item()]), "bars": _bars(*ends)}
        path = str(own.path.item())
        frames.setdefault((path or str(name), bool(path)), []).append(frame)
    text = f"one of {data.sizes['model']} models of the same {data.attrs['units']} stimuli or exemplars"
    return [
        {"name": f"compared: {name}", "text": text, "axis": "layer" if joined else "model", "frames": steps,
         "path": [step["plane"][0] for step in steps] if joined else []}
        for (name, joined), steps in frames.items()
    ]  # fmt: skip


def _items_law(data: "xarray.Dataset") -> Layer:
    a, low, high = (float(data.attrs[name]) for name in ("a", "low", "high"))
    items = _pairs(data.n.values, data.right.values / data.trials.values)
    text = f"p_I(n) fitted by a ball measure of {a:.3g}, interval {low:.3g} to {high:.3g}"
    return {"name": f"choices: {_file(data)}", "text": text, "frames": [{"name": "counts", "items": items}]}


def _choices(data: "xarray.Dataset") -> Layer:
    """Frames are families in the order of AIC, each with its best bias: the fitted similarity."""
    level = data.aic.min("bias").values
    frames: list[dict[str, Any]] = []
    for place in np.argsort(level, kind="stable"):
        own = data.isel(family=place)
        best = own.isel(bias=int(own.aic.values.argmin()))
        family, epsilon, delta, power = (best[name].item() for name in ("family", "epsilon", "delta", "exponent"))
        d = np.linspace(0.0, 4.0, 41)
        note = f"ε = {epsilon:.4g}, Δ = {delta:.3g}, exponent {power:.3g}, AIC {level[place] - level.min():+.1f}"
        frames.append({"name": str(family), "profile": _pairs(d, families.table(family, d, 1.0, delta)), "note": note})
    text = f"{data.attrs['trials']} trials of {data.attrs['items']} items; the similarity fitted to them"
    name = f"choices: {_file(data)}"
    return {"name": name, "text": text, "axis": "family", "frames": frames, "start": 0, "scale": "epsilon"}


def _language(data: "xarray.Dataset") -> list[Layer]:
    """A layer for identification by number of names, and one for the states of years by depth."""
    layers: list[Layer] = []
    name = f"language model {data.attrs['model']}"
    if "identify_cell_p_right_value" in data:
        items = _pairs(data.identify_at.values, data.identify_cell_p_right_value.values)
        text = "probability of the right one of n people by year of birth"
        layers.append(
            {"name": f"{name}, identification", "text": text, "frames": [{"name": "answers", "items": items}]}
        )
    if "layer_p_s" in data:
        p_i, p_s = data.layer_p_i.values, data.layer_p_s.values
        apart = data.layer_distance.values / data.layer_distance.values.max()
        frames: list[dict[str, Any]] = []
        for k in range(data.sizes["layer"]):
            bars = [[data[f"layer_{p}_{end}"].values[k : k + 1] for end in ("low", "high")] for p in ("p_i", "p_s")]
            note = f"{data.layer_family.values[k]}, ε = {float(data.layer_epsilon[k]):.3g} years"
            profile = _pairs(apart, data.layer_profile.values[k])
            plane = _pairs(p_i[k : k + 1], p_s[k : k + 1])
            frames.append({"name": str(k), "plane": plane, "bars": _bars(*bars), "profile": profile, "note": note})
        text = "states of years; the line goes from the embedding to the last layer"
        layers.append(
            {"name": f"{name}, layers", "text": text, "axis": "layer", "frames": frames, "path": _pairs(p_i, p_s)}
        )  # fmt: skip
    return layers


def _sweep(data: "xarray.Dataset") -> list[Layer]:
    """A layer for each space and similarity, frames are numbers of items, floors and exponents."""
    layers = []
    own_unit = "resolution" in data
    others = [name for name in ("n", "delta", "exponent") if name in data.dims]
    letters = {"n": "n", "delta": "Δ", "exponent": "a"}
    for i, space in enumerate(data.space.values):
        epsilon = data.resolution.values[i] if own_unit else data.epsilon.values
        for similarity in data.similarity.values:
            rows = data.sel(space=space, similarity=similarity).stack(frame=others).transpose("frame", "epsilon")
            frames: list[dict[str, Any]] = []
            for k in _some(rows.sizes["frame"], _FRAMES):
                row = rows.isel(frame=k)
                words = ", ".join(f"{letters[name]} = {float(row[name]):g}" for name in others)
                frame = _curve_frame(words, row.mean_b.values, row.p_s.values, row.p_i.values, "")
                frame["curve"]["epsilon"] = _rounded(epsilon[_some(len(epsilon), _POINTS)])
                frames.append(frame)
            text = f"{data.attrs.get('method', '')} sweep of {similarity} on {space}"
            layers.append({
                "name": f"sweep: {space}, {similarity}", "text": text, "axis": "setting", "frames": frames,
                "space": str(space), "start": 0,
            })  # fmt: skip
    return layers


_READERS: dict[str, Callable[["xarray.Dataset"], list[Layer]]] = {
    "toy": _toy, "resnet": _resnet, "measure": _measure, "sweep": _sweep
}  # fmt: skip


def _curve_frame(name: str, b: np.ndarray, p_s: np.ndarray, p_i: np.ndarray, note: str) -> dict[str, Any]:
    """A frame of accuracies along ball measures: points of the plane and of the curves."""
    some = _some(len(b), _POINTS)
    curve = {"b": _rounded(b[some]), "p_s": _rounded(p_s[some]), "p_i": _rounded(p_i[some])}
    return {"name": name, "plane": _pairs(p_i[some], p_s[some]), "curve": curve, "note": note}


def _some(count: int, most: int) -> np.ndarray:
    """Places of at most so many, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(int))


def _file(data: "xarray.Dataset") -> str:
    return Path(str(data.attrs.get("source", ""))).name


def _rounded(values: Iterable[Any]) -> list[float | None]:
    """Numbers to seven digits; what is none has no place."""
    return [float(f"{x:.7g}") if np.isfinite(x) else None for x in np.asarray(values, float).tolist()]


def _pairs(xs: Iterable[Any], ys: Iterable[Any]) -> list[list[float | None]]:
    return [[x, y] for x, y in zip(_rounded(xs), _rounded(ys), strict=True) if x is not None and y is not None]


def _bars(p_i: list[np.ndarray], p_s: list[np.ndarray]) -> list[list[float | None]] | None:
    """(p_I low, high, p_S low, high) of each point; None where there are no intervals."""
    if not all(np.isfinite(end).all() for end in (*p_i, *p_s)):
        return None
    return [list(row) for row in zip(*map(_rounded, (*p_i, *p_s)), strict=True)]
