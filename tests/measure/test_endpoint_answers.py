"""Answers of servers: numbers that are none, tokens, arrays of other lengths, damage."""

import json
import math
import random
import threading

import numpy as np
import pytest

from semres_jax.measure import backends
from semres_jax.measure.language import scoring, year_task
from tests.measure.fake_servers import serving, words

for package in ("httpx", "tenacity"):
    pytest.importorskip(package, reason=f"{package} is not installed: scripts/setup llm")


from semres_jax.measure.language.backends import _requests, endpoint as _endpoint  # noqa: E402
from tests.measure.endpoint_scores import (  # noqa: E402
    EXPECTED,
    NAMES,
    PROMPT,
    refusal,
    scores,
    surroundings as surroundings,
)


def at_the_name(value):
    """The token before the last, which is written, is told with another value."""
    return words(lambda tokens, values: [*values[:-2], value, values[-1]])


@pytest.mark.parametrize(
    ("value", "shown"),
    [(math.nan, "NaN"), (math.inf, "Infinity"), (None, "null"), ("-1.5", '"-1.5"'), (True, "true"), (0.4, "0.4"),
     ([-1.0], "[-1.0]"), (-(10**400), "-1000")],
)  # fmt: skip
def test_what_is_no_log_probability_is_refused(value, shown):
    refusal(at_the_name(value), f"tells {shown}", "for the log-probability of token ' Ed'")


@pytest.mark.parametrize("value", [-math.inf, -9999.0])
def test_a_probability_of_zero_is_one(value):
    def change(tokens, values):
        return [
            value if token == " Kim" and k == len(tokens) - 2 else v
            for k, (token, v) in enumerate(zip(tokens, values, strict=True))
        ]

    assert scores(words(change)) == [EXPECTED[0], -math.inf]


def test_integers_and_rounding_are_numbers():
    assert scores(at_the_name(-2)) == [-2.0, -2.0]
    assert scores(at_the_name(1e-6)) == [1e-6, 1e-6]


@pytest.mark.parametrize(
    "change",
    [
        lambda tokens, values: values[:-1],
        lambda tokens, values: [*values, -1.0],
        lambda tokens, values: {"0": -1.0},
    ],
)
def test_arrays_of_other_lengths_are_refused(change):
    route = iter(range(100))
    refusal(
        words(lambda tokens, values: change(tokens, values) if next(route) else values),
        "returns no log-probabilities of the prompt's tokens, one for each",
    )


def test_less_than_the_text_is_refused():
    def cut(path, body):
        return words()(path, body | ({"prompt": body["prompt"][-12:]} if "prompt" in body else {}))

    refusal(cut, "echoes less than the text that was sent")


@pytest.mark.parametrize(
    ("tokens", "text", "written", "count"),
    [
        (["Was", " it", " Ed", " so"], "Was it Ed", 1, 3),
        (["Was", " it", " Ed", " so"], "Was it Ed", None, 3),
        (["Was", " it", " Ed"], "Was it Ed", 1, 3),  # it counts what it doesn't tell
        (["<s>", " Was", " it", " Ed", " so", " on"], "Was it Ed", 1, 4),
        (["Was", "", " it", "", " so"], "Was it", 2, 3),
        ([f"token_id:{k}" for k in range(4)], "Was it Ed", 2, 2),
        (["Was", " it", " so"], "Was it Ed", 1, None),
        (["é"], "éé", 1, 0),
        ([], "é", 1, None),
    ],
)
def test_which_tokens_are_the_text_s(tokens, text, written, count):
    assert _endpoint._echoed_tokens(tokens, text, written) == count


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ("<html><body>Sign in</body></html>", "<html>"),
        ('{"choices": [{"text": "a"', '"choices"'),
        ("", "something else than a JSON object"),
        ("[1]", "[1]"),
        (b"\xff\xfe\x00", "something else than a JSON object"),
        ("[" * 100_000, "something else than a JSON object"),
        ('{"a": ' + "1" * 5000 + "}", "something else than a JSON object"),
        ('{"choices": {}}', "returns no choices"),
        ('{"choices": [null]}', "returns no choices"),
        ('{"error": {"message": "out of memory"}}', "out of memory"),
        ('{"choices": [{"text": "a", "logprobs": [1]}]}', "returns no log-probabilities"),
        ('{"choices": [{"text": "a", "logprobs": {"content": [{"id": 1}]}}]}', "what it writes only"),
        ('{"choices": [{"text": "a", "logprobs": {"content": 5}}]}', "what it writes only"),
    ],
)
def test_answers_that_are_none(content, word):
    answer = words()
    refusal(lambda path, body: (200, content) if path == "/v1/completions" else answer(path, body), "endpoint '", word)


