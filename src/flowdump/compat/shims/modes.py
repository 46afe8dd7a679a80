"""How traffic comes in, as classes: ``ProxyMode.parse("reverse:https://example.com@8081")``."""

from __future__ import annotations

import re
from typing import ClassVar

from flowdump.compat.shims import server_spec


class ProxyMode:
    """A mode of the proxy as it is written: ``type_name[:data][@[host:]port]``.

    Two are equal when they were written alike.
    """

    type_name: ClassVar[str] = ""
    description: ClassVar[str] = ""
    transport_protocol: ClassVar[str] = "tcp"
    takes_data: ClassVar[bool] = False

    def __init__(self, full_spec: str, data: str, host: str | None, port: int | None) -> None:
        self.full_spec = full_spec
        self.data = data
        self.custom_listen_host = host
        self.custom_listen_port = port
        self._understand()

    def _understand(self) -> None:
        """Raises ValueError for data that the mode cannot take."""
        if self.data:
            raise ValueError("mode takes no arguments")

    @classmethod
    def parse(cls, spec: str) -> ProxyMode:
        """Raises ValueError for what is no mode, or (asked of a subclass) not this one."""
        found = _SPEC(spec)
        if found is None:
            raise ValueError("unknown mode")
        kind = _KINDS.get(found["name"].lower())
        if kind is None:
            raise ValueError("unknown mode")
        if not issubclass(kind, cls):
            raise ValueError(f"{spec!r} is not a spec for a {cls.type_name} mode")
        port = int(found["port"]) if found["port"] else None
        if port is not None and port > 65535:
            raise ValueError(f"invalid port: {port}")
        return kind(spec, found["data"] or "", found["host"] or None, port)

    def listen_host(self, default: str | None = None) -> str:
        return self.custom_listen_host or default or ""

    def listen_port(self, default: int | None = None) -> int | None:
        return self.custom_listen_port if self.custom_listen_port is not None else default

    def get_state(self) -> str:
        return self.full_spec

    from_state = parse

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ProxyMode) and self.full_spec == other.full_spec

    def __hash__(self) -> int:
        return hash(self.full_spec)

    def __repr__(self) -> str:
        return f"ProxyMode.parse({self.full_spec!r})"


#: ``name:data@host:port``; data may have an @ of its own, so the last one counts where a port follows.
_SPEC = re.compile(
    r"(?P<name>[a-zA-Z0-9]+)(?::(?P<data>.*?))?(?:@(?:(?P<host>\[[^]]*\]|[^@:/]*):)?(?P<port>\d{1,5}))?"
).fullmatch


class RegularMode(ProxyMode):
    type_name = "regular"
    description = "HTTP(S) proxy"


class TransparentMode(ProxyMode):
    type_name = "transparent"
    description = "Transparent Proxy"


class Socks5Mode(ProxyMode):
    type_name = "socks5"
    description = "SOCKS v5 proxy"


class _WithServer(ProxyMode):
    """A mode that names a server: ``scheme`` and ``address``."""

    scheme: str
    address: tuple[str, int]

    def _understand(self) -> None:
        self.scheme, self.address = server_spec.parse(self.data, "https")


class UpstreamMode(_WithServer):
    type_name = "upstream"
    description = "HTTP(S) proxy (upstream mode)"

    def _understand(self) -> None:
        self.scheme, self.address = server_spec.parse(self.data, "http")
        if self.scheme not in ("http", "https"):
            raise ValueError("invalid upstream proxy scheme")


class ReverseMode(_WithServer):
    type_name = "reverse"
    transport_protocol = "both"

    @property
    def description(self) -> str:  # type: ignore[override]
        return f"reverse proxy to {self.data}"


class DnsMode(ProxyMode):
    type_name = "dns"
    description = "DNS server"
    transport_protocol = "both"


_KINDS: dict[str, type[ProxyMode]] = {
    kind.type_name: kind for kind in (RegularMode, TransparentMode, Socks5Mode, UpstreamMode, ReverseMode, DnsMode)
}
