"""The proxy mode in a flow file: ``name[:data][@[host:]port]``, as mitmproxy 12 parses it.

mitmproxy refuses a flow whose mode it cannot parse, so what is written must be something it can. The rules were found
by giving it specifications; where it is more lenient than any mode it writes itself (digits of other scripts, blanks),
the mode counts as unknown here.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_PLAIN_MODES: Final = frozenset(("regular", "transparent", "socks5", "dns"))
_FREE_MODES: Final = frozenset(("wireguard", "tun"))
_TARGET_SCHEMES: Final = {
    "reverse": frozenset(("", "http", "https", "http3", "tls", "dtls", "tcp", "udp", "dns", "quic")),
    "upstream": frozenset(("", "http", "https")),
}
_NEEDS_PORT: Final = frozenset(("tls", "dtls", "tcp", "udp"))


@lru_cache(maxsize=128)
def storable_mode(spec: str) -> str:
    """The mode as a released mitmproxy can parse it: without credentials, ``regular`` where it knows no such mode.

    ``osproxy`` (10.0.0 to 10.1.2) is today's ``local``. A user name and password before the target's host do not
    parse, and do not belong in a file: they are cut out.
    """
    if spec.lower().startswith("osproxy"):
        spec = f"local{spec[7:]}"
    if is_known_mode(spec):
        return spec
    bare = re.sub(r"(?i)\A((?:reverse|upstream):(?:\w+://)?)[^@/]*@", r"\1", spec)
    return bare if is_known_mode(bare) else "regular"


def is_known_mode(spec: str) -> bool:
    """Whether mitmproxy 12 parses ``name[:data][@[host:]port]``."""
    head, _, listen = spec.rpartition("@") if "@" in spec else (spec, "", "")
    name, _, data = head.partition(":")
    name = name.lower() if name.isascii() else ""
    if listen and not _is_port(listen.rpartition(":")[2]):
        return False
    if "@" in data:
        return False
    if name in _TARGET_SCHEMES:
        return _is_target(data, _TARGET_SCHEMES[name])
    if name == "local":
        return not data or all(part.removeprefix("!") for part in data.split(","))
    return name in _FREE_MODES or (name in _PLAIN_MODES and not data)


def _is_port(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and len(digits) <= 5 and int(digits) <= 65535


def _is_target(data: str, schemes: frozenset[str]) -> bool:
    match = re.fullmatch(r"(?:(\w+)://)?([^:/\[\]@\s]+|\[[0-9A-Za-z:.%]+\])(?::([0-9]+))?/?", data)
    if match is None:
        return False
    scheme, name, port = match.groups(default="")
    if scheme not in schemes or (port and not _is_port(port)) or (not port and scheme in _NEEDS_PORT):
        return False
    return name.startswith("[") or _is_host_name(name)


def _is_host_name(name: str) -> bool:
    try:
        ascii_name = name.encode("idna")
        ascii_name.decode("idna")
    except UnicodeError:
        return False
    return len(ascii_name) <= 255 and re.fullmatch(rb"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?", ascii_name) is not None
