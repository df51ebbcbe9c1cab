"""GGUF files: metadata and where the arrays are, checked against the length of the file.

The format is that of https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3, little-endian. The
package gguf has a reader too, which takes ten times as long for the strings of a tokenizer; what quantised numbers
mean is left to it.
"""

import math
import mmap
import struct
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

# Kinds of values, by number: for struct, or a string (8), or an array (9).
_PLAIN = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_MOST_AXES = 4


class Place(NamedTuple):
    """Where an array is: its shape, slowest axis first, its kind of numbers, and its first byte."""

    shape: tuple[int, ...]
    kind: int
    start: int


class _Cut(Exception):
    """The file ends too early, or says what can't be."""


class _Bytes:
    """What is read from front to back."""

    def __init__(self, content: mmap.mmap):
        self.content, self.at = content, 0

    def plain(self, code: str, count: int = 1) -> tuple[Any, ...]:
        layout = struct.Struct(f"<{count}{code}")
        if self.at + layout.size > len(self.content):
            raise _Cut(f"it ends within its header, after {len(self.content)} bytes")
        values = layout.unpack_from(self.content, self.at)
        self.at += layout.size
        return values

    def string(self) -> str:
        (length,) = self.plain("Q")
        if self.at + length > len(self.content):
            raise _Cut(f"it ends within its header, after {len(self.content)} bytes")
        self.at += length
        return self.content[self.at - length : self.at].decode("utf-8", "replace")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            (inner,), (count,) = self.plain("I"), self.plain("Q")
            if count > len(self.content):
                raise _Cut(f"an array of {count} values")
            if inner in _PLAIN:
                return list(self.plain(_PLAIN[inner], count))
            return [self.value(inner) for _ in range(count)]
        if kind not in _PLAIN:
            raise _Cut(f"a value of kind {kind}")
        return self.plain(_PLAIN[kind])[0]


def read(path: Path) -> tuple[dict[str, Any], dict[str, Place]]:
    """Metadata of a file by name, and its arrays' places.

    Raises:
        ValueError: no GGUF file, another version, truncated or corrupt.
    """
    file = str(path)
    with path.open("rb") as opened:
        magic = opened.read(4)
        if magic != b"GGUF":
            raise ValueError(f"{file!r} is no GGUF file: it begins with {magic!r}; give a .gguf or a model's folder")
        with mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as content:
            try:
                return _read(file, _Bytes(content))
            except (_Cut, struct.error, OverflowError, RecursionError) as problem:
                raise ValueError(f"{file!r} is truncated or corrupt: {problem}") from None


def _read(file: str, content: _Bytes) -> tuple[dict[str, Any], dict[str, Place]]:
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

    content.at = 4
    (version,) = content.plain("I")
    if version not in (2, 3):
        raise ValueError(f"{file!r} is GGUF of version {version}; must be 2 or 3, little-endian")
    arrays, values = content.plain("Q", 2)
    fields = {}
    for _ in range(values):
        name = content.string()
        fields[name] = content.value(content.plain("I")[0])
    listed = []
    for _ in range(arrays):
        name = content.string()
        (axes,) = content.plain("I")
        if axes > _MOST_AXES:
            raise _Cut(f"an array with {axes} axes")
        shape = content.plain("Q", axes)[::-1]
        (kind,), (start,) = content.plain("I"), content.plain("Q")
        listed.append((name, shape, kind, start))
    step = int(fields.get("general.alignment", 32))
    begin = -(-content.at // step) * step
    places = {}
    for name, shape, kind, start in listed:
        try:
            block, size = GGML_QUANT_SIZES[GGMLQuantizationType(kind)]
        except (ValueError, KeyError):
            raise ValueError(f"{file!r} has {name!r} in numbers of kind {kind}, which the package gguf lacks") from None
        end = begin + start + math.prod(shape) // block * size
        if end > len(content.content):
            raise _Cut(f"{name!r} would end at byte {end} of {len(content.content)}")
        places[name] = Place(shape, kind, begin + start)
    return fields, places


def array(path: Path, place: Place) -> np.ndarray:
    """An array as float32.

    Raises:
        NotImplementedError: a kind of quantised numbers that the package gguf doesn't undo.
    """
    from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
    from gguf.quants import dequantize

    kind = GGMLQuantizationType(place.kind)
    block, size = GGML_QUANT_SIZES[kind]
    plain = {"F32": np.float32, "F16": np.float16, "F64": np.float64}.get(kind.name)
    raw = np.fromfile(path, np.uint8, math.prod(place.shape) // block * size, offset=place.start)
    if plain is not None:
        return raw.view(plain).reshape(place.shape).astype(np.float32)
    rows = raw.reshape(*place.shape[:-1], place.shape[-1] // block * size)
    return np.asarray(dequantize(rows, kind), np.float32)
