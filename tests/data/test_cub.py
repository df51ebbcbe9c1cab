"""The loader of CUB-200-2011, on a made-up folder of the same layout."""

import numpy as np
import pytest
from PIL import Image

from semres_jax import spaces
from semres_jax.data import cub, split

CLASSES = ("001.Black_footed_Albatross", "002.Laysan_Albatross", "010.Red_winged_Blackbird", "029.American_Crow")
LEAVES = {
    CLASSES[0]: "Phoebastria_nigripes",
    CLASSES[1]: "Phoebastria_immutabilis",
    CLASSES[3]: "Corvus_brachyrhynchos",
}
NEWICK = "((Phoebastria_nigripes:5,Phoebastria_immutabilis:5):65,(Corvus_brachyrhynchos:40,Agelaius:40):30);"
EACH = 4


@pytest.fixture
def folder(tmp_path):
    """Four classes of four images; class numbers aren't those in the names, as nothing says they have to be."""
    place = tmp_path / "CUB_200_2011"
    images, labels = [], []
    for number, name in enumerate(CLASSES, 1):
        (place / "images" / name).mkdir(parents=True)
        for k in range(EACH):
            image = len(images) + 1
            path = f"{name}/{name[4:]}_{k:04}.jpg"
            Image.new("RGB", (20 + k, 30), (10 * image, 60 * number, 0)).save(place / "images" / path)
            images.append(f"{image} {path}\n")
            labels.append(f"{image} {number}\n")
    (place / "images.txt").write_text("".join(images))
    (place / "image_class_labels.txt").write_text("".join(labels))
    (place / "classes.txt").write_text("".join(f"{number} {name}\n" for number, name in enumerate(CLASSES, 1)))
    return place


@pytest.fixture
def table(tmp_path):
    return written(tmp_path, LEAVES)


def written(tmp_path, leaves):
    path = tmp_path / "leaves.csv"
    path.write_text("class,leaf\n" + "".join(f"{name},{leaf}\n" for name, leaf in leaves.items()))
    return path


def refused(match, *arguments, error=ValueError):
    with pytest.raises(error, match=match) as caught:
        cub(*arguments, size=8)
    assert "\n" not in str(caught.value)


def test_classes_of_the_table(folder, table):
    birds = cub(folder, NEWICK, table, size=8)
    assert birds.name == "CUB-200-2011"
    assert birds.class_names == (CLASSES[0], CLASSES[1], CLASSES[3])
    assert birds.images.shape == (3 * EACH, 8, 8, 3)
    assert birds.labels.tolist() == [0] * EACH + [1] * EACH + [2] * EACH
    assert birds.labels.dtype == np.int32
    assert birds.distances.tolist() == [[0, 10, 140], [10, 0, 140], [140, 140, 0]]
    # The pictures are those of the labels: green says the class (JPEG is off by a little).
    green = birds.images[..., 1].mean((1, 2))
    np.testing.assert_allclose(green, np.repeat([60.0, 120.0, 240.0], EACH), atol=4)
    assert len(split(birds, held_out=()).test) == 6


def test_tree_as_file_or_object_and_default_size(folder, table, tmp_path):
    path = tmp_path / "birds.nwk"
    path.write_text(NEWICK)
    seen = []
    birds = cub(folder, path, str(table), progress=lambda *done: seen.append(done))
    assert birds.images.shape[1:] == (224, 224, 3)
    assert seen[-1] == ("reading images", 12, 12)
    again = cub(str(folder), spaces.Tree.from_newick(NEWICK), table, size=224)
    np.testing.assert_array_equal(again.images, birds.images)


def test_unknown_classes_and_leaves(folder, tmp_path):
    refused("names the unknown class '003.Dodo'", folder, NEWICK, written(tmp_path, LEAVES | {"003.Dodo": "Agelaius"}))
    wrong = LEAVES | {CLASSES[2]: "Sturnus"}
    refused(
        f"class '{CLASSES[2]}' should be leaf 'Sturnus', which the tree lacks", folder, NEWICK, written(tmp_path, wrong)
    )
    twins = LEAVES | {CLASSES[2]: LEAVES[CLASSES[3]]}
    refused(r"at distance 0 \(both are leaf 'Corvus_brachyrhynchos'\)", folder, NEWICK, written(tmp_path, twins))


def test_missing_files(folder, table, tmp_path):
    missing = FileNotFoundError
    refused("no 'classes.txt' in .*; give the folder CUB_200_2011", tmp_path, NEWICK, table, error=missing)
    refused("no Newick file", folder, tmp_path / "none.nwk", table, error=missing)
    refused("no file of leaves", folder, NEWICK, tmp_path / "none.csv", error=missing)
    (folder / "images" / CLASSES[1] / "Laysan_Albatross_0002.jpg").unlink()
    refused("no image file .*Laysan_Albatross_0002.jpg'", folder, NEWICK, table, error=missing)
    (folder / "images.txt").unlink()
    refused("no 'images.txt' in ", folder, NEWICK, table, error=missing)


def test_corrupt_images(folder, table):
    (folder / "images" / CLASSES[0] / "Black_footed_Albatross_0001.jpg").write_text("no image")
    refused("cannot decode the image .*Black_footed_Albatross_0001.jpg'", folder, NEWICK, table)


@pytest.mark.parametrize(
    ("file", "line", "message"),
    [
        ("images.txt", "17", "line 17 of .*images.txt' must be a number of its own and a name; got '17'"),
        ("classes.txt", f"1 {CLASSES[0]}", "line 5 of .*classes.txt' must be a number of its own"),
        ("images.txt", "17 a/b.jpg", r"image 17 \(a/b.jpg\) has no class that classes.txt knows"),
    ],
)
def test_broken_lines(folder, table, file, line, message):
    with (folder / file).open("a") as text:
        text.write(f"{line}\n")
    refused(message, folder, NEWICK, table)


def test_classes_without_images(folder, table, tmp_path):
    with (folder / "classes.txt").open("a") as text:
        text.write("5 Agelaius\n")
    path = written(tmp_path, LEAVES | {"Agelaius": "Agelaius"})
    refused("class 'Agelaius' has no images in images.txt", folder, NEWICK, path)
