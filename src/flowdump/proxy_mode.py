"""How traffic comes in, as text that knows its parts: ``client_conn.proxy_mode``.

``ProxyMode.parse("reverse:https://example.com@8081")`` is a ``ReverseMode``; it is a str, and is stored as one. What
the parts mean is looked at when they are asked for.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, ClassVar, Self

from flowdump import server_spec

#: ``name:data@host:port``; data may have an @ of its own, so only one in front of a port counts.
_SPEC = re.compile(
    r"(?P<name>[a-zA-Z0-9]+)(?::(?P<data>.*?))?(?:@(?:(?P<host>\[[^]]*\]|[^@:/]*):)?(?P<port>\d{1,5}))?"
).fullmatch


class ProxyMode(str):
    """A mode as it was written: ``type_name[:data][@[host:]port]``."""

    __slots__ = ()

    type_name: ClassVar[str] = ""
    transport_protocol: ClassVar[str] = "tcp"
    DESCRIPTION: ClassVar[str] = ""

    @classmethod
    def parse(cls, spec: str) -> Any:
        """Raises ValueError for what is no mode, or (asked of a subclass) not this one."""
        kind = _KINDS.get(_parts(spec)["name"].lower())
        if kind is None:
            raise ValueError("unknown mode")
        if not issubclass(kind, cls):
            raise ValueError(f"{spec!r} is not a spec for a {cls.type_name} mode")
        mode = kind(spec)
        mode.check()
        return mode

    @classmethod
    def of(cls, spec: str) -> ProxyMode:
        """The mode that a text names, without a look at what it says of it."""
        return _of(spec)

    def check(self) -> None:
        """Raises ValueError for a port that is none, or for data that the mode cannot take."""
        if (self.custom_listen_port or 0) > 65535:
            raise ValueError(f"invalid port: {self.custom_listen_port}")
        self.check_data()

    def check_data(self) -> None:
        if self.data:
            raise ValueError("mode takes no arguments")

    @property
    def full_spec(self) -> str:
        return str(self)

    @property
    def data(self) -> str:
        return _parts(self)["data"] or ""

    @property
    def description(self) -> str:
        return self.DESCRIPTION

    @property
    def custom_listen_host(self) -> str | None:
        return _parts(self)["host"] or None

    @property
    def custom_listen_port(self) -> int | None:
        port = _parts(self)["port"]
        return int(port) if port else None

    def listen_host(self, default: str | None = None) -> str:
        return self.custom_listen_host or default or ""

    def listen_port(self, default: int | None = None) -> int | None:
        return self.custom_listen_port if self.custom_listen_port is not None else default

    def get_state(self) -> str:
        return str(self)

    @classmethod
    def from_state(cls, state: str) -> Self:
        return cls.parse(state)  # type: ignore[no-any-return]


def _parts(spec: str) -> re.Match[str]:
    found = _SPEC(spec)
    if found is None:
        raise ValueError(f"{spec!r} is no mode")
    return found


class RegularMode(ProxyMode):
    __slots__ = ()
    type_name = "regular"
    DESCRIPTION = "HTTP(S) proxy"


class TransparentMode(ProxyMode):
    __slots__ = ()
    type_name = "transparent"
    DESCRIPTION = "Transparent Proxy"


class Socks5Mode(ProxyMode):
    __slots__ = ()
    type_name = "socks5"
    DESCRIPTION = "SOCKS v5 proxy"


class DnsMode(ProxyMode):
    __slots__ = ()
    type_name = "dns"
    DESCRIPTION = "DNS server"
    transport_protocol = "both"


class _WithServer(ProxyMode):
    """A mode that names a server."""

    __slots__ = ()
    DEFAULT_SCHEME: ClassVar[str] = "https"

    @property
    def scheme(self) -> str:
        """Raises ValueError, as ``address`` does, for what names no server."""
        return server_spec.parse(self.data, self.DEFAULT_SCHEME)[0]

    @property
    def address(self) -> tuple[str, int]:
        return server_spec.parse(self.data, self.DEFAULT_SCHEME)[1]

    def check_data(self) -> None:
        server_spec.parse(self.data, self.DEFAULT_SCHEME)


class UpstreamMode(_WithServer):
    __slots__ = ()
    type_name = "upstream"
    DESCRIPTION = "HTTP(S) proxy (upstream mode)"
    DEFAULT_SCHEME = "http"

    def check_data(self) -> None:
        if self.scheme not in ("http", "https"):
            raise ValueError("invalid upstream proxy scheme")


class ReverseMode(_WithServer):
    __slots__ = ()
    type_name = "reverse"
    transport_protocol = "both"

    @property
    def description(self) -> str:
        return f"reverse proxy to {self.data}"


_KINDS: dict[str, type[ProxyMode]] = {
    kind.type_name: kind for kind in (RegularMode, TransparentMode, Socks5Mode, DnsMode, UpstreamMode, ReverseMode)
}


@lru_cache(maxsize=64)
def _of(spec: str) -> ProxyMode:
    found = _SPEC(spec)
    return _KINDS.get(found["name"].lower() if found else "", ProxyMode)(spec)
