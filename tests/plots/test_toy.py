"""Pictures of toy networks: the dataset's numbers at their places, theory as lines, error bars, files that open."""

import sys

import matplotlib
import numpy as np
import pytest
import xarray
from matplotlib.container import ErrorbarContainer

from semres_jax import laws, measure, plots, spaces
from semres_jax.experiments import toy
from semres_jax.training.toy.loop import History

STIMULI, RUNS, STEPS = 8, 2, 20
# Laws run in float32.
CLOSE = 1e-6


def like(base, name, **values):
    """A condition with the numbers of another, but for those named."""
    other = base.copy(deep=True).assign_coords(condition=[name])
    for field, value in values.items():
        other[field] = (other[field].dims, np.broadcast_to(value, other[field].shape).copy())
    return other


@pytest.fixture(scope="module")
def circle():
    """What `toy.study` makes, of random networks that nobody trained: to compile the training takes longer than all."""
    ring, rng = spaces.grid(spaces.get("circle"), STIMULI), np.random.default_rng(0)
    steps = np.array([0, 1, 2, 6, 9, 14, STEPS])
    weights = rng.normal(size=(RUNS, steps.size, STIMULI, 3)) + np.linspace(3.0, 0.3, steps.size)[:, None, None]
    tables = np.maximum(weights @ np.swapaxes(weights, -1, -2), 0.0)
    profile, reach = measure.profile(ring, tables), measure.reach(tables)
    fits = [measure.fit_profile(profile, family) for family in toy.FAMILIES]
    shared = measure.superposition(weights)
    path, by_family, front = ("run", "step"), ("run", "step", "family"), ("family", "point")
    padding = np.ones((3, 9))
    padding[0, 5:] = np.nan  # a constant similarity has fewer points than others

    def random(*shape):
        return np.sort(rng.uniform(0.5, 1.0, shape), axis=-1)

    content = {
        **{name: ((*path, "n"), random(RUNS, steps.size)[..., None]) for name in ("p_s", "p_i")},
        **{name: (path, values) for name, values in zip(("mean_b", "var_b"), reach, strict=True)},
        "profile": ((*path, "level"), profile.mean),
        "distance": ("level", profile.distance),
        "similarity": (("shown", "probe", "stimulus"), tables[0, np.isin(steps, toy.shown_steps(STEPS))]),
        "shown_step": ("shown", np.array(toy.shown_steps(STEPS), float)),
        **{name: (by_family, random(RUNS, steps.size, 3)) for name in ("predicted_p_s", "predicted_p_i")},
        **{name: (front, random(3, 9) * padding) for name in ("front_p_s", "front_p_i")},
        **{name: (("run", "test_n"), random(RUNS, 3)[:, ::-1]) for name in ("tested_p_s", "tested_p_i")},
        "mean_feature_dimensions": (path, shared.dimensions.mean(-1)),
        "interference": (path, shared.interference.mean(-1)),
        "passed_interference": (path, shared.passed.mean(-1)),
        "items": ((), 2),
        "hidden": ((), 3),
        "slots": ((), 1),
        "stimuli": ((), STIMULI),
        "lambda_sim": ((), 0.1),
        "decision": ((), ""),
        "label": ((), ""),
    }
    for field, name in (("epsilon", "epsilon"), ("delta", "fit_delta"), ("aic", "aic")):
        values = [getattr(fit, field) if field == "aic" else getattr(fit, field).value for fit in fits]
        content[name] = (by_family, np.stack(values, axis=-1))
    coordinates = {"step": steps, "n": [2], "family": list(toy.FAMILIES), "test_n": [2, 3, 4]}
    return xarray.Dataset(content, coordinates).expand_dims(condition=["circle"])


@pytest.fixture(scope="module")
def both(circle):
    """A circle and what stands for a segment: other fronts, other accuracies, a reach that differs between probes."""
    reach = np.linspace(1.0, 0.4, circle.sizes["step"])[None, None]
    segment = like(
        circle, "segment", front_p_s=0.9 * circle.front_p_s, p_s=circle.p_s + 0.1, mean_b=reach, var_b=0.05 * reach
    )
    return xarray.concat([circle, segment], "condition")


