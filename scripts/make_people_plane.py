"""Draw people, toy networks and a language model by layer on one plane: the picture of docs/people.md.

    python scripts/make_people_plane.py OUT.png NAME=FOLDER [NAME=FOLDER ...]

Folders are of `semres measure similarities` (people), `semres toy` (each condition after its last step) and
`semres measure llm` with layers. Prints the table of the page, too.
"""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import xarray

from semres_jax import Quantity, measure, plots, spaces

NORMAL = 1.96


def of_people(name, data):
    p_s, p_i = (
        Quantity(*(data[f"{p}{end}"].values[0] for end in ("", "_stderr", "_low", "_high"))) for p in ("p_s", "p_i")
    )
    return {name: SimpleNamespace(p_s=p_s, p_i=p_i, kind="people")}, []


def of_toys(name, data):
    members = {}
    for place, condition in enumerate(data.condition.values):
        row, numbers = data.isel(condition=place, step=-1), []
        for p in ("p_s", "p_i"):
            values = row[p].sel(n=int(row["items"])).values
            error = values.std(ddof=1) / np.sqrt(values.size)
            numbers.append(Quantity(values.mean(), error, *(values.mean() + sign * NORMAL * error for sign in (-1, 1))))
        members[f"{name}, {condition}"] = SimpleNamespace(p_s=numbers[0], p_i=numbers[1], kind="model")
    return members, []


def of_layers(name, data):
    members = {}
    for k in range(data.sizes["layer"]):
        p_s, p_i = (
            Quantity(*(float(data[f"layer_{p}{end}"][k]) for end in ("", "_stderr", "_low", "_high")))
            for p in ("p_s", "p_i")
        )
        members[f"{name} {k}"] = SimpleNamespace(p_s=p_s, p_i=p_i, kind="model")
    return members, [*members]


def read(name, folder):
    of_file = {"toy.nc": [("condition", of_toys)], "measure.nc": [("layer", of_layers), ("n", of_people)]}
    for file, kinds in of_file.items():
        if (path := Path(folder, file)).exists():
            with xarray.open_dataset(path, engine="h5netcdf") as opened:
                data = opened.load()
            return next(reader for dim, reader in kinds if dim in data.sizes)(name, data)
    raise SystemExit(f"{folder!r} has neither toy.nc nor measure.nc")


def main(words):
    if len(words) < 2 or not all("=" in word for word in words[1:]):
        raise SystemExit(__doc__)
    members, paths = {}, {}
    for word in words[1:]:
        name, _, folder = word.partition("=")
        more, steps = read(name, folder)
        members |= more
        paths |= {name: steps} if steps else {}
    for name, member in members.items():
        print(f"| {name} | {member.p_s:.3f} | {member.p_i:.3f} |")
    fronts = measure.fronts(spaces.grid(spaces.Circle(), 50))
    ax = plots.plane(members, fronts, paths=paths)
    out = Path(words[0])
    plots.save(ax, out.parent, out.stem)
    out.with_suffix(".svg").unlink()


main(sys.argv[1:])
