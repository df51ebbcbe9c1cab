"""What a training on images sees: data on the device, balanced batches, augmentation, and the two losses."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._types import Array
from semres_jax.data.image_sets import ImageSet

# Pictures move by up to this share of their side, 2 pixels of 28.
_SHIFT = 1 / 14
# Differences of pairs that are kept for the gradient at once, in numbers; beyond, rows are computed again.
_KEPT = 2**23
# Mean and standard deviation of the colours of ImageNet (RGB, 0 to 1), which its weights were trained on.
IMAGENET = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], np.float32)


class Resident(NamedTuple):
    """Training data on the device.

    Attributes:
        images: (N, H, W, C) uint8.
        members: (K, M) indices of the images of each class, in front; the rest of a row is 0.
        counts: (K,) how many there are.
        distances: (K, K) float32 between classes, of mean 1 over the pairs of different images of a balanced batch.
        scale: (2, C) mean and standard deviation of the colours.
    """

    images: Any
    members: Any
    counts: Any
    distances: Any
    scale: Any


def resident(images: ImageSet, train: np.ndarray, per_class: int, scale: np.ndarray | None = None) -> Resident:
    """The training images of the classes that occur in `train`, numbered in their order."""
    labels = images.labels[train]
    classes = np.unique(labels)
    places = [np.flatnonzero(labels == c) for c in classes]
    members = np.zeros((len(classes), max(map(len, places))), np.int32)
    for row, place in zip(members, places, strict=True):
        row[: len(place)] = place
    pixels = images.images[train]
    if scale is None:
        channels = range(pixels.shape[-1])
        scale = np.array([[f(pixels[..., c]) / 255 for c in channels] for f in (np.mean, np.std)], np.float32)
    table = over_mean(images.distances[np.ix_(classes, classes)], per_class)
    counts = np.array([len(place) for place in places], np.int32)
    return Resident(*map(jnp.asarray, (pixels, members, counts, table, scale)))


def over_mean(table: np.ndarray, per_class: int) -> np.ndarray:
    """(K, K) float32 distances of classes over their mean over pairs of different images of a balanced batch."""
    size = len(table) * per_class
    return (table / (table.sum() * per_class**2 / (size * (size - 1)))).astype(np.float32)


def order(key: Any, data: Resident, per_class: int, steps: int) -> Array:
    """(steps, K, per_class) indices of images: each class in random order, round and round until all steps are full."""
    classes, most = data.members.shape
    drawn = jax.random.uniform(key, (classes, most))
    drawn = jnp.where(jnp.arange(most)[None] < data.counts[:, None], drawn, 2.0)
    shuffled = jnp.take_along_axis(data.members, jnp.argsort(drawn, axis=1), axis=1)
    place = jnp.arange(steps * per_class)[None] % data.counts[:, None]
    picked = jnp.take_along_axis(shuffled, place, axis=1)
    return jnp.swapaxes(picked.reshape(classes, steps, per_class), 0, 1)


def batch(key: Any, data: Resident, index: Array, augment: bool) -> Array:
    """(B, H, W, C) float32 images of mean 0 and standard deviation 1, mirrored and moved at random if asked for.

    What moves in from outside repeats the border.
    """
    height, width = data.images.shape[1:3]
    rows, columns = (jnp.broadcast_to(jnp.arange(n)[None], (index.shape[0], n)) for n in (height, width))
    if augment:
        shift = max(1, round(_SHIFT * min(height, width)))
        moved, mirrored = jax.random.split(key)
        by = jax.random.randint(moved, (2, index.shape[0], 1), -shift, shift + 1)
        flip = jax.random.bernoulli(mirrored, 0.5, (index.shape[0], 1))
        columns = jnp.where(flip, width - 1 - columns, columns)
        rows, columns = jnp.clip(rows + by[0], 0, height - 1), jnp.clip(columns + by[1], 0, width - 1)
    picked = data.images[index[:, None, None], rows[:, :, None], columns[:, None, :]]
    return normal(picked, data.scale)


def normal(images: Array, scale: Array) -> Array:
    """(..., C) float32 of uint8, by (2, C) mean and standard deviation of the colours."""
    mean, spread = (x.reshape((1,) * (images.ndim - 1) + (-1,)) for x in scale)
    return (images.astype(jnp.float32) / 255 - mean) / spread


def pair_distances(x: Array) -> Array:
    """(B, B) Euclidean distances of (B, F) embeddings, by differences; the gradient is 0 at equal ones."""

    def row(point: Array) -> Array:
        square = jnp.sum((x - point[None]) ** 2, axis=-1)
        apart = square > 0
        return jnp.where(apart, jnp.sqrt(jnp.where(apart, square, 1.0)), 0.0)

    if x.shape[0] * x.size <= _KEPT:
        return jax.vmap(row)(x)
    return jax.lax.map(jax.checkpoint(row), x)


def losses(embeddings: Array, scores: Array, distances: Array, per_class: int) -> tuple[Array, Array]:
    """Cross-entropy (nats) of the classes, and the loss of distances, of a batch in the order of classes.

        L_sim = < (F_ij / <F> - E_ij / <E>)² >

    over all pairs i != j of the batch, F_ij between embeddings, E_ij between classes (0 within one). Means, and not
    the largest as in the published code, set the scale: a mean moves little when one pair does.

    Args:
        embeddings: (K per_class, F).
        scores: (K per_class, K), before the softmax.
        distances: (K, K) between classes, over their mean in such a batch.
        per_class: images of each class.
    """
    classes, size = distances.shape[0], embeddings.shape[0]
    labels = np.repeat(np.arange(classes), per_class)
    log_share = jax.nn.log_softmax(scores)
    cross = -jnp.mean(jnp.take_along_axis(log_share, jnp.asarray(labels)[:, None], axis=1))
    far = pair_distances(embeddings)
    pairs = size * (size - 1)
    mean = jnp.sum(far) / pairs
    wanted = distances[labels[:, None], labels[None]]
    off = far / jnp.where(mean > 0, mean, 1.0) - wanted  # 0 from an image to itself
    return cross, jnp.sum(off**2) / pairs
