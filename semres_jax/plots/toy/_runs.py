"""What the pictures of toy networks share: conditions and how their marks are filled, which family fits best."""

from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax.experiments.toy.run import shown_steps

if TYPE_CHECKING:
    import xarray
    from matplotlib.lines import Line2D

# How a mark is filled where its shape tells something else.
FILLS: Any = ("", "full", "left", "bottom", "right", "top")
# A difference of Akaike's criterion that tells two families apart.
DECISIVE = 10.0


def filled(line: "Line2D", place: int) -> "Line2D":
    """A mark filled as its condition's are: shapes then are free for something else, also in grey."""
    style = FILLS[place % len(FILLS)]
    if style:
        line.set(markerfacecolor=line.get_color(), markerfacecoloralt="white", fillstyle=style)
    return line


def as_data(data: Any) -> "xarray.Dataset":
    """A study as it is; of a training's `History` what the pictures of paths need, a condition for each member."""
    if not hasattr(data, "test_items"):
        return data
    import xarray

    shape = data.p_s.shape[:-3]
    names = [f"member {', '.join(map(str, place))}" for place in np.ndindex(shape)] if shape else ["training"]
    shown = np.unique([data.steps[np.abs(data.steps - step).argmin()] for step in shown_steps(int(data.steps[-1]))])
    whole, (slots, stimuli) = ("condition",), data.weights.shape[-3:-1]
    content: dict[str, Any] = {
        name: (("condition", "run", "step", "n"), getattr(data, name).reshape(-1, *data.p_s.shape[-3:]))
        for name in ("p_s", "p_i")
    }
    content |= {
        name: (whole, np.full(len(names), value))
        for name, value in (("items", data.test_items[0]), ("slots", slots), ("stimuli", stimuli))
    }
    content["shown_step"] = (("condition", "shown"), np.broadcast_to(shown, (len(names), shown.size)))
    return xarray.Dataset(content, {"condition": names, "step": data.steps, "n": data.test_items})


def own(data: "xarray.Dataset", name: str) -> "xarray.DataArray":
    """A variable over (condition, run, step), each condition tested with as many items as it was trained with."""
    return data[name].sel(n=data["items"])


def largest_distance(data: "xarray.Dataset") -> np.ndarray:
    """The largest distance between stimuli of each condition."""
    return np.nanmax(data.distance.values, axis=-1)


def best_family(data: "xarray.Dataset") -> tuple[np.ndarray, np.ndarray]:
    """Place of the family with the smallest mean AIC, and whether it is decisive, for (condition, step)."""
    aic = data.aic.mean("run").transpose("condition", "step", "family").values
    ordered = np.sort(aic, axis=-1)
    return aic.argmin(axis=-1), ordered[..., 1] - ordered[..., 0] > DECISIVE


def two_items(data: "xarray.Dataset") -> "xarray.Dataset":
    """The conditions trained with two items on one slot; none may be left."""
    return data.isel(condition=np.flatnonzero((data["items"].values == 2) & (data.slots.values == 1)))
