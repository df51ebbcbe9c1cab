"""Files that are whole, say where they come from, and folders that can be written to."""

import json

import numpy as np
import pytest
import xarray

from semres_jax import __version__, results


def test_provenance_is_what_netcdf_can_hold(tmp_path):
    attributes = results.provenance(seed=3, command="semres validate")
    assert attributes["semres_jax"] == __version__
    assert attributes["seed"] == 3
    assert attributes["devices"] >= 1
    path = results.write(xarray.Dataset({"x": ("i", [1.0, 2.0])}, attrs=attributes), tmp_path / "x.nc")
    with xarray.open_dataset(path, engine="h5netcdf") as table:
        assert table.x.values.tolist() == [1.0, 2.0]
        assert {name: table.attrs[name] for name in attributes} == attributes


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
