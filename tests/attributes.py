"""What a labelled dataset must have."""

import xarray

from semres_jax.storage import results
from semres_jax.storage.attributes import PURE


def require_labels(dataset, folder=None):
    """Every variable and coordinate says in words what it is, and numbers have a unit; files keep both."""
    for name, variable in dataset.variables.items():
        words = variable.attrs.get("long_name", "")
        assert len(words) > 1, f"{name}: no long_name"
        assert bool(variable.attrs.get("units")) == (variable.dtype.kind not in "OSUT"), (
            f"{name}: units of text, or none"
        )
    for name in ("p_s", "p_i"):
        if name in dataset:
            assert dataset[name].attrs["units"] == PURE
    if folder is not None:
        path = results.write(dataset, folder / "labelled.nc")
        with xarray.open_dataset(path, engine="h5netcdf") as again:
            for name, variable in dataset.variables.items():
                assert again[name].attrs["long_name"] == variable.attrs["long_name"]
                assert again[name].attrs.get("units") == variable.attrs.get("units")
