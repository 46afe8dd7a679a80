"""``mitmproxy.net.http.cookies``: cookies as pairs, and as ``(name, value, attributes)``."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from flowdump.http import cookies
from flowdump.http.response import CookieAttributes

#: Names of attributes of Set-Cookie (RFC 6265 section 5.2, RFC 2109 section 4.2.2).
_ATTRIBUTES = frozenset(("expires", "domain", "path", "comment", "max-age", "secure", "httponly", "version"))

SetCookie = tuple[str, str | None, CookieAttributes]


def parse_cookie_header(line: str) -> list[list[str]]:
    """``"a=b; c=d"`` -> ``[["a", "b"], ["c", "d"]]``."""
    return [list(pair) for pair in cookies.parse_cookie_header(line)]


def parse_cookie_headers(cookie_headers: Iterable[str]) -> list[list[str]]:
    return [pair for header in cookie_headers for pair in parse_cookie_header(header)]


def parse_set_cookie_header(line: str) -> list[SetCookie]:
    return [(c.name, c.value, CookieAttributes(c.attributes)) for c in cookies.parse_set_cookie(line)]


def parse_set_cookie_headers(headers: Iterable[str]) -> list[SetCookie]:
    return [cookie for header in headers for cookie in parse_set_cookie_header(header)]


def format_set_cookie_header(set_cookies: Iterable[SetCookie]) -> str:
    return ", ".join(cookies.format_set_cookie(name, value, attrs.fields) for name, value, attrs in set_cookies)


def refresh_set_cookie_header(c: str, delta: int) -> str:
    """Move the expiry of a Set-Cookie header by ``delta`` seconds."""
    return cookies.refresh_set_cookie(c, delta)


def get_expiration_ts(cookie_attrs: Any) -> float | None:
    """The time at which a cookie expires, in Unix seconds. None for a session cookie."""
    return cookies.expires_at(_attributes(cookie_attrs), time.time())


def is_expired(cookie_attrs: Any) -> bool:
    return cookies.is_expired(_attributes(cookie_attrs), time.time())


def group_cookies(pairs: Iterable[tuple[str, str | None]]) -> list[SetCookie]:
    """Attach attributes to the cookies that they follow in the pairs of an RFC 2965 Cookie header."""
    cookies: list[SetCookie] = []
    for name, value in pairs:
        if cookies and name.lower() in _ATTRIBUTES:
            cookies[-1][2].add(name, value)
        else:
            cookies.append((name, value, CookieAttributes([])))
    return cookies


def _attributes(attrs: Any) -> Any:
    return attrs.fields if hasattr(attrs, "fields") else tuple(attrs.items())
