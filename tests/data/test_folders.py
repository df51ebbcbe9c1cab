"""Folders of images that users have, made here by Pillow."""

import numpy as np
import pytest
from PIL import Image

from semres_jax import spaces
from semres_jax.data import image_folder

NEWICK = "(ape:80,(bat:70,cow:70):10);"
TABLE = [[0.0, 160.0, 160.0], [160.0, 0.0, 140.0], [160.0, 140.0, 0.0]]


def noise(seed, width=40, height=30):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


@pytest.fixture
def folder(tmp_path):
    """Three classes of two images each."""
    place = tmp_path / "pictures"
    for grade, name in enumerate(["cow", "ape", "bat"]):
        (place / name).mkdir(parents=True)
        for number in range(2):
            noise(10 * grade + number).save(place / name / f"{number}.png")
    return place


def refused(match, folder, error=ValueError, **options):
    with pytest.raises(error, match=match) as caught:
        image_folder(folder, **({"tree": NEWICK} | options))
    assert "\n" not in str(caught.value)


def test_classes_labels_and_distances(folder):
    pictures = image_folder(folder, tree=NEWICK, size=16)
    assert pictures.name == "pictures"
    assert pictures.class_names == ("ape", "bat", "cow")
    assert pictures.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert pictures.labels.dtype == pictures.group.dtype == np.int32
    assert pictures.group.tolist() == [0, 1, 2, 3, 4, 5]
    assert pictures.images.shape == (6, 16, 16, 3)
    assert pictures.images.dtype == np.uint8
    assert pictures.distances.tolist() == TABLE
    assert pictures.unit == "path length on the tree"


def test_tree_from_text_file_and_object(folder, tmp_path):
    path = tmp_path / "tree.nwk"
    path.write_text(NEWICK)
    for tree in (str(path), path, spaces.Tree.from_newick(NEWICK)):
        assert image_folder(folder, tree=tree, size=4).distances.tolist() == TABLE


def test_centre_square(folder):
    """Size as the short side: no resizing, only the crop."""
    pixels = np.asarray(noise(10))
    pictures = image_folder(folder, tree=NEWICK, size=30)
    np.testing.assert_array_equal(pictures.images[0], pixels[:, 5:35])


def test_tall_pictures_are_cropped_too(folder):
    noise(3, 30, 50).save(folder / "ape" / "0.png")
    pictures = image_folder(folder, tree=NEWICK, size=30)
    np.testing.assert_array_equal(pictures.images[0], np.asarray(noise(3, 30, 50))[10:40])


def test_grey(folder):
    pictures = image_folder(folder, tree=NEWICK, size=30, grey=True)
    assert pictures.images.shape == (6, 30, 30, 1)
    np.testing.assert_array_equal(pictures.images[0, ..., 0], np.asarray(noise(10).convert("L"))[:, 5:35])


def test_orientation_of_cameras(folder):
    """EXIF orientation 6: the picture lies on its side and is to be turned clockwise."""
    upright = noise(10)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(folder / "ape" / "0.png", exif=exif)
    pictures = image_folder(folder, tree=NEWICK, size=30)
    np.testing.assert_array_equal(pictures.images[0], np.asarray(upright)[:, 5:35])


