"""Arrays of numbers in files, by name: .npy, .npz, .h5, .safetensors; headers are looked at before numbers are read."""

import functools
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
from semres_jax._files import MOST_UNPACKED, refuse_pointer, require_file, shown

_MAGIC = b"\x93NUMPY"
# Soft links on the way to an array, and how often memory may be what a file holds of it.
_MOST_LINKS, _MOST_TIMES = 100, 200


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
        return _numbers(np.load(path, mmap_mode=None if empty else "r", allow_pickle=False), dtype, shown(path))


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
        return _zipped(path, key) if suffix == ".npz" else _hdf5(path, key)


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


def _room(count: int, kept: int, what: str) -> None:
    """Refuse what needs more memory than there is, and what is hardly in the file, as made to fill memory."""
    if count > MOST_UNPACKED and count > _MOST_TIMES * kept:
        raise _Said(f"{what} would need {count // 2**20} MiB, but the file holds {kept} bytes of them; save them by "
                    "numpy.save")  # fmt: skip
    try:
        _memory.require(count, what)
    except ValueError as error:
        raise _Said(str(error)) from None


def _header(file: Any, size: int, where: str) -> tuple[int, tuple[int, ...], np.dtype]:
    """Where the numbers of a .npy file begin, their shape and kind; there must be as many as it says."""
    start = file.read(len(_MAGIC))
    if start.startswith(b"PK"):
        raise _Said(f"{where!r} is a zip file, as numpy.savez writes; give it a name that ends in .npz")
    if not start:
        raise _Said(f"{where!r} is empty; write it by numpy.save")
    if start != _MAGIC:
        looks, there = "text" if start.isascii() and start.strip() else "something else", shown(start.decode("latin-1"))
        raise _Said(f"{where!r} is no .npy file: it begins with {there!r}, as {looks} does; write it by numpy.save")
    file.seek(0)
    version = np.lib.format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise _Said(f"{where!r} has columns with names of their own (.npy version {version[0]}); save one plain array")
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    try:
        shape, _, dtype = reader(file)
    except Exception:  # what NumPy says of it advises to trust the file
        raise _Said(f"{where!r} is truncated or corrupt: its header can't be read") from None
    if dtype.hasobject:
        raise _Said(
            f"{where!r} holds Python objects, not numbers (such as a dict, or rows of different lengths); save an "
            "array of numbers: numpy.stack(rows), or numpy.savez for several"
        )
    if dtype.names is not None or dtype.subdtype is not None:
        raise _Said(f"{where!r} is a table with columns {shown(dtype.names)} of different kinds; save one plain array")
    count = math.prod(shape)
    if count >= 0 and min(shape, default=0) >= 0 and count * dtype.itemsize < size - file.tell():
        raise _Said(f"{where!r} is corrupt, or several arrays one after the other: there is more than shape {shape} of "
                    f"{dtype} takes; use numpy.savez for several")  # fmt: skip
    if min(shape, default=0) < 0 or count * dtype.itemsize > size - file.tell():
        raise _Said(f"{where!r} is truncated or corrupt: too few bytes for numbers of shape {shape}")
    return file.tell(), shape, dtype


def _numbers(array: np.ndarray, dtype: np.dtype, where: str) -> np.ndarray:
    """As they are; bfloat16, which NumPy writes without its name as pairs of bytes, as float32."""
    if dtype.kind == "V" and dtype.itemsize == 2:
        return np.asarray(array.view(jnp.bfloat16), np.float32)
    if dtype.kind == "V":
        raise _Said(f"{where!r} has numbers of a kind that NumPy can't name, {dtype}, as of float8 "
                    "is; save them as float32")  # fmt: skip
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


def _postponed(entry: Callable[[], Stored]) -> Stored:
    """An array that may be one of several: what is wrong with it is told when it is read."""
    try:
        return entry()
    except _Said as error:
        message = str(error)

    def refuse() -> np.ndarray:
        raise _Said(message)

    return Stored((), refuse)


def _zipped(path: Path, key: str | None) -> dict[str, Stored]:
    with zipfile.ZipFile(path) as archive:
        arrays = {x.filename.removesuffix(".npy"): x for x in archive.infolist() if x.filename.endswith(".npy")}
        if key in arrays:
            arrays = {key: arrays[key]}
        return {name: _postponed(functools.partial(_of_zip, archive, info, path)) for name, info in arrays.items()}


def _of_zip(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> Stored:
    where = f"{shown(path)}, {shown(info.filename)}"
    with archive.open(info) as member:
        _, shape, dtype = _header(member, info.file_size, where)

    def numbers() -> np.ndarray:
        _room(2 * info.file_size, info.compress_size, f"numbers of shape {shape} in {where!r}")
        with zipfile.ZipFile(path) as again, again.open(info) as member:
            return _numbers(np.lib.format.read_array(member, allow_pickle=False), dtype, where)

    return Stored(shape, numbers)


def _hdf5(path: Path, key: str | None) -> dict[str, Stored]:
    import h5py

    with h5py.File(path, "r") as file:
        names: list[str] = []
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        if key is not None and key.strip("/").partition("/")[0] in (".", *file):
            place = _place(file, key, path)
            item = file[place]
            if isinstance(item, h5py.Dataset):
                return {key: _of_hdf5(item, place, path)}
        return {name: _postponed(functools.partial(_of_hdf5, file[name], name, path)) for name in names}


def _place(file: Any, key: str, path: Path) -> str:
    """Where the array of a name is, its soft links followed: a step at a time, so that no other file is opened."""
    import h5py

    words, place, links = key.split("/"), "/", 0
    while words:
        word = words.pop(0)
        if word in ("", "."):
            continue
        group = file[place]
        link = group.get(word, getlink=True) if isinstance(group, h5py.Group) else None
        if isinstance(link, h5py.ExternalLink):
            raise _Said(
                f"{shown(path)!r} has {shown(key)!r} as a link to the file {shown(link.filename)!r}; give that file"
            )
        if isinstance(link, h5py.SoftLink):
            links += 1
            if links > _MOST_LINKS:
                raise _Said(f"{shown(path)!r} has {shown(key)!r} as a link that leads in a circle; name the array")
            place = "/" if link.path.startswith("/") else place
            words = link.path.split("/") + words
        elif link is None:
            raise _Said(f"{shown(path)!r} has no array {shown(key)!r}: there is no {shown(word)!r} in {shown(place)!r}")
        else:
            place = f"{place.rstrip('/')}/{word}"
    return place


def _of_hdf5(item: Any, name: str, path: Path) -> Stored:
    if item.is_virtual or item.external:
        raise _Said(f"{shown(path)!r} has {shown(name)!r} in other files; write it into one (h5repack)")
    shape, size, kept = tuple(item.shape or ()), item.nbytes, item.id.get_storage_size()

    def numbers() -> np.ndarray:
        import h5py

        _room(2 * size, kept, f"numbers of shape {shape} in {shown(path)!r}")
        if size and not kept:
            raise _Said(f"{shown(path)!r} has {shown(name)!r} of shape {shape}, but no numbers were written")
        with h5py.File(path, "r") as again:
            array = np.asarray(again[name][()])  # pyright: ignore[reportIndexIssue]
            return _numbers(array, array.dtype, f"{shown(path)}, {shown(name)}")

    return Stored(shape, numbers)
