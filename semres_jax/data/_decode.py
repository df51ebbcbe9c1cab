"""Image files to arrays: square, of one size, with exact copies found."""

import hashlib
import math
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from semres_jax import _memory
from semres_jax._checks import require_count
from semres_jax._files import refuse_pointer, shown
from semres_jax._types import Progress

# Endings of files that count as images, whatever their case.
SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")


def decode_all(
    paths: Sequence[Path], *, size: int, grey: bool = False, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Decode images in threads: the centre square of each, resized (bicubic) to `size` pixels a side.

    EXIF orientation is respected, transparency is laid over white, 16-bit grey is cut to 8. Of an animation the first
    picture is taken.

    Returns:
        (N, size, size, 3) uint8, or 1 instead of 3 if `grey`; and (N,) int32 groups: pictures that are equal as
        returned have the same number, the index of the first.

    Raises:
        ValueError: `size` below 1; more than memory has room for; a file that can't be decoded, a Git LFS pointer
            among them (the first one in the order of `paths` is named).
        FileNotFoundError: a file that isn't there.
    """
    from PIL import Image  # only image folders need it

    size = require_count("size", size, 1, " pixel")
    shape = (len(paths), size, size, 1 if grey else 3)
    _memory.require(math.prod(shape), f"{len(paths)} images of {size} pixels a side")
    images = np.empty(shape, np.uint8)
    firsts: dict[bytes, int] = {}
    group = np.empty(len(paths), np.int32)

    def fill(index: int) -> bytes:
        images[index] = _decode(paths[index], size, grey)
        return hashlib.sha256(images[index].tobytes()).digest()

    # Pillow lets go of the interpreter's lock while it decodes and resizes. Headers that would fill the memory are an
    # error, not a warning (filters of warnings hold for all threads).
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        for index, digest in enumerate(pool.map(fill, range(len(paths)))):
            group[index] = firsts.setdefault(digest, index)
            if progress is not None:
                progress("reading images", index + 1, len(paths))
    return images, group


def _decode(path: Path, size: int, grey: bool) -> np.ndarray:
    from PIL import Image, ImageOps

    if not os.path.isfile(path):
        raise FileNotFoundError(f"no image file {shown(path)!r}")
    refuse_pointer(path)
    mode = "L" if grey else "RGB"
    try:
        with Image.open(path) as file:
            ImageOps.exif_transpose(file, in_place=True)
            picture = _eight_bits(file)
            picture = picture if picture.mode == mode else picture.convert(mode)
            width, height = picture.size
            side = min(width, height)
            left, top = (width - side) / 2, (height - side) / 2
            box = (left, top, left + side, top + side)
            square = np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC, box=box))
    except Exception as error:  # Pillow's readers raise a dozen kinds for broken files
        reason = " ".join(str(error).split()).replace(str(path), "the file") or type(error).__name__
        raise ValueError(f"cannot decode the image {shown(path)!r}: {shown(reason)}; mend or remove it") from None
    return square.reshape(size, size, -1)


def _eight_bits(picture: Any) -> Any:
    """The picture without what Pillow's conversion to 8-bit colour loses or gets wrong: transparency, 16 bits."""
    from PIL import Image

    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
    if picture.mode in ("I", "F"):
        raise ValueError("it has 32-bit grey values, whose range isn't known; save it with 8 or 16 bits")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return picture
