"""Files in the format of torch.save, written by hand: a zip with a protocol 2 pickle and the storages' bytes."""

import dataclasses
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

STORAGES = {"float64": "Double", "float32": "Float", "float16": "Half", "bfloat16": "BFloat16", "int64": "Long"}


@dataclasses.dataclass
class Tensor:
    """A piece of a storage; offset and strides count numbers."""

    storage: np.ndarray
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


@dataclasses.dataclass
class Call:
    """A named function with arguments, as a pickle that runs code has it; without arguments just the name."""

    module: str
    name: str
    arguments: tuple | None = None


def write(path: Path, content: Any, *, root: str = "archive", order: str = "little") -> Path:
    """Write dicts, lists, plain values and arrays (or `Tensor`) as torch.save does, and return the path."""
    storages: list[np.ndarray] = []
    pickled = b"\x80\x02" + _pickled(content, storages) + b"."
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(f"{root}/data.pkl", pickled)
        archive.writestr(f"{root}/byteorder", order)
        for key, storage in enumerate(storages):
            raw = storage.reshape(-1).view(f"u{storage.itemsize}")
            archive.writestr(f"{root}/data/{key}", (raw if order == "little" else raw.byteswap()).tobytes())
        archive.writestr(f"{root}/version", "3\n")
    return path


def _pickled(value: Any, storages: list[np.ndarray]) -> bytes:
    def written(*values: Any) -> bytes:
        return b"".join(_pickled(x, storages) for x in values)

    match value:
        case bool():
            return b"\x88" if value else b"\x89"
        case int():
            return b"J" + struct.pack("<i", value)
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case tuple():
            return b"(" + written(*value) + b"t"
        case list():
            return b"](" + written(*value) + b"e"
        case dict():
            items = written(*(x for item in value.items() for x in item))
            return written(Call("collections", "OrderedDict", ())) + b"(" + items + b"u"
        case Call():
            name = f"c{value.module}\n{value.name}\n".encode()
            return name if value.arguments is None else name + written(value.arguments) + b"R"
        case np.ndarray():
            value = np.array(value, order="C")
            stride = tuple(step // value.itemsize for step in value.strides)
            return written(Tensor(value, 0, value.shape, stride))
    known = [key for key, storage in enumerate(storages) if storage is value.storage]
    key = known[0] if known else len(storages)
    if not known:
        storages.append(value.storage)
    kind = Call("torch", STORAGES[value.storage.dtype.name] + "Storage")
    storage = written(("storage", kind, str(key), "cpu", value.storage.size)) + b"Q"
    head = b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage
    return head + written(value.offset, value.size, value.stride, False, {}) + b"tR"
