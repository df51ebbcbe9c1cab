"""Language models behind OpenAI's completion interface: llama.cpp's server, vLLM, SGLang, llama-cpp-python and others.

Two ways are known of how a server tells the log-probability of a text that is given, and the first request finds which
one it has:

- `echo`: it returns the prompt's tokens with their log-probabilities (vLLM, SGLang, llama-cpp-python, OpenAI's own
  once). Prompt and continuation are sent together, one request for each continuation.
- `steps`: it returns the next token's log-probability only (llama.cpp's server). Tokens are those of its /tokenize; for
  each a request has the tokens before it, and `logit_bias` makes the server choose it, so that its log-probability,
  which llama.cpp takes before biases, is told. The first requests check that it is; elsewhere a token that is not among
  the likeliest is refused.

Tokens are those of /tokenize, of llama-cpp-python's /extras/tokenize, or, of a server that has neither, those that it
echoes. A probability of 0 (-Infinity, or vLLM's -9999 in its place) is taken as that; whatever else is no
log-probability is refused.
"""

import contextlib
import math
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

import numpy as np

from semres_jax._checks import require_count
from semres_jax._files import shown
from semres_jax._types import Progress
from semres_jax.measure.language.backends import _continuations, _requests
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
# Log-probabilities above 0 that rounding doesn't explain, and those that stand for a probability of 0 in JSON.
_ABOVE_NONE, _NEVER = 0.1, -9999.0
# Seconds for the list of models, which costs a server nothing.
_LISTING = 30.0


