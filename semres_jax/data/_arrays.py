"""Arrays of numbers in files, by name: .npy, .npz, .h5, .safetensors; headers are looked at before numbers are read."""

import math
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from semres_jax import _memory, _safetensors
from semres_jax._files import refuse_pointer, require_file, shown

_MAGIC = b"\x93NUMPY"


class Stored(NamedTuple):
    """An array in a file: how large it is, and how to read it."""

    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]


def npy(path: str | os.PathLike[str], what: str) -> np.ndarray:
    """The array of a .npy file, mapped, not read.

    Raises:
        FileNotFoundError: no such file.
        ValueError: a Git LFS pointer, text, Python's objects, truncated, corrupt.
    """
    path = require_file(Path(path), what)
    refuse_pointer(path)
    with _told(path), path.open("rb") as file:
        offset, _, dtype = _header(file, path.stat().st_size, shown(path))
        empty = path.stat().st_size == offset
        return _numbers(np.load(path, mmap_mode=None if empty else "r", allow_pickle=False), dtype)


def stored(path: Path, what: str, key: str | None) -> Mapping[str, Stored]:
    """What a file with several arrays holds, none of it read yet; where a key is given and there, that alone.

    Raises:
        FileNotFoundError, ImportError, ValueError: as `npy` and `_safetensors.opened`.
    """
    suffix = path.suffix.lower()
    if suffix == ".safetensors":
        file = _safetensors.opened(path, what)
        return {name: _of_safetensors(file, name, path) for name in file.keys()}  # noqa: SIM118
    refuse_pointer(require_file(path, what))
    with _told(path):
        return _zipped(path) if suffix == ".npz" else _hdf5(path, key)


def read(entry: Stored, path: Path) -> np.ndarray:
    """The numbers of an array, once there is memory for them."""
    with _told(path):
        return entry.read()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """What goes wrong with a file as one line with its name."""
    try:
        yield
    except _Said:
        raise
    except Exception as error:  # the readers of NumPy, zipfile and h5py raise a dozen kinds for broken files
        reason = shown(" ".join(str(error).split()) or type(error).__name__)
        raise ValueError(f"{shown(path)!r} is truncated, corrupt or of another kind: {reason}") from None


class _Said(ValueError):
    """A message that names its file already."""


def _room(count: int, what: str) -> None:
    try:
        _memory.require(count, what)
    except ValueError as error:
        raise _Said(str(error)) from None


def _header(file: Any, size: int, where: str) -> tuple[int, tuple[int, ...], np.dtype]:
    """Where the numbers of a .npy file begin, their shape and kind; there must be as many as it says."""
    start = file.read(len(_MAGIC))
    if start != _MAGIC:
        looks, there = "text" if start.isascii() and start.strip() else "something else", shown(start.decode("latin-1"))
        raise _Said(f"{where!r} is no .npy file: it begins with {there!r}, as {looks} does; write it by numpy.save")
    file.seek(0)
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise _Said(f"{where!r} has columns with names of their own (.npy version {version[0]}); save one plain array")
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = reader(file)
    if dtype.hasobject:
        raise _Said(
            f"{where!r} holds Python objects, not numbers (such as a dict, or rows of different lengths); save an "
            "array of numbers: numpy.stack(rows), or numpy.savez for several"
        )
    if dtype.names is not None or dtype.subdtype is not None:
        raise _Said(f"{where!r} is a table with columns {shown(dtype.names)} of different kinds; save one plain array")
    count = math.prod(shape)
    if min(shape, default=0) < 0 or count * dtype.itemsize > size - file.tell():
        raise _Said(f"{where!r} is truncated or corrupt: too few bytes for numbers of shape {shape}")
    return file.tell(), shape, dtype


def _numbers(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """As they are; bfloat16, which NumPy writes without its name as pairs of bytes, as float32."""
    if dtype.kind == "V" and dtype.itemsize == 2:
        return np.asarray(array.view(jnp.bfloat16), np.float32)
    return array


def _of_safetensors(file: Any, name: str, path: Path) -> Stored:
    shape = tuple(file.get_slice(name).get_shape())

    def numbers() -> np.ndarray:
        try:
            array = _safetensors.array(file, name, path)
        except ValueError as error:
            raise _Said(str(error)) from None
        return array.astype(np.float32) if array.dtype == jnp.bfloat16 else array

    return Stored(shape, numbers)


def _zipped(path: Path) -> dict[str, Stored]:
    with zipfile.ZipFile(path) as archive:
        arrays = [info for info in archive.infolist() if info.filename.endswith(".npy")]
        return {info.filename.removesuffix(".npy"): _of_zip(archive, info, path) for info in arrays}


def _of_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Stored:
    where = f"{shown(path)}, {shown(info.filename)}"
    with archive.open(info) as member:
        _, shape, dtype = _header(member, info.file_size, where)

    def numbers() -> np.ndarray:
        _room(2 * info.file_size, f"numbers of shape {shape} in {where!r}")
        with zipfile.ZipFile(path) as again, again.open(info) as member:
            return _numbers(np.lib.format.read_array(member, allow_pickle=False), dtype)

    return Stored(shape, numbers)


def _hdf5(path: Path, key: str | None) -> dict[str, Stored]:
    import h5py

    with h5py.File(path, "r") as file:
        if key is not None:
            _refuse_outside(file, key, path)
            item = file.get(key)
            if isinstance(item, h5py.Dataset):
                return {key: _of_hdf5(item, key, path)}
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        return {name: _of_hdf5(file[name], name, path) for name in names}


def _refuse_outside(file: Any, key: str, path: Path) -> None:
    """A link on the way to an array may not lead to another file."""
    import h5py

    place = file
    for word in filter(None, key.split("/")):
        if not isinstance(place, h5py.Group) or word not in place:
            return
        link = place.get(word, getlink=True)
        if isinstance(link, h5py.ExternalLink):
            raise _Said(
                f"{shown(path)!r} has {shown(key)!r} as a link to the file {shown(link.filename)!r}; give that file"
            )
        if isinstance(link, h5py.SoftLink) and link.path.startswith("/"):
            _refuse_outside(file, link.path, path)
        place = place.get(word)


def _of_hdf5(item: Any, name: str, path: Path) -> Stored:
    if item.is_virtual or item.external:
        raise _Said(f"{shown(path)!r} has {shown(name)!r} in other files; write it into one (h5repack)")
    shape, size = tuple(item.shape or ()), item.nbytes

    def numbers() -> np.ndarray:
        import h5py

        _room(2 * size, f"numbers of shape {shape} in {shown(path)!r}")
        with h5py.File(path, "r") as again:
            return np.asarray(again[name][()])  # pyright: ignore[reportIndexIssue]

    return Stored(shape, numbers)
