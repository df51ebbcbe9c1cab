"""Dissimilarities of embeddings against rsatoolbox's RDMs, where the two overlap."""

import warnings

import numpy as np
import pytest

from semres_jax.measure.embeddings import similarities

rsatoolbox = pytest.importorskip("rsatoolbox", reason="rsatoolbox is in the extra `peers`: scripts/setup peers")
EXACT = 1e-10


def rdm(points, method):
    """(N, N) of their condensed RDM."""
    from scipy.spatial.distance import squareform

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # their business
        data = rsatoolbox.data.Dataset(points, obs_descriptors={"stimulus": np.arange(len(points))})
        return squareform(rsatoolbox.rdm.calc_rdm(data, method=method).dissimilarities[0])


@pytest.fixture
def points():
    return np.random.default_rng(0).normal(size=(25, 40)) + 3.0


def test_euclidean(points):
    """Theirs are squared distances over the number of channels."""
    got = similarities.raw(similarities.own(points, "euclidean"), np.arange(25))
    np.testing.assert_allclose(got**2 / points.shape[1], rdm(points, "euclidean"), rtol=EXACT, atol=EXACT)


def test_cosine(points):
    """Their correlation distance is the cosine's, of rows less their mean."""
    centred = points - points.mean(1, keepdims=True)
    got = 1 - similarities.raw(similarities.own(centred, "cosine"), np.arange(25))
    np.testing.assert_allclose(got, rdm(points, "correlation"), rtol=EXACT, atol=EXACT)
