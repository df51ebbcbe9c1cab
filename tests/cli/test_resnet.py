"""`semres resnet` as a user runs it."""

import json

import numpy as np
import pytest
import xarray
from PIL import Image

from semres_jax import cli, plots
from tests.training.images import CLASSES, made_up

TREE = "((((ape:1,bat:1):1,cod:2):1,doe:3):1,(elk:2,fox:2):2);"
# No "resnet_law": two test images of a class make no halves.
FIGURES = {"resnet_alpha", "resnet_plane", "resnet_paths", "resnet_distances", "resnet_geometry"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Made-up images in a folder for each class, and a tree."""
    root = tmp_path_factory.mktemp("bars")
    images = made_up(per_class=12)
    for k, (pixels, label) in enumerate(zip(images.images, images.labels, strict=True)):
        place = root / "images" / CLASSES[label]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[..., 0]).save(place / f"{k}.png")
    (root / "tree.nwk").write_text(TREE)
    return root


def words(folder, *more):
    data = ["resnet", "--data", str(folder / "images"), "--tree", str(folder / "tree.nwk"), "--size", "8"]
    return [*data, "--alpha", "0,0.9", "--runs", "1", "--per-class", "2", "--out", str(folder / "out"), *more]


def test_a_run_and_its_resume(folder, capsys, monkeypatch):
    assert cli.main(words(folder, "--epochs", "1", "--quick", "--json")) == 0
    messages = capsys.readouterr().out
    last = json.loads(messages.splitlines()[-1])
    assert last["exit"] == 0
    assert [row["alpha"] for row in last["rows"]] == pytest.approx([0, 0.9])
    assert "ties allow p_S up to" in messages
    written = {path.name for path in (folder / "out").iterdir()}
    assert {"resnet.nc", "resnet.json", "checkpoints"} | {f"{name}.png" for name in FIGURES} <= written
    with xarray.open_dataset(folder / "out" / "resnet.nc", engine="h5netcdf") as data:
        before = data.p_s.values
        assert data.attrs["seed"] == 0
        assert data.attrs["command"].startswith("semres resnet --data")
    monkeypatch.setattr(plots, "save_resnet", lambda *_: [])  # once is enough
    assert cli.main(words(folder, "--epochs", "1", "--quick", "--resume")) == 0
    with xarray.open_dataset(folder / "out" / "resnet.nc", engine="h5netcdf") as data:
        np.testing.assert_array_equal(data.p_s.values, before)
    # Other settings are refused, and what is there stays.
    assert cli.main(words(folder, "--epochs", "2", "--resume")) == 2
    assert "can't resume with epochs = 2" in capsys.readouterr().err
    assert (folder / "out" / "resnet.nc").exists()


@pytest.mark.parametrize(
    ("more", "messages"),
    [
        (["--alpha", "0,1.5"], ["--alpha", "1.5", "from 0 to 1"]),
        (["--alpha", "0.5,0.5"], ["--alpha", "0.5,0.5", "different"]),
        (["--runs", "0"], ["--runs", "at least 1", "got 0"]),
        (["--network", "small", "--weights", "w.pth"], ["--weights", "resnet18"]),
        (["--network", "resnet18", "--weights", "w.pth"], ["no file of weights 'w.pth'"]),
        (["--held-out", "owl"], ["owl"]),
        (["--data", "nowhere"], ["nowhere"]),
        (["--data", "animals"], ["--tree", "animals have their own"]),
    ],
)
def test_bad_input(folder, more, messages, refusal):
    given = words(folder)
    for name in more[::2]:  # a later option would be taken for a list
        if name in given:
            place = given.index(name)
            del given[place : place + 2]
    message = refusal(*given, *more, "--force")
    for word in messages:
        assert word in message


def test_cub_needs_a_table_of_leaves(folder, tmp_path, refusal):
    (tmp_path / "image_class_labels.txt").write_text("1 1\n")
    given = words(folder)
    given[2] = str(tmp_path)
    assert "CUB-200-2011: give --tree and --leaves" in refusal(*given)


def test_images_and_trees_that_do_not_fit(folder, tmp_path, refusal):
    (tmp_path / "tree.nwk").write_text(TREE.replace("ape:1,bat:1", "ape:0,bat:0"))
    given = words(folder)
    given[given.index("--tree") + 1] = str(tmp_path / "tree.nwk")
    assert "'ape' and 'bat'" in refusal(*given)
    (tmp_path / "tree.nwk").write_text(TREE.replace("fox", "vixen"))
    assert "fox" in refusal(*given)
    for name in CLASSES:
        (tmp_path / "images" / name).mkdir(parents=True)
        for k in range(4):
            noise = np.random.default_rng(k).integers(0, 255, (8, 8), np.uint8)
            Image.fromarray(noise + np.uint8(len(name + "x") * CLASSES.index(name))).save(
                tmp_path / "images" / name / f"{k}.png"
            )
    own = ["resnet", "--data", str(tmp_path / "images"), "--tree", str(folder / "tree.nwk"), "--size", "8"]
    (tmp_path / "images" / "cod" / "0.png").write_bytes(b"\x89PNG broken")
    assert "0.png" in refusal(*own)
    for k in range(1, 4):
        (tmp_path / "images" / "cod" / f"{k}.png").unlink()
    (tmp_path / "images" / "cod" / "0.png").unlink()
    assert "'cod' has no images" in refusal(*own)
    Image.fromarray(noise).save(tmp_path / "images" / "cod" / "0.png")
    message = refusal(*own)
    assert "cod" in message
    assert "1" in message
