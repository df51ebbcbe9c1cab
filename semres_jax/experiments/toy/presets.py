"""The toy experiments that have a name: those of the paper, and those that answer what its reviewers asked."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

from semres_jax import spaces
from semres_jax.experiments.toy.run import Condition
from semres_jax.training.toy.loop import Design, Hyper


class Preset(NamedTuple):
    """A named experiment.

    Attributes:
        about: what it is, in one line.
        conditions: makes them.
        steps: of Adam.
        test_items: numbers of items at which trained networks are tested.
        optimal: find the front of the best similarity for each learned floor.
    """

    about: str
    conditions: Callable[[], list[Condition]]
    steps: int = 7500
    test_items: tuple[int, ...] = ()
    optimal: bool = False


def _spread(name: str, stimuli: int = 50) -> spaces.Finite:
    return spaces.grid(spaces.get(name), stimuli)


def _fig4() -> list[Condition]:
    circle, segment = Condition("circle", _spread("circle")), Condition("segment", _spread("interval"))
    return [circle, segment, Condition("reconstruction", circle.space, hyper=Hyper(lambda_sim=0.0, lambda_rec=1.0))]


def _items() -> list[Condition]:
    circle = _spread("circle", 30)
    return [Condition(f"n = {n}", circle, Design(items=n)) for n in (2, 3, 4, 5, 6, 7, 8, 9, 12, 16)]


def _slots() -> list[Condition]:
    circle = _spread("circle")
    conditions = []
    for alike in (Design(label="max"), Design(label="min"), Design(decision="sum", label="l1")):
        decision, label = alike.decision, alike.label
        for slots in (1, 2, 3, 5, 8, 11, 15):
            if slots > 1 or not conditions:
                design = dataclasses.replace(alike, slots=slots)
                name = "one slot" if slots == 1 else f"{slots} slots, {decision} similarity, {label} distance"
                conditions.append(Condition(name, circle, design))
    return conditions


def _reconstruction() -> list[Condition]:
    circle = _spread("circle")
    weights = {"similarity only": (0.1, 0.0), "reconstruction only": (0.0, 1.0)}
    weights |= {f"similarity + {rec:g} reconstruction": (1.0, rec) for rec in (1.0, 10.0, 100.0)}
    return [Condition(name, circle, hyper=Hyper(sim, rec)) for name, (sim, rec) in weights.items()]


def _heterogeneity() -> list[Condition]:
    stimuli = {"circle": _spread("circle"), "segment": _spread("interval"), "birds": spaces.Tree.birds()}
    return [Condition(name, space) for name, space in stimuli.items()]


def _floors() -> list[Condition]:
    return [Condition("circle", _spread("circle"), hyper=Hyper(floor=[1e-10, 0.01, 0.03, 0.1, 0.3, 1.0]))]


PRESETS: dict[str, Preset] = {
    "fig4": Preset("circle, segment and reconstruction: figure 4 of the paper", _fig4),
    "items": Preset("trained with 2 to 16 items, and tested with 2 to 16", _items, test_items=tuple(range(2, 17))),
    "slots": Preset("1 to 15 slots, labels and decisions aggregated alike or not", _slots, steps=3000),
    "reconstruction": Preset("similarity, reconstruction, and mixtures of both losses", _reconstruction),
    "heterogeneity": Preset("circle, segment and bird families: what Var(b) costs", _heterogeneity),
    "floors": Preset("a floor under the similarity, from none to large", _floors, optimal=True),
}
