"""The image experiment on made-up images: what is in the table is what was measured."""

import jax
import numpy as np
import pytest

from semres_jax import Execution, data, measure
from semres_jax.experiments import images as image_study
from semres_jax.experiments.images.run import _chi_square, _predicted
from semres_jax.laws import enumeration
from semres_jax.measure import intervals
from semres_jax.networks import resnet
from semres_jax.similarity import Linear
from semres_jax.storage import results
from semres_jax.training.images.loop import Recipe
from tests.attributes import require_labels
from tests.training.images import CLASSES, made_up, tiny as tiny

ALPHAS, RUNS, EPOCHS = (0.0, 0.9), 2, 8
SHARES = [0.2, 0.6]


@pytest.fixture(scope="module")
def images():
    return made_up(per_class=30)


@pytest.fixture(scope="module")
def study(images):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(resnet.ARCHITECTURES, "tiny", ((1,), (4,), False, "small"))
        said = []
        recipe = Recipe(network="tiny", epochs=EPOCHS, per_class=6, learning_rate=0.05)
        out = image_study.study(
            images,
            recipe,
            alphas=ALPHAS,
            runs=RUNS,
            held_out=["bat", "elk"],
            graded_shares=SHARES,
            execution=Execution(progress=lambda *x: said.append(x)),
        )
        assert said[-1] == ("scoring", 4 * EPOCHS + 4, 4 * EPOCHS + 4)
        return out


def test_every_variable_has_words_and_units(study, tmp_path):
    require_labels(study, tmp_path)


def test_everything_is_that_of_the_embeddings(study, images, x64):
    parts = data.split(images, held_out=["bat", "elk"])
    assert list(study["class"].values) == list(CLASSES)
    assert study.trained.values.tolist() == [1, 0, 1, 1, 0, 1]
    labels = study.label.values
    tested = len(parts.test)
    np.testing.assert_array_equal(labels[:tested], images.labels[parts.test])
    # Of 30 held-out images of a class as many as the test has.
    assert np.bincount(labels[tested:]).tolist() == [0, 6, 0, 0, 6]
    table = image_study.distances(study.embedding.values[1, 1])
    known = [0, 2, 3, 5]
    inside, own = table[:tested, :tested], labels[:tested]
    tree = images.distances[np.ix_(known, known)]
    want = measure.levels(inside, own, tree, study["share"].values)
    for name in ("p_s", "p_i", "hit_rate", "var_b"):
        np.testing.assert_array_equal(study[name].values[1, 1], getattr(want, name))
    np.testing.assert_allclose(study.path_p_s.values[1, 1, -1], want.p_s, rtol=1e-6)
    shape = measure.geometry(study.embedding.values[1, 1][:tested], own)
    for name, value in shape.numbers().items():
        assert float(study[name][1, 1, -1]) == value
    held = measure.levels(table, labels, images.distances, study["share"].values, probes=[1, 4])
    np.testing.assert_array_equal(study.held_p_s.values[1, 1], held.p_s)
    linear = enumeration.exemplars(inside, own, Linear(study.graded_epsilon.values[1, 1]), tree)
    np.testing.assert_allclose(study.linear_p_s.values[1, 1], linear.p_s, atol=1e-5)
    np.testing.assert_allclose(study.linear_p_i.values[1, 1], linear.p_i, atol=1e-5)


def test_laws_hold_and_alternatives_do_not():
    """On points around places of a line, classes as far apart as these, over many splits into halves."""
    rng = np.random.default_rng(1)
    own = np.repeat(np.arange(6), 40)
    tree = np.abs(np.arange(6.0)[:, None] - np.arange(6.0))
    table = image_study.distances(np.arange(6.0)[own][:, None] + rng.normal(size=(240, 2)))
    splits = [_predicted(table, own, tree, jax.random.key(seed)) for seed in range(12)]
    median = {name: np.median([split[name] for split in splits]) for name in splits[0] if name.startswith("chi2")}
    # χ² over 5 degrees of freedom, of two halves of one sample, which differ less than two samples.
    assert 0.2 < median["chi2_p_s"] < 2
    assert 0.2 < median["chi2_p_i"] < 2
    # One in 10⁵ of χ² with five degrees of freedom is 6.2 per degree.
    for name in ("p_s_no_class", "p_i_no_class", "p_s_no_tree", "p_s_theorem_1"):
        assert median[f"chi2_{name}"] > 6.2


def test_intervals_and_summary(study, tmp_path):
    for name in ("p_s", "p_i", "held_p_s", "linear_p_s", "exponential_p_i"):
        mean = study[name].mean("run").values
        low, high = (study[f"{name}_{end}"].values for end in ("low", "high"))
        # Nothing at the first alpha's change from itself, nor where every image is within ε.
        assert (low <= mean + 1e-9).all()
        assert (mean <= high + 1e-9).all()
        assert (high - low).max() > 0.01
    assert (study.p_s_change.values[0] == 0).all()
    rows = image_study.summary(study)
    assert [row["alpha"] for row in rows] == pytest.approx(ALPHAS)
    assert rows[1]["tree_correlation"] > rows[0]["tree_correlation"]
    assert rows[1]["best_p_s"] > rows[0]["best_p_s"]
    assert rows[1]["nc3"] == float(study.nc3[1, :, -1].mean())
    assert rows[1]["nc3_range"] == [float(study.nc3[1, :, -1].min()), float(study.nc3[1, :, -1].max())]
    assert rows[0]["at"]["0.25"]["p_i_is"] == "overlap"
    place = int(np.abs(study["share"].values - 0.25).argmin())
    for k in range(2):
        assert rows[k]["at"]["0.25"]["p_s_interval"] == [
            float(study[f"p_s_{end}"][k, place]) for end in ("low", "high")
        ]
    results.write(study, tmp_path / "resnet.nc")
    results.write_json(rows, tmp_path / "resnet.json")


def test_the_bootstrap_over_runs_and_exemplars():
    """Standard errors of a mean over runs and images against those of a known model."""
    rng = np.random.default_rng(2)
    runs, images, between, within = 4, 300, 0.03, 0.5
    labels = np.zeros(images, int)
    covered = []
    for trial in range(200):
        noisy = between * rng.normal(size=(1, runs, 1)) + within * rng.normal(size=images)
        values = noisy.mean(-1)
        slopes = (noisy - noisy.mean(-1, keepdims=True)) / images
        replicates = intervals.replicates(values, slopes, labels, count=250, key=jax.random.key(trial))
        mean = intervals.interval(replicates, values.mean(1))
        covered.append(bool(mean.low[0] <= 0 <= mean.high[0]))
        assert mean.low[0] < mean.value[0] < mean.high[0]
    # Few runs make percentile intervals a little too narrow; 200 trials tell 0.95 to 0.015.
    assert 0.95 - 5 * 0.015 < np.mean(covered) <= 1


def test_predictions_fail_where_there_is_no_noise_to_hide_in():
    """χ² is one of a law that holds, and large of a law that does not."""
    rng = np.random.default_rng(0)
    off = rng.normal(size=(2000, 5))
    squares = [_chi_square(x, np.eye(5)) for x in off]
    assert np.mean(squares) == pytest.approx(1, abs=5 * np.sqrt(2 / 5 / 2000))
    assert _chi_square(off[0] + 10, np.eye(5)) > 50
