"""Layers of the page, from what the commands write."""

import numpy as np
import pytest
import xarray

from semres_jax import cli, measure
from semres_jax.explore.runs import layers_of
from semres_jax.storage import results


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    folder = tmp_path_factory.mktemp("toy")
    words = ["--stimuli", "8", "--hidden", "3", "--batch", "16", "--runs", "2", "--steps", "20", "--records", "3"]
    assert cli.main(["toy", *words, "--lambda-rec", "0,0.3", "--test-items", "2,3", "--out", str(folder)]) == 0
    return folder


def _table(folder):
    (path,) = folder.glob("*.nc")
    with xarray.open_dataset(path, engine="h5netcdf") as data:
        return data.load()


def test_paths_of_toy_networks_have_a_slider_for_the_step(toy):
    layers, data = layers_of(toy), _table(toy)
    assert [layer["name"] for layer in layers] == [f"toy: {name}" for name in data.condition.values]
    layer = layers[1]
    assert layer["axis"] == "step"
    assert [frame["name"] for frame in layer["frames"]] == [str(step) for step in data.step.values]
    last = data.isel(condition=1, step=-1, n=0)
    expected = np.stack([last.p_i.values, last.p_s.values], -1)
    np.testing.assert_allclose(layer["frames"][-1]["plane"], expected, rtol=1e-6)
    np.testing.assert_allclose(layer["path"][-1], expected.mean(0), rtol=1e-6)
    assert layer["start"] == len(layer["frames"]) - 1
    assert [n for n, _ in layer["frames"][-1]["items"]] == [2, 3]
    distances = [d for d, _ in layer["frames"][0]["profile"]]
    assert max(distances) == 1


def test_sweeps_are_curves_for_each_n_and_floor(tmp_path):
    words = ["--space", "circle", "--epsilon", "0.1,0.2,0.3", "--n", "2,3", "--delta", "0,0.1"]
    assert cli.main(["sweep", *words, "--out", str(tmp_path)]) == 0
    (layer,), data = layers_of(tmp_path), _table(tmp_path)
    assert layer["name"] == "sweep: circle, constant"
    assert [frame["name"] for frame in layer["frames"]] == [
        "n = 2, Δ = 0",
        "n = 2, Δ = 0.1",
        "n = 3, Δ = 0",
        "n = 3, Δ = 0.1",
    ]
    curve = layer["frames"][1]["curve"]
    row = data.sel(n=2, delta=0.1).squeeze()
    np.testing.assert_allclose(curve["p_s"], row.p_s, rtol=1e-6)
    np.testing.assert_allclose(curve["epsilon"], [0.1, 0.2, 0.3], rtol=1e-6)
    assert layer["space"] == "circle"


def test_embeddings_are_a_point_and_thresholds(tmp_path):
    turn = 2 * np.pi * np.arange(12) / 12
    np.save(tmp_path / "ring.npy", np.stack([np.cos(turn), np.sin(turn)], -1))
    apart = np.abs(np.arange(12)[:, None] - np.arange(12))
    np.save(tmp_path / "d.npy", np.minimum(apart, 12 - apart).astype(float))
    out = tmp_path / "out"
    words = ["embeddings", str(tmp_path / "ring.npy"), "--distances", str(tmp_path / "d.npy"), "--bootstrap", "20"]
    assert cli.main(["measure", *words, "--optimal", "none", "--out", str(out)]) == 0
    (layer,), data = layers_of(out), _table(out)
    itself, levels = layer["frames"]
    assert itself["plane"] == [pytest.approx([data.p_i.item(), data.p_s.item()], rel=1e-6)]
    assert itself["bars"][0][:2] == pytest.approx([data.p_i_low.item(), data.p_i_high.item()], rel=1e-6)
    assert len(levels["curve"]["b"]) == data.sizes["share"]
    assert layer["name"] == "embeddings: ring.npy"


def test_people_are_a_point_with_numbers_of_items(tmp_path):
    d = np.abs(np.arange(7.0)[:, None] - np.arange(7))
    judged = measure.similarities(np.exp(-d / 2), d, n=[2], bootstrap=20, optimal="none")
    results.write(judged.dataset(), tmp_path / "measure.nc")
    (layer,) = layers_of(tmp_path)
    (frame,) = layer["frames"]
    assert frame["plane"] == [pytest.approx([judged.p_i.value, judged.p_s.value], rel=1e-6)]
    assert frame["items"] == [pytest.approx([2, judged.p_i.value], rel=1e-6)]
    assert layer["text"].startswith("similarity of 7 stimuli, given distances")


def test_compared_models_are_points_and_layers_a_path(tmp_path):
    rng, turn = np.random.default_rng(0), 2 * np.pi * np.arange(12) / 12
    apart = np.abs(np.arange(12)[:, None] - np.arange(12))
    ring = np.stack([np.cos(turn), np.sin(turn)], -1)
    layers = np.stack([ring + noise * rng.normal(size=ring.shape) for noise in (0.5, 0.2)])
    found = measure.compare({"net": layers, "ring": ring}, np.minimum(apart, 12 - apart), bootstrap=20, optimal="none")
    data = found.dataset()
    results.write(data, tmp_path / "measure.nc")
    by_name = {layer["name"]: layer for layer in layers_of(tmp_path)}
    assert sorted(by_name) == ["compared: net", "compared: ring"]
    net, point = by_name["compared: net"], by_name["compared: ring"]
    assert [frame["name"] for frame in net["frames"]] == ["net 0", "net 1"]
    want = np.stack([data.p_i, data.p_s], 1)
    np.testing.assert_allclose(net["path"], want[:2], rtol=1e-6)
    np.testing.assert_allclose(point["frames"][0]["plane"], want[2:], rtol=1e-6)
    assert point["frames"][0]["bars"][0][0] == pytest.approx(float(data.p_i_low[2]), rel=1e-6)
    assert point["path"] == []


