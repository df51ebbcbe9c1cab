"""Illusory conjunctions against the number of shown items, exact and simulated: what `plots.binding_rates` draws."""

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
import xarray

from semres_jax._checks import require
from semres_jax._random import key_or_default, setting
from semres_jax.execution import Execution
from semres_jax.laws import illusory_conjunctions
from semres_jax.montecarlo import estimate_binding
from semres_jax.similarity import Slots, get
from semres_jax.spaces.circle import Circle
from semres_jax.spaces.product import Product
from semres_jax.storage.attributes import PURE, TEXT, labelled


def study(
    b: float = 0.2,
    *,
    slots: Sequence[int] = (2, 4),
    ns: Sequence[int] = (2, 4, 8, 16, 32),
    conjunctive: Sequence[float] = (0.0, 0.5, 0.9, 1.0),
    families: Sequence[Any] = ("constant", "exponential"),
    delta: float = 0.0,
    trials: int = 2**15,
    key: Any = None,
    execution: Execution | None = None,
) -> xarray.Dataset:
    """Rates of illusory conjunctions of wholes whose features are points of circles.

    Args:
        b: ball measure of a slot in [0, 1]; all families have the resolution ε = b/2 that it is of.
        slots: numbers of features, at least 2.
        ns: numbers of shown items, at least 2.
        conjunctive: shares of conjunctive units in [0, 1].
        families: similarities by name or class, as `similarity.get` takes them.
        delta: floor of a slot in [0, 1].
        trials: of each simulation.
        key: a JAX random key, or a seed; None: 0.
        execution: its progress is told, "binding", after each simulation.

    Returns:
        Dataset with dims (similarity, slots, n, conjunctive): rate and rate_stderr of the simulation, exact_rate by the
        law of constant similarity, NaN for others.

    Raises:
        ValueError: as `montecarlo.estimate_binding`.

    Example:
        >>> from semres_jax.experiments import binding
        >>> table = binding.study(slots=[2], ns=[2], families=["constant"], trials=2**10)
        >>> table.exact_rate.squeeze().round(3).values.tolist()
        [0.5, 0.393, 0.238, 0.18]
    """
    require("b", b, 0.0, 1.0, "a probability between 0 and 1")
    kinds, how, base = [get(family) for family in families], execution or Execution(), key_or_default(key)
    shape = (len(kinds), len(slots), len(ns), len(conjunctive))
    rate, stderr, exact = np.full((3, *shape), np.nan)
    cells = list(itertools.product(enumerate(kinds), enumerate(slots), enumerate(ns)))
    for done, ((k, kind), (s, features), (i, n)) in enumerate(cells):
        code = Slots([kind(np.float64(b) / 2, delta)] * features)
        space = Product((Circle(),) * features)
        rate[k, s, i], stderr[k, s, i], *_ = estimate_binding(
            space, code, n=n, key=jax.random.fold_in(base, done), trials=trials, conjunctive=np.asarray(conjunctive)
        )
        if code.slots[0].steps:
            exact[k, s, i] = illusory_conjunctions(b, slots=features, n=n, conjunctive=conjunctive, delta=delta)
        how.tell("binding", done + 1, len(cells))
    names, words = ("similarity", "slots", "n", "conjunctive"), "rate of illusory conjunctions"
    table = xarray.Dataset(
        {
            "rate": (names, rate, {"long_name": words}),
            "rate_stderr": (names, stderr, {"long_name": f"standard error of the {words}"}),
            "exact_rate": (names, exact, {"long_name": f"{words} by the law"}),
        },
        {
            "similarity": ("similarity", [kind.label for kind in kinds], {"long_name": "similarity function"}),
            "slots": ("slots", list(slots), {"long_name": "number of features S", "units": "features"}),
            "n": list(ns),
            "conjunctive": ("conjunctive", list(conjunctive), {"long_name": "share c of conjunctive units"}),
        },
        {"b": b, "delta": delta, "trials": trials} | setting(base),
    )
    return labelled(table, {"similarity": TEXT, "conjunctive": PURE})
