"""What `torch.save` wrote, read without PyTorch and without running anything that the file says.

The format is that of PyTorch 1.6 and later: a zip archive with `NAME/data.pkl`, a pickle in which a tensor is a piece
of a storage (offset, sizes, strides), and the bytes of each storage in `NAME/data/KEY`.
"""

import collections
import io
import math
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

from semres_jax._files import refuse_bomb, shown

_FLOATS = {"Double": np.float64, "Float": np.float32, "Half": np.float16, "BFloat16": jnp.bfloat16}
_WHOLE = {"Long": np.int64, "Int": np.int32, "Short": np.int16, "Char": np.int8, "Byte": np.uint8, "Bool": np.bool_}
_DTYPES = {f"{name}Storage": dtype for name, dtype in (_FLOATS | _WHOLE).items()}


class _Refused(Exception):
    """What is wrong with a file, to be put behind its name."""


def read(path: Path) -> Any:
    """What is in the file, dicts and lists of read-only NumPy arrays where it has tensors.

    Raises:
        ValueError: truncated or corrupt; another thing than a pickle of tensors, containers and plain values.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.count("/") == 1 and name.endswith("/data.pkl")]
            if not names:
                raise _Refused("is a zip archive without 'data.pkl', so not by torch.save")
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                raise _Refused("is a TorchScript program; save net.state_dict() with torch.save")
            return _Tensors(_pickled(archive, names[0]), archive, names[0].removesuffix("data.pkl")).load()
    except _Refused as problem:
        raise ValueError(f"{shown(path)!r} {problem}") from None
    except Exception as problem:  # what a broken archive or pickle raises may be of any kind
        said = shown(str(problem).partition("\n")[0])
        raise ValueError(f"{shown(path)!r} is truncated or corrupt ({type(problem).__name__}: {said})") from None


def _pickled(archive: zipfile.ZipFile, name: str) -> io.BytesIO:
    """A pickle, known not to reserve more memory than a file of its length needs."""
    entry = archive.getinfo(name)
    _refuse_bomb(entry)
    content = archive.read(entry)
    for operation, argument, _ in pickletools.genops(content):
        # Places in the table of what was built: that is made as long as the largest of them.
        if operation.name in ("PUT", "BINPUT", "LONG_BINPUT") and (argument or 0) > len(content):
            raise _Refused(f"is corrupt: its pickle counts {argument} parts in {len(content)} bytes")
    return io.BytesIO(content)


def _refuse_bomb(entry: zipfile.ZipInfo) -> None:
    try:
        refuse_bomb(shown(entry.filename), entry.compress_size, entry.file_size)
    except ValueError as problem:
        raise _Refused(f"is refused: {problem}") from None


class _Tensors(pickle.Unpickler):
    """Builds containers and arrays; every other name is refused, so a file cannot run code."""

    def __init__(self, file: Any, archive: zipfile.ZipFile, folder: str):
        super().__init__(file)
        self._archive, self._folder, self._storages = archive, folder, {}
        order = folder + "byteorder"
        self._swapped = order in archive.namelist() and archive.read(order).strip() == b"big"

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in _DTYPES:
            return name  # not a type: a pickle could change what types hold
        makers = {
            ("collections", "OrderedDict"): collections.OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): self._tensor,
            ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
        }
        if (module, name) in makers:
            return makers[module, name]
        raise _Refused(
            f"holds {shown(module)}.{shown(name)} and only tensors are read; save net.state_dict() with torch.save"
        )

    def persistent_load(self, pid: Any) -> np.ndarray:
        word, kind, key, _, count = pid
        if word != "storage" or kind not in _DTYPES:
            raise _Refused(f"holds {shown(pid)} where a storage of tensors is due")
        if key not in self._storages:
            dtype = np.dtype(_DTYPES[kind])
            entry = self._archive.getinfo(f"{self._folder}data/{key}")
            if entry.file_size != count * dtype.itemsize:  # before it is read: a small archive may claim a lot
                raise _Refused(
                    f"is corrupt: {entry.file_size} bytes in storage {key}, not {count} numbers of {dtype.name}"
                )
            _refuse_bomb(entry)
            numbers = np.frombuffer(self._archive.read(entry), f"u{dtype.itemsize}")
            self._storages[key] = (numbers.byteswap() if self._swapped else numbers).view(dtype)
        return self._storages[key]

    def _tensor(self, storage: np.ndarray, offset: int, size: tuple, stride: tuple, *_: Any) -> np.ndarray:
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if min((offset, *size, *stride)) < 0 or (math.prod(size) and last >= storage.size):
            raise _Refused(
                f"is corrupt: sizes {size} with strides {stride} from {offset} leave a storage of {storage.size}"
            )
        if not math.prod(size):
            return np.zeros(size, storage.dtype)
        strides = [step * storage.itemsize for step in stride]
        # The constructor looks once more that all of it is inside.
        return np.ndarray(size, storage.dtype, storage.view(np.uint8), offset * storage.itemsize, strides)