@pytest.fixture(scope="module")
def several(circle):
    """Trained with 3 and, not the first, with 2 items."""
    three = circle.drop_vars(["test_n", "tested_p_s", "tested_p_i"])
    three = like(three, "n = 3", items=3, p_s=circle.p_s - 0.06).assign_coords(n=[3])
    return xarray.concat([three, circle], "condition", join="outer", data_vars="all")


@pytest.fixture(scope="module")
def slotted(circle):
    single = like(circle, "one slot")
    max_min = [like(circle, f"{k} max", slots=k, decision="max", label="min", p_s=0.7 - k / 100) for k in (3, 2)]
    total = [like(circle, f"{k} sum", slots=k, decision="sum", label="l1", p_s=0.8 - k / 100) for k in (2, 3)]
    return xarray.concat([single, *max_min, *total], "condition")


def drawn(ax):
    """(x, y) of every line that is no part of an error bar."""
    parts = {id(c.lines[0]) for c in ax.containers if isinstance(c, ErrorbarContainer)}
    return [(np.asarray(line.get_xdata()), np.asarray(line.get_ydata())) for line in ax.lines if id(line) not in parts]


def has(ax, x, y, tolerance=1e-12):
    x, y = np.asarray(x), np.asarray(y)
    return sum(
        a.shape == x.shape
        and np.allclose(a, x, atol=tolerance, equal_nan=True)
        and np.allclose(b, y, atol=tolerance, equal_nan=True)
        for a, b in drawn(ax)
    )


def dots(ax):
    """x, y and half the length of the vertical bar of every group of marks."""
    groups = []
    for container in ax.containers:
        points, _, bars = container.lines
        lengths = [np.diff(segment[:, 1]).item() / 2 for segment in bars[-1].get_segments()]
        groups.append((np.asarray(points.get_xdata()), np.asarray(points.get_ydata()), np.array(lengths)))
    return groups


def mean(values):
    return values.mean("run").values


def error(values):
    return (values.std("run", ddof=1) / np.sqrt(RUNS)).values