class Endpoint(Backend):
    """A server of completions with log-probabilities.

    Requests are sent again, within bounds, where the server is busy (status 429, 502, 503, 504; Retry-After is heeded)
    or a connection breaks; redirects are followed on the same host, to no other.

    Args:
        url: such as http://127.0.0.1:8080 or .../v1, as it is pasted; perhaps with user:password@.
        model: its name there; the first one that the server lists if not given.
        key: sent as "Authorization: Bearer KEY"; if not given, that of the environment variable SEMRES_API_KEY, or
            else OPENAI_API_KEY. It is written and shown nowhere.
        workers: requests at once.
        timeout: seconds without an answer.

    Raises:
        ImportError: without the packages httpx and tenacity (extra `llm`).
        ConnectionError: it can't be reached, or refuses.
        ValueError: no URL; a key that can't be sent; a server without log-probabilities.

    Example:
        >>> from semres_jax.measure import backends
        >>> backends.Endpoint("ftp://localhost")
        Traceback (most recent call last):
        ValueError: endpoint must be a URL such as http://127.0.0.1:8080; got 'ftp://localhost'
    """

    alone = True

    def __init__(
        self, url: str, model: str | None = None, key: str | None = None, *, workers: int = 4, timeout: float = 120.0
    ):
        self._workers = require_count("workers", workers, 1)
        self._server = _requests.Server(url, key, timeout)
        self.url, self.route = self._server.url, ""
        self._tokenizer: Callable[[str], list[int]] | None = None
        # Numbers of echoed tokens.
        self._numbers: dict[str, int] = {}
        self._biased, self._ordinary = False, 0
        try:
            self._model = model or self._first_model()
            self.route = self._find_route()
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """Name of the model on the server."""
        return shown(self._model or self.url)

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def __enter__(self) -> "Endpoint":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def tokens(self, text: str) -> list[int]:
        """Tokens of a text, those that begin every text before them; those of an echo have numbers of their own.

        Raises:
            ConnectionError: the server has no way to tell them.
        """
        if self._tokenizer is not None:
            return self._tokenizer(text)
        ways = [self._tokenized, self._tokenized_by_extras, *([self._echoed] if self.route == "echo" else [])]
        problems = []
        for way in ways:
            try:
                tokens = way(text)
            except _requests.Refused as problem:
                problems.append(str(problem))
                continue
            self._tokenizer = way
            return tokens
        raise self._server.refusal(
            "must echo the prompt's tokens with log-probabilities (vLLM, SGLang, llama-cpp-python) or have /tokenize "
            f"(llama.cpp's server): {problems[0].removeprefix(f'endpoint {self.url!r} ')}"
        )

    def _tokenized(self, text: str) -> list[int]:
        """By /tokenize of llama.cpp's server, vLLM and SGLang."""
        words = {"content": text, "prompt": text, "add_special": True, "add_special_tokens": True, "model": self._model}
        return self._integers("/tokenize", words)

    def _tokenized_by_extras(self, text: str) -> list[int]:
        """By llama-cpp-python."""
        return self._integers("/extras/tokenize", {"input": text, "model": self._model})

    def _integers(self, path: str, words: dict[str, Any]) -> list[int]:
        answer = self._server.ask(path, words)
        tokens = answer.get("tokens")
        if not isinstance(tokens, list) or not tokens or not all(type(t) is int and t >= 0 for t in tokens):
            raise self._server.refusal(f"gives no numbers of tokens at {path}: {self._server.shown(answer)}")
        return tokens

    def _echoed(self, text: str) -> list[int]:
        return [self._numbers.setdefault(token, len(self._numbers)) for token in self._echo(text)[0]]

    def score(
        self, prompts: Sequence[str], continuations: Sequence[Sequence[str]], progress: Progress | None = None
    ) -> list[np.ndarray]:
        """Log-probabilities of continuations given their prompts, as `Local.score` has them.

        Raises:
            ConnectionError: the server went away, or refuses.
            ValueError: an empty prompt or continuation; a token whose log-probability the server doesn't tell.
        """
        score = self._by_echo if self.route == "echo" else self._by_steps
        return self._in_order(lambda pair: score(*pair), _continuations.paired(prompts, continuations), progress)

    def generate(self, prompts: Sequence[str], max_tokens: int = 16, progress: Progress | None = None) -> list[str]:
        """What the model writes after each prompt, always the likeliest token."""
        require_count("max_tokens", max_tokens, 1)
        return self._in_order(lambda prompt: self._written(prompt, max_tokens), list(prompts), progress)

    def answers(self, function: Callable[[Any], Any], items: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """Places and results of a function of this server's answers, as they come, `workers` at once.

        Where it fails, what is being asked then is waited for and told too, before the error is raised.
        """
        if len(items) == 1:
            yield 0, function(items[0])
            return
        stop = self._server.stop = threading.Event()
        pool, problem = ThreadPoolExecutor(self._workers), None
        try:
            waiting = {pool.submit(function, item): place for place, item in enumerate(items)}
            for future in as_completed(waiting):
                if future.cancelled():
                    continue
                if future.exception() is None:
                    yield waiting[future], future.result()
                elif problem is None:
                    problem = future.exception()
                    stop.set()
                    for other in waiting:
                        other.cancel()
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            self._server.stop = threading.Event()
        if problem is not None:
            raise problem

    def _in_order(self, function: Callable[[Any], Any], items: list[Any], progress: Progress | None) -> list[Any]:
        results: list[Any] = [None] * len(items)
        for done, (place, result) in enumerate(self.answers(function, items), 1):
            results[place] = result
            if progress:
                progress("prompts", done, len(items))
        return results

    def _written(self, prompt: str, max_tokens: int) -> str:
        choice = self._complete(prompt, max_tokens=max_tokens)
        if not isinstance(choice.get("text"), str):
            raise self._server.refusal(f"returns no text at /v1/completions: {self._server.shown(choice)}")
        return choice["text"]

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
        scores = [sum(map(self._log_probability, tokens[first:], values[first:])) for tokens, values in echoed]
        return np.array(scores, np.float64)

    def _echo(self, text: str) -> tuple[list[str], list[Any]]:
        """Tokens of a text and their log-probabilities, as they are told."""
        choice = self._complete(text, echo=True, logprobs=1, max_tokens=1)
        logprobs = _dictionary(choice.get("logprobs"))
        tokens, values = logprobs.get("tokens"), logprobs.get("token_logprobs")
        if not isinstance(tokens, list) or not isinstance(values, list) or len(tokens) != len(values):
            raise self._server.refusal(
                f"returns no log-probabilities of the prompt's tokens, one for each: {self._server.shown(logprobs)}"
            )
        if not all(isinstance(token, str) for token in tokens):
            raise self._server.refusal(f"returns tokens that are no texts: {self._server.shown(tokens)}")
        own = _echoed_tokens(tokens, text, _dictionary(choice["usage"]).get("completion_tokens", 1))
        if own is None:
            raise self._server.refusal(f"echoes less than the text that was sent: {self._server.shown(tokens)}")
        return tokens[:own], values[:own]

    def _log_probability(self, token: Any, value: Any) -> float:
        """A log-probability that a server tells."""
        number = math.nan
        with contextlib.suppress(OverflowError):
            number = float(value) if type(value) in (int, float) else math.nan
        if not number <= _ABOVE_NONE:
            raise self._server.refusal(
                f"tells {self._server.shown(value)} for the log-probability of token {token!r}, which is no finite "
                "number up to 0"
            )
        return -math.inf if number <= _NEVER else number

    def _by_steps(self, prompt: str, continuations: Sequence[str]) -> np.ndarray:
        parts = _continuations.split(self.tokens, prompt, continuations)
        known: dict[tuple[int, ...], dict[int, Any]] = {}
        scores = np.zeros(len(parts.continuations))
        for k, rest in enumerate(parts.continuations):
            for j, token in enumerate(rest):
                values = known.setdefault(tuple(rest[:j]), {})
                if token not in values:
                    values |= self._tell([*parts.prompt, *rest[:j]], token)
                scores[k] += self._log_probability(token, values[token])
        return scores

    def _tell(self, context: list[int], token: int) -> dict[int, Any]:
        """Log-probabilities, as they are told, of some next tokens, one of them that which is asked for."""
        values = self._next(context, token if self._biased else None)
        if token not in values and self._biased:
            # Chosen, llama.cpp says nothing of a token that ends the text or is a part of a character.
            values = self._next(context, self._ordinary, _ALL)
        if token not in values:
            known = f"the {_TOP} likeliest tokens only" if values else "no log-probabilities"
            raise self._server.refusal(f"tells {known}, and token {token} is needed")
        return values

    def _next(self, context: Any, chosen: int | None, count: int = _TOP) -> dict[int, Any]:
        """Log-probabilities of the likeliest next tokens, and of the one that is chosen by a bias; perhaps none."""
        bias = {} if chosen is None else {"logit_bias": {str(chosen): _BIAS}}
        choice = self._complete(context, max_tokens=1, logprobs=count, **bias)
        entries = _numbered(_dictionary(choice.get("logprobs")))
        if entries is None:
            raise self._server.refusal(f"tells log-probabilities in a way of its own: {self._server.shown(choice)}")
        return {entry["id"]: entry["logprob"] for entry in entries}

    def _find_route(self) -> str:
        try:
            choice = self._complete(_PROBE, echo=True, logprobs=1, max_tokens=1)
        except _requests.Refused as problem:
            if problem.status in (401, 403, 404):
                raise
            choice = self._complete(_PROBE, logprobs=_TOP, max_tokens=1)
        logprobs = _dictionary(choice.get("logprobs"))
        if isinstance(logprobs.get("token_logprobs"), list) and len(logprobs["token_logprobs"]) > 2:
            return "echo"
        if not logprobs:
            raise self._server.refusal("returns no log-probabilities; llama.cpp's server and vLLM do")
        if not _numbered(logprobs):
            raise self._server.refusal(
                "tells log-probabilities of what it writes only; "
                "it must echo the prompt (vLLM) or number its tokens (llama.cpp's server)"
            )
        context = self.tokens(_PROBE)
        self._ordinary = context[-1]
        with contextlib.suppress(_requests.Refused):
            first = self._finite(self._next(context, self._ordinary))
            unlikely = min(first, key=lambda token: first[token], default=self._ordinary)
            second = self._finite(self._next(context, unlikely))
            off = abs(first.get(unlikely, 0.0) - second.get(unlikely, math.inf))
            self._biased = off < _RAW < -first.get(self._ordinary, 0.0)
        return "steps"

    @staticmethod
    def _finite(values: dict[int, Any]) -> dict[int, float]:
        numbers = {token: float(value) for token, value in values.items() if type(value) in (int, float)}
        return {token: value for token, value in numbers.items() if math.isfinite(value)}

    def _first_model(self) -> str | None:
        """The first model that the server lists, None where it lists none."""
        try:
            listed = self._server.ask("/v1/models", timeout=_LISTING).get("data")
        except _requests.Refused as problem:
            if problem.status in (None, 401):
                raise
            return None
        entries = listed if isinstance(listed, list) else []
        names = [name for entry in entries if isinstance(name := _dictionary(entry).get("id"), str) and name]
        if len(names) > 1:
            warnings.warn(f"{self.url} has {len(names)} models; the first, {shown(names[0])!r}, is asked", stacklevel=3)
        return names[0] if names else None

    def _complete(self, prompt: Any, **options: Any) -> dict[str, Any]:
        """The one choice of a completion, with what the server counted as "usage"."""
        content = {"prompt": prompt, "temperature": 0.0, "seed": 0} | options
        answer = self._server.ask("/v1/completions", content | ({"model": self._model} if self._model else {}))
        choices = answer.get("choices")
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise self._server.refusal(f"returns no choices at /v1/completions: {self._server.shown(answer)}")
        return choices[0] | {"usage": answer.get("usage")}


def _dictionary(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _numbered(logprobs: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Entries of tokens that have numbers, of the first place that is told; None where they are something else."""
    places = logprobs.get("content") or []
    if not isinstance(places, list) or not all(isinstance(place, dict) for place in places[:1]):
        return None
    entries = [entry for place in places[:1] for entry in [*(place.get("top_logprobs") or []), place]]
    whole = all(isinstance(entry, dict) and type(entry.get("id")) is int and "logprob" in entry for entry in entries)
    return entries if whole else None


def _echoed_tokens(tokens: Sequence[str], text: str, written: Any) -> int | None:
    """How many of the tokens are the text's: where they spell it, or else all but those that were written behind it.

    Args:
        tokens: of the text, and of what the model wrote.
        text: that was sent.
        written: how many the server says it wrote.

    Returns:
        None where tokens of the text are missing.
    """
    written = written if type(written) is int and 0 <= written < len(tokens) else 1
    spelled, ends = "", []
    for count, token in enumerate(tokens, 1):
        spelled += token
        if spelled.endswith(text):
            ends.append(count)
    rest = len(tokens) - written
    if ends:
        return min(ends, key=lambda count: abs(count - rest))
    # Parts of characters may be nothing, and the first token may lack its space.
    lost = rest < 0 or (text.isascii() and sum(map(len, tokens[:rest])) < len(text) - 1)
    return None if lost else rest


def _tail(tokens: Sequence[str], continuation: str) -> int | None:
    """The first of the last tokens that spell a continuation, or None where they don't."""
    spelled = ""
    for at in range(len(tokens) - 1, -1, -1):
        spelled = tokens[at] + spelled
        if len(spelled) >= len(continuation):
            return at if spelled.endswith(continuation) else None
    return None
