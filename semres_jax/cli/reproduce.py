"""`semres reproduce`: the figures of the paper that can be made without its authors' data, and an index of all."""

import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from semres_jax.cli._common import (
    COMMAND_LINE,
    Force,
    Report,
    _list_of,
    _option,
    checking_input,
    print_cells,
    progress_bar,
    require_seed,
    warnings_as_lines,
)
from semres_jax.cli._surroundings import say

if TYPE_CHECKING:
    import xarray

    from semres_jax.experiments.paper import Record, Setting

_Names = Annotated[tuple[str, ...], _option(_list_of(str.strip), "NAME,NAME,...|all")]
# Folders of the results: of figures, and of what long parts go on from.
_FIGURES, _PARTS = "figures", "parts"
_INDEX = "index.html"


@dataclasses.dataclass(frozen=True)
class Reproduce:
    """Make the figures of the paper (Nurisso et al., arXiv 2506.14797), each with what differs here and why.

    Writes index.html, reproduce.nc (the numbers of all figures), reproduce.json, and in figures each figure as NetCDF,
    PNG and SVG. What can't be made is listed with the reason. All takes about ten minutes on two cores.

    Example: semres reproduce --figure 2,3,14 --quick
    """

    figure: _Names = ("all",)
    """These figures are made: 2, 3, 4a, 4b, 5a, 5b, 5c, 10, 14, or all."""
    quick: bool = False
    """Samples and networks are smaller: all takes under six minutes."""
    seed: int = 0
    """All random numbers follow from this seed."""
    resume: bool = False
    """Figures that are in --out with the same settings are not made again, and long parts go on where they stopped."""
    out: Path = Path("results/reproduce")
    """Results go to this folder, which is made if it is missing."""
    force: Force = False
    json: bool = False
    """End with one line of JSON on standard output."""

    def run(self) -> int:
        """Make, print, write."""
        with checking_input():
            from semres_jax import Execution
            from semres_jax.experiments import paper

            require_seed(self.seed)
            names = paper.chosen(self.figure)
            report = Report(
                "reproduce", self.out, "reproduce", title="figures of arXiv 2506.14797", seed=self.seed,
                force=self.force, goes_on_from="reproduce.json" * self.resume, quick=int(self.quick),
            )  # fmt: skip
            folder = report.folder / _FIGURES
            folder.mkdir(exist_ok=True)
            kept = {name: self._there(name, folder) for name in paper.FIGURES} if self.resume else {}
        if not self.resume:
            for name in paper.FIGURES:
                for path in _files(name, folder):
                    path.unlink(missing_ok=True)
        records = [
            _kept(name, data) if (data := kept.get(name)) is not None else _left_out(name) for name in paper.FIGURES
        ]
        with progress_bar() as progress, warnings_as_lines():
            setting = paper.Setting(
                self.quick, self.seed, report.folder / _PARTS, self.resume, Execution(progress=progress)
            )
            for name in names:
                if kept.get(name) is None:
                    place = list(paper.FIGURES).index(name)
                    records[place] = _made(name, setting, folder, report.attributes)
                    _write(report, records, complete=False)
        _write(report, records, complete=True)
        _print(records)
        return report.end([_INDEX], as_json=self.json)

    def _there(self, name: str, folder: Path) -> "xarray.Dataset | None":
        """The data of a figure that is there whole, None where it isn't.

        Raises:
            ValueError: it was made with other settings, or can't be read.
        """
        import xarray

        from semres_jax.experiments.paper import Setting
        from semres_jax.storage.resume import require_same

        if not all(path.is_file() for path in _files(name, folder)):
            return None
        path = _files(name, folder)[0]
        try:
            with xarray.open_dataset(path, engine="h5netcdf", decode_times=False) as opened:
                data = opened.load()
            made_with = json.loads(data.attrs["settings"])
        except (OSError, KeyError, ValueError):
            raise ValueError(f"{str(path)!r} is no figure of this command, or broken; leave out --resume") from None
        require_same(Setting(quick=self.quick, seed=self.seed).settings(name), made_with, repr(str(path)))
        return data


