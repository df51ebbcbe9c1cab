"""`semres toy --preset compositional`: what it does, and its table."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from semres_jax.cli._common import print_cells

_STEPS = 3000


class Job(NamedTuple):
    """What the command does.

    Attributes:
        study: trains and measures.
        steps: of Adam, unless told otherwise.
        summary: makes rows of a dataset.
        print_table: prints them.
        save: writes the pictures of a dataset to a folder, and names them.
    """

    study: Callable[..., Any]
    steps: int
    summary: Callable[[Any], list[dict[str, Any]]]
    print_table: Callable[[list[dict[str, Any]]], None]
    save: Callable[[Any, Any], list[str]]


def of_features() -> Job:
    """What is done with stimuli that are tuples of features."""
    from semres_jax import plots
    from semres_jax.experiments import compositional

    return Job(compositional.study, _STEPS, compositional.summary, print_table, plots.save_compositional)


def print_table(rows: list[dict[str, Any]]) -> None:
    """One row for each way of training and testing on standard output: means over runs, with their uncertainty."""
    from semres_jax import Quantity

    def number(row: dict[str, Any], name: str, spec: str = ".4f", *parts: str) -> str:
        if math.isnan(row[name]):
            return ""
        return format(Quantity(row[name], **{part: row[f"{name}_{part}"] for part in parts}), spec)

    cells = [
        (str(row["slots"]), row["code"], row["training"], row["aggregate"], number(row, "p_s", ".4f", "stderr"),
         number(row, "p_i", ".4f", "stderr"), number(row, "off_linear", "+.4f", "low", "high"),
         number(row, "off_constant", "+.4f"), number(row, "off_optimal", "+.4f"), number(row, "predicted_p_i"),
         number(row, "miss_predicted"), number(row, "ball_p_i"), number(row, "mean_b", ".3f"), number(row, "gate"))
        for row in rows
    ]  # fmt: skip
    heads = (
        "S", "code", "training", "by", "p_S", "p_I", "off linear", "constant", "optimal", "predicted", "missed by",
        "by b", "mean b", "gate",
    )  # fmt: skip
    print_cells(heads, cells, left=("code", "training", "by"))
    print("p_S: similarity of a feature, p_I: identification of a whole; mean and standard error over runs;")
    print("off: distance from the front of one similarity on the features of one slot, linear with its 95 % interval;")
    print(
        "predicted: p_I from the family that fits each slot, missed by: mean difference; by b: from ball measures alone"
    )
