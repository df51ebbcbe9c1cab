"""Requests to a server: redirects on its own host, asking again when it is busy or gone for a moment, and bounds."""

import base64
import contextlib
import datetime
import email.utils
import json
import threading
import time
from typing import Any

from semres_jax._files import shown
from semres_jax.measure.language.backends._address import KEYS, address, is_loopback, key_of, same_host

# Statuses of a server, or of what stands before it, that will be better in a moment.
BUSY = (429, 502, 503, 504)
_REDIRECTS, _PERMANENT, _HOPS = (301, 302, 307, 308), (301, 308), 5
# A request is sent so often, with pauses from `FIRST` seconds on that double; longer ones, as a server's Retry-After
# wants them, up to `LONGEST`.
TRIES, FIRST, LONGEST = 5, 0.5, 60.0
# Seconds for all tries of one request, or twice its timeout.
_IN_ALL = 180.0
_CONNECT = 10.0
# Of an answer; llama.cpp's server tells a quarter of a million tokens in a third of it.
MOST_BYTES = 2**26
_SHOWN = 200


class Refused(ConnectionError, ValueError):
    """A server answers, but with nothing that can be used. One line that names the server and what it sent.

    Attributes:
        status: of its answer, if that is the reason.
    """

    status: int | None = None


class Gone(ConnectionError):
    """No answer, or one of `BUSY`: it may be better when asked again.

    Attributes:
        after: seconds that the server wants to be left alone.
        soon: whether it is worth to ask again before anything was ever answered.
    """

    after: float | None = None
    soon: bool = True


