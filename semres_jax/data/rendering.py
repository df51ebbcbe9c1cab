"""Sprites: animal silhouettes at places around a circle, stimuli with two independent features of known geometry."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from semres_jax._checks import require_count
from semres_jax._types import Array, ArrayLike
from semres_jax.data.animals import animal_images
from semres_jax.data.image_sets import ImageSet, Split, split
from semres_jax.spaces.circle import Circle
from semres_jax.spaces.finite import Finite
from semres_jax.spaces.grids import grid
from semres_jax.spaces.product import Product

# Height and width of the canvas, and the side of a picture on it, half of its 28 pixels.
CANVAS, _SIDE = (16, 32), 14
# Renderings of a stimulus differ by up to so many pixels in each direction, and by noise of this standard deviation
# (1 is the ink).
_JITTER, _NOISE = 1, 0.05
POSITIONS = (4, 8, 16)


class Sprites(NamedTuple):
    """A animals at P places: A P stimuli, numbered animal by animal.

    Attributes:
        images: the silhouettes and the tree's distances between them.
        parts: silhouettes to learn from, and others to test with.
        space: `Product` of the animals (distances of the tree) and the places (distances around the circle), each over
            its mean between different values; wholes are as far apart as their most different feature.
    """

    images: ImageSet
    parts: Split
    space: Product

    @property
    def shape(self) -> tuple[int, int]:
        """(A, P)."""
        animals, places = (len(factor.distances) for factor in self.space.factors)
        return animals, places

    @property
    def features(self) -> tuple[Finite, Finite]:
        """Of each feature the stimuli with their distances in it alone: 0 between those that share its value."""
        animals, places = (np.asarray(factor.distances) for factor in self.space.factors)
        first, second = np.ones_like(animals), np.ones_like(places)
        return Finite(np.kron(animals, second)), Finite(np.kron(first, places))


def sprites(positions: int = 8, *, key: Any = None) -> Sprites:
    """The ten animals of the package at places around a circle: what leaves at one side comes in at the other.

    Args:
        positions: P, a number of places that divides the width of the canvas evenly: 4, 8 or 16.
        key: of the split into training and test silhouettes; None: `jax.random.key(0)`.

    Raises:
        ValueError: another number of places.

    Example:
        >>> from semres_jax import data
        >>> made = data.sprites(4)
        >>> made.shape, made.space.size, made.features[1].distances[0, :5].round(3).tolist()
        ((10, 4), 40, [0.0, 0.75, 1.5, 0.75, 0.0])
    """
    count = require_positions(positions)
    images = animal_images()
    tables = (images.distances, np.asarray(grid(Circle(), count).distances))
    animals, places = (table / table[~np.eye(len(table), dtype=bool)].mean() for table in tables)
    space = Product((Finite(animals, labels=images.class_names), Finite(places)), metric="max")
    return Sprites(images, split(images, key=key), space)


def require_positions(positions: int) -> int:
    """A number of places that divides the canvas evenly."""
    count = require_count("positions", positions, 1)
    if count not in POSITIONS:
        raise ValueError(f"positions must be 4, 8 or 16, which divide the canvas evenly; got {positions}")
    return count


def render(pictures: ArrayLike, columns: ArrayLike, rows: ArrayLike = 0) -> Array:
    """(B, 16, 32) canvases of 28 x 28 pictures at half their size, so many columns round the circle and rows down.

    Args:
        pictures: (B, 28, 28), 0 background to 255 ink.
        columns: (B,) or one for all, whole numbers; 32 are once around.
        rows: likewise, -1, 0 or 1.

    Returns:
        float32, 0 background to 1 ink.

    Example:
        >>> import numpy as np
        >>> from semres_jax import data
        >>> bear = data.load_animals().images[:1]
        >>> here, there = (np.asarray(data.render(bear, columns)) for columns in (0, 30))
        >>> there.shape, bool((there == np.roll(here, 30, axis=2)).all())
        ((1, 16, 32), True)
    """
    pictures = jnp.asarray(pictures, jnp.float32)
    count, (height, width) = pictures.shape[0], CANVAS
    small = jnp.mean(pictures.reshape(count, _SIDE, 2, _SIDE, 2), axis=(2, 4)) / 255
    canvas = jnp.pad(small, ((0, 0), (_JITTER, height - _SIDE - _JITTER), (0, width - _SIDE)))
    columns, rows = (jnp.broadcast_to(jnp.asarray(by, jnp.int32), (count,)) for by in (columns, rows))
    column = (jnp.arange(width)[None] - columns[:, None]) % width
    row = (jnp.arange(height)[None] - rows[:, None]) % height
    return canvas[jnp.arange(count)[:, None, None], row[:, :, None], column[:, None, :]]


def draw(key: Any, pictures: Array, members: Array, counts: Array, positions: int, renderings: int) -> Array:
    """(A, P, R, 16, 32) renderings of every stimulus, each of a random silhouette, mirrored, moved and noisy at random.

    Args:
        key: of the random numbers.
        pictures: (N, 28, 28) uint8.
        members: (A, M) indices of the pictures of each animal, in front; the rest of a row is not looked at.
        counts: (A,) how many there are.
        positions, renderings: P and R.
    """
    animals = members.shape[0]
    shape = (animals, positions, renderings)
    which, mirrored, across, down, noisy = jax.random.split(key, 5)
    place = jax.random.randint(which, shape, 0, counts[:, None, None])
    picked = pictures[jnp.take_along_axis(members, place.reshape(animals, -1), axis=1).ravel()]
    flip = jax.random.bernoulli(mirrored, 0.5, (picked.shape[0], 1, 1))
    picked = jnp.where(flip, picked[:, :, ::-1], picked)
    columns = jnp.arange(positions) * (CANVAS[1] // positions)
    off = jax.random.randint(across, shape, -_JITTER, _JITTER + 1) + columns[None, :, None]
    rows = jax.random.randint(down, shape, -_JITTER, _JITTER + 1)
    drawn = render(picked, off.ravel(), rows.ravel())
    return (drawn + _NOISE * jax.random.normal(noisy, drawn.shape)).reshape(*shape, *CANVAS)
