"""``https://example.com:443`` in pieces, and what can be a host or a port."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Literal, NamedTuple

from flowdump.http import urls

Scheme = Literal["http", "https", "http3", "tls", "dtls", "tcp", "udp", "dns", "quic"]
_SCHEMES = ("http", "https", "http3", "tls", "dtls", "tcp", "udp", "dns", "quic")
_DEFAULT_PORTS = {"http": 80, "https": 443, "http3": 443, "quic": 443, "dns": 53}

_SPEC = re.compile(r"(?:(?P<scheme>\w+)://)?(?P<authority>[^/]+)/?").fullmatch


class _Pair(NamedTuple):
    scheme: str
    address: tuple[str, int]


class ServerSpec(_Pair):
    """A server, such as an upstream proxy: its scheme, and where it is.

    ``ServerSpec("http", ("host", 80))`` and ``ServerSpec(("http", ("host", 80)))``: scripts write either. It prints as
    the plain pair that it is in mitmproxy.
    """

    __slots__ = ()
    __repr__ = tuple.__repr__

    def __new__(cls, scheme: Any, address: Any = None) -> ServerSpec:
        return super().__new__(cls, *(scheme if address is None else (scheme, address)))


@cache
def parse(server_spec: str, default_scheme: str) -> ServerSpec:
    """``parse("example.com", "https")``. Raises ValueError for what names no server."""
    found = _SPEC(server_spec)
    if not found:
        raise ValueError(f"Invalid server specification: {server_spec}")
    scheme = found["scheme"] or default_scheme
    if scheme not in _SCHEMES:
        raise ValueError(f"Invalid server scheme: {scheme}")
    host, colon, digits = found["authority"].rpartition(":")
    if not colon or not digits.isdigit():
        host, digits = found["authority"], ""
    if not is_valid_host(host.strip("[]")):
        raise ValueError(f"Invalid hostname: {host}")
    port = int(digits) if digits else _DEFAULT_PORTS.get(scheme)
    if port is None:
        raise ValueError(f"Port specification missing: {server_spec}")
    if not is_valid_port(port):
        raise ValueError(f"Invalid port: {port}")
    return ServerSpec(scheme, (host.strip("[]"), port))


def is_valid_host(host: str | bytes) -> bool:
    """Whether a name or an address can be one of a host."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    try:
        name, port = urls.parse_authority(f"[{text}]" if ":" in text else text, check=True)
    except ValueError:
        return False
    return bool(name) and port is None


def is_valid_port(port: int) -> bool:
    return 0 <= port <= 65535


__all__ = ["Scheme", "ServerSpec", "is_valid_host", "is_valid_port", "parse"]