def _write(report: Report, records: "list[Record]", *, complete: bool) -> None:
    """The index, the table and the summary of what there is so far."""
    from semres_jax.experiments import paper
    from semres_jax.storage.results import write_bytes

    attributes = report.attributes
    size = "quick" if attributes["quick"] else "full"
    about = f"Made by semres_jax {attributes['semres_jax']} ({size} size, seed {attributes['seed']})."
    write_bytes(paper.index(records, about).encode(), report.folder / _INDEX)
    unmade = [row._asdict() for row in paper.UNMADE]
    summary = {"figures": [record.summary() for record in records], "unmade": unmade}
    report.write(_table(records), summary, complete=int(complete))


def _files(name: str, folder: Path) -> list[Path]:
    return [folder / f"figure-{name}.{ending}" for ending in ("nc", "png", "svg")]


def _left_out(name: str) -> "Record":
    from semres_jax.experiments.paper import FIGURES, Record

    return Record(name, FIGURES[name], "left out", f"this run was not asked for it; --figure {name} --resume adds it")


def _kept(name: str, data: "xarray.Dataset", status: str = "kept") -> "Record":
    """What there is of a figure whose files are whole."""
    from semres_jax.experiments.paper import FIGURES, Record

    files = tuple(f"{_FIGURES}/{path.name}" for path in _files(name, Path(_FIGURES)))
    figure, about = FIGURES[name], data.attrs
    numbers = tuple(figure.numbers(data))
    return Record(name, figure, status, "", files, numbers, float(about["seconds"]), str(about.get("command", "")))


def _made(name: str, setting: "Setting", folder: Path, attributes: dict[str, Any]) -> "Record":
    """Make a figure and write its files; the data last, so that a figure with data is whole."""
    from semres_jax import plots
    from semres_jax.experiments.paper import FIGURES, Record
    from semres_jax.storage import results
    from semres_jax.training.diverged import Diverged

    figure, started = FIGURES[name], time.perf_counter()
    reason = figure.lacks()
    if reason:
        say(f"figure {name} is left out: {reason}")
        return Record(name, figure, "missing", reason)
    with checking_input(None, Diverged):
        data = figure.make(setting)
    about = {"settings": json.dumps(setting.settings(name)), "title": figure.title, "command": COMMAND_LINE.get()}
    data = data.assign_attrs(data.attrs | attributes | about | {"seconds": round(time.perf_counter() - started, 3)})
    plots.save_paper(name, data, folder)
    results.write(data, _files(name, folder)[0])
    return _kept(name, data, "made")


def _table(records: "Sequence[Record]") -> "xarray.Dataset":
    """The numbers of all figures, a row each."""
    import numpy as np
    import xarray

    rows = [(record.name, number) for record in records for number in record.numbers]
    texts = {"what": "what the number is", "source": "what it is compared with"}
    values = {"here": "number of the figure", "error": "standard error", "expected": "number it is compared with"}
    content: dict[str, Any] = {"figure": ("row", np.array([name for name, _ in rows], object), {"long_name": "figure"})}
    for name, meaning in texts.items():
        column = np.array([getattr(number, name) for _, number in rows], object)
        content[name] = ("row", column, {"long_name": meaning})
    for name, meaning in values.items():
        column = np.array([getattr(number, name) for _, number in rows], np.float64)
        content[name] = ("row", column, {"long_name": meaning, "units": "as said by what"})
    return xarray.Dataset(content)


def _print(records: "Sequence[Record]") -> None:
    """One row for each figure on standard output."""
    cells = [
        (
            record.name,
            record.status,
            f"{record.seconds:.1f}" if record.files else "–",
            record.reason or record.figure.title,
        )
        for record in records
    ]
    print_cells(("figure", "status", "seconds", ""), cells, left=("figure", "status", ""))
