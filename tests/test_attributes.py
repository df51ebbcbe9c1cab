"""Datasets say what their variables are, so that pictures that xarray draws of them are labelled."""

import sys

import numpy as np
import pytest
import xarray
from matplotlib.figure import Figure

from semres_jax import Execution, data, frontier, measure, spaces
from semres_jax.experiments import toy, validation
from semres_jax.storage.attributes import labelled
from semres_jax.storage.resume import Saved
from semres_jax.training.toy.loop import Design, Hyper
from tests.attributes import require_labels


def _sweep():
    return frontier.sweep(
        [spaces.Circle(), spaces.Sphere(2)], "constant", [2, 3], delta=[0.0, 0.1], exponent=[1.0, 2.0]
    )


def _validation():
    cases = validation.cases({"interval": spaces.Interval()}, ns=[2], deltas=[0.0], quantiles=(0.1, 0.5))
    return validation.validate(cases, trials=2000)


def _toy():
    small = Design(hidden=3, batch=16)
    condition = toy.Condition("ring", spaces.grid(spaces.Circle(), 6), small, Hyper())
    return toy.study([condition], runs=1, steps=4, records=2, test_items=(2,), optimal=True)


def _choices():
    rng = np.random.default_rng(0)
    distances = rng.random((60, 3))
    chosen = np.where(rng.random(60) < 0.7, distances.argmin(1), rng.integers(0, 3, 60))
    table = data.Choices(distances, chosen, positions=np.tile(np.arange(3), (60, 1)))
    return measure.choices_table(table, families=["exponential"], bootstrap=20)


def _triplets():
    said = np.argsort(np.random.default_rng(0).random((200, 6)), axis=1)[:, :3]
    table = abs(np.subtract.outer(np.arange(6.0), np.arange(6.0)))
    return measure.triplets(said, table, layout="odd", families=["exponential"], bootstrap=20).dataset()


DATASETS = {
    "sweep": _sweep,
    "optima": lambda: frontier.optima(_sweep()),
    "optimal": lambda: frontier.optimal_table([0.1], weights=[0.5, 1.0], levels=33),
    "validation": _validation,
    "worst": lambda: validation.worst(_validation()),
    "toy": _toy,
    "choices": _choices,
    "triplets": _triplets,
    "items": lambda: measure.fit_items_law([2, 4], [95, 80], [100, 100], bootstrap=5).dataset(),
}


@pytest.mark.parametrize("name", DATASETS)
def test_every_variable_has_words_and_units(name, tmp_path):
    require_labels(DATASETS[name](), tmp_path)


def test_words_do_not_depend_on_where_a_number_is_from():
    table = _sweep()
    assert table.epsilon.attrs == {"long_name": "resolution as a share of the space's diameter", "units": "1"}
    assert table.resolution.attrs["units"] == "unit of the space"
    assert frontier.optima(table).epsilon.attrs == table.resolution.attrs


def test_axes_are_labelled():
    table = frontier.sweep(spaces.Circle(), "constant", 2, epsilon=[0.1, 0.2])
    ax = Figure().subplots()
    table.p_s.squeeze().plot(ax=ax)
    assert "generalization p_S" in ax.get_ylabel()
    assert "space = circle," in ax.get_title()
    assert " ".join(ax.get_xlabel().split()) == "resolution ε [unit of the space]"


def test_what_is_described_stays_and_what_nobody_knows_has_no_words():
    given = xarray.Dataset({"p_s": ((), 0.5, {"long_name": "mine", "units": "%"}), "unheard_of": 1.0})
    made = labelled(given)
    assert made.p_s.attrs == {"long_name": "mine", "units": "%"}
    assert "long_name" not in made.unheard_of.attrs


@pytest.mark.parametrize(
    ("unit", "kept"), [("million years since divergence", "million years"), ("seconds", "s"), ("days", "d"),
                       ("since then", "1"), ("years", "years")])  # fmt: skip
def test_numbers_with_a_unit_of_time_are_read_as_numbers(unit, kept, tmp_path):
    """xarray reads "years since" as dates, and refuses a file where it is none."""
    given = xarray.Dataset({"distance": ("pair", [1.5, 2.5], {"long_name": "distance"}), "epsilon": 0.5})
    given.epsilon.attrs["units"] = unit
    made = labelled(given, {"distance": unit})
    made.to_netcdf(path := tmp_path / "times.nc", engine="h5netcdf")
    with xarray.open_dataset(path, engine="h5netcdf") as again:
        xarray.testing.assert_identical(again.load(), made)
    assert made.distance.attrs["units"] == made.epsilon.attrs["units"] == kept


def test_a_sweep_goes_on_from_a_file_whose_attributes_are_others(tmp_path, monkeypatch):
    """Attributes are no settings of a run."""
    question = {"spaces": spaces.Circle(), "similarities": "constant", "ns": 2, "epsilon": [0.1, 0.2]}
    with Saved(tmp_path / "sweep.state") as saved:
        first = frontier.sweep(**question, execution=Execution(saved=saved))
    monkeypatch.setattr(sys.modules["semres_jax.frontier.sweep"], "labelled", lambda table: table)
    with Saved(tmp_path / "sweep.state", resume=True) as saved:
        again = frontier.sweep(**question, execution=Execution(saved=saved))
    xarray.testing.assert_equal(first, again)
    assert "units" not in again.p_s.attrs
