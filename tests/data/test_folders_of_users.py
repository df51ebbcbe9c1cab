"""Image folders and tables of leaves from other machines: Unicode forms, pointers, links, bombs, broken files."""

import gzip
import os
import struct
import tracemalloc
import unicodedata
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from semres_jax import _memory, spaces
from semres_jax.data import cub, image_folder, split
from semres_jax.data._tables import read_leaves
from semres_jax.data.image_sets import class_distances

ELK, MOOSE = "\u00e9lan", "M\u00f6we"  # composed
NEWICK = f"(({ELK}:1,{MOOSE}:1):1,boar:2);"


def other_form(name):
    return unicodedata.normalize("NFD", name)


def made(place, names, count=1):
    for grade, name in enumerate(names):
        (place / name).mkdir(parents=True)
        for k in range(count):
            Image.new("RGB", (9, 8), (40 * grade, 20 * k, 0)).save(place / name / f"{k}.png")
    return place


@pytest.fixture
def folder(tmp_path):
    """Classes as a Mac stores them."""
    return made(tmp_path / "Bilder", [other_form(ELK), other_form(MOOSE), "boar"])


def refused(match, call, *arguments, error: type[Exception] = ValueError, **options):
    with pytest.raises(error, match=match) as caught:
        call(*arguments, **options)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("form", [str, other_form], ids=["NFC", "NFD"])
def test_names_are_compared_in_composed_form(folder, tmp_path, form):
    table = tmp_path / "leaves.csv"
    table.write_text(form(f"class,leaf\n{ELK},{MOOSE}\n{MOOSE},{ELK}\nboar,boar\n"), encoding="utf-8")
    pictures = image_folder(folder, tree=form(NEWICK), size=4)
    assert pictures.class_names == ("M\u00f6we", "boar", "\u00e9lan")
    assert pictures.distances.tolist() == [[0, 4, 2], [4, 0, 4], [2, 4, 0]]
    assert image_folder(folder, tree=form(NEWICK), leaves=table, size=4).distances.tolist()[0] == [0, 4, 2]
    leaves = {form(ELK): ELK, form(MOOSE): MOOSE, "boar": "boar"}
    assert image_folder(folder, tree=NEWICK, leaves=leaves, size=4).labels.tolist() == [0, 1, 2]


def test_held_out_classes_in_either_form(tmp_path):
    place = made(tmp_path / "Bilder", [other_form(ELK), "boar", "cow", "deer"], count=4)
    pictures = image_folder(place, distances=1.0 - np.eye(4), size=4)
    for name in (ELK, other_form(ELK)):
        assert len(split(pictures, held_out=[name]).held_out) == 4


def test_two_folders_of_one_name(folder):
    try:
        made(folder, [ELK])
    except FileExistsError:
        pytest.skip("the file system compares names in one form")
    refused("two sub-folders of .* are called 'élan', in two Unicode forms", image_folder, folder, tree=NEWICK)


@pytest.mark.parametrize(
    ("name", "leaf", "hint"),
    [
        ("Homo sapiens", "Homo_sapiens", "did you mean 'Homo_sapiens'"),
        ("LION", "lion", "did you mean 'lion'"),
        ("\u0441at", "cat", r"did you mean 'cat' \(you wrote '\\u0441at'\)"),
        ("a", "\u0430", r"did you mean '\\u0430' \(you wrote 'a'\)"),
        ("li\u200bon", "lion", r"did you mean 'lion' \(you wrote 'li\\u200bon'\)"),
        ("x\x1b[31m", "lion", r"class 'x\\\\x1b\[31m' should be"),
    ],
)
def test_names_that_look_the_same_are_told_apart(name, leaf, hint):
    tree = spaces.Tree.from_newick(f"('{leaf}':1,zebra:1);")
    refused(hint, class_distances, [name, "zebra"], tree)


PNG = b"\x89PNG\r\n\x1a\n"


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def bomb(side):
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1_000_000))
    return PNG + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (bomb(11_000), r"1\.png': Image size \(121000000 pixels\) exceeds limit"),
        (bomb(60_000), r"1\.png': Image size \(3600000000 pixels\) exceeds limit"),
        (bomb(2000), "cannot decode the image"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 9\n", "1.png' is a Git LFS pointer"),
        (b"/annex/objects/SHA256E-s9--4d7a.png\n", "1.png' is a git-annex pointer.*git annex get"),
        (b"<!DOCTYPE html><html>", "cannot identify image file"),
        (b"", "cannot identify image file"),
    ],
    ids=["large", "huge", "truncated", "LFS", "annex", "page", "empty"],
)
def test_what_is_no_picture(folder, content, match):
    (folder / "boar" / "1.png").write_bytes(content)
    tracemalloc.start()
    refused(match, image_folder, folder, tree=NEWICK, size=4)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_links_and_files_that_lead_nowhere(folder, tmp_path):
    link = folder / "boar" / "9.jpg"
    for target, advice in (("../../.git/annex/objects/x", "git annex get"), ("gone.jpg", "mend"), ("9.jpg", "mend")):
        link.symlink_to(target)
        refused(f"9.jpg' is a link to '{target}'.*{advice}", image_folder, folder, tree=NEWICK)
        link.unlink()
    (folder / "loop").symlink_to("loop")
    refused("loop' is a link to 'loop'", image_folder, folder, tree=NEWICK)
    (folder / "loop").unlink()
    (folder / "boar" / "around").symlink_to("..")  # folders inside the class folders don't count
    assert len(image_folder(folder, tree=NEWICK, size=4).images) == 3
    refused("is a file; give a folder", image_folder, folder / "boar" / "0.png", tree=NEWICK)
    refused("no image folder", image_folder, "a\0b", tree=NEWICK, error=FileNotFoundError)


