"""Spaces by name and by file."""

import gzip
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from semres_jax import spaces
from semres_jax.spaces import named

NAMES = ["circle", "interval", "torus", "sphere", "sphere(9)", "ball", "gaussian", "hamming", "hyperbolic"]


def test_catalogue_holds_one_of_each_and_get_makes_the_same():
    catalogue = spaces.catalogue()
    assert set(catalogue) == {*NAMES, "tree", "finite", "product"}
    for key, space in catalogue.items():
        assert spaces.get(key).label == space.label
        assert type(spaces.get(key)) is type(space)
    assert {key: catalogue[key].label for key in ("tree", "finite", "product", "torus")} == {
        "tree": "tree(137)",
        "finite": "finite(64)",
        "product": "product(circle, interval; max)",
        "torus": "torus(2)",
    }


@pytest.mark.parametrize(
    ("name", "label"),
    [("sphere:9", "sphere(9)"), ("Sphere(9)", "sphere(9)"), (" gaussian(dim=3) ", "gaussian(3)"),
     ("torus(2, l1)", "torus(2, l1)"),
     ("torus(metric=l2)", "torus(2, l2)"), ("hyperbolic(3.5)", "hyperbolic(3.5)"), ("hyperbolic:2", "hyperbolic"),
     ("hamming(16)", "hamming(16)"), ("ball:dim=3", "ball(3)"), ("circle()", "circle")],
)  # fmt: skip
def test_parameters_in_the_name(name, label):
    assert spaces.get(name).label == label
    assert spaces.get(spaces.get(name).label).label == label


def test_parameters_beside_the_name(tmp_path):
    assert spaces.get("sphere", dim=4).label == "sphere(4)"
    assert spaces.get("sphere(3)", dim=4).label == "sphere(4)"
    assert (
        spaces.get("product", factors=("sphere:2", spaces.Circle()), metric="l1").label
        == "product(sphere(2), circle; l1)"
    )
    assert spaces.get("finite", distances=[[0, 1], [1, 0]]).label == "finite(2)"
    assert spaces.get("tree", newick="((a:1,b:1):1,c:2);").labels == ("a", "b", "c")
    path = tmp_path / "three.nwk"
    path.write_text("((a:1,b:1):1,c:2);")
    assert spaces.get(str(path)).label == spaces.get("tree", newick=path).label == "tree(3)"


@pytest.mark.parametrize(
    ("call", "message"),
    [(lambda: spaces.get("spere"), "unknown space 'spere'; did you mean 'sphere'.*circle.*torus"),
     (lambda: spaces.get("sphere", dims=2), "no parameter 'dims'; it accepts dim"),
     (lambda: spaces.get("circle", dim=2), "it accepts no parameters"),
     (lambda: spaces.get("sphere(2, 3)"), "too many parameters in 'sphere"),
     (lambda: spaces.get("sphere(x)"), "dim must be a whole number"),
     (lambda: spaces.get("torus(2, l3)"), "max, l1, l2.*'l3'")],
)  # fmt: skip
def test_bad_names(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_register_makes_a_space_known_by_name(monkeypatch):
    monkeypatch.setattr(named, "_REGISTRY", named._REGISTRY)
    monkeypatch.setitem(named._REGISTRY, "wheel", None)  # undone afterwards
    spaces.register("wheel", spaces.Circle)
    assert spaces.get("wheel").label == "circle"
    spaces.register("wheel", lambda spokes: spaces.Sphere(spokes))
    assert spaces.get("wheel:3").label == "sphere(3)"
    assert "wheel" not in spaces.catalogue()
    with pytest.raises(ValueError, match="'wheel' needs spokes"):
        spaces.get("wheel")


def test_files_and_animals_by_label(tmp_path):
    first, second = tmp_path / "pets.nwk", tmp_path / "more" / "pets.nwk"
    second.parent.mkdir()
    for path in (first, second):
        path.write_text("((a:1,b:1):1,c:2);")
    table = [[0.0, 1.0, 2.0], [1.0, 0.0, 1.5], [2.0, 1.5, 0.0]]
    np.save(tmp_path / "line.npy", table)
    (tmp_path / "towns.csv").write_text(",z,a,m\nz,0,1,2\na,1,0,1.5\nm,2,1.5,0\n")
    named = spaces.by_label([str(first), second, tmp_path / "line.npy", tmp_path / "towns.csv", "circle", "Circle"])
    assert list(named) == ["pets(3)", str(second), "line(3)", "towns(3)", "circle"]
    for label in ("line(3)", "towns(3)"):
        np.testing.assert_array_equal(named[label].distances, table)
    assert spaces.get(first).labels == ("a", "b", "c")
    own = spaces.Finite(table)
    assert spaces.get(own) is own
    assert spaces.by_label({"mine": own, "round": "circle"})["mine"] is own
    assert [(label, space.size) for label, space in spaces.by_label("animals(20)").items()] == [("animals(20)", 20)]


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [("nowhere.nwk", FileNotFoundError, "no Newick file 'nowhere.nwk'"),
     ("nowhere.npy", FileNotFoundError, "no file of distances 'nowhere.npy'"),
     ("spere", ValueError, "did you mean 'sphere'"),
     ([spaces.Circle(), spaces.Circle()], ValueError, "'circle' comes twice")],
)  # fmt: skip
def test_what_is_no_space(given, error, message):
    with pytest.raises(error, match=message):
        spaces.by_label(given)