def test_answers_without_bound_are_left(monkeypatch):
    monkeypatch.setattr(_requests, "MOST_BYTES", 2**20)
    refusal(lambda path, body: (200, b" " * 2**21), "answers /v1/models with more than 1 MiB")


def numbering(path, body, null=()):
    """A server that numbers tokens, letters, and tells all of the next one; whichever is chosen by a bias."""
    if path == "/tokenize":
        return 200, {"tokens": [ord(letter) for letter in body["content"]]}
    if path == "/v1/models":
        return 501, ""
    likely = [{"id": ord(c), "logprob": None if c in null else -0.5 - k} for k, c in enumerate("EKdim ")]
    bias = body.get("logit_bias")
    chosen = next(
        (x for x in likely if bias and str(x["id"]) in bias),
        {"id": int(next(iter(bias))), "logprob": -20.0} if bias else likely[0],
    )
    return 200, {"choices": [{"text": "E", "logprobs": {"content": [chosen | {"top_logprobs": likely}]}}]}


def test_null_of_a_token_that_is_needed():
    assert scores(numbering) == [-5.5 - 0.5 - 2.5, -5.5 - 1.5 - 3.5 - 4.5]
    assert scores(lambda path, body: numbering(path, body, null="x"))[0] == -8.5
    refusal(lambda path, body: numbering(path, body, null="m"), "tells null for the log-probability of token 109")


@pytest.mark.parametrize("path", ["/tokenize", "/extras/tokenize", None])
def test_ways_to_tokens(path):
    with serving(words(tokenize=path)) as url, backends.Endpoint(url) as server:
        a, b = server.tokens("Ann saw Bob"), server.tokens("Ann saw Kim saw Bob")
    assert (len(a), len(b)) == (3, 5)
    assert a[:2] == b[:2]
    assert a[1:] == b[3:]


@pytest.mark.parametrize(
    "said",
    [(404, "Not Found"), (200, "<html>"), (200, {"tokens": "abc"}), (200, {"tokens": [True]}), (200, {"tokens": []})],
)
def test_no_way_to_tokens(said):
    refusal(
        lambda path, body: said if "tokenize" in path else numbering(path, body),
        "must echo the prompt's tokens with log-probabilities (vLLM, SGLang, llama-cpp-python) or have /tokenize",
    )


def test_written_texts():
    with serving(words()) as url, backends.Endpoint(url) as server:
        assert server.generate(["a", "b", "c"]) == [" so"] * 3
        server._complete = lambda *_, **__: {"text": None}
        with pytest.raises(ConnectionError, match="returns no text at /v1/completions"):
            server.generate(["a"])


def test_the_first_of_several_models_is_told():
    def answer(path, body):
        return (
            (200, {"data": [{"id": "a\x1b[31m"}, {"id": "b"}, {"id": 3}, None]})
            if path == "/v1/models"
            else words()(path, body)
        )

    with serving(answer) as url, pytest.warns(UserWarning, match=r"has 2 models; the first, 'a\\+x1b\[31m', is asked"):
        server = backends.Endpoint(url)
    assert server.name == "a\\x1b[31m"
    server.close()


