"""The year task: trials that favour no name and no place, texts, and what comes back of a known similarity."""

import re

import jax
import numpy as np
import pytest

from semres_jax import Quantity, laws
from semres_jax.measure.language import analysis, asking, fits, scoring, wording, year_task
from tests.attributes import require_labels
from tests.measure.year_models import Historian

NAMES = ["Ann", "Bob", "Cleo", "Dirk"]


def answered(trials, model):
    log_p = np.full(trials.name.shape, np.nan)
    template = wording.TEMPLATES["completion"]
    for k, scores in enumerate(model.score(wording.prompts(trials, template), wording.answers(trials, template))):
        log_p[k, : len(scores)] = scores
    return scoring.Answers.of_scores(trials, log_p)


def test_pairs_are_shown_in_both_orders_with_both_names():
    drawn = year_task.pairs([2, 50], 12, NAMES, key=jax.random.key(5))
    assert len(drawn.probe) == 2 * 12 * 4
    for group in np.unique(drawn.group):
        here = drawn.group == group
        shown = {
            tuple(zip(a, b, strict=True)) for a, b in zip(drawn.labels[here], drawn.year[here].tolist(), strict=True)
        }
        (label, other), (low, high) = sorted(set(drawn.labels[here].ravel())), sorted(set(drawn.year[here].ravel()))
        assert len(shown) == 4
        assert shown == {
            ((a, x), (b, y)) for a, b in ((label, other), (other, label)) for x, y in ((low, high), (high, low))
        }
        assert high - low == 2 * drawn.half[here][0]
        assert len(set(drawn.probe[here])) == 1
    # An even sweep that never asks for the middle, where both are as close.
    for half in (2, 50):
        offset = np.sort(drawn.offset[(drawn.half == half)][::4])
        assert (np.floor((offset + 300) / 50) == np.arange(12)).all()
        assert (offset != 0).all()
    d = drawn.distance
    assert (d[np.arange(len(d)), drawn.right] < d[np.arange(len(d)), 1 - drawn.right]).all()
    assert (np.bincount(drawn.name[::4].ravel()) == 12).all()


def test_items_go_forward_and_backward_with_one_right_answer():
    similar = year_task.items([2, 4], 8, NAMES, key=jax.random.key(5))
    exact = year_task.items([2, 4], 8, NAMES, identify=True, key=jax.random.key(5))
    np.testing.assert_array_equal(similar.year, exact.year)
    np.testing.assert_array_equal(similar.name, exact.name)
    for trials in (similar, exact):
        for group in np.unique(trials.group):
            forward, backward = (row[row >= 0].tolist() for row in trials.year[trials.group == group])
            assert forward == backward[::-1]
            assert len(set(forward)) == len(forward)
        d = np.sort(trials.distance, axis=1)
        assert (d[:, 0] < d[:, 1]).all()
        labels = trials.labels[trials.group == 0]
        assert labels[0, :2].tolist() == labels[1, :2][::-1].tolist()
        assert (trials.labels[trials.n == 2][:, 2:] == "").all()
    assert (exact.distance[np.arange(32), exact.right] == 0).all()
    assert (np.bincount(exact.right[exact.n == 4]) == 4).all()


@pytest.mark.parametrize("template", list(wording.TEMPLATES))
def test_texts_say_what_was_drawn(template):
    drawn = year_task.items([3], 2, NAMES, identify=template == "paper", key=jax.random.key(1))
    text = wording.prompts(drawn, wording.TEMPLATES[template], chat="<{}>".format)[1]
    facts = " ".join(f"{name} was born in {year}." for name, year in zip(drawn.labels[1], drawn.year[1], strict=True))
    assert facts in text
    phrase = "born in" if template == "paper" else "born closest to"
    assert f"{phrase} {drawn.probe[1]}" in text[text.index(facts) + len(facts) :]
    assert text.startswith("<") == (template == "chat")
    assert not text.endswith(" ")
    if template != "chat":
        assert wording.TEMPLATES[template].lead == " "
    assert wording.answers(drawn, wording.TEMPLATES[template])[1] == [
        wording.TEMPLATES[template].lead + name for name in drawn.labels[1]
    ]


def test_paper_s_words():
    pair = year_task.pairs([20], 1, NAMES, key=jax.random.key(2))
    (name, other), (x, y) = pair.labels[0], pair.year[0]
    facts = f"{name} was born in {x}. {other} was born in {y}."
    assert wording.prompts(pair, wording.TEMPLATES["paper"])[0] == (
        f"{facts} Who was born closest to {pair.probe[0]}? Answer with a single name."
    )
    with pytest.raises(ValueError, match="no chat template"):
        wording.prompts(pair, wording.TEMPLATES["chat"])


