"""The year task: trials that favour no name and no place, texts, and what comes back of a known similarity."""

import re

import numpy as np
import pytest

from semres_jax import laws
from semres_jax.measure.language import analysis, asking, fits, scoring, wording, year_task
from tests.measure.year_models import Historian

NAMES = ["Ann", "Bob", "Cleo", "Dirk"]


def answered(trials, model):
    log_p = np.full(trials.name.shape, np.nan)
    template = wording.TEMPLATES["completion"]
    for k, scores in enumerate(model.score(wording.prompts(trials, template), wording.answers(trials, template))):
        log_p[k, : len(scores)] = scores
    return scoring.Answers(trials, scoring.luce(log_p), log_p)


def test_pairs_are_shown_in_both_orders_with_both_names():
    found = year_task.pairs([2, 50], 12, NAMES, seed=5)
    assert len(found.probe) == 2 * 12 * 4
    for group in np.unique(found.group):
        here = found.group == group
        shown = {
            tuple(zip(a, b, strict=True)) for a, b in zip(found.labels[here], found.year[here].tolist(), strict=True)
        }
        (one, other), (low, high) = sorted(set(found.labels[here].ravel())), sorted(set(found.year[here].ravel()))
        assert len(shown) == 4
        assert shown == {
            ((a, x), (b, y)) for a, b in ((one, other), (other, one)) for x, y in ((low, high), (high, low))
        }
        assert high - low == 2 * found.half[here][0]
        assert len(set(found.probe[here])) == 1
    # An even sweep that never asks for the middle, where both are as close.
    for half in (2, 50):
        offset = np.sort(found.offset[(found.half == half)][::4])
        assert (np.floor((offset + 300) / 50) == np.arange(12)).all()
        assert (offset != 0).all()
    d = found.distance
    assert (d[np.arange(len(d)), found.right] < d[np.arange(len(d)), 1 - found.right]).all()
    assert (np.bincount(found.name[::4].ravel()) == 12).all()


def test_items_go_forward_and_backward_with_one_right_answer():
    similar = year_task.items([2, 4], 8, NAMES, seed=5)
    exact = year_task.items([2, 4], 8, NAMES, identify=True, seed=5)
    np.testing.assert_array_equal(similar.year, exact.year)
    np.testing.assert_array_equal(similar.name, exact.name)
    for found in (similar, exact):
        for group in np.unique(found.group):
            one, other = (row[row >= 0].tolist() for row in found.year[found.group == group])
            assert one == other[::-1]
            assert len(set(one)) == len(one)
        d = np.sort(found.distance, axis=1)
        assert (d[:, 0] < d[:, 1]).all()
        labels = found.labels[found.group == 0]
        assert labels[0, :2].tolist() == labels[1, :2][::-1].tolist()
        assert (found.labels[found.n == 2][:, 2:] == "").all()
    assert (exact.distance[np.arange(32), exact.right] == 0).all()
    assert (np.bincount(exact.right[exact.n == 4]) == 4).all()


@pytest.mark.parametrize("template", list(wording.TEMPLATES))
def test_texts_say_what_was_drawn(template):
    found = year_task.items([3], 2, NAMES, identify=template == "paper", seed=1)
    text = wording.prompts(found, wording.TEMPLATES[template], chat="<{}>".format)[1]
    facts = " ".join(f"{name} was born in {year}." for name, year in zip(found.labels[1], found.year[1], strict=True))
    assert facts in text
    asked = "born in" if template == "paper" else "born closest to"
    assert f"{asked} {found.probe[1]}" in text[text.index(facts) + len(facts) :]
    assert text.startswith("<") == (template == "chat")
    assert not text.endswith(" ")
    if template != "chat":
        assert wording.TEMPLATES[template].lead == " "
    assert wording.answers(found, wording.TEMPLATES[template])[1] == [
        wording.TEMPLATES[template].lead + name for name in found.labels[1]
    ]


def test_paper_s_words():
    found = year_task.pairs([20], 1, NAMES, seed=2)
    (one, other), (x, y) = found.labels[0], found.year[0]
    facts = f"{one} was born in {x}. {other} was born in {y}."
    assert wording.prompts(found, wording.TEMPLATES["paper"])[0] == (
        f"{facts} Who was born closest to {found.probe[0]}? Answer with a single name."
    )
    with pytest.raises(ValueError, match="no chat template"):
        wording.prompts(found, wording.TEMPLATES["chat"])


def test_names_are_of_one_length_and_none_holds_another():
    def pieces(text: str) -> list[int]:
        return [0, *(1 for _ in re.findall(r"\s?\w{1,5}", text))]  # a token before every text

    found = wording.matched(pieces, 40, most=60)
    assert len(found) == len(set(found)) == 60
    assert {len(pieces(" " + name)) for name in found} == {2}
    assert not [(a, b) for a in found for b in found if a != b and a.lower() in b.lower()]
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
        found = fits.slope(answered(trials, model))
        assert found.epsilon[0] == pytest.approx(60.0, rel=1e-3)
        mean = np.mean([model.bias(name) for name in NAMES])
        for name in NAMES:
            assert found.labels[name] == pytest.approx(model.bias(name) - mean, abs=1e-3)
        assert found.places["first"] - found.places["last"] == pytest.approx(0.7, abs=1e-3)


