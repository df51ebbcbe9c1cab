"""What the tests of endpoints share: surroundings without keys and proxies, scores of a server, what is said of it."""

import httpx
import pytest

from semres_jax.measure import backends
from semres_jax.measure.language.backends import _address, _requests
from tests.measure.fake_servers import serving, worth

PROMPT, NAMES = "Was it Ed or Kim? It was", [" Ed", " Kim"]
EXPECTED = [worth(" Ed"), worth(" Kim")]
CERTIFICATES = httpx.create_ssl_context()  # slow to read


@pytest.fixture(autouse=True)
def surroundings(monkeypatch):
    """No keys and proxies of whoever runs the tests, and short pauses."""
    for name in (*_address.KEYS, *(f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "ALL", "NO"))):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setattr(_requests, "FIRST", 0.01)
    monkeypatch.setattr(httpx, "create_ssl_context", lambda **_: CERTIFICATES)


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
