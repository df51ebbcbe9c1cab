"""Fits to choices, against sums written out, other programs, and simulated truth."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import optimize, stats

from semres_jax import data, measure, similarity
from semres_jax.measure.choices import _model as model, _setup
from tests.measure.own_families import Cosine, Dome

# Both programs end Newton's steps where the next one promises 1e-8 in ln L: parameters to 1e-4 standard errors, and
# better, as steps square what is left.
CLOSE = 1e-5
TRIALS, ITEMS = 240, 3
BIAS = np.array([0.8, -0.2, -0.6])


@pytest.fixture(autouse=True, scope="module")
def quickly_compiled():
    """Compiled as for users, unlike other tests of measuring: most of the time here goes into running."""


def drawn(p, rng):
    return (rng.random(len(p))[:, None] > p.cumsum(1)[:, :-1]).sum(1)


def shares(score):
    p = np.exp(score - score.max(1, keepdims=True))
    return p / p.sum(1, keepdims=True)


@pytest.fixture(scope="module")
def design():
    """Distances and labels of the trials, and choices with and without biases: exponential, ε = 0.2, Δ = 0.05."""
    rng = np.random.default_rng(3)
    d = rng.uniform(0, 1, (TRIALS, ITEMS))
    labels = np.array([rng.permutation(ITEMS) for _ in range(TRIALS)])
    log = np.log(0.05 + 0.95 * np.exp(-d / 0.2))
    return d, labels, drawn(shares(log), rng), drawn(shares(log + BIAS[labels]), rng)


@pytest.fixture(scope="module")
def biased(design):
    d, labels, _, chosen = design
    return measure.fit_choices(d, chosen, labels=labels, bias="label", level=0.9)


def test_derivatives_are_those_of_the_likelihood(x64, design):
    d, labels, _, chosen = design
    setup = _setup.set_up(d, chosen, labels=labels, family="exponential", delta="fit", exponent="fit", bias="label")
    theta = np.array([-1.5, -2.0, 0.3, 0.5, -0.1, -0.4])

    def likelihood(theta):
        own = setup.family(jnp.exp(theta[0]), jax.nn.sigmoid(theta[1]))
        score = jnp.exp(theta[2]) * own.log(d) + theta[3:][labels]
        return (setup.counts * jax.nn.log_softmax(score)).sum()

    value, slope, bend = model.derivatives(setup, theta[None])
    score = (
        1.0 * np.exp(0.3) * np.log(0.5 + 0.5 * np.tanh(-1.0) + (0.5 - 0.5 * np.tanh(-1.0)) * np.exp(-d / np.exp(-1.5)))
    )
    p = shares(score + theta[3:][labels])
    assert value[0] == pytest.approx(np.log(p[np.arange(TRIALS), chosen]).sum(), rel=1e-12)
    np.testing.assert_allclose(slope[0], jax.jit(jax.grad(likelihood))(theta), rtol=1e-9, atol=1e-9)
    # The Hessian from differences of slopes, whose own error is a third derivative times the square of the step.
    step = 1e-4
    moved = theta + step * np.concatenate([np.eye(6), -np.eye(6)])
    slopes = model.derivatives(setup, moved)[1]
    np.testing.assert_allclose(bend[0], (slopes[:6] - slopes[6:]) / (2 * step), atol=1e-5)


def test_two_items_are_a_logistic_regression():
    rng = np.random.default_rng(0)
    x = np.linspace(-0.8, 0.8, 9)
    right = rng.binomial(40, 1 / (1 + np.exp(-(x - 0.1) / 0.15)))
    d, counts = np.stack([np.ones(9), 1 + x], 1), np.stack([right, 40 - right], 1)
    fitted = measure.fit_choices(d, counts, delta=0.0, bias="position")

    def less(beta):  # -ln L of logit P = slope x + shift
        return np.logaddexp(0, beta[0] * x + beta[1]) @ counts.sum(1) - counts[:, 0] @ (beta[0] * x + beta[1])

    best = optimize.minimize(less, [5.0, 0.0], method="BFGS", options={"gtol": 1e-9})
    assert fitted.epsilon.value == pytest.approx(1 / best.x[0], rel=CLOSE)
    assert fitted.position_bias[1].value - fitted.position_bias[2].value == pytest.approx(best.x[1], abs=CLOSE)
    assert fitted.log_likelihood == pytest.approx(-best.fun, abs=1e-7)

    def drop(slope):
        return 2 * (optimize.minimize_scalar(lambda b: less([slope, b])).fun - best.fun) - stats.chi2.ppf(0.95, 1)

    ends = [1 / optimize.brentq(drop, best.x[0], best.x[0] * k) for k in (2.0, 0.4)]
    assert fitted.epsilon[2:] == pytest.approx(ends, rel=CLOSE)


def test_psignifit_finds_the_same_threshold_and_width():
    psignifit = pytest.importorskip("psignifit", reason="psignifit, a peer, is in the extra `test`")
    rng = np.random.default_rng(5)
    x, trials = np.linspace(-0.8, 0.8, 9), 60
    first = rng.binomial(trials, 1 / (1 + np.exp(-(x - 0.1) / 0.15)))
    theirs = psignifit.psignifit(
        np.stack([x, first, np.full(9, trials)], 1),
        experiment_type="yes/no", sigmoid="logistic", fixed_parameters={"lambda": 0.0, "gamma": 0.0},
    )  # fmt: skip
    fitted = measure.fit_choices(np.stack([np.ones(9), 1 + x], 1), np.stack([first, trials - first], 1), delta=0.0,
                            bias="position")  # fmt: skip
    # Its width is from 5 % to 95 %, 2 ln 19 ε; its threshold is where the bias is made up for.
    wide = 2 * np.log(19)
    ours = {
        "width": [wide * x for x in (fitted.epsilon.value, *fitted.epsilon[2:])],
        "threshold": [fitted.epsilon.value * (fitted.position_bias[2].value - fitted.position_bias[1].value)],
    }
    for name, values in ours.items():
        low, high = theirs.confidence_intervals[name]["0.95"]
        # It has priors, and gives their posterior's maximum: a tenth of the interval is far more than they move.
        assert abs(values[0] - theirs.get_parameter_estimate()[name]) < 0.1 * (high - low)
    # Its intervals are those of the posterior, with overdispersion, which can only widen them.
    low, high = theirs.confidence_intervals["width"]["0.95"]
    assert 0.6 < (ours["width"][2] - ours["width"][1]) / (high - low) < 1.1


def test_ends_of_intervals_are_where_the_profile_has_dropped(biased):
    wanted = stats.chi2.ppf(0.9, 1)
    drop = measure.choice_profile(biased, [biased.epsilon.low, biased.epsilon.value, biased.epsilon.high])
    np.testing.assert_allclose(drop, [wanted, 0.0, wanted], atol=1e-4)
    assert sum(bias.value for bias in biased.label_bias.values()) == pytest.approx(0.0, abs=1e-9)
    assert biased.agreeing == biased.starts
    assert biased.aic == pytest.approx(8 - 2 * biased.log_likelihood)  # two numbers, three biases that sum to 0
    assert biased.null_log_likelihood == pytest.approx(-TRIALS * np.log(ITEMS))


@pytest.mark.parametrize("bias", ["none", "label"])
def test_intervals_cover(design, biased, bias):
    d, labels, chosen, _ = design
    fit = biased if bias == "label" else measure.fit_choices(d, chosen, labels=labels, intervals=False)
    fitted = measure.choice_coverage(fit, count=200, level=0.9, key=jax.random.key(1), names=("epsilon",))
    assert 0.85 <= fitted["epsilon"] <= 0.95


def test_biases_are_tested(design, biased):
    d, labels, _, chosen = design
    none = measure.fit_choices(d, chosen, labels=labels, intervals=False)
    test = measure.ratio_test(none, biased)
    assert test.freedom == 2
    assert test.p_value == pytest.approx(stats.chi2.sf(test.statistic, 2), rel=1e-9)
    with pytest.raises(ValueError, match="more parameters"):
        measure.ratio_test(biased, none)


def test_fit_is_tested(design, biased):
    good = measure.goodness_of_fit(biased, count=60)
    assert good.calibration_p > 0.01
    assert good.calibration.choices.sum() == TRIALS * ITEMS
    d, labels, _, _ = design
    # The middle one of three, always but for a few: no similarity says so.
    odd = np.argsort(d, axis=1)[:, 1]
    odd[::10] = d[::10].argmin(1)
    bad = measure.goodness_of_fit(measure.fit_choices(d, odd, labels=labels, intervals=False), count=60)
    assert bad.gap_p < 0.05


def log_likelihood(epsilon, delta, bias, table, family):
    """Written out; all strengths of a trial 0: biases decide."""
    d, labels, chosen = table
    g = delta + (1 - delta) * (np.maximum(0, 1 - d / epsilon) if family == "linear" else (d <= epsilon) * 1.0)
    w = np.where(g.sum(1, keepdims=True) == 0, 1.0, g) * np.exp(bias[labels])
    p = (w / w.sum(1, keepdims=True))[np.arange(len(d)), chosen]
    return np.log(p).sum() if (p > 0).all() else -1e6


def best_of_windows(table, family, fitted_floor, biased):
    """Maximum over all windows between distances, of each by the simplex method, from three places in it."""
    edges = np.concatenate([[0], np.unique(table[0]), [8 * table[0].max()]])
    best = -np.inf
    for low, high in itertools.pairwise(edges):

        def less(x, low=low, high=high):
            share = 0.5 if family == "constant" else 0.5 + (0.5 - 1e-9) * np.tanh(x[0])
            delta = 0.5 + 0.5 * np.tanh(x[1]) if fitted_floor else 0.0
            bias = np.array([x[-2], x[-1], -x[-2] - x[-1]]) if biased else np.zeros(3)
            return -log_likelihood(low + (high - low) * share, delta, bias, table, family)

        for place in (0.0,) if family == "constant" else (-7.0, 0.0, 7.0):
            start = np.concatenate([[place], [-1.0] * fitted_floor, [0.0, 0.0] * biased])
            if len(start) == 1:
                start = np.append(start, 0.0)
            if less(start) < min(1e5, 10 - best):
                options = {"xatol": 1e-8, "fatol": 1e-9, "maxiter": 2000}
                best = max(best, -optimize.minimize(less, start, method="Nelder-Mead", options=options).fun)
    return best


def drawn_table(family, floor, bias, trials, items, epsilon, seed):
    rng = np.random.default_rng(seed)
    d = rng.uniform(0, 1, (trials, items))
    labels = np.array([rng.permutation(3)[:items] for _ in range(trials)])
    g = floor + (1 - floor) * (np.maximum(0, 1 - d / epsilon) if family == "linear" else (d <= epsilon) * 1.0)
    w = np.where(g.sum(1, keepdims=True) == 0, 1.0, g) * np.exp(bias[labels])
    return d, labels, drawn(w / w.sum(1, keepdims=True), rng)


@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("floor", [0.0, 0.1])
@pytest.mark.parametrize("family", ["constant", "linear"])
def test_the_maximum_is_the_best_of_all_windows(family, floor, biased):
    table = drawn_table(family, floor, BIAS * biased, 24, 3, 0.4, seed=8)
    d, labels, chosen = table
    fit = measure.fit_choices(
        d, chosen, labels=labels, family=family, delta="fit" if floor else 0.0, bias="label" if biased else "none"
    )
    assert fit.log_likelihood == pytest.approx(best_of_windows(table, family, floor > 0, biased), abs=1e-5)
    bias = np.array([x.value for x in fit.label_bias.values()]) if biased else np.zeros(3)
    own = log_likelihood(fit.epsilon.value, fit.delta.value, bias, table, family)
    assert own == pytest.approx(fit.log_likelihood, abs=1e-6)
    assert all(x.low <= x.value <= x.high for x in fit.quantities().values())


@pytest.mark.parametrize("seed", range(4))
def test_the_only_window_of_a_linear_similarity_is_found(seed):
    table = drawn_table("linear", 0.0, BIAS, 200, 2, 0.6, seed)
    d, labels, chosen = table
    fit = measure.fit_choices(d, chosen, labels=labels, family="linear", delta=0.0, bias="label", intervals=False)
    assert fit.log_likelihood >= log_likelihood(0.6, 0.0, BIAS, table, "linear")
    assert fit.epsilon.value == pytest.approx(0.6, abs=0.05)


def test_steps_of_a_constant_similarity():
    d, labels, chosen = drawn_table("constant", 0.1, BIAS * 0, 60, 3, 0.4, 4)
    d = d.round(2)
    fit = measure.fit_choices(d, chosen, labels=labels, family="constant", level=0.9)
    edges = np.unique(d[d > 0])
    place = np.searchsorted(edges, fit.epsilon.value)
    assert fit.epsilon.value == pytest.approx((edges[place - 1] + edges[place]) / 2)
    assert {round(fit.epsilon.low, 9), round(fit.epsilon.high, 9)} <= set(edges.round(9))
    middle = (edges[:-1] + edges[1:]) / 2
    drop = measure.choice_profile(fit, middle)
    inside = (middle > fit.epsilon.low) & (middle < fit.epsilon.high)
    # No cut is above that of any jumps; the best window is in, and what is next to the ends out.
    assert drop[inside].min() == pytest.approx(0.0, abs=1e-6)
    assert min(drop[inside][0], drop[inside][-1]) <= -2 * np.log(1 - np.sqrt(0.9)) < drop[~inside].max()


def test_a_linear_similarity_that_does_not_end_shows_a_ratio():
    d, labels, chosen = drawn_table("linear", 0.0, BIAS * 0, 60, 3, 3.0, 1)
    fit = measure.fit_choices(d, chosen, labels=labels, family="linear")
    assert any("only (1 - delta) / epsilon" in note for note in fit.notes) == (fit.epsilon.value >= d.max())
    assert all(x.low <= x.value <= x.high for x in fit.quantities().values())
    # A floor of 0.2 with the same ratio is as good a fit, and the choices are shares too.
    counts = (np.arange(3) == chosen[:, None]) * 0.5
    half = measure.fit_choices(d, counts, labels=labels, family="linear")
    assert half.log_likelihood == pytest.approx(fit.log_likelihood / 2, abs=1e-6)
    assert all(x.low <= x.value <= x.high for x in half.quantities().values())


@pytest.mark.thorough(keep=1)
@pytest.mark.parametrize(("family", "floor"), [("constant", 0.0), ("linear", 0.0), ("constant", 0.1), ("linear", 0.1)])
def test_intervals_of_likelihoods_that_jump_cover(family, floor):
    d, labels, chosen = drawn_table(family, floor, BIAS * 0, 60, 3, 0.4, 2)
    fit = measure.fit_choices(d, chosen, labels=labels, family=family, delta="fit" if floor else 0.0, intervals=False)
    count = 60
    fitted = measure.choice_coverage(fit, count=count, level=0.9)
    # Five standard errors below the nominal share: a cut of another kind holds half as often.
    assert all(share > 0.9 - 5 * np.sqrt(0.9 * 0.1 / count) for share in fitted.values())


SHAPES = {
    "cosine": lambda d, epsilon: (1 + np.cos(np.pi * np.minimum(d / (2 * epsilon), 1.0))) / 2,
    "dome": lambda d, epsilon: np.maximum(0.0, 1 - (d / epsilon) ** 2),
    "powerlaw(3)": lambda d, epsilon: (1 + d / epsilon) ** -3.0,
}


@pytest.mark.parametrize("floor", [0.0, 0.1])
@pytest.mark.parametrize("family", [Cosine, Dome, "powerlaw(3)"])
def test_any_similarity_is_fitted(family, floor):
    label = similarity.get(family).label
    rng = np.random.default_rng(1)
    d = rng.uniform(0, 1, (80, 3))
    epsilons, floors = np.geomspace(0.01, 20, 3001), np.geomspace(1e-4, 0.9, 41) if floor else np.zeros(1)

    def log_likelihood(epsilon, delta):
        """(...) of (..., 1, 1) numbers, written out."""
        g = delta + (1 - delta) * SHAPES[label](d, epsilon)
        g = np.where(g.sum(-1, keepdims=True) == 0, 1.0, g)
        with np.errstate(divide="ignore"):
            return np.log((g / g.sum(-1, keepdims=True))[..., np.arange(len(d)), chosen]).sum(-1)

    g = floor + (1 - floor) * SHAPES[label](d, 0.4)
    chosen = drawn(np.where(g.sum(1, keepdims=True) == 0, 1 / 3, g / np.maximum(g.sum(1, keepdims=True), 1e-300)), rng)
    fit = measure.fit_choices(d, chosen, family=family, delta="fit" if floor else 0.0)
    assert fit.family == label
    grid = max(log_likelihood(epsilons[:, None, None], delta).max() for delta in floors)
    assert fit.log_likelihood >= grid - 1e-6
    assert fit.log_likelihood == pytest.approx(log_likelihood(fit.epsilon.value, fit.delta.value), abs=1e-8)
    assert all(x.low <= x.value <= x.high for x in fit.quantities().values())
    # An end of an interval is where the profile has dropped, or jumps.
    drop = measure.choice_profile(
        fit, [fit.epsilon.low * 0.999, fit.epsilon.low, fit.epsilon.high, fit.epsilon.high * 1.001]
    )
    limit = stats.chi2.ppf(0.95, 1)
    assert max(drop[1:3]) < limit + 1e-3 < 0.01 + min(drop[0], drop[3])


def test_a_fixed_exponent_is_that_of_the_power_law(design):
    d, chosen = design[0][:60], design[2][:60]
    fixed = measure.fit_choices(d, chosen, family="powerlaw(2.5)", delta=0.0, intervals=False)
    given = measure.fit_choices(d, chosen, family="powerlaw", exponent=2.5, delta=0.0, intervals=False)
    assert fixed.epsilon.value == pytest.approx(given.epsilon.value, rel=CLOSE)
    assert (fixed.exponent.value, given.exponent.value) == (1.0, 2.5)


def test_strengths_of_zero(x64):
    # Nothing within reach: the biases decide; something within reach: what isn't can't be chosen.
    table = model.Table(np.array([[0.5, 0.6], [0.1, 0.6]]), np.ones((2, 2), bool), np.tile(np.eye(2), (2, 1, 1)))
    theta = np.array([np.log(0.3), -1000.0, 0.0, np.log(2.0), 0.0])
    p = np.exp(model.log_choices(theta[None], table, family=similarity.get("linear")))[0]
    np.testing.assert_allclose(p, [[2 / 3, 1 / 3], [1.0, 0.0]], atol=1e-15)
    # An item out of reach was chosen beside one within, but where all are within: choices at random are what is left.
    left = measure.fit_choices([[0.1, 0.6], [0.6, 0.1]], [1, 1], family="constant", delta=0.0)
    assert left.log_likelihood == pytest.approx(-2 * np.log(2))


def test_what_has_no_end_says_so(design):
    d, labels, *_ = design
    sure = measure.fit_choices(d, d.argmin(1), labels=labels, delta=0.0)
    assert sure.epsilon.low == 0
    assert any("no lower end" in note for note in sure.notes)
    assert list(sure.quantities()) == ["epsilon"]


def test_the_resolution_of_a_vision_language_model_is_confounded_without_biases():
    table = data.vlm_spatial()
    columns = {"labels": table.labels, "positions": table.positions}
    none, label = (
        measure.fit_choices(table.distances, table.chosen, **columns, bias=bias) for bias in ("none", "label")
    )
    assert label.epsilon.high < 60 < 250 < none.epsilon.low  # pixels
    assert none.aic - label.aic > 500
    with pytest.raises(ValueError, match="their biases are one thing"):
        measure.fit_choices(table.distances, table.chosen, **columns, bias="both")


D = [[0.1, 0.4], [0.3, 0.2]]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"distances": [0.1, 0.2]}, "distances must be"),
        ({"distances": [[0.1, -1.0], [0.3, 0.2]]}, "trial 1, item 2 has -1"),
        ({"distances": [[0.1, np.nan], [0.3, 0.2]]}, "at least 2 items; trial 1"),
        ({"distances": [[0.1, 0.1], [0.2, 0.2]]}, "all at one distance"),
        ({"chosen": [0, 2]}, "choice not among items: trial 2 chose item 2"),
        ({"chosen": [0.5, 1.0]}, "chosen must be"),
        ({"chosen": [[0, 0], [0, 0]]}, "no choice"),
        ({"family": "cubic"}, "unknown similarity 'cubic'"),
        ({"bias": "colour"}, "bias must be one of"),
        ({"bias": "label"}, "needs labels"),
        ({"bias": "label", "labels": [["a", "b"]]}, "shape of distances"),
        ({"bias": "label", "labels": [["a", "b"], ["c", "d"]]}, "do not link all 4 labels"),
        ({"delta": 2}, "delta must be 'fit' or a number from 0 to 1"),
        ({"delta": "free"}, "got 'free'"),
        ({"family": "constant", "exponent": "fit"}, r"only delta\^exponent is seen"),
        ({"exponent": "fit", "delta": 0.0}, "only its ratio to epsilon"),
        ({"level": 1.0}, "level must be"),
    ],
)
def test_bad_input_is_told_in_one_line(given, message):
    words = {"distances": D, "chosen": [0, 1]} | given
    with pytest.raises(ValueError, match=message) as refused:
        measure.fit_choices(words.pop("distances"), words.pop("chosen"), **words)
    assert "\n" not in str(refused.value)
