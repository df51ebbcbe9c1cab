"""The library part of `semres validate`: resolutions, z, and that cases don't disturb one another."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from semres_jax import Execution, spaces
from semres_jax.experiments import validation
from semres_jax.experiments.validation import run as validation_run
from semres_jax.storage.resume import Saved
from tests.killed import goes_on_from_everywhere


def test_z_is_zero_where_both_agree_and_infinite_where_certainty_is_wrong():
    z = validation.z_scores([0.5, 0.5, 0.5, 0.5], [0.0, 0.0, 0.1, 0.1], [0.5, 0.6, 0.7, np.nan])
    np.testing.assert_allclose(z, [0.0, -np.inf, -2.0, np.nan])


def test_z_without_variance_is_judged_by_the_trials_there_were():
    assert abs(validation.z_scores(1.0, 0.0, 1 - 1e-6, resolution=1e-6)) == pytest.approx(1.0)


def test_few_shifts_have_long_tails():
    plain, few = (validation.z_scores(1.0, 0.2, [0.0, 2.0], shifts=shifts) for shifts in (None, 16))
    assert plain.tolist() == [5.0, -5.0]
    np.testing.assert_allclose(few, [3.773, -3.773], atol=0.01)  # the normal quantile of t = 5 with 15 degrees


@pytest.mark.parametrize("name", ["circle", "sphere(9)", "gaussian(2)", "interval"])
def test_resolutions_are_quantiles(name):
    space = spaces.get(name)
    epsilon = validation.resolutions(space, (0.0, 0.1, 0.5, 1.0))
    assert len(epsilon) == 4
    assert epsilon[0] == 0
    if space.homogeneous:
        with jax.enable_x64(True):
            b = space.ball_measure(space.probe(jnp.zeros((1, 0))), jnp.asarray(epsilon))
        np.testing.assert_allclose(b, [0.0, 0.1, 0.5, 1.0], atol=0.01)


@pytest.mark.parametrize("name", ["hamming(8)", "tree", "finite"])
def test_resolutions_keep_clear_of_atoms(name):
    space = spaces.get(name)
    epsilon = validation.resolutions(space)
    assert (np.diff(epsilon) > 0).all()
    atoms = np.arange(9) / 8 if name == "hamming(8)" else np.unique(space.distances)
    gaps = np.abs(epsilon[:-1, None] - atoms).min(axis=1)
    assert (gaps > 1e-9).all()
    assert epsilon[-1] == pytest.approx(float(space.diameter))


def test_a_case_does_not_depend_on_its_neighbours():
    both = {"interval": spaces.Interval(), "torus(2)": spaces.Torus(2)}
    beside = validation.cases(both, ns=[2], deltas=[0.0], quantiles=(0.1, 0.5))
    first, second = (validation.validate(run, trials=5000).sel(space="torus(2)") for run in (beside[1:], beside))
    np.testing.assert_array_equal(first.p_s, second.p_s)
    np.testing.assert_array_equal(first.p_i, second.p_i)


@pytest.mark.parametrize("options", [{"ns": []}, {"ns": [1]}, {"deltas": [-0.1]}, {"deltas": []}])
def test_bad_cases(options):
    with pytest.raises(ValueError, match=r"^(n|delta) must"):
        validation.cases({"circle": spaces.Circle()}, **options)


def test_killed_at_every_write_it_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.setattr(validation_run, "_TRIALS_AT_ONCE", 1024)
    run = validation.cases({"circle": spaces.Circle()}, ns=[2], deltas=[0.0], quantiles=(0.1, 0.5))

    def validate(saved):
        return validation.validate(run, trials=4096, execution=Execution(devices=1, saved=saved))

    # Two cases, each of them four chunks and the law.
    assert goes_on_from_everywhere(validate, tmp_path / "state", monkeypatch) == 10
    again = validate(Saved(tmp_path / "state", resume=True))
    assert again.trials.values.tolist() == [[4096], [4096]]


def test_what_was_saved_of_another_run_is_refused(tmp_path):
    run = validation.cases({"circle": spaces.Circle()}, ns=[2], deltas=[0.0], quantiles=(0.1, 0.5))
    with Saved(tmp_path / "state") as saved:
        validation.validate(run[:1], trials=4096, execution=Execution(saved=saved))
    content = (tmp_path / "state").read_bytes()
    other = validation.cases({"circle": spaces.Circle()}, ns=[2], deltas=[0.1], quantiles=(0.1, 0.5))
    for changed, message in (
        ({"trials": 4097}, r"trials = 4097: .* made with 4096"),
        ({"key": jax.random.key(1)}, "seed = 1: .* made with 0"),
        ({"run": run}, "cases = "),
        ({"run": other}, r"circle, n = 2: delta\[0\] = 0\.1: .* made with 0\.0"),
    ):
        how = Execution(saved=Saved(tmp_path / "state", resume=True))
        with pytest.raises(ValueError, match=message):
            validation.validate(**{"run": run[:1], "trials": 4096} | changed, execution=how)
    assert (tmp_path / "state").read_bytes() == content
