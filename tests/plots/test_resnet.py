"""Pictures of image networks: the dataset's numbers at their places, what is left out where there is no data, files."""

import sys

import numpy as np
import pytest
import xarray
from matplotlib.colors import to_rgb
from matplotlib.container import ErrorbarContainer
from matplotlib.patches import Rectangle
from matplotlib.text import Annotation, Text

from semres_jax import plots

ALPHAS = [0.0, 0.5, 0.9, 1.0]
RUNS, EPOCHS, TIES = 3, 4, 0.3
SHARES = np.array([0.01, 0.05, 0.1, 0.26, 0.5, 0.7, 0.9])
NAMES = ["ant", "bee", "cat", "dog", "emu"]
TREE = np.array([[0, 5, 80, 80, 300], [5, 0, 80, 80, 300], [80, 80, 0, 30, 300], [80, 80, 30, 0, 300], [300] * 4 + [0]])
HELD_OUT = 1
CLOSE = 1e-12
ALL = ["alpha", "plane", "paths", "held_out", "distances", "law", "geometry"]


@pytest.fixture(scope="module")
def data():
    """What `resnet.study` makes, of random numbers: nobody trained."""
    rng = np.random.default_rng(0)
    sizes = {
        "alpha": len(ALPHAS), "run": RUNS, "share": SHARES.size, "tested_share": 2, "graded_share": 3,
        "epoch": EPOCHS, "class": len(NAMES), "other": len(NAMES),
    }  # fmt: skip
    content = {}

    def put(name, *dims, low=0.5, high=0.8, network=("alpha", "run")):
        dims = (*network, *dims)
        content[name] = (dims, rng.uniform(low, high, [sizes[dim] for dim in dims]))

    def bound(name, *dims):
        mean = content[name][1].mean(1)
        for end, sign in (("low", -1), ("high", 1)):
            content[f"{name}_{end}"] = (("alpha", *dims), mean + sign * rng.uniform(0.01, 0.03, mean.shape))

    for name in ("p_s", "p_i", "held_p_s", "held_p_i"):
        put(name, "share")
        bound(name, "share")
    for name in ("p_s", "p_i"):
        mean = content[name][1].mean(1)
        change = mean / mean[:1] - 1
        content[f"{name}_change"] = (("alpha", "share"), change)
        for end, sign in (("low", -1), ("high", 1)):
            content[f"{name}_change_{end}"] = (("alpha", "share"), change + sign * 0.04)
        for kind in ("half", "law"):
            put(f"{kind}_{name}", "tested_share")
        for family in ("linear", "exponential"):
            put(f"{family}_{name}", "graded_share")
            bound(f"{family}_{name}", "graded_share")
        put(f"path_{name}", "epoch", "share")
        for which in ("", "_no_class"):
            put(f"chi2_{name}{which}", low=0.5, high=50)
    for name in ("chi2_p_s_no_tree", "chi2_p_s_theorem_1"):
        put(name, low=5, high=500)
    put("p_own", "share", high=0.9)
    content["tie_rate"] = (("alpha", "run"), np.full((len(ALPHAS), RUNS), TIES))
    for name in ("accuracy", "loss_id", "loss_sim"):
        put(name, "epoch", low=0.1, high=1.0)
    put("class_distance", "class", "other", low=0.5, high=2.0)
    distances = content["class_distance"][1]
    distances += np.swapaxes(distances, -1, -2).copy()
    for name in ("nc1", "nc2_angles", "nc3", "participation", "class_participation"):
        put(name, "epoch", low=0.1, high=3.0)
    content["tree_distance"] = (("class", "other"), TREE.astype(float))
    content["trained"] = ("class", np.array([k != HELD_OUT for k in range(len(NAMES))], np.int8))
    coordinates = {
        "alpha": np.array(ALPHAS, np.float32), "epoch": np.arange(1, EPOCHS + 1), "share": SHARES,
        "tested_share": [0.1, 0.5], "graded_share": [0.1, 0.3, 0.6], "class": NAMES, "other": NAMES,
    }  # fmt: skip
    return xarray.Dataset(content, coordinates, {"unit": "million years"})


@pytest.fixture(scope="module")
def figures(data):
    """Every picture, made once."""
    return {name: getattr(plots, f"resnet_{name}")(data) for name in ALL}


def drawn(ax):
    """(x, y) of every line that is no part of an error bar."""
    parts = {id(c.lines[0]) for c in ax.containers if isinstance(c, ErrorbarContainer)}
    return [tuple(line.get_xydata().T) for line in ax.lines if id(line) not in parts]


def has(ax, x, y):
    x, y = np.asarray(x, float), np.asarray(y, float)
    return sum(
        a.shape == x.shape and np.allclose(a, x, atol=CLOSE) and np.allclose(b, y, atol=CLOSE) for a, b in drawn(ax)
    )