def test_modes_of_images(folder):
    """Transparency over white, palettes, 16 bits; without a warning from Pillow."""
    clear = np.zeros((8, 8, 4), np.uint8)
    clear[..., 3] = np.array([0, 255] * 4, np.uint8)
    Image.fromarray(clear).save(folder / "ape" / "0.png")
    palette = Image.new("P", (8, 8), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.save(folder / "ape" / "1.png", transparency=b"\x00\xff")
    Image.fromarray(np.full((8, 8), 0x7F30, np.uint16)).save(folder / "ape" / "2.png")
    images = image_folder(folder, tree=NEWICK, size=8).images
    assert images[0, 0, :2].tolist() == [[255, 255, 255], [0, 0, 0]]
    assert (images[1] == [10, 20, 30]).all()
    assert (images[2] == 0x7F).all()


def test_exact_copies_share_a_group(folder):
    """The same pixels in another format and class are copies; one changed pixel isn't."""
    noise(11).save(folder / "ape" / "2.bmp")
    noise(11).save(folder / "cow" / "9.PNG")
    changed = noise(11)
    changed.putpixel((20, 15), (1, 2, 3))
    changed.save(folder / "ape" / "3.png")
    pictures = image_folder(folder, tree=NEWICK, size=30)
    assert pictures.group.tolist() == [0, 1, 1, 3, 4, 5, 6, 7, 1]


def test_other_and_hidden_files_do_not_count(folder):
    for name in ("notes.txt", ".hidden.png", "._0.png"):
        (folder / "ape" / name).write_text("no image")
    (folder / ".git").mkdir()
    (folder / "ape" / "deeper.png").mkdir()
    (folder / "list.csv").write_text("no class")
    assert len(image_folder(folder, tree=NEWICK, size=4).images) == 6


def test_progress(folder):
    seen = []
    image_folder(folder, tree=NEWICK, size=4, progress=lambda *parts: seen.append(parts))
    assert seen == [("reading images", k, 6) for k in range(1, 7)]


def test_leaves_from_mapping_and_file(folder, tmp_path):
    newick = NEWICK.replace("ape", "Pan").replace("cow", "Bos taurus")
    leaves = {"ape": "Pan", "bat": "bat", "cow": "Bos taurus"}
    path = tmp_path / "leaves.csv"
    path.write_text("class,leaf\nape,Pan\n\nbat, bat\ncow,Bos taurus\n")
    for given in (leaves, path, str(path)):
        assert image_folder(folder, tree=newick.replace("Bos taurus", "'Bos taurus'"), leaves=given, size=4).distances[
            1
        ].tolist() == [160.0, 0.0, 140.0]


def test_distances_from_file_and_array(folder, tmp_path):
    np.save(tmp_path / "table.npy", np.array(TABLE))
    # Names in another order than the folders'.
    (tmp_path / "table.csv").write_text(",cow,ape,bat\nbat,140,160,0\nape,160,0,160\ncow,0,160,140\n")
    for distances in (TABLE, np.array(TABLE), tmp_path / "table.npy", str(tmp_path / "table.csv")):
        pictures = image_folder(folder, distances=distances, size=4)
        assert pictures.distances.tolist() == TABLE
        assert pictures.unit == "unit of the table of distances"


def test_folders_that_do_not_do(folder, tmp_path):
    refused("no image folder .*nowhere", tmp_path / "nowhere", FileNotFoundError)
    (tmp_path / "empty" / ".hidden").mkdir(parents=True)
    refused("the image folder .*empty' has no sub-folders", tmp_path / "empty")
    (folder / "dodo").mkdir()
    (folder / "dodo" / "notes.txt").write_text("")
    refused("class 'dodo' has no images in .*dodo'; files count that end in bmp gif jpeg", folder)


def test_broken_images_are_named(folder):
    path = folder / "bat" / "1.jpg"
    noise(5, 200, 200).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    refused(r"cannot decode the image .*bat.1.jpg': .*truncated.*; mend or remove it", folder)
    path.write_text("no image at all")
    refused(r"cannot decode the image .*bat.1.jpg': cannot identify image file", folder)
    path.write_bytes((folder / "bat" / "0.png").read_bytes()[:900])
    refused(r"cannot decode the image .*bat.1.jpg'", folder)
    Image.fromarray(np.zeros((8, 8), np.float32)).save(folder / "bat" / "1.tif")
    path.unlink()
    refused(r"bat.1.tif': it has 32-bit grey values", folder)


@pytest.mark.parametrize("size", [0, -3])
def test_size(folder, size):
    refused(f"size must be at least 1 pixel; got {size}", folder, size=size)


def test_tree_or_distances(folder):
    refused("give either tree or distances.*; got neither", folder, tree=None)
    refused("give either tree or distances.*; got both", folder, distances=TABLE)
    refused("leaves say which leaf.*; give them with tree", folder, tree=None, distances=TABLE, leaves={"ape": "ape"})


def test_classes_and_tree_must_fit(folder, tmp_path):
    refused("class 'cow' should be leaf 'cow', which the tree lacks", folder, tree="(ape:1,bat:1);")
    refused("classes 'bat' and 'cow' are at distance 0", folder, tree="(ape:1,(bat:0,cow:0):1);")
    twins = {"ape": "ape", "bat": "cow", "cow": "cow"}
    refused(r"classes 'bat' and 'cow' are at distance 0 \(both are leaf 'cow'\)", folder, leaves=twins)
    refused("leaves has no leaf for class 'cow'", folder, leaves={"ape": "ape", "bat": "bat"})
    refused("leaves names the class 'yak'", folder, leaves=dict.fromkeys(["ape", "bat", "cow", "yak"], "ape"))
    refused("no Newick file", folder, FileNotFoundError, tree=tmp_path / "none.nwk")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "the file of leaves, .*, is empty"),
        ("ape,Pan\n", "the first line of .* must be 'class,leaf'; got 'ape,Pan'"),
        ("class,leaf\n", "names no class"),
        ("class,leaf\nape\n", "line 2 of .* must be a class and its leaf; got 'ape'"),
        ("class,leaf\nape,\n", "line 2 of .* must be a class and its leaf; got 'ape,'"),
        ("class,leaf\nape,Pan\nape,Pan\n", "class 'ape' appears twice in .*leaves.csv"),
    ],
)
def test_tables_of_leaves(folder, tmp_path, content, message):
    path = tmp_path / "leaves.csv"
    path.write_text(content)
    refused(message, folder, leaves=path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (",ape,bat\nape,0,1\nbat,1,0\n", "class 'cow' is missing from .*table.csv"),
        (
            ",ape,bat,yak\nape,0,1,2\nbat,1,0,3\nyak,2,3,0\n",
            "table.csv' has the unknown class 'yak'; the classes are 'ape'",
        ),
        (",ape,bat,cow\nape,0,1,2\nbat,1,0,3\n", "must have the same classes .*; got 3 columns and 2 rows"),
        (",ape,bat,cow\nape,0,1,2\nbat,1,0\n", "line 3 of .* must be a class and 3 distances; got 3 entries"),
        (
            ",ape,bat,cow\nape,0,1,2\nbat,1,0,x\ncow,2,3,0\n",
            "line 3 of .*, class 'bat', has an entry that is no number",
        ),
        (",ape,bat,cow\nape,0,1,2\nbat,1,0,0\ncow,2,0,0\n", "classes 'bat' and 'cow' are at distance 0"),
    ],
)
def test_csv_tables_of_distances(folder, tmp_path, content, message):
    path = tmp_path / "table.csv"
    path.write_text(content)
    refused(message, folder, tree=None, distances=path)


def test_tables_of_distances(folder, tmp_path):
    refused(r"distances must have shape \(3, 3\).*; got \(2, 2\)", folder, tree=None, distances=np.zeros((2, 2)))
    np.save(tmp_path / "table.npy", np.zeros(4))
    refused(r"got \(4,\)", folder, tree=None, distances=tmp_path / "table.npy")
    (tmp_path / "broken.npy").write_text("nothing")
    refused(
        "broken.npy' is no .npy file: it begins with 'nothin'", folder, tree=None, distances=tmp_path / "broken.npy"
    )
    refused("no file of distances", folder, FileNotFoundError, tree=None, distances=tmp_path / "none.npy")
    refused(r"a \.csv file with names or a \.npy file; got .*table.txt", folder, tree=None, distances="table.txt")
