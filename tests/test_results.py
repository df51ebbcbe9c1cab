"""Files that are whole, say where they come from, and folders that can be written to."""

import errno
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray

import semres_jax
from semres_jax import __version__
from semres_jax.storage import results


def test_provenance_is_what_netcdf_can_hold(tmp_path):
    attributes = results.provenance(seed=3, command="semres validate")
    assert attributes["semres_jax"] == __version__
    assert attributes["seed"] == 3
    assert attributes["devices"] >= 1
    path = results.write(xarray.Dataset({"x": ("i", [1.0, 2.0])}, attrs=attributes), tmp_path / "x.nc")
    with xarray.open_dataset(path, engine="h5netcdf") as table:
        assert table.x.values.tolist() == [1.0, 2.0]
        assert {name: table.attrs[name] for name in attributes} == attributes


def test_a_checkout_has_its_commit(monkeypatch, tmp_path):
    """Whatever the working folder: the checkout is that of the package."""
    package = Path(semres_jax.__file__).parents[1]
    if not (package / ".git").exists():
        pytest.skip(f"{package} is no git checkout")
    git = ["git", "-C", str(package), "rev-parse", "HEAD"]
    head = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    monkeypatch.chdir(tmp_path)
    assert results.provenance()["commit"].removesuffix("-dirty") == head


def test_a_copy_outside_a_checkout_has_no_commit(tmp_path):
    assert results._commit(tmp_path) == "unknown"


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failed_write_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "x.txt"
    path.write_text("old")

    def fail():
        with results.replacing(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_json_has_no_nan_and_no_numpy(tmp_path):
    content = {"a": np.float64(np.nan), "b": np.array([1, 2]), "c": (np.inf, True, None), 4: xarray.DataArray(5.0)}
    results.write_json(content, tmp_path / "x.json")
    assert json.loads((tmp_path / "x.json").read_text()) == {"a": None, "b": [1, 2], "c": [None, True, None], "4": 5.0}


def test_output_folder(tmp_path):
    assert results.output_folder(tmp_path / "a" / "b").is_dir()
    assert results.output_folder(tmp_path / "a" / "b") == tmp_path / "a" / "b"
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="is a file; name a folder") as caught:
            results.output_folder(path)
        assert "\n" not in str(caught.value)


def test_what_killed_processes_left_is_removed(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    here, now = platform.node(), "123456789"
    removed = [f".semres-{here}-{gone.pid}-{now}-x.nc", f".semres-elsewhere-1-{now}-old.nc"]
    kept = [f".semres-{here}-{os.getpid()}-{now}-x.nc", f".semres-elsewhere-{gone.pid}-{now}-x.nc", ".semres-x", "x.nc"]
    for name in removed + kept:
        (tmp_path / name).write_text("half")
    os.utime(tmp_path / removed[1], (0, 0))
    results.output_folder(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(kept)
    with results.replacing(tmp_path / "y.nc") as temporary:
        assert results._TEMPORARY.fullmatch(temporary.name)[2] == str(os.getpid())
        temporary.write_text("whole")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_what_cannot_be_written_is_told_in_a_line(tmp_path, monkeypatch, code):
    path = tmp_path / "x.nc"
    results.write(xarray.Dataset({"x": 1.0}), path)

    def refuse(*_):
        raise OSError(code, os.strerror(code))

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patched:
            patched.setattr(os, name, refuse)
            with pytest.raises(results.Unwritable, match=r"cannot write '.*x\.nc': [a-z -]+; what was") as raised:
                results.write(xarray.Dataset({"x": 2.0}), path)
        assert os.strerror(code).lower() in str(raised.value)
        assert list(tmp_path.iterdir()) == [path]
    assert xarray.load_dataset(path).x == 1.0


def test_a_table_too_large_for_the_disk(tmp_path):
    """A real limit: HDF5 on its own raises something else here, and crashes the process when it ends."""
    code = f"""
import resource
import numpy, xarray
from semres_jax.storage import results
resource.setrlimit(resource.RLIMIT_FSIZE, (100000, 100000))
try:
    results.write(xarray.Dataset({{"x": ("i", numpy.zeros(50000))}}), {str(tmp_path / "x.nc")!r})
except results.Unwritable as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "x.nc': file too large; what was written before is whole and stays" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_names_that_are_no_utf_8_are_written_as_codes(tmp_path):
    table = xarray.Dataset({"x": ("space", [1.0])}, {"space": ["o\udcff"]}, {"source": "\udcfe.csv", "n": 2})
    read = xarray.load_dataset(results.write(table, tmp_path / "x.nc"))
    assert read.space.values.tolist() == [r"o\udcff"]
    assert read.attrs["source"] == r"\udcfe.csv"
    assert table.space.values.tolist() == ["o\udcff"]
