"""Fitted resolutions, where the truth is known."""

import numpy as np
import pytest

from semres_jax import Constant, Exponential, Gaussian, Linear, PowerLaw, frontier, measure, similarity, spaces
from semres_jax.frontier import families
from semres_jax.laws import tables
from tests.measure.own_families import Cosine

NAMES = [name for name in similarity.KINDS if name != "tabulated"]

# The search narrows ε to a relative 1e-8; the floor follows it.
FOUND = 1e-6
RING = spaces.grid(spaces.get("circle"), 40)
SEGMENT = spaces.grid(spaces.get("interval"), 40)


@pytest.mark.parametrize("space", [RING, SEGMENT], ids=["ring", "segment"])
@pytest.mark.parametrize(
    ("family", "kind"),
    [("linear", Linear), ("exponential", Exponential), ("gaussian", Gaussian), ("powerlaw", PowerLaw)],
)
@pytest.mark.parametrize("delta", [0.0, 0.07])
def test_a_similarity_is_found_again(x64, space, family, kind, delta):
    for epsilon in (0.08, 0.3, 0.45):
        profile = measure.profile(space, kind(epsilon, delta=delta)(space.distances))
        best = measure.fit_profile(profile, family)
        assert best.epsilon.value == pytest.approx(epsilon, rel=FOUND)
        assert best.delta.value == pytest.approx(delta, abs=FOUND)
        others = [measure.fit_profile(profile, name).aic for name in NAMES if name != family]
        assert best.aic < min(others)


def test_a_linear_similarity_past_the_diameter_is_given_without_a_floor(x64):
    best = measure.fit_profile(measure.profile(RING, Linear(0.9, 0.1)(RING.distances)), "linear")
    assert best.epsilon.value == pytest.approx(1.0, rel=FOUND)
    assert best.delta.value == pytest.approx(0.0, abs=FOUND)


def test_a_constant_similarity_ends_between_two_distances(x64):
    best = measure.fit_profile(measure.profile(RING, Constant(0.21, 0.1)(RING.distances)), "constant")
    assert 0.2 < best.epsilon.value < 0.225
    assert best.delta.value == pytest.approx(0.1, abs=FOUND)
    assert best.epsilon.stderr == pytest.approx(0.025 / np.sqrt(12))


def test_standard_errors_are_those_of_repeated_noise(x64):
    rng, noise, repeats = np.random.default_rng(0), 0.05, 400
    table = np.asarray(Linear(0.3, 0.1)(RING.distances))
    upper = np.triu(rng.normal(size=(repeats, 40, 40)) * noise, 1)
    noisy = table + upper + np.swapaxes(upper, 1, 2)  # a pair has one error, seen from both ends
    best = measure.fit_profile(measure.profile(RING, noisy), "linear")
    for value, stderr, *_ in (best.epsilon, best.delta):
        # The spread of 400 has a relative standard error of 1/sqrt(800).
        assert np.std(value) == pytest.approx(np.mean(stderr), rel=5 / np.sqrt(2 * repeats))
    assert best.epsilon.value.mean() == pytest.approx(0.3, abs=5 * best.epsilon.stderr.mean() / np.sqrt(repeats))