def dots(ax):
    """x, y of every group of marks, and the ends of their bars: (lowest, highest) across, where they are, and up."""
    groups = []
    for container in ax.containers:
        points, _, bars = container.lines
        ends = [np.array([[s[0], s[1]] for s in bar.get_segments()]) for bar in bars]
        groups.append((*points.get_xydata().T, ends))
    return groups


def bands(ax):
    """Lowest and highest y of every band."""
    return [(path.vertices[:, 1].min(), path.vertices[:, 1].max()) for c in ax.collections for path in c.get_paths()]


def mean(values):
    return values.mean("run").values


def words(ax):
    return [text.get_text() for text in ax.texts]


def texts_of(legend):
    return [text.get_text() for text in legend.get_texts()]


def test_changes_are_lines_with_bands_and_colours(data, figures):
    figure = figures["alpha"]
    above, below = figure.axes[:2], figure.axes[2:4]
    for ax, cells, name in zip(above, below, ("p_s", "p_i"), strict=True):
        change, low, high = (100 * data[f"{name}_change{end}"].values for end in ("", "_low", "_high"))
        for place in range(1, len(ALPHAS)):
            assert has(ax, SHARES, change[place]) == 1
            np.testing.assert_allclose(bands(ax)[place - 1], [low[place].min(), high[place].max()], atol=CLOSE)
        (mesh,) = cells.collections
        np.testing.assert_allclose(mesh.get_array(), change[1:], atol=CLOSE)
        hatched = np.zeros(change[1:].shape, bool)
        for patch in cells.patches:
            assert isinstance(patch, Rectangle)
            assert patch.get_hatch()
            x, row = patch.get_xy()
            hatched[int(row)] |= (x < SHARES) & (x + patch.get_width() > SHARES)
        np.testing.assert_array_equal(hatched, (low[1:] <= 0) & (high[1:] >= 0))
        assert [text.get_text() for text in below[0].get_yticklabels()] == ["0.5", "0.9", "1"]
    assert "α = 0 (%)" in above[0].get_ylabel()
    with pytest.raises(ValueError, match="one only"):
        plots.resnet_alpha(data.isel(alpha=[0]))


def test_colours_of_changes_are_centred_on_0_and_lighter_all_the_way(figures):
    mesh = figures["alpha"].axes[2].collections[0]
    assert mesh.norm(0.0) == 0.5
    grey = [np.dot(to_rgb(mesh.cmap(x)), (0.299, 0.587, 0.114)) for x in np.linspace(0, 1, 50)]
    assert (np.diff(grey) > 0).all()


def test_plane(data, figures):
    figure = figures["plane"]
    assert "p_I" in figure.get_supxlabel()
    assert "p_S" in figure.get_supylabel()
    for place, ax in enumerate(figure.axes[: len(ALPHAS)]):
        part = data.isel(alpha=place)
        x, y = mean(part.p_i), mean(part.p_s)
        assert has(ax, x, mean(part.p_own)) == 1
        assert has(ax, x, y) == 1
        assert has(ax, [0, 1], [1 - TIES / 2] * 2) == 1
        groups = dots(ax)
        assert len(groups) == 3
        for (a, b, (across, up)), family in zip(groups, ("", "linear_", "exponential_"), strict=True):
            np.testing.assert_allclose([a, b], [mean(part[f"{family}p_i"]), mean(part[f"{family}p_s"])], atol=CLOSE)
            low, high = (np.stack([part[f"{family}{p}_{end}"] for p in ("p_i", "p_s")]) for end in ("low", "high"))
            np.testing.assert_allclose(across[..., 0], np.stack([low[0], high[0]], 1), atol=CLOSE)
            np.testing.assert_allclose(up[..., 1], np.stack([low[1], high[1]], 1), atol=CLOSE)
        named = np.searchsorted(SHARES, [0.1, 0.5])
        assert has(ax, x[named], y[named]) == 1
        assert set(words(ax)) <= {"0.1", "0.5"}
        assert ax.get_title("left") == f"α = {ALPHAS[place]:g}"


def test_paths(data, figures):
    figure = figures["paths"]
    main, *side = figure.axes
    assert "0.26" in main.get_title("left")
    for place in range(len(ALPHAS)):
        part = data.isel(alpha=place)
        x, y = (part[f"path_{name}"].sel(share=0.26) for name in ("p_i", "p_s"))
        assert has(main, mean(x), mean(y)) == 1
        for run in range(RUNS):
            assert has(main, x[run], y[run]) == 1
        for epoch in (0, 1, 3):
            assert has(main, mean(x)[[epoch]], mean(y)[[epoch]]) == 1
        for ax, name in zip(side, ("accuracy", "loss_id", "loss_sim"), strict=True):
            assert has(ax, data.epoch, mean(part[name])) == 1
    assert texts_of(figure.legends[0])[-4:] == ["single runs", "epoch 1", "epoch 2", "epoch 4"]


