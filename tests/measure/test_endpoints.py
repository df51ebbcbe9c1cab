"""Servers as people have them: pasted addresses, keys, redirects, busy and broken ones, and numbers that are none."""

import datetime
import email.utils
import json
import math
import random
import threading
import time

import numpy as np
import pytest

from semres_jax.measure import backends
from semres_jax.measure.language import scoring, year_task
from tests.measure.fake_servers import serving, words, worth

for package in ("httpx", "tenacity"):
    pytest.importorskip(package, reason=f"{package} is not installed: scripts/setup llm")

import httpx  # noqa: E402

from semres_jax.measure.language.backends import _address, _requests, endpoint as _endpoint  # noqa: E402

PROMPT, NAMES = "Was it Ed or Kim? It was", [" Ed", " Kim"]
EXPECTED = [worth(" Ed"), worth(" Kim")]
SECRET = "sk-Zz91-never-shown"
_CERTIFICATES = httpx.create_ssl_context()  # slow to read


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    """No keys and proxies of whoever runs the tests, and short pauses."""
    for name in (*_address.KEYS, *(f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "ALL", "NO"))):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(_requests, "FIRST", 0.01)
    monkeypatch.setattr(httpx, "create_ssl_context", lambda **_: _CERTIFICATES)


def scores(answer, seen=None, url="{}", **options):
    with serving(answer, seen) as at, backends.Endpoint(url.format(at), **options) as server:
        return server.score([PROMPT], [NAMES])[0].tolist()


def refusal(answer, *more, seen=None, **options) -> str:
    """What is said, in one line, of a server that can't be used."""
    with pytest.raises((ValueError, ConnectionError)) as caught:
        scores(answer, seen, **options)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 600
    assert all(word in said for word in more), said
    return said


@pytest.mark.parametrize(
    ("pasted", "base"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("localhost", "http://localhost"),
        ("node7:8000/v1/", "http://node7:8000"),
        ("//node7:80", "http://node7"),
        ("[::1]:8000/v1", "http://[::1]:8000"),
        ("llm.lab.example/v1", "https://llm.lab.example"),
        ("llm.lab.example:443", "https://llm.lab.example"),
        ("llm.lab.example:9000", "http://llm.lab.example:9000"),
        ("  'https://node7:8443//v1//'\n", "https://node7:8443"),
        ("HTTP://Node7/V1/Chat/Completions", "http://node7"),
        ("http://node7/v1/completions?stream=1#top", "http://node7"),
        ("http://node7/proxy/8000/v1/models", "http://node7/proxy/8000"),
        ("http://node7/a%20b/chat/completions/", "http://node7/a%20b"),
        ("http://node7/models/v1", "http://node7/models"),
        ("http://node7/extras/tokenize", "http://node7"),
        ("http://node7:1/tokenize", "http://node7:1"),
        ("http://node7/api/v3/completions", "http://node7/api/v3"),
        ("http://ann:p%40ss@node7/v1", "http://node7"),
    ],
)
def test_pasted_addresses(pasted, base):
    found = _address.address(pasted)
    assert found.base == base
    assert found.api == ("" if base.endswith("v3") else "/v1")
    assert found.login == (("ann", "p@ss") if "ann" in pasted else None)
    assert _address.address(base).base == base


@pytest.mark.parametrize(
    "pasted",
    ["", " ", "http://", "https:///v1", "node7", "models/m.gguf", "/m.gguf", "http:/a:1", "https//a:1", "ws://a",
     "::1", "a:port", "http://a:70000", "http://a:0", "http://a b", "http://%41", "http://-", "http://a..b", "http://[::1",
     "http://a\x1b[31m", "http://ann:never@b c", "ann:never@ftp://a", "http://ann:ne/ver@a:1", "http://ann:1#ver@a:1"],
)  # fmt: skip
def test_what_is_no_address_is_told_in_one_line(pasted):
    with pytest.raises(
        ValueError, match=r"^endpoint must be a URL such as http://127\.0\.0\.1:8080; got '[^\n\x1b]*$"
    ) as told:
        backends.Endpoint(pasted)
    assert "ver" not in str(told.value)


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/chat/completions", "/completions?a=b"])
def test_a_prefix_and_a_tail(tail):
    def answer(path, asked):
        return words()(path.removeprefix("/lab/llm"), asked) if path.startswith("/lab/llm/") else (404, "")

    assert scores(answer, url="{}/lab/llm" + tail) == EXPECTED


