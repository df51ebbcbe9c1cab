"""`semres sweep --slots`: features and wholes of compositional codes over a grid."""

import itertools
from typing import TYPE_CHECKING, Any

from semres_jax.cli._common import Report, checking_input, print_cells, progress_bar

if TYPE_CHECKING:
    from semres_jax.cli.sweep import Sweep

# Numbers of items where none are given: wholes are told apart among many.
_NS = (2, 8, 32, 128)


def run(options: "Sweep") -> int:
    """Sweep, print, write."""
    with checking_input():
        from semres_jax import Execution, frontier, plots, spaces

        _refuse_what_is_not_exact(options)
        places = spaces.by_label(options.space or ("circle",))
        title = "generalization of features and identification of wholes by slots"
        report = Report("sweep", options.out, "sweep", title=title, force=options.force)
        with progress_bar() as progress:
            table = frontier.compositional(
                places,
                list(options.similarity or ("constant",)),
                list(_NS if options.n is None else options.n),
                slots=list(options.slots or ()),
                aggregates=list(options.aggregate or ("product", "mean")),
                epsilon=None if options.epsilon is None else list(options.epsilon),
                delta=list(options.delta),
                execution=Execution(progress=progress),
            )
    own = {name: value for name, value in table.attrs.items() if name not in report.attributes}
    content = report.write(table, {"optima": optima_rows(table)}, **own, complete=1)
    _print(content["optima"])
    return report.end(plots.save_slots(table, report.folder), as_json=options.json)


def _refuse_what_is_not_exact(options: "Sweep") -> None:
    """Raise `ValueError` for options that go without --slots only."""
    given = {
        f"--method {options.method}": options.method != "exact",
        "--trials": options.trials is not None,
        "--exponent": tuple(options.exponent) != (1.0,),
        "--replace": options.replace,
        "--resume": options.resume,
        "--distributed": options.distributed,
    }
    if wrong := [name for name, there in given.items() if there]:
        raise ValueError(f"--slots is computed exactly, at once, with Luce's rule: it doesn't go with {wrong[0]}")


def optima_rows(table: Any) -> list[dict[str, Any]]:
    """One row for each space, similarity, floor, n, aggregate and number of slots: the best p_S of a feature."""
    rows = []
    names = ("space", "similarity", "delta", "n", "aggregate", "slots")
    for values in itertools.product(*(table[name].values for name in names)):
        here = table.sel(dict(zip(names, values, strict=True)))
        best = here.isel(epsilon=int(here.p_s.argmax("epsilon")))
        row: dict[str, Any] = {name: best[name].item() for name in names}
        epsilon = best["resolution" if "resolution" in best else "epsilon"]
        row |= {"epsilon": float(epsilon)} | {name: float(best[name]) for name in ("mean_b", "p_s", "p_s_whole", "p_i")}
        rows.append(row)
    return rows


def _print(rows: list[dict[str, Any]]) -> None:
    heads = {"mean_b": "b", "p_s": "p_S feature", "p_s_whole": "p_S whole", "p_i": "p_I whole"}
    cells = [
        [f"{x:.5g}" if isinstance(x, float) and x == x else "–" if x != x else str(x) for x in row.values()]
        for row in rows
    ]
    print("the best p_S of a feature in each grid, and wholes there")
    print_cells([heads.get(name, name) for name in rows[0]], cells, left=("space", "similarity", "aggregate"))