def test_balance_cancels_biases_and_chance_is_told():
    """Of a model that knows nothing but has strong preferences, P(right) is exactly chance in each group of pairs."""
    trials = year_task.pairs([20, 100], 12, NAMES)
    found = answered(trials, Historian(1e12, spread=3.0, first=2.0))
    each = np.bincount(trials.group, found.probability) / 4
    np.testing.assert_allclose(each, 0.5, atol=1e-9)
    assert found.probability.std() > 0.2


def test_intervals_cover_the_resolution():
    """Answers drawn anew: of 60 intervals of 95 %, so few miss with a chance above 1 in 10,000 (binomial)."""
    trials = year_task.pairs([20, 100], 30, NAMES)
    missed = 0
    for seed in range(60):
        found = fits.slope(answered(trials, Historian(60.0, 0.5, 0.5, seed=seed, sampled=True)))
        missed += not found.low <= 1 / 60 <= found.high
    assert missed <= 10


def test_families_by_likelihood_agree_with_the_slope():
    found = answered(year_task.pairs([20, 100], 8, NAMES), Historian(60.0, spread=0.5, first=0.5, sampled=True))
    slope = fits.slope(found)
    models = (
        ("exponential", 0.0, "both", False),
        ("exponential", 0.0, "none", True),
        ("exponential", 2.0, "none", True),
    )
    both, plain, refused = fits.resolutions(found, slope, models)
    assert both.epsilon[0] == pytest.approx(slope.epsilon[0], rel=1e-4)
    np.testing.assert_allclose(both.probability, slope.probability, atol=1e-4)
    assert plain.epsilon[1] < 60 < plain.epsilon[2]
    assert np.isnan(refused.epsilon[0])
    assert "delta must be" in refused.notes[0]


def test_law_of_many_people():
    means = [scoring.Mean(float(laws.identification(0.3, n)), 0.01, 0, 1, 1 / n, 0.0, 50) for n in (2, 8, 32)]
    found = scoring.law([2, 8, 32], means, 800)
    assert found.low < 0.3 < found.high
    assert found.ball == pytest.approx(0.3, abs=5e-4)
    at_chance = [one._replace(value=one.chance) for one in means]
    assert scoring.law([2, 8, 32], at_chance, 800).ball == pytest.approx(1.0)


def test_means_know_their_groups():
    rng = np.random.default_rng(0)
    each = rng.random(30)
    one = scoring.mean_of(np.repeat(each, 4), np.repeat(np.arange(30), 4))
    assert one.stderr == pytest.approx(each.std(ddof=1) / np.sqrt(30))
    assert one.groups == 30
    same = scoring.mean_of(np.ones(12), np.arange(12) // 4)
    assert same.low == pytest.approx(3 / (3 + 4.302653**2), rel=1e-6)
    assert same.high == 1.0


def test_budget_and_what_is_refused():
    model = Historian(60.0)
    asked = asking.design(model, prompts=2000, template="completion")
    assert asked.prompts == {"pairs": 792, "items": 400, "identify": 400, "layers": 400}
    assert len(asked.names) == 48
    for options, told in (
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
        with pytest.raises(ValueError, match=told):
            asking.design(model, **({"template": "completion"} | options))


@pytest.fixture(scope="module")
def found():
    """A small run of everything but likelihoods."""
    model = Historian(60.0, first=0.5)
    asked = asking.design(model, prompts=400, counts=(2, 4), halves=(20, 200), template="chat")
    answers, states = asking.ask(model, asked, batch=16)
    return analysis.analyse(asked, answers, states, likelihood=False)


def test_states_of_years_by_layer(found):
    """The first layer knows nothing of years, the second has a resolution."""
    random, known = found.layers
    assert abs(random.p_s.value - 0.5) < 5 * random.p_s.stderr
    assert known.p_s.value > 0.5 + 5 * known.p_s.stderr
    assert 20 < known.fits["exponential"].epsilon.value < 300
    rows = found.summary()["layers"]
    assert rows[1]["p_s"]["value"] == known.p_s.value


def test_summary_and_dataset_say_the_same(found):
    table, told = found.dataset(), found.summary()
    assert [row["task"] for row in told["tasks"]] == ["pairs", "items", "identify"]
    for row in told["tasks"]:
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
    asked = asking.design(model, tasks=["items"], prompts=40, counts=(2, 4), template="completion")
    answers, states = asking.ask(model, asked, generate=True)
    one = answers["items"]
    assert states is None
    given = one.trials.right > 0
    np.testing.assert_array_equal(one.covered, given)
    np.testing.assert_array_equal(one.probability, given)
    np.testing.assert_array_equal(one.hit, given)


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
    asked = asking.design(model, tasks=["identify"], prompts=16, counts=(2,), template="completion")
    answers, _ = asking.ask(model, asked)
    one = answers["identify"]
    texts = wording.prompts(one.trials, wording.TEMPLATES["completion"])
    names = wording.answers(one.trials, wording.TEMPLATES["completion"])
    assert len(texts) == 16
    alone = model.score(texts[:1], names[:1])[0]
    np.testing.assert_allclose(one.log_p[0], alone, atol=1e-3)
    assert {len(model.tokens(name)) for row in names for name in row} == {1}