def test_held_out(data, figures):
    figure = figures["held_out"]
    for row, name in enumerate(("p_s", "p_i")):
        for place in range(len(ALPHAS)):
            ax, part = figure.axes[row * len(ALPHAS) + place], data.isel(alpha=place)
            for which, band in zip(("", "held_"), bands(ax), strict=True):
                assert has(ax, SHARES, mean(part[f"{which}{name}"])) == 1
                low, high = (part[f"{which}{name}_{end}"].values for end in ("low", "high"))
                np.testing.assert_allclose(band, [low.min(), high.max()], atol=CLOSE)
    with pytest.raises(ValueError, match="held out"):
        plots.resnet_held_out(without(data, "held_"))


def test_distances(data, figures):
    figure = figures["distances"]
    assert "million years" in figure.get_supxlabel()
    first, second = np.triu_indices(len(NAMES), 1)
    held = (first == HELD_OUT) | (second == HELD_OUT)
    tree = TREE[first, second]
    for ax, alpha in zip(figure.axes, (0.0, 0.5, 0.9), strict=True):
        tables = data.class_distance.sel(alpha=np.float32(alpha)).values[:, first, second]
        assert len(ax.containers) == 2
        for (x, y, (up,)), which in zip(dots(ax), (~held, held), strict=True):
            np.testing.assert_allclose([x, y], [tree[which], tables.mean(0)[which]], atol=CLOSE)
            np.testing.assert_allclose(np.diff(up[..., 1])[:, 0] / 2, tables.std(0, ddof=1)[which], atol=CLOSE)
        r = np.mean([np.corrcoef(run[~held], tree[~held])[0, 1] for run in tables])
        assert f"α = {alpha:g}: r = {r:.2f}".replace("-", "−") in ax.get_title("left")
        slope = tables.mean(0)[~held].mean() / tree[~held].mean()
        assert any(np.allclose(b, slope * a) for a, b in drawn(ax) if a.size > 2)
        own = data.class_distance.sel(alpha=np.float32(alpha)).values[:, range(5), range(5)]
        assert has(ax, [0, 1], [np.delete(own, HELD_OUT, 1).mean()] * 2) == 1
        assert ax.get_xscale() == "log"
        assert "emu and\nany other" in words(ax)
        assert "ant, bee" in words(ax)


def test_names_keep_off_each_other_and_off_marks(figures):
    for name in ("distances", "plane"):
        for ax in figures[name].axes:
            if not ax.containers:
                continue
            notes = [text for text in ax.texts if isinstance(text, Annotation)]
            assert [note.get_window_extent() for note in notes]  # they take their places
            boxes = [Text.get_window_extent(note) for note in notes]
            points = ax.transData.transform(np.concatenate([np.stack([x, y], 1) for x, y, _ in dots(ax)]))
            for place, box in enumerate(boxes):
                assert not any(box.overlaps(other) for other in boxes[:place])
                assert not ((points > box.min) & (points < box.max)).all(1).any()


def test_law(data, figures):
    figure = figures["law"]
    *pair, third = figure.axes
    for ax, name in zip(pair, ("p_s", "p_i"), strict=True):
        for place, (x, y, (across, up)) in enumerate(dots(ax)):
            predicted, measured = (data[f"{kind}_{name}"].isel(alpha=place) for kind in ("law", "half"))
            np.testing.assert_allclose([x, y], [mean(predicted), mean(measured)], atol=CLOSE)
            for ends, values, side in ((across, predicted, 0), (up, measured, 1)):
                error = values.std("run", ddof=1) / np.sqrt(RUNS)
                np.testing.assert_allclose(np.diff(ends[..., side])[:, 0] / 2, error, atol=CLOSE)
        ((x, y),) = drawn(ax)
        assert np.array_equal(x, y)
    rows = [text.get_text() for text in third.get_yticklabels()]
    assert len(rows) == 6
    groups = iter(dots(third))
    order = ("p_s", "p_s_theorem_1", "p_s_no_tree", "p_s_no_class", "p_i", "p_i_no_class")
    for row, name in enumerate(order):
        for place in range(len(ALPHAS)):
            values = data[f"chi2_{name}"].isel(alpha=place).values
            x, y, (across,) = next(groups)
            assert round(float(y[0])) == row
            np.testing.assert_allclose(x, [np.median(values)], atol=CLOSE)
            np.testing.assert_allclose(across[0, :, 0], [values.min(), values.max()], atol=CLOSE)
    assert has(third, [1, 1], [0, 1]) == 1
    assert third.get_xscale() == "log"