def test_folders_that_may_not_be_read(folder, monkeypatch):
    def closed(self):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", closed)
    refused("cannot read the folder .*Bilder': Permission denied", image_folder, folder, tree=NEWICK)


def test_pictures_that_memory_has_no_room_for(folder, monkeypatch):
    monkeypatch.setattr(_memory, "available", lambda: 10**9)
    refused("3 images of 100000 pixels a side need 90.0 GB", image_folder, folder, tree=NEWICK, size=100_000)


@pytest.mark.parametrize(
    "content",
    [
        "class,leaf\nélan,Möwe\n".encode("utf-8-sig"),
        "class;leaf\nélan;Möwe\n".encode(),
        "class,leaf\r\nélan,Möwe\r\n".encode("utf-16"),
        gzip.compress('Class,Leaf\r"élan" , "Möwe"\r'.replace(" , ", ",").encode()),
    ],
    ids=["bom", "semicolons", "utf16", "gzip"],
)
def test_tables_of_leaves_however_they_were_saved(content, tmp_path):
    (tmp_path / "leaves.csv").write_bytes(content)
    assert read_leaves(tmp_path / "leaves.csv") == {"élan": "Möwe"}


@pytest.fixture
def birds(tmp_path):
    """The layout of CUB-200-2011 with three classes of an image each."""
    names = ["001.\u00c9mou", "002.Kiwi", "003.Rhea"]
    place = made(tmp_path / "CUB (1)" / "images", names).parent
    lines = list(enumerate(names, 1))
    (place / "classes.txt").write_bytes("".join(f"{k} {name}\r\n" for k, name in lines).encode("utf-8-sig"))
    (place / "images.txt").write_bytes(gzip.compress("".join(f"{k} {name}/0.png\n" for k, name in lines).encode()))
    (place / "image_class_labels.txt").write_text("1 1\n2 2\n3 3\n")
    (place / "leaves.csv").write_text(other_form("class,leaf\n001.\u00c9mou,a\n002.Kiwi,b\n003.Rhea,c\n"))
    (place / "tree (1).nwk").write_text("((a:1,b:1):1,c:2)")
    return place


def test_cub_however_it_was_saved(birds):
    tree, leaves = f"{birds}/tree (1).nwk", birds / "leaves.csv"
    pictures = cub(birds, tree, leaves, size=4)
    assert pictures.class_names == ("001.\u00c9mou", "002.Kiwi", "003.Rhea")
    assert pictures.distances[0].tolist() == [0, 2, 4]
    for text, match in (
        ("1 001.\u00c9mou\n".encode("latin-1"), "classes.txt' is no text in UTF-8"),
        (b"1 x\n2 x\n", "has the class 'x' twice"),
        (b"1 x\x1b[2J\n2\n", "line 2 of .*classes.txt' must be a number of its own"),
        (b"1 x\n", "names the unknown class '001.Émou'"),
    ):
        (birds / "classes.txt").write_bytes(text)
        refused(match, cub, birds, tree, leaves, size=4)


def corrupted(random, content):
    content = bytearray(content)
    for _ in range(int(random.integers(1, 5))):
        place = int(random.integers(0, len(content) + 1))
        if random.random() < 0.6:
            content[place : place + 1] = bytes([int(random.integers(0, 256))])
        elif random.random() < 0.8:
            del content[place : place + int(random.integers(1, 9))]
        else:
            del content[place:]
    return bytes(content)


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "tif", "webp", "bmp", "ppm"])
def test_corrupted_pictures_are_read_or_refused_in_a_line(ending, folder):
    path = folder / "boar" / f"1.{ending}"
    random = np.random.default_rng(1)
    Image.fromarray(random.integers(0, 256, (12, 9, 3), np.uint8)).save(path)
    content = path.read_bytes()
    for _ in range(int(os.environ.get("SEMRES_FUZZ", "15"))):
        path.write_bytes(corrupted(random, content))
        try:
            assert image_folder(folder, tree=NEWICK, size=4).images.shape == (4, 4, 4, 3)
        except ValueError as error:
            if not str(error).isprintable():
                raise


@pytest.mark.filterwarnings("ignore:.*goes on after its first tree")
def test_corrupted_tables_are_read_or_refused_in_a_line(birds):
    names = ("classes.txt", "images.txt", "image_class_labels.txt", "leaves.csv", "tree (1).nwk")
    contents = {name: (birds / name).read_bytes() for name in names}
    random = np.random.default_rng(2)
    for _ in range(int(os.environ.get("SEMRES_FUZZ", "60"))):
        name = names[random.integers(len(names))]
        (birds / name).write_bytes(corrupted(random, contents[name]))
        try:
            assert len(cub(birds, birds / "tree (1).nwk", birds / "leaves.csv", size=4).images) <= 3
        except (ValueError, FileNotFoundError) as error:
            if not str(error).isprintable():
                raise
        (birds / name).write_bytes(contents[name])