class Server:
    """A server that answers with JSON.

    Args:
        url: as people paste it.
        key: sent as "Authorization: Bearer KEY"; that of the environment if not given. A user and password of the URL
            go first.
        timeout: seconds until a request counts as not answered.

    Raises:
        ImportError: without the packages httpx and tenacity (extra `llm`).
        ValueError: no URL, no key that can be sent, a proxy or certificates in the environment that can't be used.
    """

    def __init__(self, url: str, key: str | None, timeout: float):
        try:
            import httpx
            import tenacity
        except ImportError:
            raise ImportError(
                "an endpoint needs the packages httpx and tenacity: pip install 'semres-jax[llm]'"
            ) from None
        self.url, self._api, login = address(url)
        key_and_name = None if login else key_of(key)
        self._root, self._timeout = self.url, timeout
        self._secrets, self._key_name, headers = [], None, {}
        if key_and_name is not None:
            self._secrets, self._key_name = [key_and_name[0]], key_and_name[1]
            headers = {"Authorization": f"Bearer {key_and_name[0]}"}
        elif login is not None:
            pair = ":".join(login)
            self._secrets = [base64.b64encode(pair.encode()).decode(), pair, login[1]]
        # What ends the pauses of requests that run, when nobody waits for them any more.
        self.stop, self._answered = threading.Event(), False
        try:
            self._client = httpx.Client(
                headers=headers,
                auth=login,
                timeout=httpx.Timeout(timeout, connect=min(timeout, _CONNECT)),
                trust_env=not is_loopback(httpx.URL(self.url).host),  # proxies
                verify=self._certificates(httpx),
            )
        except (ImportError, ValueError, OSError, httpx.InvalidURL) as problem:
            said = self._without_secrets(str(problem))
            raise ValueError(
                f"the environment's proxy or certificates (HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE) can't be used for an "
                f"endpoint: {said}"
            ) from None
        self._httpx, self._tenacity = httpx, tenacity

    def _certificates(self, httpx: Any) -> Any:
        """Those to trust, as the environment has them; what is wrong there is no matter where nothing is encrypted."""
        try:
            return httpx.create_ssl_context()
        except OSError:
            if self.url.startswith("https:"):
                raise
            return httpx.create_ssl_context(trust_env=False)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, path: str, content: dict[str, Any] | None = None, timeout: float | None = None) -> dict[str, Any]:
        """The JSON object that the server answers to a POST of content, or to a GET.

        Args:
            path: as "/tokenize" or "/v1/completions".
            content: what is posted.
            timeout: shorter than the usual one.

        Raises:
            Refused: something else than a JSON object, or a status that won't change.
            ConnectionError: no answer after all tries.
        """
        waiting = self._tenacity
        limit, stop = max(_IN_ALL, 2 * self._timeout), self.stop
        tries = waiting.Retrying(
            retry=waiting.retry_if_exception(lambda error: isinstance(error, Gone) and (self._answered or error.soon)),
            stop=waiting.stop_any(
                waiting.stop_after_attempt(TRIES), waiting.stop_before_delay(limit),
                waiting.stop_when_event_set(stop),
            ),
            wait=_pause,
            sleep=waiting.sleep_using_event(stop),
            reraise=True,
        )  # fmt: skip
        try:
            answer = tries(self._once, path, content, min(timeout or self._timeout, self._timeout))
        except Gone as problem:
            count = tries.statistics.get("attempt_number", 1)
            raise ConnectionError(f"{problem}{f'; asked {count} times' if count > 1 else ''}") from None
        except Refused:
            self._answered = True
            raise
        self._answered = True
        return answer

    def refusal(self, words: str) -> Refused:
        """What to raise of an answer that can't be used: `words` go on from the server's name."""
        return Refused(f"endpoint {self.url!r} {words}")

    def shown(self, answer: Any) -> str:
        """A part of what a server sent, as messages may show it."""
        return self._said(json.dumps(answer, ensure_ascii=False))

    def _said(self, text: str) -> str:
        return self._without_secrets(shown(" ".join(text[: 20 * _SHOWN].split()), _SHOWN))

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "***") if len(secret) > 2 else text
        return text

    def _once(self, path: str, content: dict[str, Any] | None, timeout: float) -> dict[str, Any]:
        path = path.removeprefix("/v1") if not self._api else path
        method, url = "GET" if content is None else "POST", self._httpx.URL(self._root + path)
        for _ in range(_HOPS):
            status, headers, body = self._exchange(method, url, content, timeout)
            if not 300 <= status < 400:
                break
            url = self._redirected(url, headers.get("location"), status, path)
        else:
            raise self.refusal(f"redirects {path} in circles (last to {_public(url)}); give the address that answers")
        text = body.decode("utf-8", "replace")
        if status in BUSY:
            problem = Gone(f"endpoint {self.url!r} refuses {path} with status {status}: {self._said(text)}")
            problem.after = _seconds(headers.get("retry-after", ""))
            raise problem
        if not 200 <= status < 300:
            problem = self.refusal(f"refuses {path} with status {status}: {self._said(text)}{self._about_key(status)}")
            problem.status = status
            raise problem
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise self.refusal(f"answers {path} with something else than a JSON object: {self._said(text)!r}")
        return answer

    def _exchange(
        self, method: str, url: Any, content: dict[str, Any] | None, timeout: float
    ) -> tuple[int, Any, bytes]:
        """Status, headers and body of one answer."""
        httpx, started, body = self._httpx, time.monotonic(), bytearray()
        patience = httpx.Timeout(timeout, connect=min(timeout, _CONNECT))
        try:
            with self._client.stream(method, url, json=content, timeout=patience) as answer:
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > MOST_BYTES:
                        raise self.refusal(f"answers {url.path} with more than {MOST_BYTES // 2**20} MiB")
                    if time.monotonic() - started > 2 * timeout:
                        raise httpx.ReadTimeout("its answer did not end")
                return answer.status_code, answer.headers, bytes(body)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            said = self._without_secrets(shown(str(error).partition("\n")[0] or type(error).__name__))
            if isinstance(error, httpx.TimeoutException):
                said = f"{said}, {timeout:g} s"
            if "location header" in said:  # httpx reads it itself
                raise self.refusal(f"redirects {url.path} to what is no address ({said})") from None
            if "CERTIFICATE" in said:
                said += "; SSL_CERT_FILE can name a file of certificates to trust"
            if "WRONG_VERSION" in said:
                said += "; perhaps it speaks http://"
            where = "" if str(url).startswith(self.url) else f" at {_public(url)}"
            problem = Gone(f"endpoint {self.url!r} does not answer{where} ({said}); is the server running?")
            # Before anything was answered, what isn't there or hangs is more likely a wrong address.
            problem.soon = not isinstance(error, (httpx.ConnectError, httpx.TimeoutException, httpx.ProxyError))
            if not isinstance(error, httpx.TransportError) or isinstance(error, httpx.LocalProtocolError):
                raise Refused(str(problem)) from None
            raise problem from None

    def _redirected(self, url: Any, location: str | None, status: int, path: str) -> Any:
        """Where a redirect leads to, if it may be followed; the key goes to no other host and to no other port."""
        to = None
        if location is not None:
            with contextlib.suppress(self._httpx.InvalidURL, ValueError):
                to = url.join(location).copy_with(userinfo=b"", fragment=None)
        if to is None:
            raise self.refusal(f"redirects {path} with status {status} and no address; give the one that answers")
        key_stays = not self._secrets or to.scheme == "https" or to.port == url.port
        if status not in _REDIRECTS or not same_host(url, to) or not key_stays:
            raise self.refusal(
                f"redirects {path} to {_public(to)}, which is not followed (status {status}); if that is the server, "
                "give its address"
            )
        if to.path.endswith(path) and not to.query and (status in _PERMANENT or to.scheme != url.scheme):
            self._root = str(to).removesuffix(path)
        return to

    def _about_key(self, status: int) -> str:
        if status not in (401, 403):
            return ""
        if self._secrets:
            return f" (sent was the key of {self._key_name})" if self._key_name else " (sent was the URL's password)"
        return f" (a key is taken from the environment: {' or '.join(KEYS)})"


def _public(url: Any) -> str:
    """A URL as messages may show it: its query may hold tokens."""
    return shown(str(url.copy_with(query=None)))


def _pause(state: Any) -> float:
    """Seconds until a request is sent again: twice as long each time, and as the server wants within bounds."""
    import tenacity

    own = (tenacity.wait_exponential(multiplier=FIRST, max=LONGEST) + tenacity.wait_random(0, FIRST))(state)
    after = getattr(state.outcome.exception(), "after", None)
    return max(own, after) if after is not None and after <= LONGEST else own


def _seconds(after: str) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or a date; None where it makes no sense.

    Example:
        >>> from semres_jax.measure.language.backends import _requests
        >>> _requests._seconds("7"), _requests._seconds("Wed, 21 Oct 2015 07:28:00 GMT"), _requests._seconds("soon")
        (7.0, 0.0, None)
    """
    try:
        seconds = float(after)
    except ValueError:
        try:
            date = email.utils.parsedate_to_datetime(after)
        except (ValueError, TypeError, OverflowError):
            return None
        date = date if date.tzinfo else date.replace(tzinfo=datetime.UTC)
        seconds = max((date - datetime.datetime.now(datetime.UTC)).total_seconds(), 0.0)
    return seconds if seconds >= 0 else None
