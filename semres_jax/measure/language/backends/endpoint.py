"""Language models behind OpenAI's completion interface: llama.cpp's server, vLLM, llama-cpp-python and others.

Two ways are known of how a server tells the log-probability of a text that is given, and the first request finds which
one it has:

- `echo`: it returns the prompt's tokens with their log-probabilities (vLLM, llama-cpp-python, OpenAI's own once).
  Prompt and continuation are sent together, one request for each continuation.
- `steps`: it returns the next token's log-probability only (llama.cpp's server). Tokens are those of its /tokenize; for
  each a request has the tokens before it, and `logit_bias` makes the server choose it, so that its log-probability,
  which llama.cpp takes before biases, is told. The first requests check that it is; elsewhere a token that is not among
  the likeliest is refused.
"""

import contextlib
import json
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from semres_jax._checks import require_count
from semres_jax._types import Progress
from semres_jax.measure.language.backends import _continuations
from semres_jax.measure.language.backends.protocol import Backend

# Likeliest tokens asked for; vLLM allows no more unless told.
_TOP = 20
# More than any vocabulary has: llama.cpp's server then tells all.
_ALL = 1_000_000
_PROBE = "The capital of France is"
# Makes a token the likeliest. Logits are within tens.
_BIAS = 1000.0
# Between log-probabilities of a token that is chosen by a bias, and that is not. The server's own rounding in batches
# of different size is below; a bias that counted would make it 0.
_RAW = 0.1