def test_names_are_of_one_length_and_none_holds_another():
    def pieces(text: str) -> list[int]:
        return [0, *(1 for _ in re.findall(r"\s?\w{1,5}", text))]  # a token before every text

    names = wording.matched(pieces, 40, most=60)
    assert len(names) == len(set(names)) == 60
    assert {len(pieces(" " + name)) for name in names} == {2}
    assert not [(a, b) for a in names for b in names if a != b and a.lower() in b.lower()]
    with pytest.raises(ValueError, match=r"^500 names of one length are needed, and this tokenizer has \d+ of these"):
        wording.matched(pieces, 500)


def test_resolution_and_biases_come_back():
    """Probabilities of the model itself: nothing is left to chance, so everything is found exactly."""
    model = Historian(60.0, spread=1.0, first=0.7)
    for trials in (
        year_task.pairs([20, 100], 12, NAMES),
        year_task.items([2, 4], 20, NAMES),
        year_task.items([2, 4], 20, NAMES, identify=True),
    ):
        fit = fits.slope(answered(trials, model))
        assert fit.epsilon.value == pytest.approx(60.0, rel=1e-3)
        mean = np.mean([model.bias(name) for name in NAMES])
        for name in NAMES:
            assert fit.labels[name] == pytest.approx(model.bias(name) - mean, abs=1e-3)
        assert fit.places["first"] - fit.places["last"] == pytest.approx(0.7, abs=1e-3)


def test_balance_cancels_biases_and_chance_is_told():
    """Of a model that knows nothing but has strong preferences, P(right) is exactly chance in each group of pairs."""
    trials = year_task.pairs([20, 100], 12, NAMES)
    answers = answered(trials, Historian(1e12, spread=3.0, first=2.0))
    by_pair = np.bincount(trials.group, answers.probability) / 4
    np.testing.assert_allclose(by_pair, 0.5, atol=1e-9)
    assert answers.probability.std() > 0.2


def test_intervals_cover_the_resolution():
    """Answers drawn anew: of 60 intervals of 95 %, so few miss with a chance above 1 in 10,000 (binomial)."""
    trials = year_task.pairs([20, 100], 30, NAMES)
    missed = 0
    for seed in range(60):
        fit = fits.slope(answered(trials, Historian(60.0, 0.5, 0.5, seed=seed, sampled=True)))
        missed += not fit.beta.low <= 1 / 60 <= fit.beta.high
    assert missed <= 10


def test_families_by_likelihood_agree_with_the_slope():
    answers = answered(year_task.pairs([20, 100], 8, NAMES), Historian(60.0, spread=0.5, first=0.5, sampled=True))
    slope = fits.slope(answers)
    models = (
        ("exponential", 0.0, "both", False),
        ("exponential", 0.0, "none", True),
        ("exponential", 2.0, "none", True),
    )
    both, plain, refused = fits.resolutions(answers, slope, models)
    assert both.epsilon.value == pytest.approx(slope.epsilon.value, rel=1e-4)
    np.testing.assert_allclose(both.probability, slope.probability, atol=1e-4)
    assert plain.epsilon.low < 60 < plain.epsilon.high
    assert np.isnan(refused.epsilon.value)
    assert "delta must be" in refused.notes[0]


def test_law_of_many_people():
    scores = [
        scoring.MeanScore(Quantity(float(laws.constant(0.3, n=n).p_i), 0.01, 0, 1), 1 / n, 0.0, 50) for n in (2, 8, 32)
    ]
    fit = scoring.law([2, 8, 32], scores, 800)
    assert fit.ball.low < 0.3 < fit.ball.high
    assert fit.ball.value == pytest.approx(0.3, abs=5e-4)
    at_chance = [score._replace(mean=score.mean._replace(value=score.chance)) for score in scores]
    assert scoring.law([2, 8, 32], at_chance, 800).ball.value == pytest.approx(1.0)