def test_profiles_are_means_over_pairs_relative_to_the_probe():
    line = spaces.Finite([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
    profile = measure.profile(line, [[4.0, 2.0, 1.0], [2.0, 2.0, 0.0], [1.0, 0.0, 1.0]])
    np.testing.assert_array_equal(profile.distance, [1, 2])
    np.testing.assert_array_equal(profile.pairs, [4, 2])
    np.testing.assert_allclose(profile.mean, [(0.5 + 1 + 0 + 0) / 4, (0.25 + 1) / 2])
    np.testing.assert_allclose(profile.variance, [np.var([0.5, 1, 0, 0]), np.var([0.25, 1])])


def test_reach_of_a_similarity_that_ends_is_its_ball_measure(x64):
    from semres_jax.spaces import neighbours

    mean, variance = measure.reach(Linear(0.2501)(SEGMENT.distances))
    expected = neighbours.moments(SEGMENT, 0.2501)
    np.testing.assert_allclose([mean, variance], expected, rtol=1e-12)


def test_bad_input():
    with pytest.raises(ValueError, match=r"strengths must be 40 by 40, as the distances; got \(3, 3\)"):
        measure.profile(RING, np.eye(3))
    with pytest.raises(ValueError, match="itself must be positive; got 0"):
        measure.profile(RING, np.zeros((40, 40)))
    with pytest.raises(ValueError, match="no known table"):
        measure.profile(spaces.get("circle"), np.eye(3))


@pytest.mark.parametrize("named", [False, True])
def test_a_similarity_of_ones_own_is_fitted_and_has_a_front(x64, named, monkeypatch):
    family = Cosine
    if named:
        monkeypatch.setitem(similarity.KINDS, "cosine", Cosine)
        family = "cosine"
    best = measure.fit_profile(measure.profile(RING, Cosine(0.13, 0.05)(RING.distances)), family)
    assert best.epsilon.value == pytest.approx(0.13, rel=FOUND)
    assert best.delta.value == pytest.approx(0.05, abs=FOUND)
    front = frontier.family_front(RING, family, points=20)
    want = tables.accuracy(RING, Cosine(front.epsilon[7])(RING.distances))
    np.testing.assert_allclose([front.p_s[7], front.p_i[7]], want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("family", NAMES)
def test_fronts_are_those_of_their_own_similarity(x64, family):
    front = measure.fronts(SEGMENT, families=[family])[family]
    kind = similarity.KINDS[family]
    for k in (0, len(front.epsilon) // 2, -1):
        want = tables.accuracy(SEGMENT, kind(front.epsilon[k])(SEGMENT.distances))
        np.testing.assert_allclose([front.p_s[k], front.p_i[k]], want, rtol=0, atol=1e-12)
    # From where the nearest has hardly any similarity to where the furthest has much.
    assert front.p_i[0] > 1 / (1 + np.exp(-3)) - 1e-9
    assert front.p_i[-1] < 0.7


@pytest.mark.parametrize("family", NAMES[1:])
def test_slopes_of_families_are_derivatives(family):
    epsilon, d, step = np.array([0.3, 0.71]), np.linspace(0.013, 1.2, 9), 1e-6
    g, slope = families.slopes(family, epsilon, d)
    ends = [families.values(family, epsilon + sign * step, d) for sign in (-1, 1)]
    np.testing.assert_allclose(slope, (ends[1] - ends[0]) / (2 * step), rtol=0, atol=1e-8)
    np.testing.assert_allclose(g, [families.table(family, d, x) for x in epsilon])


@pytest.mark.parametrize(
    "use",
    [
        lambda family: measure.fit_profile(measure.profile(RING, np.eye(40)), family),
        lambda family: measure.fronts(RING, families=[family]),
        lambda family: measure.embeddings(np.eye(40), RING, families=[family]),
    ],
    ids=["fit", "fronts", "embeddings"],
)
@pytest.mark.parametrize("family", ["quadratic", "Linear", "tabulated", "", similarity.Tabulated])
def test_an_unknown_family_is_refused_in_one_line_with_the_names_that_would_do(use, family):
    with pytest.raises(
        ValueError, match=r"unknown similarity .*; .* constant, linear, exponential, gaussian, powerlaw"
    ) as caught:
        use(family)
    assert repr(family if isinstance(family, str) else family.name) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_embeddings_take_other_families():
    angle = 2 * np.pi * np.arange(12) / 12
    points, ring = np.stack([np.cos(angle), np.sin(angle)], 1), spaces.grid(spaces.get("circle"), 12)
    families = ["gaussian", "linear"]
    fronts = measure.fronts(ring, families=families)
    model = measure.embeddings(points, ring, families=families, fronts=fronts, optimal="none", bootstrap=20)
    assert list(model.fits) == list(model.fronts) == families
    best = measure.fit_profile(model.profile, "gaussian")
    assert model.fits["gaussian"].epsilon.value == best.epsilon.value
    want = tables.accuracy(ring, Gaussian(float(best.epsilon.value), float(best.delta.value))(ring.distances))
    assert model.fits["gaussian"].p_s == pytest.approx(float(want.p_s), abs=1e-6)  # the similarity in float32