def test_another_version_of_the_interface():
    assert scores(lambda path, asked: words()(path.replace("/api/v3", "/v1"), asked), url="{}/api/v3") == EXPECTED


@pytest.mark.parametrize(
    ("variables", "sent"),
    [
        ({}, None),
        ({"OPENAI_API_KEY": "a1"}, "Bearer a1"),
        ({"OPENAI_API_KEY": "a1", "SEMRES_API_KEY": " b2\n"}, "Bearer b2"),
        ({"OPENAI_API_KEY": "Bearer a1", "SEMRES_API_KEY": ""}, "Bearer a1"),
    ],
)
def test_the_key_is_the_environment_s(variables, sent, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    seen = []
    assert scores(words(), seen) == EXPECTED
    assert {request.headers.get("Authorization") for request in seen} == {sent}
    assert not any(value.strip() in str(request.content) for value in variables.values() for request in seen if value)


@pytest.mark.parametrize("key", ["  ", "clé", "two words", "a\nb", "\x7f"])
def test_keys_that_can_not_be_sent(key, monkeypatch):
    monkeypatch.setenv("SEMRES_API_KEY", key)
    said = refusal(words(), "SEMRES_API_KEY")
    assert key.strip() == "" or key not in said


def test_a_password_of_the_url_goes_first_and_is_not_shown(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "a1")
    seen = []
    with serving(words(), seen) as url, backends.Endpoint(url.replace("//", "//ann:pw:x@")) as server:
        assert server.url == url
    assert {request.headers["Authorization"] for request in seen} == {"Basic YW5uOnB3Ong="}


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_a_refusal_is_told_at_once_without_the_key(status, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    seen = []

    def answer(path, asked):
        return words()(path, asked) if path == "/v1/models" else (status, {"error": f"no, Bearer {SECRET}!\n\x1b[0m"})

    said = refusal(answer, f"refuses /v1/completions with status {status}", "Bearer ***", seen=seen)
    assert SECRET not in said
    assert ("the key of OPENAI_API_KEY" in said) == (status in (401, 403))
    assert len(seen) == (3 if status == 400 else 2)  # without echo, it might


def test_where_a_key_is_taken_from_is_told():
    refusal(lambda path, asked: (401, "Invalid API Key"), "SEMRES_API_KEY or OPENAI_API_KEY")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_on_the_same_host_keep_method_and_content(status, monkeypatch):
    monkeypatch.setenv("SEMRES_API_KEY", SECRET)
    seen = []

    def answer(path, asked):
        if path.startswith("/new/"):
            return words()(path.removeprefix("/new"), asked)
        return status, "", {"Location": f"/new{path}"}

    assert scores(answer, seen) == EXPECTED
    arrived = [request for request in seen if request.path == "/new/v1/completions"]
    assert {request.method for request in arrived} == {"POST"}
    assert all(request.content["prompt"] and SECRET in request.headers["Authorization"] for request in arrived)
    # What moved for good is asked where it is.
    assert (len(seen) - len([request for request in seen if request.path.startswith("/new")]) == 1) == (
        status in (301, 308)
    )


def test_the_key_follows_to_no_other_host_or_port(monkeypatch):
    elsewhere = []
    with serving(words(), elsewhere) as other:
        moved = "http://ann:never@localhost" + other[other.rindex(":") :]
        for to in (moved, other):
            monkeypatch.setenv("SEMRES_API_KEY", SECRET)
            said = refusal(lambda path, asked, to=to: (307, "", {"Location": f"{to}{path}?token=never"}), "redirects")
            assert to.replace("ann:never@", "") + "/v1/models" in said
            assert "never" not in said.replace("never-shown", "")
            assert SECRET not in said
        assert elsewhere == []
        monkeypatch.delenv("SEMRES_API_KEY")
        assert scores(lambda path, asked: (307, "", {"Location": other + path})) == EXPECTED


@pytest.mark.parametrize(
    ("status", "headers", "word"),
    [
        (302, {"Location": "/v1/models/"}, "in circles"),
        (308, {}, "no address"),
        (301, {"Location": "http://[::1"}, "to what is no address"),
        (303, {"Location": "/login"}, "/login, which is not followed"),
        (302, {"Location": "ftp://127.0.0.1/x"}, "ftp://127.0.0.1/x, which is not followed"),
    ],
)
def test_redirects_that_lead_nowhere(status, headers, word):
    refusal(lambda path, asked: (status, "", headers), word)


def test_where_a_redirect_led_to_is_named():
    to = "https://127.0.0.1:1"
    refusal(lambda path, asked: (307, "", {"Location": to + path}), f"does not answer at {to}/v1/models (")


def test_encryption_is_not_given_up():
    http, https = httpx.URL("http://a:1"), httpx.URL("https://a")
    assert _address.same_host(http, https)
    assert not _address.same_host(https, http)
    assert not _address.same_host(http, httpx.URL("http://a.example:1"))


@pytest.mark.parametrize("status", [429, 502, 503, 504, None])
def test_busy_and_broken_servers_are_asked_again(status):
    count = iter(range(100))

    def answer(path, asked):
        return (status, "<html>busy</html>", {"Retry-After": "0"}) if next(count) in (1, 2, 5) else words()(path, asked)

    assert scores(answer, workers=1) == EXPECTED


def test_asking_again_has_an_end():
    seen = []
    answer = words()
    said = refusal(lambda path, asked: (503, "full") if asked.get("echo") else answer(path, asked), seen=seen)
    assert said.endswith("refuses /v1/completions with status 503: full; asked 5 times")
    assert len(seen) == 1 + _requests.TRIES


@pytest.mark.parametrize(
    ("after", "seconds"),
    [("3", 3.0), ("2.5", 2.5), ("", 0.01), ("-5", 0.01), ("nan", 0.01), ("inf", 0.01), ("86400", 0.01), ("soon", 0.01),
     ("9" * 400, 0.01), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.01), ("Wed, 99 Oct 2015 07:28:00 GMT", 0.01),
     ("Fri, 21 Oct 2995 07:28:00 GMT", 0.01)],
)  # fmt: skip
def test_retry_after_within_bounds(after, seconds):
    problem = _requests.Gone("busy")
    problem.after = _requests._seconds(after)
    assert seconds <= _requests._pause(_State(problem)) <= max(seconds, 0.02)


def test_retry_after_a_date():
    date = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=30)
    for text in (
        email.utils.format_datetime(date, usegmt=True),
        email.utils.format_datetime(date.replace(tzinfo=None)),
    ):
        assert 28 < (_requests._seconds(text) or 0) <= 30