def test_means_know_their_groups():
    rng = np.random.default_rng(0)
    means = rng.random(30)
    score = scoring.mean_of(np.repeat(means, 4), np.repeat(np.arange(30), 4))
    assert score.mean.stderr == pytest.approx(means.std(ddof=1) / np.sqrt(30))
    assert score.groups == 30
    same = scoring.mean_of(np.ones(12), np.arange(12) // 4).mean
    assert same.low == pytest.approx(3 / (3 + 4.302653**2), rel=1e-6)
    assert same.high == 1.0


def test_budget_and_what_is_refused():
    model = Historian(60.0)
    plan = asking.design(model, prompts=2000, template="completion")
    assert plan.prompts == {"pairs": 792, "items": 400, "identify": 400, "layers": 400}
    assert len(plan.names) == 48
    for options, message in (
        ({"prompts": 100}, "prompts must be at least 120 for pairs"),
        ({"tasks": ["pairs", "x"]}, "task must be one of pairs, items, identify, layers; got 'x'"),
        ({"template": "x"}, "template must be one of chat"),
        ({"counts": [1]}, "n must be at least 2"),
        ({"counts": [2, 2]}, "n must be different"),
        ({"counts": [500]}, "names of one length are needed"),
        ({"halves": [0]}, "D must be at least 1 year"),
        ({"halves": [1500]}, "D must be below 1500"),
        ({"halves": []}, "offsets must have at least one number"),
    ):
        with pytest.raises(ValueError, match=message):
            asking.design(model, **({"template": "completion"} | options))


@pytest.fixture(scope="module")
def small_run():
    """A small run of everything but likelihoods."""
    model = Historian(60.0, first=0.5)
    plan = asking.design(model, prompts=400, counts=(2, 4), halves=(20, 200), template="chat")
    answers, states = asking.ask(model, plan, batch=16)
    return analysis.analyse(plan, answers, states, likelihood=False)


def test_states_of_years_by_layer(small_run):
    """The first layer knows nothing of years, the second has a resolution."""
    random, known = small_run.layers
    assert abs(random.p_s.value - 0.5) < 5 * random.p_s.stderr
    assert known.p_s.value > 0.5 + 5 * known.p_s.stderr
    assert 20 < known.fits["exponential"].epsilon.value < 300
    rows = small_run.summary()["layers"]
    assert rows[1]["p_s"]["value"] == known.p_s.value


def test_summary_and_dataset_say_the_same(small_run):
    table, summary = small_run.dataset(), small_run.summary()
    require_labels(table)
    assert [row["task"] for row in summary["tasks"]] == ["pairs", "items", "identify"]
    for row in summary["tasks"]:
        assert row["verdict"] == "above chance"
        assert row["epsilon_years"]["value"] == pytest.approx(60, rel=1e-3)
        task = row["task"]
        assert table[f"{task}_cell_p_right_value"].values.tolist() == [
            cell["p_right"]["value"] for cell in row["cells"]
        ]
        right = table[f"{task}_right"].values
        p = table[f"{task}_probability"].values[np.arange(len(right)), right]
        assert p.mean() == pytest.approx(row["p_right"])
    assert table.curve_seen.shape == (2, 6)
    np.testing.assert_allclose(table.curve_seen, table.curve_fitted, atol=0.02)


def test_generated_answers():
    """The model writes "It was RIGHT, not WRONG", or nothing that counts where the first is its best."""
    model = Historian(60.0)
    plan = asking.design(model, tasks=["items"], prompts=40, counts=(2, 4), template="completion")
    answers, states = asking.ask(model, plan, generate=True)
    items = answers["items"]
    assert states is None
    given = items.trials.right > 0
    np.testing.assert_array_equal(items.covered, given)
    np.testing.assert_array_equal(items.probability, given)
    np.testing.assert_array_equal(items.hit, given)


def test_chat_marks():
    assert asking.chat_of(Historian(1.0).tokens)("Hi?") == "<|im_start|>user\nHi?<|im_end|>\n<|im_start|>assistant\n"
    assert asking.chat_of(lambda text: list(text.encode())) is None


def test_a_real_model_is_asked():
    """16 prompts of SmolLM2: asked together or alone, the same numbers but for rounding."""
    from semres_jax.data import assets
    from semres_jax.measure import backends

    pytest.importorskip("gguf", reason="gguf is not installed: scripts/setup llm")
    pytest.importorskip("tokenizers", reason="tokenizers is not installed: scripts/setup llm")
    try:
        model = backends.Local(assets.find("smollm2"))
    except FileNotFoundError as error:
        pytest.skip(str(error))
    plan = asking.design(model, tasks=["identify"], prompts=16, counts=(2,), template="completion")
    answers, _ = asking.ask(model, plan)
    identified = answers["identify"]
    texts = wording.prompts(identified.trials, wording.TEMPLATES["completion"])
    names = wording.answers(identified.trials, wording.TEMPLATES["completion"])
    assert len(texts) == 16
    alone = model.score(texts[:1], names[:1])[0]
    np.testing.assert_allclose(identified.log_p[0], alone, atol=1e-3)
    assert {len(model.tokens(name)) for row in names for name in row} == {1}