def test_geometry(data, figures):
    above, below = figures["geometry"].axes[:3], figures["geometry"].axes[3:]
    for ax, name in zip(above, ("nc1", "nc2_angles", "participation"), strict=True):
        for place in range(len(ALPHAS)):
            part = data[name].isel(alpha=place)
            assert has(ax, data.epoch, mean(part)) == 1
            for run in range(RUNS):
                assert has(ax, data.epoch, part[run]) == 1
    assert above[0].get_yscale() == below[0].get_yscale() == "log"
    last, at = data.isel(epoch=-1), int(np.argmin(np.abs(SHARES - 0.25)))
    shown = [("nc1", "nc2_angles", "nc3"), ("participation", "class_participation")]
    for ax, names in zip(below, shown, strict=False):
        for (x, y, (up,)), name in zip(dots(ax), names, strict=True):
            np.testing.assert_allclose([x, y], [data.alpha, mean(last[name])], atol=CLOSE)
            error = last[name].std("run", ddof=1) / np.sqrt(RUNS)
            np.testing.assert_allclose(np.diff(up[..., 1])[:, 0] / 2, error, atol=CLOSE)
            assert has(ax, data.alpha, mean(last[name])) == 1
    for (_, y, (up,)), name in zip(dots(below[2]), ("p_s", "p_i"), strict=True):
        here = data.isel(share=at)
        np.testing.assert_allclose(y, mean(here[name]), atol=CLOSE)
        np.testing.assert_allclose(up[..., 1], np.stack([here[f"{name}_low"], here[f"{name}_high"]], 1), atol=CLOSE)
    collapsed = data.assign(nc1=0 * data.nc1)
    assert plots.resnet_geometry(collapsed).axes[0].get_yscale() == "linear"


def without(data, *starts):
    return data.drop_vars([name for name in data if str(name).startswith(starts)])


def test_what_is_saved_is_what_there_is_data_for(data, figures, tmp_path, monkeypatch):
    saved = {}
    monkeypatch.setattr("semres_jax.plots._style.save", lambda figure, _, name: saved.update({name: figure}) or [name])
    few = without(data, "held_", "linear_", "exponential_").isel(alpha=[0, 1], run=[0, 1])
    assert plots.save_resnet(few, tmp_path) == [f"resnet_{name}" for name in ALL if name != "held_out"]
    assert len(saved["resnet_plane"].axes[0].containers) == 1
    for name, figure in figures.items():
        drawn_before = lambda _, figure=figure: figure  # noqa: E731
        drawn_before.__name__ = f"resnet_{name}"
        monkeypatch.setattr(f"semres_jax.plots.images.resnet_{name}", drawn_before)
    assert plots.save_resnet(data, tmp_path) == [f"resnet_{name}" for name in ALL]
    assert saved["resnet_held_out"] is figures["held_out"]


def test_one_run_has_no_bars(data):
    single = data.isel(run=[0], alpha=[1])
    assert "one run" in plots.resnet_law(single).axes[-1].get_legend().get_title().get_text()
    figure = plots.resnet_distances(single)
    assert "one run" in figure.axes[-1].get_legend().get_title().get_text()
    assert [len(ends) for ax in figure.axes for *_, ends in dots(ax)] == [0] * 2


def test_many_classes_some_at_no_distance(data):
    rng = np.random.default_rng(1)
    table = rng.integers(0, 40, (30, 30)).astype(float)
    table = np.triu(table, 1) + np.triu(table, 1).T
    names = [f"c{k}" for k in range(30)]
    large = xarray.Dataset(
        {
            "tree_distance": (("class", "other"), table),
            "class_distance": (("alpha", "run", "class", "other"), rng.uniform(1, 2, (1, 2, 30, 30))),
            "trained": ("class", np.ones(30, np.int8)),
        },
        {"alpha": [1.0], "class": names, "other": names},
        data.attrs,
    )
    (ax,) = plots.resnet_distances(large).axes
    assert ax.get_xscale() == "symlog"
    ((x, _, bars),) = dots(ax)
    assert x.size == 435
    assert not bars


def test_files_of_one_alpha_run_and_epoch(data, tmp_path):
    smallest = without(data, "held_").isel(alpha=[3], run=[0], epoch=[0])
    names = plots.save_resnet(smallest, tmp_path)
    expected = ("plane", "paths", "distances", "law", "geometry")
    assert names == [f"resnet_{name}.{kind}" for name in expected for kind in ("png", "svg")]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    for name in names:
        content = (tmp_path / name).read_bytes()
        assert content.startswith(b"\x89PNG") if name.endswith("png") else b"</svg>" in content
    assert "matplotlib.pyplot" not in sys.modules


@pytest.mark.parametrize("name", ALL)
def test_pictures_go_beside_others(name, data, beside):
    beside(getattr(plots, f"resnet_{name}"), data)