class _State:
    """As much of tenacity's state as is looked at."""

    attempt_number, outcome = 1, None

    def __init__(self, problem: Exception):
        self.outcome = self
        self.exception = lambda: problem


def test_a_hanging_server_is_left():
    release, answer = threading.Event(), words()

    def hangs(path, asked):
        if path == "/v1/completions":
            release.wait(10)
        return answer(path, asked)

    started = time.monotonic()
    try:
        refusal(hangs, "does not answer", "0.1 s", timeout=0.1)
    finally:
        release.set()
    assert time.monotonic() - started < 5


def test_an_answer_that_never_ends_is_left():
    """Bytes drip in time, their sum does not."""
    import socket

    def drip(listening):
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
            try:
                for _ in range(200):
                    connection.sendall(b" ")
                    time.sleep(0.02)
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        started = time.monotonic()
        with pytest.raises(ConnectionError, match="its answer did not end"):
            backends.Endpoint(f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=0.2)
        assert time.monotonic() - started < 3
        thread.join()


def test_nobody_there_is_told_at_once(monkeypatch):
    monkeypatch.setattr(_requests, "FIRST", 30.0)
    with serving(words()) as url:
        pass
    with pytest.raises(ConnectionError, match=r"does not answer .*; is the server running\?$"):
        backends.Endpoint(url)


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
    def cut(path, asked):
        return words()(path, asked | ({"prompt": asked["prompt"][-12:]} if "prompt" in asked else {}))

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
    refusal(
        lambda path, asked: (200, content) if path == "/v1/completions" else answer(path, asked), "endpoint '", word
    )


