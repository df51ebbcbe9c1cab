"""Servers of completions on loopback that answer as others do."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from semres_jax.measure import backends
from semres_jax.networks import llama

Answer = Callable[[str, dict[str, Any]], tuple[int, Any]]


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """The URL of a server that answers (path, content of the request) with (status, JSON or text)."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.reply(*answer(self.path, asked))

        def do_GET(self) -> None:
            self.reply(*answer(self.path, {}))

        def reply(self, status: int, content: Any) -> None:
            said = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
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

    def answer(path: str, asked: dict[str, Any]) -> tuple[int, Any]:
        if path == "/v1/models":
            return 200, {"object": "list", "data": [{"id": "tiny", "object": "model"}]}
        if path != "/v1/completions":
            return 404, {"detail": "Not Found"}
        assert asked["model"] == "tiny"
        ids = local.tokens(asked["prompt"])
        row = np.zeros((1, 48), int)
        row[0, : len(ids)] = ids
        logits = np.asarray(llama.logits(local.model.weights, row), np.float64)[0]
        values = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        chosen = int(values[len(ids) - 1].argmax())
        texts = [local.model.tokenizer.decode([token], skip_special_tokens=False) for token in (*ids, chosen)]
        told = [None, *(values[i, token] for i, token in enumerate(ids[1:])), values[len(ids) - 1, chosen]]
        first = 0 if asked.get("echo") else len(ids)
        return 200, {
            "choices": [
                {
                    "index": 0,
                    "text": "".join(texts[first:]),
                    "logprobs": {"tokens": texts[first:], "token_logprobs": told[first:]},
                    "finish_reason": "length",
                }
            ],
            "usage": {"prompt_tokens": len(ids), "completion_tokens": 1},
        }

    return answer


def told(logprobs: Any) -> Answer:
    """A server whose every completion is " a", with these log-probabilities."""

    def answer(path: str, asked: dict[str, Any]) -> tuple[int, Any]:
        if path != "/v1/completions":
            return 404, "Not Found"
        return 200, {"choices": [{"index": 0, "text": " a", "logprobs": logprobs, "finish_reason": "length"}]}

    return answer