class Endpoint(Backend):
    """A server of completions with log-probabilities.

    Args:
        url: such as http://127.0.0.1:8080 or .../v1.
        model: its name there; the first one that the server lists if not given.
        key: sent as "Authorization: Bearer KEY".
        workers: requests at once.
        timeout: seconds without an answer.

    Raises:
        ImportError: without the package httpx (extra `llm`).
        ConnectionError: it can't be reached, or refuses.
        ValueError: no URL; a server without log-probabilities.

    Example:
        >>> from semres_jax.measure import backends
        >>> backends.Endpoint("localhost:8080")
        Traceback (most recent call last):
        ValueError: endpoint must be a URL such as http://127.0.0.1:8080; got 'localhost:8080'
    """

    def __init__(
        self, url: str, model: str | None = None, key: str | None = None, *, workers: int = 4, timeout: float = 120.0
    ):
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"endpoint must be a URL such as http://127.0.0.1:8080; got {url!r}")
        try:
            import httpx
        except ImportError:
            raise ImportError("an endpoint needs the package httpx: pip install 'semres-jax[llm]'") from None
        self._errors = (httpx.HTTPError, httpx.InvalidURL)
        self.url = url.rstrip("/").removesuffix("/completions").removesuffix("/v1")
        self._workers = require_count("workers", workers, 1)
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx.Client(headers=headers, timeout=timeout)
        self._model = model or self._first_model()
        self._biased, self._ordinary = False, 0
        self.route = self._find_route()

    @property
    def name(self) -> str:
        """Name of the model on the server."""
        return self._model or self.url

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> "Endpoint":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def tokens(self, text: str) -> list[int]:
        """Tokens of a text, those that begin every text before them, by the server's /tokenize.

        Raises:
            ConnectionError: it has none.
        """
        words = {"content": text, "prompt": text, "add_special": True, "add_special_tokens": True, "model": self._model}
        tokens = self._ask("/tokenize", words).get("tokens")
        if not isinstance(tokens, list) or not all(isinstance(token, int) for token in tokens):
            raise ValueError(f"endpoint {self.url!r} gives no numbers of tokens at /tokenize")
        return tokens

    def score(
        self, prompts: Sequence[str], continuations: Sequence[Sequence[str]], progress: Progress | None = None
    ) -> list[np.ndarray]:
        """Log-probabilities of continuations given their prompts, as `Local.score` has them.

        Raises:
            ConnectionError: the server went away, or refuses.
            ValueError: an empty prompt or continuation; a token whose log-probability the server doesn't tell.
        """
        score = self._by_echo if self.route == "echo" else self._by_steps
        return self._map(lambda pair: score(*pair), _continuations.paired(prompts, continuations), progress)

    def generate(self, prompts: Sequence[str], max_tokens: int = 16, progress: Progress | None = None) -> list[str]:
        """What the model writes after each prompt, always the likeliest token."""
        require_count("max_tokens", max_tokens, 1)
        choices = self._map(lambda prompt: self._complete(prompt, max_tokens=max_tokens), list(prompts), progress)
        return [str(choice.get("text", "")) for choice in choices]

    def _map(self, function: Callable[[Any], Any], items: list[Any], progress: Progress | None) -> list[Any]:
        results = []
        with ThreadPoolExecutor(self._workers) as pool:
            waiting = [pool.submit(function, item) for item in items]
            try:
                for future in waiting:
                    results.append(future.result())
                    if progress:
                        progress("prompts", len(results), len(items))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return results

    def _by_echo(self, prompt: str, continuations: Sequence[str]) -> np.ndarray:
        echoed = [self._echo(prompt + continuation) for continuation in continuations]
        texts = [tokens for tokens, _ in echoed]
        begins = [_tail(text, continuation) for text, continuation in zip(texts, continuations, strict=True)]
        first = min((at for at in begins if at is not None), default=0)
        if None in begins or _continuations.common(texts) < first:
            # The tokens' texts don't spell the continuation, as where a character is several tokens.
            first = _continuations.common([self._echo(prompt)[0], *texts])
        first = min(first, *(len(text) - 1 for text in texts))
        if first < 1:
            raise ValueError(f"the prompt {prompt!r} has no token of its own before its continuations; make it longer")
        if any(value is None for _, values in echoed for value in values[first:]):
            raise ValueError(f"endpoint {self.url!r} leaves out log-probabilities of tokens of {prompt[-40:]!r}")
        return np.array([sum(values[first:]) for _, values in echoed], np.float64)

    def _echo(self, text: str) -> tuple[list[str], list[Any]]:
        """Tokens of a text and their log-probabilities."""
        choice = self._complete(text, echo=True, logprobs=1, max_tokens=1)
        logprobs = choice.get("logprobs") or {}
        tokens, values = logprobs.get("tokens"), logprobs.get("token_logprobs")
        if not isinstance(tokens, list) or not isinstance(values, list) or len(tokens) != len(values):
            raise ValueError(f"endpoint {self.url!r} returns no log-probabilities of the prompt's tokens")
        made = choice["usage"].get("completion_tokens", 1)
        return tokens[: len(tokens) - made], values[: len(values) - made]

    def _by_steps(self, prompt: str, continuations: Sequence[str]) -> np.ndarray:
        parts = _continuations.split(self.tokens, prompt, continuations)
        known: dict[tuple[int, ...], dict[int, float]] = {}
        scores = np.zeros(len(parts.continuations))
        for k, rest in enumerate(parts.continuations):
            for j, token in enumerate(rest):
                values = known.setdefault(tuple(rest[:j]), {})
                if token not in values:
                    values |= self._tell([*parts.prompt, *rest[:j]], token)
                scores[k] += values[token]
        return scores

    def _tell(self, context: list[int], token: int) -> dict[int, float]:
        """Log-probabilities of some next tokens, one of them that which is asked for."""
        values = self._next(context, token if self._biased else None)
        if token not in values and self._biased:
            # Chosen, llama.cpp says nothing of a token that ends the text or is a part of a character.
            values = self._next(context, self._ordinary, _ALL)
        if token not in values:
            known = f"the {_TOP} likeliest tokens only" if values else "no log-probabilities"
            raise ValueError(f"endpoint {self.url!r} tells {known}, and token {token} is needed")
        return values

    def _next(self, context: Any, chosen: int | None, count: int = _TOP) -> dict[int, float]:
        """Log-probabilities of the likeliest next tokens, and of the one that is chosen by a bias; perhaps none."""
        bias = {} if chosen is None else {"logit_bias": {str(chosen): _BIAS}}
        choice = self._complete(context, max_tokens=1, logprobs=count, **bias)
        places = (choice.get("logprobs") or {}).get("content") or []
        return {
            entry["id"]: float(entry["logprob"])
            for place in places[:1] for entry in [*place.get("top_logprobs", []), place]
        }  # fmt: skip

    def _find_route(self) -> str:
        try:
            choice = self._complete(_PROBE, echo=True, logprobs=_TOP, max_tokens=1)
        except ConnectionError:
            choice = self._complete(_PROBE, logprobs=_TOP, max_tokens=1)
        logprobs = choice.get("logprobs") or {}
        if isinstance(logprobs.get("token_logprobs"), list) and len(logprobs["token_logprobs"]) > 2:
            return "echo"
        if not logprobs:
            raise ValueError(f"endpoint {self.url!r} returns no log-probabilities; llama.cpp's server and vLLM do")
        if not {"id", "logprob"} <= set((logprobs.get("content") or [{}])[0]):
            raise ValueError(
                f"endpoint {self.url!r} tells log-probabilities of what it writes only; "
                "it must echo the prompt (vLLM) or number its tokens (llama.cpp's server)"
            )
        context = self.tokens(_PROBE)
        self._ordinary = context[-1]
        with contextlib.suppress(ConnectionError):
            first = self._next(context, self._ordinary)
            unlikely = min(first, key=lambda token: first[token], default=self._ordinary)
            second = self._next(context, unlikely)
            off = abs(first.get(unlikely, 0.0) - second.get(unlikely, math.inf))
            self._biased = off < _RAW < -first.get(self._ordinary, 0.0)
        return "steps"

    def _first_model(self) -> str | None:
        try:
            return str(self._ask("/v1/models")["data"][0]["id"])
        except (KeyError, IndexError, TypeError):
            return None

    def _complete(self, prompt: Any, **options: Any) -> dict[str, Any]:
        """The one choice of a completion, with what the server counted as "usage"."""
        content = {"prompt": prompt, "temperature": 0.0, "seed": 0} | options
        answer = self._ask("/v1/completions", content | ({"model": self._model} if self._model else {}))
        try:
            return answer["choices"][0] | {"usage": answer.get("usage") or {}}
        except (KeyError, IndexError, TypeError):
            raise ValueError(f"endpoint {self.url!r} returns no choices at /v1/completions") from None

    def _ask(self, path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the server answers to a POST of content, or to a GET, whose refusal is {}."""
        try:
            answer = self._client.request("GET" if content is None else "POST", self.url + path, json=content)
        except self._errors as problem:
            said = str(problem).partition("\n")[0] or type(problem).__name__
            raise ConnectionError(f"endpoint {self.url!r} does not answer ({said}); is the server running?") from None
        if answer.status_code != 200:
            if content is None:
                return {}
            said = " ".join(answer.text.split())[:200]
            raise ConnectionError(f"endpoint {self.url!r} refuses {path} with status {answer.status_code}: {said}")
        try:
            content = answer.json()
        except (json.JSONDecodeError, UnicodeDecodeError):
            content = None
        if not isinstance(content, dict):
            raise ValueError(f"endpoint {self.url!r} answers {path} with something else than a JSON object")
        return content


def _tail(tokens: Sequence[str], continuation: str) -> int | None:
    """The first of the last tokens that spell a continuation, or None where they don't."""
    spelled = ""
    for at in range(len(tokens) - 1, -1, -1):
        spelled = tokens[at] + spelled
        if len(spelled) >= len(continuation):
            return at if spelled.endswith(continuation) else None
    return None
