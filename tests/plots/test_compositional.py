"""Pictures of codes for tuples of features: numbers at their places, theory as lines, error bars, files that open."""

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer

from semres_jax import plots
from semres_jax._types import Accuracy
from semres_jax.experiments.compositional.table import Trained, joined
from semres_jax.plots._style import over_runs

STEPS, RUNS = np.array([0, 3, 20]), 4


def trained(code, slots, members):
    """What `compositional.study` makes of one program, of networks that nobody trained."""
    rng, rows, conditions = np.random.default_rng(slots), [], []
    for training, way in members:
        name = f"{slots} slots, {code}, {training}, {way}"
        scores = {x: rng.uniform(0.6, 0.95, RUNS) for x in ("p_s", "p_i", "predicted_p_i", "gate")}
        rows.append({"row": name, "code": code, "slots": slots, "training": training, "aggregate": way} | scores)
        paths = {f"path_{x}": rng.uniform(0.1, 0.9, (RUNS, 3)) for x in ("gate", "loss_sim", "loss_id")}
        conditions.append({"condition": name, "maps": rng.normal(size=(RUNS, slots, 4, 2))} | paths)
    return Trained(STEPS, conditions, rows)


OWN = [("features", "product"), ("end to end", "gate"), ("end to end", "product")]


@pytest.fixture(scope="module")
def data():
    fronts = {name: Accuracy(np.linspace(0.5, top, 5), np.linspace(1, 0.7, 5)) for name, top in
              (("constant", 0.75), ("linear", 0.8), ("optimal", 0.9))}  # fmt: skip
    groups = [trained("own", 1, OWN[::2]), trained("own", 3, OWN), trained("shared", 3, [("features", "whole")])]
    return joined(groups, fronts, 1e-3)


def test_marks_are_rows_over_fronts(data):
    figure = plots.compositional_plane(data)
    ax, errors = figure.axes
    bars = [part for part in ax.containers if isinstance(part, ErrorbarContainer)]
    assert len(bars) == data.sizes["row"]
    for place, bar in enumerate(bars):
        (x, x_error), (y, _) = over_runs(data.p_i[place]), over_runs(data.p_s[place])
        np.testing.assert_allclose(np.transpose(bar.lines[0].get_data())[0], [x, y])
        np.testing.assert_allclose(np.ptp(bar.lines[2][0].get_segments()[0][:, 0]), 2 * x_error)
        full = data.training.values[place] == "features"
        assert (bar.lines[0].get_markerfacecolor() == bar.lines[0].get_color()) == full
    assert bars[2].lines[0].get_markersize() > bars[0].lines[0].get_markersize()  # more slots
    lines = [line for line in ax.lines if len(line.get_xdata()) == 5]
    for line, name in zip(lines, ("constant", "linear", "optimal"), strict=True):
        np.testing.assert_allclose(np.sort(line.get_ydata()), data.front_p_s.sel(family=name))
    bars = [part for part in errors.containers if isinstance(part, ErrorbarContainer)]
    np.testing.assert_allclose([bar.lines[0].get_xdata()[0] for bar in bars], 1 - data.p_i.mean("run"))
    assert errors.get_xlim()[0] > errors.get_xlim()[1]  # better is to the right in both
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"one slot", "own slots, learned gate", "shared map", "3 slots, in any shape"} <= set(texts)


def test_predictions_are_of_slots_alone(data):
    ax = plots.compositional_predictions(data)
    bars = [part for part in ax.containers if isinstance(part, ErrorbarContainer)]
    assert len(bars) == data.sizes["row"] - 1  # a shared map has none
    points = [np.transpose(bar.lines[0].get_data())[0] for bar in bars]
    np.testing.assert_allclose(points, np.stack([data.predicted_p_i[:-1].mean("run"), data.p_i[:-1].mean("run")], -1))
    assert ax.get_xlim() == ax.get_ylim()


def test_gates_are_drawn_run_by_run_beside_the_loss(data):
    left, right = plots.compositional_gate(data).axes
    name = "3 slots, own, end to end, gate"
    gates = data.path_gate.sel(condition=name)
    drawn = [line.get_ydata() for line in left.lines]
    np.testing.assert_array_equal(drawn[:RUNS], gates)
    np.testing.assert_allclose(drawn[RUNS], gates.mean("run"))
    np.testing.assert_allclose(right.lines[0].get_ydata(), data.path_loss_id.sel(condition=name).mean("run"))
    product = data.path_loss_id.sel(condition="3 slots, own, end to end, product")
    np.testing.assert_allclose(right.lines[1].get_ydata(), product.mean("run"))
    for ax in (left, right):
        assert ax.get_xlabel() == "step of Adam"


def test_without_a_learned_gate_there_is_no_picture_of_it(data, tmp_path):
    some = data.isel(condition=[0, 1])
    with pytest.raises(ValueError, match="learned gate, of two slots or more"):
        plots.compositional_gate(some)
    assert plots.save_compositional(some, tmp_path) == [
        f"compositional_{name}.{kind}" for name in ("plane", "predictions") for kind in ("png", "svg")
    ]
