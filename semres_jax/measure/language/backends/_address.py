"""Where a server of language models is, however its address was pasted, and the key that it wants."""

import ipaddress
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from semres_jax._files import shown

if TYPE_CHECKING:
    import httpx

# Variables of the environment that hold the key, the first that is set counts.
KEYS = ("SEMRES_API_KEY", "OPENAI_API_KEY")
# What people paste behind the base: an endpoint of the interface, or the server's own pages.
_ENDPOINTS = re.compile(
    r"(/(chat/)?completions?|/chat|(/extras)?/(de)?tokenize(/count)?|(?<=/v1)/(models|responses|embeddings|messages)"
    r"|/(docs|health|metrics))$",
    re.IGNORECASE,
)
_VERSION = re.compile(r"/v\d+\w*$", re.IGNORECASE)
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://", re.IGNORECASE)


class Address(NamedTuple):
    """A server's address.

    Attributes:
        base: scheme, host, port and prefix, without anything secret: what messages and results may hold.
        api: what the interface's own paths begin with: "/v1", or nothing where the base has another version.
        login: user and password that the URL had, or None.
    """

    base: str
    api: str
    login: tuple[str, str] | None


def address(text: str) -> Address:
    """The address that a URL means, with or without scheme, /v1, endpoint, slashes, query and fragment.

    Raises:
        ValueError: it is none; one line without the password that it may have.

    Example:
        >>> from semres_jax.measure.language.backends import _address
        >>> _address.address(" localhost:8080/v1/chat/completions?stream=true ").base
        'http://localhost:8080'
        >>> _address.address("ftp://localhost")
        Traceback (most recent call last):
        ValueError: endpoint must be a URL such as http://127.0.0.1:8080; got 'ftp://localhost'
    """
    import httpx

    bare = text.strip(" \t\r\n\"'`<>")
    scheme, plain = _SCHEME.match(bare), re.split(r"[?#]", bare)[0]
    hint = " (a password's own / ? # and @ must be percent-encoded)" if "@" in bare else ""
    refusal = ValueError(f"endpoint must be a URL such as http://127.0.0.1:8080; got {_secretless(bare)!r}{hint}")
    try:
        url = httpx.URL(plain if scheme else f"http://{plain.removeprefix('//')}")
        host = url.host
    except (httpx.InvalidURL, ValueError):
        raise refusal from None
    path = re.sub("/+", "/", url.raw_path.decode("ascii")).rstrip("/")
    with_port = re.search(r":\d+(/|$)", plain) is not None
    if (
        (scheme and scheme[1].lower() not in ("http", "https"))
        or not (scheme or with_port or is_loopback(host) or "." in host)
        or not (url.port is None or 0 < url.port < 65536)
        or not _is_host(host)
        or not plain.isprintable() or re.search(r"\s", plain)
        or "@" in path or "@" in bare[len(plain) :]  # of a password with / ? or #
    ):  # fmt: skip
        raise refusal
    if not scheme and (url.port == 443 or (not with_port and re.search(r"[a-z].*\.|\..*[a-z]", host))):
        url = url.copy_with(scheme="https")
    path = re.sub("/v1$", "", _ENDPOINTS.sub("", path), flags=re.IGNORECASE)
    login = (url.username, url.password) if url.userinfo else None
    base = str(url.copy_with(userinfo=b"", raw_path=path.encode() or b"/")).rstrip("/")
    return Address(base, "" if _VERSION.search(path) else "/v1", login)


def _secretless(text: str) -> str:
    """A URL as messages may show it: without query, and without what may be a password, up to the last @."""
    bare = re.sub(r"^([a-z0-9+.-]*://)?.*@", r"\1", text, flags=re.IGNORECASE | re.DOTALL)
    return shown(re.split(r"[?#]", bare)[0])


def same_host(first: "httpx.URL", second: "httpx.URL") -> bool:
    """Whether both are on one host, and the second doesn't give up encryption."""
    return first.host == second.host and (first.scheme, second.scheme) in (
        ("http", "http"), ("http", "https"), ("https", "https")
    )  # fmt: skip


def is_loopback(host: str) -> bool:
    """Whether a host is this machine itself, which no proxy can reach for us."""
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    return number.is_loopback or number.is_unspecified


def key_of(given: str | None) -> tuple[str, str] | None:
    """The key and where it is from: the one given, or that of the first of `KEYS` which is set; None where none is.

    Raises:
        ValueError: it can't be sent; one line that doesn't show it.
    """
    name = "key" if given is not None else next((name for name in KEYS if os.environ.get(name)), None)
    if name is None:
        return None
    key = (os.environ[name] if given is None else given).strip().removeprefix("Bearer ").strip()
    if not key:
        raise ValueError(f"{name} is blank; set it to the server's key, or leave it out")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ValueError(f"{name} holds blanks or characters that no key has (it is not shown here); copy it anew")
    return key, name


def _is_host(host: str) -> bool:
    return (
        host not in ("http", "https")
        and all(host.rstrip(".").split("."))
        and re.search(r"\w", host) is not None
        and re.search(r"[%\\*|^]", host) is None
    )
