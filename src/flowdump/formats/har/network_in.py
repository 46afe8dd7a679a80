"""What a HAR entry says of the network: when things happened, and over which connections."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from flowdump.connection import TLS_VERSIONS, Client, Server, new_id
from flowdump.formats.har.values_in import as_dict, as_int, as_number, as_timestamp, clean
from flowdump.http.flow import RequestData

_SPANS = ("blocked", "dns", "connect", "ssl", "send", "wait", "receive")
_ADDRESS = re.compile(r"[0-9.]{7,15}|(?=[^%]*:)[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9_.-]{1,20})?").fullmatch
_LOCALHOST = ("127.0.0.1", 0)

# -- times ------------------------------------------------------------------------------------------------------------


class Moments:
    """When things happened, in Unix seconds, from ``startedDateTime`` and ``timings`` (milliseconds, -1: does not
    apply).

    ``connect`` in our own ``times`` is when the connection was begun, relative to the start: a proxy may connect
    before, during and after the request, which HAR, written for browsers, has no idea of.
    """

    __slots__ = (
        "last",
        "request_end",
        "response_end",
        "response_start",
        "server_start",
        "start",
        "tcp_setup",
        "tls_setup",
    )

    request_end: float | None
    response_end: float | None

    def __init__(self, entry: dict[str, Any], times: dict[str, Any], notice: Callable[[str], None]) -> None:
        start, zoned = as_timestamp(entry.get("startedDateTime"))
        if start is None:
            notice("its startedDateTime is no date; the time of this import is used")
            start = time.time()
        elif not zoned:
            notice("its startedDateTime names no time zone; UTC is assumed")
        self.start = start
        timings = entry.get("timings")
        spans = [_span(timings.get(name)) for name in _SPANS] if type(timings) is dict else [0.0] * len(_SPANS)
        blocked, dns, connect, ssl, send, wait, receive = spans
        if not any(spans):
            wait = _span(entry.get("time"))
        self._set_connection(start + (blocked + dns) / 1000, connect, ssl)
        before = blocked + dns + connect + send
        if times:
            own = as_number(times.get("connect"))
            if own is not None:
                self._set_connection(start + own / 1000, connect, ssl)
                before = blocked + dns + send
        self.request_end = start + before / 1000
        self.response_start = start + (before + wait) / 1000
        self.response_end = self.last = start + (before + wait + receive) / 1000
        if times:
            self._set_own(times)

    def _set_connection(self, begin: float, connect: float, ssl: float) -> None:
        self.server_start: float | None = None
        self.tcp_setup: float | None = None
        self.tls_setup: float | None = None
        if connect <= 0:
            return
        # By the specification ssl is part of connect; some tools write it beside.
        self.server_start = begin
        self.tcp_setup = begin + (connect - ssl if ssl <= connect else connect) / 1000
        if ssl > 0:
            self.tls_setup = self.tcp_setup + ssl / 1000

    def _set_own(self, times: dict[str, Any]) -> None:
        """Times of our own that no timings can express: unknown ones, and a response that began before the request's
        end.
        """
        for name in ("request_end", "response_start", "response_end"):
            if name in times:
                offset = as_number(times[name])
                if offset is not None or name != "response_start":
                    setattr(self, name, None if offset is None else self.start + offset / 1000)


def _span(value: Any) -> float:
    """A timing in milliseconds; 0 for -1 and for what is no number."""
    if type(value) is int and value <= 0:
        return 0.0
    return max(as_number(value) or 0.0, 0.0)


# -- connections ------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=2)
def _defaults(kind: type[Client] | type[Server]) -> dict[str, Any]:
    """The attributes of a new connection: copying them is several times as fast as making them."""
    return dict(kind().__dict__)


def _new(kind: Any) -> Any:
    connection = kind.__new__(kind)
    facts = connection.__dict__
    facts.update(_defaults(kind))
    facts["certificate_list"], facts["alpn_offers"], facts["cipher_list"] = [], [], []
    facts["id"] = new_id()
    return connection


def client(entry: dict[str, Any], request: RequestData, moments: Moments) -> Client:
    """The client: from our own exports, else one at this machine."""
    made: Client = _new(Client)
    made.peername = made.sockname = _LOCALHOST
    if "_clientAddress" in entry:
        made.peername = _hostport(entry["_clientAddress"]) or _LOCALHOST
    made.tls = request.scheme == b"https"
    made.timestamp_start, made.timestamp_end = moments.start, moments.last
    return made


def server(entry: dict[str, Any], request: RequestData, moments: Moments) -> Server:
    """The server that ``serverIPAddress`` names, with the times of its connection where this entry opened it."""
    made: Server = _new(Server)
    made.tls = request.scheme == b"https"
    address = entry.get("serverIPAddress")
    if address and type(address) is str:
        host = address.strip("[]")
        if _ADDRESS(host):
            port = as_int(entry.get("_serverPort"))
            made.peername = made.address = (host, port if port is not None and 0 < port <= 65535 else request.port)
    made.timestamp_start = moments.server_start
    made.timestamp_tcp_setup, made.timestamp_tls_setup = moments.tcp_setup, moments.tls_setup
    connection = entry.get("connection")
    if type(connection) is str and len(connection) == 36 and connection.isascii():  # one of ours, a UUID
        made.id = connection
    if "_securityDetails" in entry:
        # TLS facts as Chrome and Playwright name them: {"protocol": "TLS 1.3", "cipher": ...}.
        details = as_dict(entry["_securityDetails"])
        protocol, cipher, alpn, sni = (details.get(name) for name in ("protocol", "cipher", "_alpn", "_sni"))
        if type(protocol) is str and protocol.replace("TLS ", "TLSv") in TLS_VERSIONS:
            made.tls, made.tls_version = True, protocol.replace("TLS ", "TLSv")
        if type(cipher) is str:
            made.cipher = clean(cipher)
        if type(alpn) is str and alpn.isascii():
            made.alpn = alpn.encode()
        if type(sni) is str:
            made.sni = clean(sni)
    return made


def _hostport(value: Any) -> tuple[str, int] | None:
    if type(value) is not str:
        return None
    host, _, digits = value.rpartition(":")
    host, port = host.strip("[]"), as_int(digits)
    return (host, port) if port is not None and 0 <= port <= 65535 and _ADDRESS(host) else None
