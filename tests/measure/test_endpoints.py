"""Servers as people have them: pasted addresses, keys, redirects, proxies, busy and broken ones."""

import datetime
import email.utils
import threading
import time

import pytest

from semres_jax.measure import backends
from tests.measure.fake_servers import serving, words

for package in ("httpx", "tenacity"):
    pytest.importorskip(package, reason=f"{package} is not installed: scripts/setup llm")

import httpx  # noqa: E402

from semres_jax.measure.language.backends import _address, _requests  # noqa: E402
from tests.measure.endpoint_scores import (  # noqa: E402
    CERTIFICATES,
    EXPECTED,
    refusal,
    scores,
    surroundings as surroundings,
)  # fmt: skip

SECRET = "sk-Zz91-never-shown"


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
    ) as raised:
        backends.Endpoint(pasted)
    assert "ver" not in str(raised.value)


@pytest.mark.parametrize("tail", ["", "/", "/v1", "/v1/chat/completions", "/completions?a=b"])
def test_a_prefix_and_a_tail(tail):
    def answer(path, body):
        return words()(path.removeprefix("/lab/llm"), body) if path.startswith("/lab/llm/") else (404, "")

    assert scores(answer, url="{}/lab/llm" + tail) == EXPECTED


def test_another_version_of_the_interface():
    assert scores(lambda path, body: words()(path.replace("/api/v3", "/v1"), body), url="{}/api/v3") == EXPECTED


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

    def answer(path, body):
        return words()(path, body) if path == "/v1/models" else (status, {"error": f"no, Bearer {SECRET}!\n\x1b[0m"})

    said = refusal(answer, f"refuses /v1/completions with status {status}", "Bearer ***", seen=seen)
    assert SECRET not in said
    assert ("the key of OPENAI_API_KEY" in said) == (status in (401, 403))
    assert len(seen) == (3 if status == 400 else 2)  # without echo, it might


def test_where_a_key_is_taken_from_is_told():
    refusal(lambda path, body: (401, "Invalid API Key"), "SEMRES_API_KEY or OPENAI_API_KEY")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_on_the_same_host_keep_method_and_content(status, monkeypatch):
    monkeypatch.setenv("SEMRES_API_KEY", SECRET)
    seen = []

    def answer(path, body):
        if path.startswith("/new/"):
            return words()(path.removeprefix("/new"), body)
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
            said = refusal(lambda path, body, to=to: (307, "", {"Location": f"{to}{path}?token=never"}), "redirects")
            assert to.replace("ann:never@", "") + "/v1/models" in said
            assert "never" not in said.replace("never-shown", "")
            assert SECRET not in said
        assert elsewhere == []
        monkeypatch.delenv("SEMRES_API_KEY")
        assert scores(lambda path, body: (307, "", {"Location": other + path})) == EXPECTED


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
    refusal(lambda path, body: (status, "", headers), word)


def test_where_a_redirect_led_to_is_named():
    to = "https://127.0.0.1:1"
    refusal(lambda path, body: (307, "", {"Location": to + path}), f"does not answer at {to}/v1/models (")


def test_encryption_is_not_given_up():
    http, https = httpx.URL("http://a:1"), httpx.URL("https://a")
    assert _address.same_host(http, https)
    assert not _address.same_host(https, http)
    assert not _address.same_host(http, httpx.URL("http://a.example:1"))


@pytest.mark.parametrize("status", [429, 502, 503, 504, None])
def test_busy_and_broken_servers_are_asked_again(status):
    count = iter(range(100))

    def answer(path, body):
        return (status, "<html>busy</html>", {"Retry-After": "0"}) if next(count) in (1, 2, 5) else words()(path, body)

    assert scores(answer, workers=1) == EXPECTED


def test_asking_again_has_an_end():
    seen = []
    answer = words()
    said = refusal(lambda path, body: (503, "full") if body.get("echo") else answer(path, body), seen=seen)
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

    def hangs(path, body):
        if path == "/v1/completions":
            release.wait(10)
        return answer(path, body)

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
        return CERTIFICATES

    monkeypatch.setattr(httpx, "create_ssl_context", broken)
    assert scores(words()) == EXPECTED
    with pytest.raises(ValueError, match=r"certificates \(.*SSL_CERT_FILE\) can't be used for an endpoint"):
        backends.Endpoint("https://127.0.0.1:1")
