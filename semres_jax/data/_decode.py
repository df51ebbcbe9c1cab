"""Image files to arrays: square, of one size, with exact copies found."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from semres_jax._checks import require_count
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
        ValueError: `size` below 1; a file that can't be decoded (the first one in the order of `paths` is named).
        FileNotFoundError: a file that isn't there.
    """
    size = require_count("size", size, 1, " pixel")
    images = np.empty((len(paths), size, size, 1 if grey else 3), np.uint8)
    firsts: dict[bytes, int] = {}
    group = np.empty(len(paths), np.int32)

    def fill(index: int) -> bytes:
        images[index] = _decode(paths[index], size, grey)
        return hashlib.sha256(images[index].tobytes()).digest()

    # Pillow lets go of the interpreter's lock while it decodes and resizes.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for index, digest in enumerate(pool.map(fill, range(len(paths)))):
            group[index] = firsts.setdefault(digest, index)
            if progress is not None:
                progress("reading images", index + 1, len(paths))
    return images, group


def _decode(path: Path, size: int, grey: bool) -> np.ndarray:
    from PIL import Image, ImageOps  # only image folders need it

    if not path.is_file():
        raise FileNotFoundError(f"no image file {str(path)!r}")
    try:
        with Image.open(path) as file:
            picture = _eight_bits(ImageOps.exif_transpose(file)).convert("L" if grey else "RGB")
    except Exception as error:  # Pillow's readers raise a dozen kinds for broken files
        reason = " ".join(str(error).split()).replace(str(path), "the file") or type(error).__name__
        raise ValueError(f"cannot decode the image {str(path)!r}: {reason[:200]}; mend or remove it") from None
    width, height = picture.size
    side = min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    square = picture.resize((size, size), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))
    return np.asarray(square).reshape(size, size, -1)


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