def test_answers_without_bound_are_left(monkeypatch):
    monkeypatch.setattr(_requests, "MOST_BYTES", 2**20)
    refusal(lambda path, asked: (200, b" " * 2**21), "answers /v1/models with more than 1 MiB")


def numbering(path, asked, null=()):
    """A server that numbers tokens, letters, and tells all of the next one; whichever is chosen by a bias."""
    if path == "/tokenize":
        return 200, {"tokens": [ord(letter) for letter in asked["content"]]}
    if path == "/v1/models":
        return 501, ""
    likely = [{"id": ord(c), "logprob": None if c in null else -0.5 - k} for k, c in enumerate("EKdim ")]
    bias = asked.get("logit_bias")
    chosen = next(
        (x for x in likely if bias and str(x["id"]) in bias),
        {"id": int(next(iter(bias))), "logprob": -20.0} if bias else likely[0],
    )
    return 200, {"choices": [{"text": "E", "logprobs": {"content": [chosen | {"top_logprobs": likely}]}}]}


def test_null_of_a_token_that_is_needed():
    assert scores(numbering) == [-5.5 - 0.5 - 2.5, -5.5 - 1.5 - 3.5 - 4.5]
    assert scores(lambda path, asked: numbering(path, asked, null="x"))[0] == -8.5
    refusal(lambda path, asked: numbering(path, asked, null="m"), "tells null for the log-probability of token 109")


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
        lambda path, asked: said if "tokenize" in path else numbering(path, asked),
        "must echo the prompt's tokens with log-probabilities (vLLM, SGLang, llama-cpp-python) or have /tokenize",
    )


def test_written_texts():
    with serving(words()) as url, backends.Endpoint(url) as server:
        assert server.generate(["a", "b", "c"]) == [" so"] * 3
        server._complete = lambda *_, **__: {"text": None}
        with pytest.raises(ConnectionError, match="returns no text at /v1/completions"):
            server.generate(["a"])


def test_the_first_of_several_models_is_told():
    def answer(path, asked):
        return (
            (200, {"data": [{"id": "a\x1b[31m"}, {"id": "b"}, {"id": 3}, None]})
            if path == "/v1/models"
            else words()(path, asked)
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


def test_proxies_are_not_asked_for_this_machine(monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert scores(words()) == EXPECTED
    for proxy in ("socks9://ann:never@a", "http://a:port"):
        monkeypatch.setenv("ALL_PROXY", proxy)
        with pytest.raises(ValueError, match=r"the environment's proxy or certificates .* can't be used") as caught:
            backends.Endpoint("http://llm.example")
        assert "never" not in str(caught.value)


def test_broken_certificates_matter_where_they_are_needed(monkeypatch):
    def broken(trust_env=True):
        if trust_env:
            raise FileNotFoundError(2, "No such file or directory")
        return _CERTIFICATES

    monkeypatch.setattr(httpx, "create_ssl_context", broken)
    assert scores(words()) == EXPECTED
    with pytest.raises(ValueError, match=r"certificates \(.*SSL_CERT_FILE\) can't be used for an endpoint"):
        backends.Endpoint("https://127.0.0.1:1")


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
    one, all_names = log_p.copy(), log_p.copy()
    one[1, 0] = -np.inf
    answers = scoring.Answers.of_scores(trials, one)
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
    told = []
    for _ in range(150):
        try:
            with backends.Endpoint("http://a:1", workers=1) as server:
                values = server.score([PROMPT], [NAMES])[0]
            assert (values < 1).all()
        except (ValueError, ConnectionError) as error:
            told.append(str(error))
    assert 30 < len(told) < 150
    assert not any("\n" in line or "\x1b" in line for line in told)
