"""Made-up images, and a network that compiles fast, for tests of training and of the experiment."""

import numpy as np
import pytest

from semres_jax.data import ImageSet
from semres_jax.networks import resnet

CLASSES = ("ape", "bat", "cod", "doe", "elk", "fox")
SIDE = 8


def made_up(per_class=12, seed=0):
    """Every class has a bright bar at a place of its own; its distance is how far the bars are apart."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(CLASSES)), per_class)
    images = rng.integers(0, 120, (len(labels), SIDE, SIDE, 1))
    images[np.arange(len(labels)), :, labels + 1] += 120
    place = np.arange(len(CLASSES), dtype=float)
    far = np.abs(place[:, None] - place[None]) + 0.5 * (place[:, None] != place[None])
    group = np.arange(len(labels))
    return ImageSet("bars", images.astype(np.uint8), labels.astype(np.int32), CLASSES, group, far, "bars")


@pytest.fixture
def tiny(monkeypatch):
    """The name of a network of one block of four channels."""
    monkeypatch.setitem(resnet.ARCHITECTURES, "tiny", ((1,), (4,), False, "small"))
    return "tiny"
