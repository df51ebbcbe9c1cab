"""Sprites: exact shifts round the circle, renderings that are what they say, features of known geometry."""

import jax
import numpy as np
import pytest

from semres_jax import data, spaces
from semres_jax.data import rendering


@pytest.fixture(scope="module")
def stimuli():
    return data.sprites(4)


def pictures(count=3):
    return data.load_animals().images[:count]


def test_pictures_move_by_whole_pixels_and_come_in_again():
    canvas = np.asarray(data.render(pictures(), 0))
    assert canvas.shape == (3, *rendering.CANVAS)
    half = pictures().reshape(3, 14, 2, 14, 2).mean((2, 4)) / 255
    np.testing.assert_allclose(canvas[:, 1:15, :14], half, atol=1e-6)  # of float32
    assert canvas.sum() == pytest.approx(canvas[:, 1:15, :14].sum())
    for columns in (5, 25, 31, 32, -7):
        moved = np.asarray(data.render(pictures(), columns))
        np.testing.assert_array_equal(moved, np.roll(canvas, columns, axis=2))
    for rows in (-1, 1):
        np.testing.assert_array_equal(np.asarray(data.render(pictures(), 3, rows)), np.roll(canvas, (rows, 3), (1, 2)))
    own = np.asarray(data.render(pictures(), np.array([1, 2, 30])))
    for k, columns in enumerate((1, 2, 30)):
        np.testing.assert_array_equal(own[k], np.roll(canvas[k], columns, axis=1))


def test_renderings_are_pictures_of_their_animal_at_their_place():
    images = np.asarray(pictures(5))
    members, counts = np.array([[0, 1], [2, 0], [3, 4]]), np.array([2, 1, 2])
    on_device = map(jax.numpy.asarray, (images, members, counts))
    drawn = np.asarray(jax.jit(rendering.draw, static_argnums=(4, 5))(jax.random.key(1), *on_device, 4, 2))
    assert drawn.shape == (3, 4, 2, 16, 32)
    noise, still = [], {flip: np.asarray(data.render(images[:, :, ::flip], 0)) for flip in (1, -1)}
    for animal, place, number in np.ndindex(3, 4, 2):
        clean = [
            np.roll(still[flip][k], (down, 8 * place + across), (0, 1))
            for k in members[animal][: counts[animal]]
            for flip in (1, -1)
            for across in (-1, 0, 1)
            for down in (-1, 0, 1)
        ]
        noise.append(min((drawn[animal, place, number] - x).std() for x in clean))
    # 512 pixels of standard deviation 0.05 give it to 0.05 / √1024.
    assert max(abs(x - 0.05) for x in noise) < 5 * 0.05 / 32
    assert len({x.tobytes() for x in drawn.reshape(24, -1)}) == 24


def test_features_are_the_tree_and_the_circle(stimuli):
    animals, places = stimuli.shape
    assert (animals, places) == (10, 4)
    tree = data.animal_images().distances
    ring = np.asarray(spaces.grid(spaces.get("circle"), 4).distances)
    means = [table[~np.eye(len(table), dtype=bool)].mean() for table in (tree, ring)]
    by_tree, by_ring = (np.asarray(space.distances) for space in stimuli.features)
    for p, x in [(0, 0), (0, 3), (7, 22), (39, 38)]:
        assert by_tree[p, x] == pytest.approx(tree[p // 4, x // 4] / means[0], abs=1e-12)
        assert by_ring[p, x] == pytest.approx(ring[p % 4, x % 4] / means[1], abs=1e-12)
    np.testing.assert_array_equal(stimuli.space.distances, np.maximum(by_tree, by_ring))
    assert not set(stimuli.parts.train) & set(stimuli.parts.test)


def test_places_must_divide_the_canvas():
    with pytest.raises(ValueError, match=r"positions must be 4, 8 or 16, which divide the canvas evenly; got 5"):
        data.sprites(5)
