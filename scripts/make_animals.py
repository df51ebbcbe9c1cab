"""Make `semres_jax/data/animals.npz` out of the `animal-mnist` 0.4 wheel.

    python scripts/make_animals.py [WHEEL] [--out FILE]

Without WHEEL it is fetched by `pip download` into a temporary folder. Takes about 20 seconds on two cores, most of it
the comparison of all pairs of images; needs nothing but NumPy. The wheel is never installed or imported and its pickles
are read by an unpickler that can build NumPy arrays and nothing else.
"""

import argparse
import gzip
import hashlib
import io
import itertools
import pickle
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np

VERSION = "0.4"
SHA256 = "aeebf3d9de4552d6fd2d5701424e1a5b9020f8e5115d68df9db252f2f53ce2ce"
FOLDER = "animal_mnist/data/Animal_MNIST/"
CLASS_NAMES = ("bear", "bird", "cat", "cow", "dog", "elephant", "giraffe", "horse", "sheep", "zebra")
# Two images are near copies if, one of them moved by at most a pixel each way and mirrored or not, their squared
# difference is no more than this share of the smaller one's summed squared ink. Exact copies aside there is no gap to
# cut at: the number of pairs grows smoothly, 1 below 0.01, 20 below 0.03, 253 below 0.05. Up to 0.03 the two look the
# same at this size; beyond, most are different drawings of one posture. So err a little on the side of grouping.
NEAR_COPY = 0.03
# 16 grey levels, two pixels to a byte: 1.3 MB where all 256 take 2.6 MB. Black and white stay exact, a grey on an
# outline moves by at most 8 of 255.
LEVEL = 17


class ArraysOnly(pickle.Unpickler):
    """Rebuilds NumPy arrays and refuses every other name, so that a changed pickle cannot run code."""

    def find_class(self, module: str, name: str):
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype")}:
            return getattr(np, name)
        if name == "_reconstruct" and module in {"numpy.core.multiarray", "numpy._core.multiarray"}:
            return np._core.multiarray._reconstruct  # pyright: ignore[reportAttributeAccessIssue]
        raise pickle.UnpicklingError(f"refused {module}.{name}: only arrays are read")


def fetch(folder: str) -> Path:
    """Download the wheel into `folder` with this interpreter's pip."""
    wanted = f"animal-mnist=={VERSION}"
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest"]
    subprocess.run([*command, folder, wanted], check=True)
    return next(Path(folder).glob("*.whl"))


def read(wheel: Path) -> tuple[np.ndarray, np.ndarray]:
    """Images (N, 28, 28) uint8 and labels (N,) uint8, after checking that this is the wheel we know."""
    content = wheel.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        raise SystemExit(f"make_animals: {wheel.name} has sha256 {digest}, expected {SHA256} (animal-mnist {VERSION})")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        images, labels = (
            ArraysOnly(io.BytesIO(gzip.decompress(archive.read(f"{FOLDER}animal_{part}_version_3.gz")))).load()
            for part in ("data", "label")
        )
    if images.shape != (10_000, 28, 28) or images.dtype != np.uint8 or set(labels) != set(range(len(CLASS_NAMES))):
        raise SystemExit(f"make_animals: unexpected content: {images.shape} {images.dtype}, labels {set(labels)}")
    return images, labels.astype(np.uint8)


def near_pairs(images: np.ndarray, block: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """All pairs i < j of near copies, exact ones included, whatever their classes.

    The squared difference of j and a moved i is |x_i|² + |x_j|² - 2 <moved x_i, x_j>: one matrix product for each of
    the nine moves, and again mirrored. A margin of one blank pixel keeps what a move would push over the edge.
    """
    padded = np.pad(images.astype(np.float32) / 255, ((0, 0), (1, 1), (1, 1)))
    flat = padded.reshape(len(images), -1)
    ink = np.einsum("ij,ij->i", flat, flat)
    rows, columns = [], []
    for start in range(0, len(images), block):
        part = padded[start : start + block]
        overlap = np.full((len(part), len(images) - start), -np.inf, np.float32)
        for drawing in (part, part[:, :, ::-1]):
            for move in itertools.product((-1, 0, 1), repeat=2):
                moved = np.roll(drawing, move, (1, 2)).reshape(len(part), -1)
                np.maximum(overlap, moved @ flat[start:].T, out=overlap)
        mine, others = ink[start : start + block, None], ink[None, start:]
        near = mine + others - 2 * overlap <= NEAR_COPY * np.minimum(mine, others)
        i, j = np.nonzero(np.triu(near, 1))
        rows.append(i + start)
        columns.append(j + start)
    return np.concatenate(rows), np.concatenate(columns)


def connected(count: int, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(count,) the lowest index reachable from each image through `rows`-`columns` pairs: the name of its group."""
    group = np.arange(count)
    while True:
        before = group.copy()
        lowest = np.minimum(group[rows], group[columns])
        np.minimum.at(group, rows, lowest)
        np.minimum.at(group, columns, lowest)
        if np.array_equal(before, group):
            return group


def main() -> None:
    parser = argparse.ArgumentParser(description="make semres_jax/data/animals.npz from the animal-mnist 0.4 wheel")
    parser.add_argument("wheel", nargs="?", type=Path, help="the wheel; downloaded with pip if not given")
    default = Path(__file__).parent.parent / "semres_jax" / "data" / "animals.npz"
    parser.add_argument("--out", type=Path, default=default, help="file to write (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        images, labels = read(options.wheel or fetch(folder))

    rows, columns = near_pairs(images)
    group = connected(len(images), rows, columns)
    levels = ((images.astype(np.uint16) + LEVEL // 2) // LEVEL).astype(np.uint8)
    # Pixels above each other share a byte: outlines run upright more often than not, which compresses by a tenth more.
    packed = (levels[:, 0::2] << 4) | levels[:, 1::2]
    np.savez_compressed(
        options.out,
        packed=packed,
        labels=labels,
        group=group.astype(np.uint16),
        class_names=np.array(CLASS_NAMES),
        source=np.array(f"animal-mnist {VERSION} (MIT)"),
        sha256=np.array(SHA256),
        near_copy=np.array(NEAR_COPY),
    )

    _, first, exact = np.unique(images.reshape(len(images), -1), axis=0, return_index=True, return_inverse=True)
    sizes = np.bincount(group, minlength=len(images))
    print(f"{options.out.name}: {options.out.stat().st_size:,} bytes, {len(images):,} images")
    print(f"exact copies of an earlier image: {len(images) - len(first)}; groups: {len(np.unique(group)):,}")
    print(f"pairs across classes: {int(np.sum(labels[rows] != labels[columns]))}")
    print(f"largest error of a grey: {np.abs(levels.astype(int) * LEVEL - images).max()} of 255")
    for k, name in enumerate(CLASS_NAMES):
        mine = labels == k
        print(
            f"{name:9} {mine.sum()} images, {len(np.unique(exact[mine]))} distinct, "
            f"{len(np.unique(group[mine]))} groups, {int((sizes[group[mine]] > 1).sum())} in a group with others"
        )


if __name__ == "__main__":
    main()