NEWICK = b"((a:1,b:1):1,c:2);"


@pytest.mark.parametrize(
    ("name", "label"),
    [("owls.nwk.gz", "owls(3)"), ("owls (1).tree", "owls (1)(3)"), ("sphere(9)", "sphere(9)(3)"),
     ("owls.nex.gz", "owls(3)"), ("owls", "owls(3)"), ("owls.TRE.GZ", "owls(3)"), ("circle:2.nwk", "circle:2(3)"),
     ("ou\u0301ls.nwk", "o\u00fals(3)"), ("o\x1b[1mwls.nwk", r"o\x1b[1mwls(3)")],
)  # fmt: skip
def test_files_that_are_there_are_taken_whatever_their_name(name, label, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = b"#NEXUS\r\nbegin trees;\r\ntree t = " + NEWICK + b"\r\nend;" if ".nex" in name else NEWICK
    Path(name).write_bytes(gzip.compress(text) if name.lower().endswith(".gz") else text)
    for given in (name, Path(name), tmp_path / name):
        assert [*spaces.by_label([given])] == [label]
        assert spaces.get(given).labels == ("a", "b", "c")


def test_a_bare_name_is_the_space_even_where_a_file_is_called_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("circle").write_bytes(NEWICK)
    assert spaces.get("circle").label == "circle"
    assert spaces.get("./circle").label == "tree(3)"


def test_pipes_are_read_once_and_called_tree(tmp_path):
    path = tmp_path / "63"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(gzip.compress(NEWICK),))
    writer.start()
    assert [*spaces.by_label(str(path))] == ["tree(3)"]
    writer.join()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [("owls\0.nwk", FileNotFoundError, r"no Newick file 'owls\\\\x00.nwk'"),
     ("ow\x1bls", ValueError, r"unknown space 'ow\\x1bls'"),
     ("data (1)/owls", FileNotFoundError, r"no file 'data \(1\)/owls', and no space is called so"),
     ("owls (1).nwk", FileNotFoundError, r"no Newick file 'owls \(1\).nwk'"),
     ("pictures", ValueError, "unknown space 'pictures'; it is a folder"),
     ("folder.nwk", ValueError, "folder.nwk' is a folder"),
     (7, ValueError, "a name or file that spaces.get knows; got 7"),
     ("binary", ValueError, "binary' is no text in UTF-8")],
)  # fmt: skip
def test_what_is_neither_file_nor_space(given, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("pictures", "folder.nwk"):
        Path(folder).mkdir()
    Path("binary").write_bytes(b"\x93NUMPY\xff\xfe")
    with pytest.raises(error, match=message) as caught:
        spaces.by_label(given)
    assert str(caught.value).isprintable()
