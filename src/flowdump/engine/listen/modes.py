"""How traffic comes in: ``reverse:https://example.com@127.0.0.1:8443`` as plain facts.

::

    regular                                   an HTTP proxy
    upstream:[SCHEME://][USER:PASSWORD@]HOST[:PORT]
                                              the same, in front of another proxy: http, https, socks5 (names are
                                              resolved here) or socks5h (the other proxy resolves them)
    reverse:[SCHEME://]HOST[:PORT]            in front of one server: http, https, tcp, tls, dns, udp
    socks5                                    a SOCKS proxy (RFC 1928)
    transparent                               connections that the kernel redirects
    dns                                       a name server

Each may end in ``@[HOST:]PORT``, where it listens. Specifications are those of mitmproxy; credentials and SOCKS in
``upstream`` are our own. A single ``@`` in ``upstream`` may then mean two things, and is refused where both are
likely.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from flowdump.connection import hostport
from flowdump.exceptions import OptionsError
from flowdump.http import urls

Kind = Literal["regular", "upstream", "reverse", "socks5", "transparent", "dns"]
Transport = Literal["tcp", "udp"]

#: Kinds that mitmproxy has, and what they would take.
LATER = {
    "wireguard": "a WireGuard tunnel",
    "local": "a helper in the kernel",
    "osproxy": "a helper in the kernel",
    "tun": "a network interface of its own",
    "http3": "QUIC",
}

#: Schemes of mitmproxy that need QUIC or DTLS.
LATER_SCHEMES = ("http3", "quic", "dtls")

#: Scheme -> the port where none is given; 0 where one has to be.
PORTS: dict[str, dict[str, int]] = {
    "reverse": {"http": 80, "https": 443, "tcp": 0, "tls": 0, "dns": 53, "udp": 0},
    "upstream": {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080},
}
_TITLES = {
    "regular": "HTTP(S) proxy",
    "upstream": "HTTP(S) proxy in front of",
    "reverse": "reverse proxy to",
    "socks5": "SOCKS proxy",
    "transparent": "transparent proxy",
    "dns": "DNS server",
}
_DEFAULT_SCHEME = {"reverse": "https", "upstream": "http"}
_EXAMPLE = {"reverse": "reverse:https://HOST[:PORT]", "upstream": "upstream:http://[USER:PASSWORD@]HOST[:PORT]"}

_LISTEN = re.compile(r"(?:(?P<host>\[[^\[\]]+\]|[^:/@\[\]]*):)?(?P<port>[0-9]{1,5})").fullmatch
#: Hosts that can only be listening addresses: no other proxy is reached at these.
_OWN_HOSTS = re.compile(r"|localhost|127\.\d+\.\d+\.\d+|0\.0\.0\.0|\[::1?\]|\*", re.IGNORECASE).fullmatch


class Credentials(NamedTuple):
    """A user name and password, percent-decoded. Never shown."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(…)"


class Target(NamedTuple):
    """The server of reverse mode, or the other proxy of upstream mode."""

    scheme: str
    host: str
    port: int


class Mode(NamedTuple):
    """One listener.

    ``host`` and ``port`` are where it listens, None where the options decide; ``default_port`` is what it listens on
    where these do not say either. ``stored`` is the specification without credentials: for files, events and messages.
    """

    kind: Kind
    stored: str
    host: str | None = None
    port: int | None = None
    target: Target | None = None
    credentials: Credentials | None = None

    @property
    def transports(self) -> tuple[Transport, ...]:
        """What it listens for: UDP, TCP or both."""
        if self.speaks_dns:
            return ("tcp", "udp")
        return ("udp",) if self.target is not None and self.target.scheme == "udp" else ("tcp",)

    @property
    def speaks_dns(self) -> bool:
        return self.kind == "dns" or (
            self.kind == "reverse" and self.target is not None and self.target.scheme == "dns"
        )

    @property
    def default_port(self) -> int:
        """53 for DNS, 1080 for SOCKS (as mitmproxy has it), else 8080."""
        return 53 if self.speaks_dns else 1080 if self.kind == "socks5" else 8080

    @property
    def title(self) -> str:
        """What it is, for people; without credentials."""
        if self.target is None:
            return _TITLES[self.kind]
        where = f"{self.target.scheme}://{hostport(self.target[1:])}"
        return f"{_TITLES[self.kind]} {where}"

    @property
    def sees_tls(self) -> bool:
        """Whether its clients may speak TLS to us, so that they have to trust our certificate authority."""
        return not self.speaks_dns and (self.target is None or self.target.scheme not in ("udp", "tcp"))

    @property
    def can_ask(self) -> bool:
        """Whether clients can be asked for credentials: what they speak has a place for that, or may have."""
        return not (self.speaks_dns or (self.target is not None and self.target.scheme in ("tcp", "tls", "udp")))

    @property
    def is_proxy(self) -> bool:
        """Whether clients know that they talk to an HTTP proxy."""
        return self.kind in ("regular", "upstream")


