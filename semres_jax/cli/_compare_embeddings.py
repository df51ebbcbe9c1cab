"""`semres measure embeddings A B ...`: several files of embeddings of the same stimuli, compared."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from semres_jax._files import shown
from semres_jax.cli._common import Report, checking_input, print_cells, progress_bar
from semres_jax.cli._measure_embeddings import MeasureEmbeddings, read, require_usable
from semres_jax.cli._surroundings import say

if TYPE_CHECKING:
    from semres_jax.measure import Comparison

_SETTINGS = ("similarity", "floor", "n", "optimal", "delta", "bootstrap", "limit")
# Pairs of models that are printed; all are in the files.
_PAIRS = 10


def compare(options: MeasureEmbeddings) -> int:
    """Read all files, compare, print, write."""
    with checking_input():
        import jax

        from semres_jax import Execution, measure, plots

        require_usable(options)
        if options.shares is not None:
            raise ValueError(f"--shares is of a single file; got {len(options.files)} files (leave it out)")
        names = _names(options.files)
        models, labels, between = _models(options, names)
        paths = {_common(names): names} if options.layers else {}
        about = {"title": "compared embeddings", "files": ", ".join(file.name for file in options.files)}
        report = Report("measure embeddings", options.out, "measure", seed=options.seed, force=options.force, **about)
        if options.resume:
            say(f"a run of seconds keeps no state to resume in {report.folder}; starting anew")
        with progress_bar() as progress:
            comparison = measure.compare(
                models, between, labels=labels, key=jax.random.key(options.seed), paths=paths,
                correction="none" if options.uncorrected else "holm", execution=Execution(progress=progress),
                **{name: getattr(options, name) for name in _SETTINGS},
            )  # fmt: skip
    table = comparison.dataset()
    report.write(table, comparison.summary())
    print_tables(comparison)
    return report.end(plots.save_comparison(table, report.folder), as_json=options.json)


def print_tables(comparison: "Comparison") -> None:
    """All models, then the differences of every two of them."""
    from semres_jax.measure.compared import PAIR_HEADS

    print_cells(comparison.heads(), comparison.table(), left=("",))
    print()
    print_cells(PAIR_HEADS, comparison.pairs_table(_PAIRS), left=PAIR_HEADS[:2])
    left = len(comparison.pairs) - _PAIRS
    if left > 0:
        print(f"{_PAIRS} of {len(comparison.pairs)} pairs, those that differ most; all are in the files")
    print(*(shown(note, 2000) for note in comparison.notes()), sep="\n")


def _names(files: tuple[Path, ...]) -> list[str]:
    """Of models: what files are called, with as much of their folders as tells them apart."""
    names = [file.stem for file in files]
    for depth in range(2, 1 + max(len(file.parts) for file in files)):
        count = Counter(names)
        names = [name if count[name] == 1 else Path(*file.with_suffix("").parts[-depth:]).as_posix()
                 for name, file in zip(names, files, strict=True)]  # fmt: skip
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        raise ValueError(f"{shown(name)!r} is the name of {times} files; models go by the names of their files")
    return names


def _common(names: list[str]) -> str:
    """What the names of layers begin with, as the name of the model."""
    start = names[0]
    while start and not all(name.startswith(start) for name in names):
        start = start[:-1]
    return start.rstrip("0123456789").rstrip("-_ ./") or "layers"


def _models(options: MeasureEmbeddings, names: list[str]) -> tuple[dict[str, Any], Any, Any]:
    """Embeddings by name, in the order of the first file where rows have names, with labels and distances of all."""
    models, first, between = {}, None, None
    for name, file in zip(names, options.files, strict=True):
        points, labels, distances = read(options, file)
        if not models:
            first, between = labels, distances
        elif labels != first:
            points = _in_order(points, labels, first, (names[0], name))
        if models and len(points) != len(next(iter(models.values()))):
            counts = f"{len(next(iter(models.values())))} and {len(points)} rows"
            raise ValueError(f"models must be of the same stimuli; {names[0]!r} and {name!r} have {counts}")
        models[name] = points
    return models, first, between


def _in_order(points: Any, labels: Any, wanted: Any, names: tuple[str, str]) -> np.ndarray:
    """Rows with names in the order of those of another file."""
    rows = {label: row for row, label in enumerate(labels or ())}
    stranger = next((label for label in wanted or () if label not in rows), None)
    if not wanted or not labels or stranger is not None or len(rows) != len(wanted):
        which = f"; {shown(str(stranger))!r} is in one of them only" if stranger is not None else ""
        raise ValueError(f"models must be of the same stimuli; rows of {names[0]!r} and {names[1]!r} differ{which}")
    return np.asarray(points)[[rows[label] for label in wanted]]