def test_what_was_answered_before_a_failure_is_told():
    """Places come as they are done; those that are asked while another fails come before its error."""
    with serving(words()) as url, backends.Endpoint(url, workers=2) as server:
        slow = threading.Event()

        def function(item):
            if item == 1:
                slow.set()
                raise ConnectionError("gone")
            if item == 0:
                slow.wait(5)
            return item * 10

        given = []
        with pytest.raises(ConnectionError, match="gone"):
            given.extend(iter_into(given, server.answers(function, range(50))))
        assert (0, 0) in given
        assert len(given) < 49
        assert server.score([PROMPT], [NAMES])[0].tolist() == EXPECTED


def iter_into(given, results):
    for result in results:
        given.append(result)
        yield from ()


def test_scores_that_are_no_numbers_make_no_summaries():
    trials = year_task.items([2, 3], 2, ["Ann", "Bob", "Cy"])
    log_p = np.where(trials.name >= 0, -1.0, np.nan)
    assert scoring.Answers.of_scores(trials, log_p).impossible == 0
    for value in (np.nan, np.inf):
        bad = log_p.copy()
        bad[1, 0] = value
        with pytest.raises(
            ValueError,
            match=rf"^answers to items have no finite number .*{value}.*: 1 of 8 prompts, the first is prompt 1$",
        ):
            scoring.Answers.of_scores(trials, bad)
    own_name, all_names = log_p.copy(), log_p.copy()
    own_name[1, 0] = -np.inf
    answers = scoring.Answers.of_scores(trials, own_name)
    assert answers.weight[1].tolist() == [0.0, 1.0, 0.0]
    assert answers.impossible == 1
    all_names[2] = np.where(trials.name[2] >= 0, -np.inf, np.nan)
    with pytest.raises(
        ValueError,
        match=r"^answers to items have a probability of 0 for all names, .*: 1 of 8 prompts, the first is prompt 2$",
    ):
        scoring.Answers.of_scores(trials, all_names)
    for mean in (scoring.excess, scoring.mean_of):
        with pytest.raises(ValueError, match="scores must be finite; 1 of 3 are not"):
            mean(np.array([0.5, np.nan, 1.0]), np.arange(3))


def damaged(content, rng):
    """JSON of which something is left out, twice there, or something else."""
    others = [None, True, -1, 0.5, math.nan, -math.inf, "x", [], {}, [[]], {"a": 1}, 10**400, -9999.0]
    keys = (
        list(content) if isinstance(content, dict) else list(range(len(content))) if isinstance(content, list) else []
    )
    if not keys or rng.random() < 0.15:
        return rng.choice(others)
    key, changed = rng.choice(keys), content.copy()
    how = rng.random()
    if how < 0.15:
        del changed[key]
    elif how < 0.3 and isinstance(changed, list):
        changed.insert(key, rng.choice(others))
    else:
        changed[key] = damaged(changed[key], rng)
    return changed


@pytest.mark.parametrize("base", [words(), numbering], ids=["echo", "steps"])
def test_damaged_answers_give_numbers_or_one_line(base, monkeypatch):
    rng = random.Random(5)

    def exchange(self, method, url, content, timeout):
        status, answer = base(url.path, content or {})[:2]
        if rng.random() > 0.15:
            return status, {}, json.dumps(answer).encode()
        if rng.random() < 0.7:
            return status, {}, json.dumps(damaged(answer, rng)).encode()
        said = {"location": rng.choice(["", "/", "//", "http://x.y"]), "retry-after": rng.choice(["", "-1", "x"])}
        return rng.choice([204, 301, 304, 307, 400, 404, 418, 429, 500, 503]), said, b"\xff\x1b[31m no"

    monkeypatch.setattr(_requests.Server, "_exchange", exchange)
    monkeypatch.setattr(_requests, "FIRST", 0.0001)
    lines = []
    for _ in range(150):
        try:
            with backends.Endpoint("http://a:1", workers=1) as server:
                values = server.score([PROMPT], [NAMES])[0]
            assert (values < 1).all()
        except (ValueError, ConnectionError) as error:
            lines.append(str(error))
    assert 30 < len(lines) < 150
    assert not any("\n" in line or "\x1b" in line for line in lines)