def test_choices_are_the_fitted_similarity_and_counts_a_curve_by_n(tmp_path):
    (tmp_path / "table.csv").write_text("n,right,trials\n2,95,100\n8,70,100\n")
    words = ["--bootstrap", "0", "--out", str(tmp_path / "a")]
    assert cli.main(["measure", "choices", str(tmp_path / "table.csv"), *words]) == 0
    (layer,) = layers_of(tmp_path / "a")
    assert layer["frames"][0]["items"] == [[2.0, 0.95], [8.0, 0.7]]
    rng = np.random.default_rng(0)
    rows = ["distance_1,distance_2,choice"]
    for _ in range(60):
        a, b = rng.uniform(0, 2, 2)
        rows.append(f"{a:.3f},{b:.3f},{1 if rng.uniform() < np.exp(-a) / (np.exp(-a) + np.exp(-b)) else 2}")
    (tmp_path / "choices.csv").write_text("\n".join(rows) + "\n")
    words = ["--family", "exponential,linear", "--bias", "none", "--bootstrap", "0", "--out", str(tmp_path / "b")]
    assert cli.main(["measure", "choices", str(tmp_path / "choices.csv"), *words]) == 0
    (layer,), data = layers_of(tmp_path / "b"), _table(tmp_path / "b")
    assert layer["scale"] == "epsilon"
    assert layer["frames"][0]["name"] == data.attrs["best_family"]
    own = next(frame for frame in layer["frames"] if frame["name"] == "exponential")
    delta = data.delta.sel(family="exponential", bias="none").item()
    assert dict(own["profile"])[1.0] == pytest.approx(delta + (1 - delta) * np.exp(-1), rel=1e-6)


def _resnet():
    share, shape = np.array([0.1, 0.5, 0.9]), (2, 1, 3)
    p_s = np.linspace(0.5, 0.7, 6).reshape(shape)
    content = {"p_s": (("alpha", "run", "share"), p_s), "p_i": (("alpha", "run", "share"), 1 - p_s / 2)}
    for name, (_, values) in list(content.items()):
        content[f"{name}_low"] = (("alpha", "share"), values[:, 0] - 0.01)
        content[f"{name}_high"] = (("alpha", "share"), values[:, 0] + 0.01)
    return xarray.Dataset(content, {"alpha": [0.0, 0.9], "share": share}, {"network": "small", "data": "images"})


def _language():
    layers = {f"layer_{p}{end}": ("layer", [0.6, 0.7]) for p in ("p_s", "p_i") for end in ("", "_low", "_high")}
    more = {
        "layer_family": ("layer", ["linear", "exponential"]), "layer_epsilon": ("layer", [100.0, 50.0]),
        "layer_distance": ("years_apart", [50.0, 100.0]), "layer_profile": (("layer", "years_apart"), np.ones((2, 2))),
        "identify_at": ("identify_cell", [2, 4]), "identify_cell_p_right_value": ("identify_cell", [0.9, 0.6]),
    }  # fmt: skip
    return xarray.Dataset(layers | more, attrs={"model": "historian"})


def test_networks_by_alpha_and_language_models_by_layer(tmp_path):
    for name, data in (("resnet", _resnet()), ("measure", _language())):
        (tmp_path / name).mkdir()
        results.write(data, tmp_path / name / f"{name}.nc")
    (layer,) = layers_of(tmp_path / "resnet")
    assert (layer["axis"], [frame["name"] for frame in layer["frames"]]) == ("α", ["0", "0.9"])
    assert layer["frames"][1]["curve"]["p_s"] == pytest.approx([0.62, 0.66, 0.7])
    assert layer["frames"][1]["bars"][0] == pytest.approx([0.68, 0.7, 0.61, 0.63])
    answers, states = layers_of(tmp_path / "measure")
    assert answers["frames"][0]["items"] == [[2, 0.9], [4, 0.6]]
    assert states["axis"] == "layer"
    assert states["frames"][1]["note"].startswith("exponential")


def test_what_is_no_run_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        layers_of(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"holds no results of a run \(toy.nc"):
        layers_of(tmp_path)
    (tmp_path / "toy.nc").write_bytes(b"torn")
    with pytest.raises(ValueError, match=r"toy.nc' is broken, or not what semres toy"):
        layers_of(tmp_path)
    with pytest.raises(ValueError, match="is a file; name the folder"):
        layers_of(tmp_path / "toy.nc")
    results.write(xarray.Dataset({"x": 1.0}), tmp_path / "toy.nc")
    with pytest.raises(ValueError, match="not what semres toy"):
        layers_of(tmp_path)