def parse(spec: str) -> Mode:
    """A specification as facts. Raises OptionsError."""
    text = spec.strip()
    name, colon, rest = text.partition(":")
    if "@" in name:
        name, _, listen = text.partition("@")
        colon, rest = "", f"@{listen}"
    kind = name.lower()
    if kind in LATER:
        raise _error(spec, f"{kind} mode needs {LATER[kind]}; it comes in a later version of flowdump")
    if kind == "upstream":
        return _upstream(spec, rest)
    if kind == "reverse":
        return _reverse(spec, rest)
    if kind not in ("regular", "socks5", "transparent", "dns"):
        raise _error(spec, "no such mode; there are regular, upstream:URL, reverse:URL, socks5, transparent and dns")
    data, _, listen = rest.partition("@")
    if data or (colon and not listen):
        raise _error(spec, f"{kind} mode takes no argument but @[HOST:]PORT")
    host, port = _listen(spec, listen) if rest else (None, None)
    return Mode(kind, kind + _shown_listen(host, port), host, port)  # type: ignore[arg-type]


def _error(spec: str, text: str) -> OptionsError:
    return OptionsError(f"option 'mode': {_masked(spec)!r}: {text}")


def _masked(spec: str) -> str:
    """``spec`` with what may be a password left out."""
    credentials = re.compile(r"(?si)\A(\s*[a-z]+:(?:[a-z0-9+.-]+://|(?![a-z0-9+.-]+://))[^:@]*:)(?![0-9]+@[^@]*\Z).*@")
    return credentials.sub(r"\1…@", spec)


# -- where it listens -------------------------------------------------------------------------------------------------


def _listen(spec: str, text: str) -> tuple[str | None, int]:
    """``[HOST:]PORT``, the host without brackets, None where it is not given."""
    found = _LISTEN(text)
    if found is None:
        raise _error(spec, f"@{text} is no place to listen at: @PORT or @HOST:PORT is expected")
    port = int(found["port"])
    if port > 65535:
        raise _error(spec, f"there is no port {port}")
    host = found["host"]
    return (host.strip("[]") if host is not None else None), port


def _shown_listen(host: str | None, port: int | None) -> str:
    if port is None:
        return ""
    if host is None:
        return f"@{port}"
    return f"@[{host}]:{port}" if ":" in host else f"@{host}:{port}"


# -- where it goes ----------------------------------------------------------------------------------------------------


def _reverse(spec: str, rest: str) -> Mode:
    place, *listens = rest.split("@")
    if len(listens) > 1 or (listens and not _LISTEN(listens[0])):
        raise _error(
            spec, "reverse mode takes no user name; credentials for the server go into the option upstream_auth"
        )
    host, port = _listen(spec, listens[0]) if listens else (None, None)
    target, shown = _target(spec, "reverse", place)
    return Mode("reverse", f"reverse:{shown}{_shown_listen(host, port)}", host, port, target)


def _upstream(spec: str, rest: str) -> Mode:
    found = re.fullmatch(r"(?s)([A-Za-z][A-Za-z0-9+.-]*://)?(.*)", rest)
    assert found is not None  # it takes anything
    scheme, place = found[1] or "", found[2]
    place, listen = _split_listen(spec, place)
    before, at, place = place.rpartition("@")
    target, shown = _target(spec, "upstream", scheme + place)
    host, port = _listen(spec, listen) if listen else (None, None)
    user, _, password = before.partition(":")
    credentials = Credentials(urls.unquote(user), urls.unquote(password)) if at else None
    return Mode("upstream", f"upstream:{shown}{_shown_listen(host, port)}", host, port, target, credentials)


def _split_listen(spec: str, text: str) -> tuple[str, str]:
    """``[USER:PASSWORD@]HOST[:PORT]`` and the listening address, empty without one.

    With two ``@`` the last part listens, with one if the first part can be HOST[:PORT] and the second one can listen.
    It may be credentials even then: that is refused, unless what would listen is certainly this machine.
    """
    before, at, last = text.rpartition("@")
    listen = _LISTEN(last) if at else None
    if listen is None:
        return text, ""
    if "@" in before or before.endswith("/"):
        return before, last
    if not _is_place(before):
        return text, ""
    if listen["host"] is not None and not _OWN_HOSTS(listen["host"]):
        raise _error(
            spec,
            "this may be credentials or a place to listen at: put a / at the end for the first, "
            "or in front of the @ for the second",
        )
    return before, last


def _is_place(text: str) -> bool:
    try:
        urls.parse_authority(text, check=True)
    except ValueError:
        return False
    return True


def _target(spec: str, kind: str, text: str) -> tuple[Target, str]:
    """``[SCHEME://]HOST[:PORT][/]`` as facts, and as it was given."""
    scheme, separator, place = text.partition("://")
    if not separator:
        scheme, place = _DEFAULT_SCHEME[kind], text
    scheme, place = scheme.lower(), place.removesuffix("/")
    known = PORTS[kind]
    if kind == "reverse" and scheme in LATER_SCHEMES:
        raise _error(spec, f"{scheme} comes in a later version of flowdump")
    if scheme not in known:
        raise _error(spec, f"{kind} mode knows no {ascii(scheme)[1:-1]}://; there are {', '.join(known)}")
    if "/" in place:
        raise _error(spec, f"{kind} mode takes a server, not a path in it")
    try:
        host, port = urls.parse_authority(place, check=True)
    except ValueError:
        host, port = "", None
    if not host or port == 0:
        raise _error(spec, f"{_EXAMPLE[kind]} is expected")
    if not (port or known[scheme]):
        raise _error(spec, f"{scheme}:// needs a port")
    return Target(scheme, host, port or known[scheme]), f"{scheme}://{place}" if separator else place
