"""How traffic comes in: ``regular@127.0.0.1:8080`` as plain facts."""

from __future__ import annotations

import re
from typing import NamedTuple

from flowdump.exceptions import OptionsError

#: Modes that are known, and not there yet.
LATER = ("upstream", "reverse", "socks5", "transparent", "dns", "wireguard", "local", "tun", "http3")

_SPEC = re.compile(
    r"(?P<name>[a-z0-9]+)(?P<rest>:[^@]*)?(?:@(?:(?P<host>\[[^\]]+\]|[^:]*):)?(?P<port>\d{1,5}))?", re.IGNORECASE
)


class Mode(NamedTuple):
    """One listener: ``host`` and ``port`` are None where the options decide. ``spec`` is the text it came from."""

    spec: str
    host: str | None
    port: int | None


def parse(spec: str) -> Mode:
    """``regular``, ``regular@8081``, ``regular@127.0.0.1:8081``, ``regular@[::1]:8081``. Raises OptionsError."""
    found = _SPEC.fullmatch(spec.strip())
    name = found["name"].lower() if found else ""
    if found is None or (name != "regular" and name not in LATER):
        raise OptionsError(f"option 'mode': {spec!r} is no mode; regular or regular@HOST:PORT is expected")
    if name in LATER:
        raise OptionsError(f"option 'mode': {name} mode is not part of this version of flowdump")
    if found["rest"]:
        raise OptionsError(f"option 'mode': regular mode takes no argument, {spec!r} has one")
    port = int(found["port"]) if found["port"] else None
    if port is not None and port > 65535:
        raise OptionsError(f"option 'mode': {spec!r}: there is no port {port}")
    host = found["host"].strip("[]") if found["host"] else None
    return Mode(spec, host, port)