def texts(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_paths_are_the_runs_and_their_mean(both):
    ax = plots.toy_paths(both)
    assert "p_I" in ax.get_xlabel()
    assert "p_S" in ax.get_ylabel()
    assert plots.toy_paths(both, ax) is ax
    ax = plots.toy_paths(both)
    for place in range(2):
        x, y = (both[name].isel(condition=place, n=0) for name in ("p_i", "p_s"))
        assert has(ax, mean(x), mean(y)) == 1
        for run in range(RUNS):
            assert has(ax, x[run], y[run]) == 1
        at = np.isin(both.step, both.shown_step[place])
        assert at.sum() == len(toy.shown_steps(STEPS))
        a, b, bars = dots(ax)[place]
        np.testing.assert_allclose([a, b, bars], [mean(x)[at], mean(y)[at], error(y)[at]], atol=1e-12)
    assert len(ax.containers) == 2
    # Runs and means of two conditions, three exact fronts, three of the continuum.
    assert len(drawn(ax)) == 2 * (RUNS + 1) + 3 + 3
    assert {"circle", "segment", "linear, 8 stimuli of segment", "linear, continuum"} <= set(texts(ax.get_legend()))
    assert "standard error over 2 runs" in ax.get_legend().get_title().get_text()


def test_fronts_of_paths(both):
    ax, b = plots.toy_paths(both), np.linspace(0, 1, 401)
    for condition, family in (("circle", "constant"), ("circle", "linear"), ("segment", "linear")):
        front = both.sel(condition=condition, family=family)
        assert has(ax, front.front_p_i, front.front_p_s) == 1
    assert not has(ax, *(both.sel(condition="segment", family="constant")[f"front_{p}"] for p in ("p_i", "p_s")))
    assert has(ax, 1 - b / 2, 0.5 + b - b**2, CLOSE) == 1
    noisy = laws.constant(b, delta=0.028)
    assert has(ax, noisy.p_i, noisy.p_s, CLOSE) == 1
    line = laws.linear(b[1:])
    assert has(ax, line.p_i, line.p_s, CLOSE) == 1


def test_same_fronts_are_drawn_once_and_linear_ones_of_the_continuum_for_two_items_only(several):
    ax = plots.toy_paths(several)
    assert "linear, continuum" not in texts(ax.get_legend())
    three = laws.constant(np.linspace(0, 1, 401), n=3)
    assert has(ax, three.p_i, three.p_s, CLOSE) == 1
    assert len(drawn(ax)) == 2 * (RUNS + 1) + 2 + 2


def test_matrices_are_the_tables_and_their_profiles(both):
    figure = plots.toy_matrices(both, 1)
    steps = toy.shown_steps(STEPS)
    above, below = figure.axes[: len(steps)], figure.axes[len(steps) : 2 * len(steps)]
    row = both.isel(condition=1)
    for place, (ax, panel, step) in enumerate(zip(above, below, steps, strict=True)):
        assert ax.get_title("left") == f"step {step}"
        table = row.similarity.values[place]
        np.testing.assert_allclose(ax.images[0].get_array(), table / table.max(), atol=1e-7)
        profile = row.profile.sel(step=step)
        x, y, bars = dots(panel)[0]
        np.testing.assert_allclose([x, y, bars], [row.distance, mean(profile), error(profile)], atol=1e-12)
        fit = row.sel(step=step).isel(family=int(mean(row.aic.sel(step=step)).argmin()))
        ((d, g),) = drawn(panel)
        assert g[0] == pytest.approx(1.0)
        assert g[-1] >= float(fit.fit_delta.mean()) - CLOSE
        assert d[-1] == pytest.approx(0.5)
        assert "$\\epsilon$" in panel.get_title("left")
    assert "largest" in figure.axes[-1].get_ylabel()


def test_matrices_of_fewer_stimuli_and_levels_than_others_have(circle):
    wide = circle.pad(level=(0, 3), stimulus=(0, 2), probe=(0, 2), constant_values=np.nan)
    figure = plots.toy_matrices(wide)
    assert figure.axes[0].images[0].get_array().shape == (STIMULI, STIMULI)
    assert dots(figure.axes[len(toy.shown_steps(STEPS))])[0][0].size == circle.sizes["level"]


def test_fits(both):
    clear = both.copy(deep=True)
    clear["aic"] = clear.aic + xarray.DataArray([50.0, 0.0, 100.0], {"family": ["constant", "linear", "exponential"]})
    left, middle, right = plots.toy_fits(clear).axes
    linear = clear.epsilon.sel(family="linear").transpose("condition", "run", "step")
    for place in range(2):
        values = linear.isel(condition=place) / 0.5
        assert has(left, both.step, mean(values)) >= 1  # conditions may share it
        assert len(left.collections) >= 2
        x, y, bars = dots(left)[place]
        every = slice(None, None, 4)
        np.testing.assert_allclose([x, y], [both.step[every], mean(values)[every]], atol=1e-12)
        np.testing.assert_allclose(bars, error(values)[every], atol=1e-12)
    for ax, name in ((middle, "p_s"), (right, "p_i")):
        assert len(ax.containers) == 2 * 3
        groups = iter(dots(ax))
        for condition in both.condition.values:
            for family in both.family.values:
                part = both.sel(condition=condition).isel(step=-1)
                x, y, bars = next(groups)
                measured, predicted = part[name].sel(n=2), part[f"predicted_{name}"].sel(family=family)
                np.testing.assert_allclose([*x, *y], [mean(predicted), mean(measured)], atol=1e-12)
                np.testing.assert_allclose(bars, error(measured), atol=1e-12)
        ((x, y),) = drawn(ax)
        assert np.array_equal(x, y)


def test_families_alike_are_crosses(both):
    alike = both.copy(deep=True)
    alike["aic"] = 0.0 * alike.aic
    figure = plots.toy_fits(alike)
    assert not figure.axes[0].containers
    assert [line.get_marker() for line in figure.axes[0].lines if np.isfinite(line.get_ydata()).any()] == ["x", "x"]
    assert "families alike" in plots.toy_matrices(alike).axes[-2].get_title("left")


def test_items(several):
    left, right = plots.toy_items(several).axes
    last = several.isel(step=-1)
    order = ["circle", "n = 3"]
    for ax, name in ((left, "p_i"), (right, "p_s")):
        own = [last[name].sel(condition=c, n=n) for c, n in zip(order, (2, 3), strict=True)]
        tested = last[f"tested_{name}"].sel(condition="circle")
        for (x, y, bars), values in zip(dots(ax), (own, tested.transpose("test_n", "run")), strict=True):
            assert x.tolist() == [2, 3, 4][: len(values)]
            np.testing.assert_allclose(y, [mean(v) for v in values], atol=1e-12)
            np.testing.assert_allclose(bars, [error(v) for v in values], atol=1e-12)
        fitted = last[f"predicted_{name}"].sel(family="linear", condition=order)
        assert has(ax, [2, 3], mean(fitted)) >= 1
        assert ax.get_xscale() == "log"
    b = float(last.mean_b.sel(condition="circle").mean())
    n = np.array([2, 3, 4])
    assert has(left, n, (1 - (1 - b) ** n) / (n * b), CLOSE) >= 1
    b = 2 - 2 * float(last.p_i.sel(condition="circle", n=2).mean())
    assert has(left, n, (1 - (1 - b) ** n) / (n * b), CLOSE) >= 1
    assert any(np.allclose(x * y, 1) for x, y in drawn(left))
    assert left.get_yscale() == "log"
    assert texts(right.get_legend())[0] == "trained and tested with $n$"


def test_items_without_networks_of_two(several, slotted):
    figure = plots.toy_items(several.isel(condition=[0]).drop_vars("test_n"))
    assert len(figure.axes[0].containers) == 1
    with pytest.raises(ValueError, match="one slot"):
        plots.toy_items(slotted.isel(condition=slice(1, None)))


def test_variance(both):
    ax, cost = plots.toy_variance(both), 1.5 - np.log(2)
    b = np.linspace(0, 1, 401)
    assert has(ax, b, 0.5 + b - cost * b**2) == 1
    part = both.sel(condition="segment")
    x, spread = mean(part.mean_b)[::-1], mean(part.var_b)[::-1]
    assert has(ax, x, 0.5 + x - cost * (x**2 + spread)) == 1
    a, y, bars = dots(ax)[1]
    np.testing.assert_allclose([a, y], [x[::-1], mean(part.p_s.sel(n=2))], atol=1e-12)
    np.testing.assert_allclose(bars, error(part.p_s.sel(n=2)), atol=1e-12)
    assert {"circle", "segment"} <= set(texts(ax.get_legend()))


def test_variance_leaves_out_networks_that_only_reconstruct(both, several):
    mixed = xarray.concat([both, like(both.isel(condition=[0]), "reconstruction", lambda_sim=0.0)], "condition")
    assert len(plots.toy_variance(mixed).containers) == 2
    with pytest.raises(ValueError, match="two items"):
        plots.toy_variance(several.isel(condition=[0]))


def test_slots(slotted):
    ax, last = plots.toy_slots(slotted), slotted.isel(step=-1, n=0)
    assert len(ax.containers) == 2 * 2
    groups = dots(ax)
    # The condition with one slot belongs to both; slots are in order.
    for place, rows in ((0, [0, 2, 1]), (2, [0, 3, 4])):
        for shift, name in enumerate(("p_s", "p_i")):
            values = last[name].isel(condition=rows)
            x, y, bars = groups[place + shift]
            assert x.tolist() == [1, 2, 3]
            np.testing.assert_allclose([y, bars], [mean(values), error(values)], atol=1e-12)
    labels = texts(ax.get_legend())
    assert labels == ["max similarity, min distance", "sum similarity, l1 distance", "$p_S$", "$p_I$", "chance"]
    assert any(np.allclose(y, 0.5) for _, y in drawn(ax))


def test_one_run_has_no_bars(both):
    single = both.isel(run=[0])
    for draw in (plots.toy_paths, plots.toy_variance):
        assert draw(single).get_legend().get_title().get_text() == "one run, no bars"
    assert plots.toy_matrices(single).axes
    assert plots.toy_fits(single).axes


NAMES = {
    "both": ["toy_paths", "toy_fits", "toy_matrices_circle", "toy_matrices_segment", "toy_variance", "toy_geometry"],
    "several": ["toy_paths", "toy_fits", "toy_matrices_circle", "toy_items", "toy_geometry"],
    "slotted": ["toy_paths", "toy_fits", "toy_matrices_one_slot", "toy_slots", "toy_geometry"],
}


@pytest.mark.parametrize("which", NAMES)
def test_what_is_saved_is_what_there_is_data_for(which, request, tmp_path, monkeypatch):
    monkeypatch.setattr("semres_jax.plots._style.save", lambda figure, folder, name: [name])
    assert plots.save_toy(request.getfixturevalue(which), tmp_path) == NAMES[which]
    assert not list(tmp_path.iterdir())


def test_no_variance_of_networks_that_only_reconstruct(both, tmp_path, monkeypatch):
    monkeypatch.setattr("semres_jax.plots._style.save", lambda figure, folder, name: [name])
    idle = both.assign(lambda_sim=0 * both.lambda_sim)
    assert "toy_variance" not in plots.save_toy(idle, tmp_path)


def test_files(circle, tmp_path):
    before = settings()
    names = plots.save_toy(circle.drop_vars("mean_feature_dimensions"), tmp_path)  # of an earlier version
    assert names == [
        f"{name}.{kind}" for name in ("toy_paths", "toy_fits", "toy_matrices_circle") for kind in ("png", "svg")
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for name in names:
        content = (tmp_path / name).read_bytes()
        assert content.startswith(b"\x89PNG") if name.endswith("png") else b"</svg>" in content
    assert settings() == before
    assert "matplotlib.pyplot" not in sys.modules


def settings():
    # To look at the backend loads pyplot.
    return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}


def test_paths_of_a_training_alone():
    """What `training.toy.train` returns has no fronts of the stimuli; each member of its grid is a condition."""
    rng = np.random.default_rng(0)
    accuracies = rng.uniform(0.5, 0.8, (2, 2, 3, 4, 1))
    unused, steps = [np.zeros((2, 3, 4))] * 4, np.array([0, 2, 6, 20])
    weights = rng.normal(size=(2, 3, 4, 1, STIMULI, 3))
    history = History(steps, np.array([2]), *accuracies, *unused, weights)
    ax = plots.toy_paths(history)
    bold = [line for line in ax.lines if line.get_linewidth() == 1.8]
    assert len(bold) == 2
    np.testing.assert_allclose(bold[1].get_ydata(), accuracies[0, 1].mean(0)[:, 0])
    np.testing.assert_allclose(bold[1].get_xdata(), accuracies[1, 1].mean(0)[:, 0])
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[:2] == ["member 0", "member 1"]
    assert not any("stimuli" in text for text in texts)
    single = plots.toy_paths(history._replace(p_s=accuracies[0, 0], p_i=accuracies[1, 0], weights=weights[0]))
    assert single.get_legend().get_texts()[0].get_text() == "training"


def test_geometry_is_the_means_with_their_accuracies(both):
    left, middle, right = plots.toy_geometry(both).axes
    steps = both.step
    for place in range(2):
        row = both.isel(condition=place)
        assert has(left, steps, mean(row.mean_feature_dimensions)) == 2  # both conditions have the same weights
        for name in ("interference", "passed_interference"):
            assert has(middle, steps, mean(row[name])) == 2
        for name in ("p_s", "p_i"):
            assert has(right, mean(row.mean_feature_dimensions), mean(row[name].sel(n=2))) >= 1
    lows = [path.vertices[:, 1].min() for path in left.collections[0].get_paths()]
    assert min(lows) == pytest.approx((mean(row.mean_feature_dimensions) - error(row.mean_feature_dimensions)).min())
    assert has(left, [0, 1], [3 / STIMULI] * 2) == 2
    assert middle.get_yscale() == "log"
    assert "one run" in plots.toy_geometry(both.isel(run=[0])).legends[0].get_title().get_text()


@pytest.mark.parametrize("draw", [plots.toy_matrices, plots.toy_fits, plots.toy_items, plots.toy_geometry])
def test_pictures_go_beside_others(draw, several, beside):
    beside(draw, several)
