"""Embeddings of triplets against cblearn's stochastic triplet embedding, on the same judgements."""

import warnings

import numpy as np
import pytest

from semres_jax import measure
from tests.measure.test_triplets import Gaussian, drawn, surprise

embedding = pytest.importorskip("cblearn.embedding", reason="cblearn is in the extra `peers`: scripts/setup peers")
# In nats a judgement: as much as places of 15 stimuli in two dimensions are off by, 27 / (2 · 4000), twice.
MARGIN = 0.007


def test_judgements_not_seen_are_as_likely_as_by_stochastic_triplet_embedding():
    """Theirs is our model with a gaussian similarity and no floor; judgements of people who never err have none."""
    _, _, said = drawn("anchor", 6000, Gaussian(0.25))
    seen, unseen = said[:4000], said[4000:]
    made = measure.embed_triplets(seen, layout="anchor", starts=3, steps=400, held_out=0.0, delta=0.0)
    ours = surprise(unseen, made.distances, "anchor", lambda d: np.exp(-(d**2) / 2))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their business
        starts = [embedding.STE(n_components=2, random_state=seed).fit(seen) for seed in range(3)]
    points = min(starts, key=lambda start: start.stress_).embedding_
    table = np.sqrt(((points[:, None] - points) ** 2).sum(-1))
    theirs = surprise(unseen, table, "anchor", lambda d: np.exp(-(d**2)))
    assert ours < theirs + MARGIN * len(unseen)
