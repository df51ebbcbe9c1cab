"""Servers of completions on loopback that answer as others do."""

import contextlib
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import numpy as np

from semres_jax.measure import backends
from semres_jax.networks import llama

Answer = Callable[[str, dict[str, Any]], tuple[Any, ...]]


class Request(NamedTuple):
    """What a server was sent."""

    method: str
    path: str
    headers: dict[str, str]
    content: dict[str, Any]


@contextlib.contextmanager
def serving(answer: Answer, seen: list[Request] | None = None) -> Iterator[str]:
    """The URL of a server that answers (path, content of the request) with (status, JSON, text or bytes[, headers]).

    A status of None closes the connection instead. What is sent is added to `seen`.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.reply(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def do_GET(self) -> None:
            self.reply({})

        def reply(self, body: dict[str, Any]) -> None:
            if seen is not None:
                seen.append(Request(self.command, self.path, dict(self.headers), body))
            status, content, headers = (*answer(self.path, body), {})[:3]
            if status is None:
                return
            said = content if isinstance(content, bytes | str) else json.dumps(content)
            said = said.encode() if isinstance(said, str) else said
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(said))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # who asked may have gone
                self.wfile.write(said)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def echoing(local: backends.Local) -> Answer:
    """Completions as vLLM has them: the prompt's tokens and log-probabilities with `echo`; one token is written."""

    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if path == "/v1/models":
            return 200, {"object": "list", "data": [{"id": "tiny", "object": "model"}]}
        if path != "/v1/completions":
            return 404, {"detail": "Not Found"}
        assert body["model"] == "tiny"
        ids = local.tokens(body["prompt"])
        row = np.zeros((1, 48), int)
        row[0, : len(ids)] = ids
        logits = np.asarray(llama.logits(local.model.weights, row), np.float64)[0]
        values = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        chosen = int(values[len(ids) - 1].argmax())
        texts = [local.model.tokenizer.decode([token], skip_special_tokens=False) for token in (*ids, chosen)]
        log_probs = [None, *(values[i, token] for i, token in enumerate(ids[1:])), values[len(ids) - 1, chosen]]
        first = 0 if body.get("echo") else len(ids)
        return 200, {
            "choices": [
                {
                    "index": 0,
                    "text": "".join(texts[first:]),
                    "logprobs": {"tokens": texts[first:], "token_logprobs": log_probs[first:]},
                    "finish_reason": "length",
                }
            ],
            "usage": {"prompt_tokens": len(ids), "completion_tokens": 1},
        }

    return answer


def worth(token: str) -> float:
    """The log-probability of every token of `words`, wherever it stands."""
    return -len(token) / 4 - (ord(token[-1]) % 7) / 2


def words(
    change: Callable[[list[str], list[Any]], Any] | None = None, *, tokenize: str | None = "/tokenize", model: str = "m"
) -> Answer:
    """A server that echoes words with the log-probabilities `worth` has for them, and writes " so".

    Args:
        change: makes other log-probabilities of tokens and log-probabilities.
        tokenize: its path for tokens, if it has one.
        model: that it lists.
    """

    def answer(path: str, body: dict[str, Any]) -> tuple[Any, ...]:
        if path == "/v1/models":
            return 200, {"data": [{"id": model}]}
        texts = re.findall(r"<\|\w+\|>|\s?\w+|[^\w]", str(body.get("prompt", body.get("input", ""))))
        if path == tokenize:
            return 200, {"tokens": [sum(map(ord, text)) for text in texts]}
        if path != "/v1/completions":
            return 404, {"detail": "Not Found"}
        texts = [*(texts if body.get("echo") else []), " so"]
        values = [None, *map(worth, texts[1:])] if len(texts) > 1 else [-1.0]
        values = change(texts, values) if change else values
        choice = {"text": "".join(texts), "logprobs": {"tokens": texts, "token_logprobs": values}}
        return 200, {"choices": [choice], "usage": {"completion_tokens": 1}}

    return answer


def log_probs(logprobs: Any) -> Answer:
    """A server whose every completion is " a", with these log-probabilities."""

    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if path != "/v1/completions":
            return 404, "Not Found"
        return 200, {"choices": [{"index": 0, "text": " a", "logprobs": logprobs, "finish_reason": "length"}]}

    return answer
