"""When things happened and over which connection, as a HAR entry says it.

HAR has spans, flows have moments, and the spans of HAR follow each other as a browser sees them: connect, send, wait,
receive. A proxy may connect before the request came in or while it waits for the answer. So the spans are those of
their own phases, and the moment at which the connection was begun goes into ``_flowdump.times``; likewise moments
that no span can express (an unknown end, a response that began before the request had ended). With them an import
restores every moment to the microsecond.

All arithmetic is in whole microseconds, so that spans come out short: 12.349, not 12.348890304565430.
"""

from __future__ import annotations

import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowdump.connection import Server
    from flowdump.http.flow import HTTPFlow

#: 1000-01-01 and 9999-12-31 in Unix seconds: the dates that four digits can say.
_FIRST_SECOND, _LAST_SECOND = -30610224000, 253402300799


def microseconds(moment: Any) -> int | None:
    """Unix seconds as whole microseconds; None for None and for what is no date that a HAR could show."""
    if (type(moment) is float or type(moment) is int) and _FIRST_SECOND <= moment <= _LAST_SECOND:
        seconds = int(moment)
        return seconds * 1_000_000 + round((moment - seconds) * 1e6)  # moment * 1e6 would be rounded itself
    return None


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def iso_date(moment: int) -> str:
    """Microseconds since 1970 as ISO 8601 in UTC; whole seconds without a fraction."""
    seconds, rest = divmod(moment, 1_000_000)
    return f"{_second(seconds)}.{rest:06d}+00:00" if rest else f"{_second(seconds)}+00:00"


class Timings:
    """The times of one entry: ``started`` (a date), ``time`` (total in ms), ``members`` (of the ``timings`` object).

    ``last`` is the moment at which everything was over, in microseconds, as an import will understand it.
    """

    __slots__ = ("last", "members", "started", "time")

    def __init__(self, flow: HTTPFlow, opens_connection: bool, extra: dict[str, Any]) -> None:
        request = flow.request.data
        start = microseconds(request.timestamp_start) or 0
        own: dict[str, float | None] = {}
        connect, ssl = _connect(flow.server_conn, start, own) if opens_connection else (-1, -1)
        end = microseconds(request.timestamp_end)
        send = wait = receive = 0
        if end is None:
            own["request_end"] = None
        elif end >= start:
            send = end - start
        else:
            own["request_end"] = (end - start) / 1000
        if flow.response is not None:
            response = flow.response.data
            wait, receive = _answer(response.timestamp_start, response.timestamp_end, (start, start + send), own)
        total = (connect if connect > 0 else 0) + send + wait + receive
        self.last = start + send + wait + receive
        self.started = iso_date(start)
        self.time = total / 1000
        self.members = {
            "blocked": -1,
            "dns": -1,
            "connect": connect / 1000 if connect >= 0 else -1,
            "ssl": ssl / 1000 if ssl >= 0 else -1,
            "send": send / 1000,
            "wait": wait / 1000,
            "receive": receive / 1000,
        }
        if own:
            extra["times"] = own


def _answer(begin: Any, end: Any, sent: tuple[int, int], own: dict[str, float | None]) -> tuple[int, int]:
    """(wait, receive) in microseconds for a response; ``sent`` is when the request began and ended."""
    start, request_end = sent
    first, last = microseconds(begin), microseconds(end)
    if first is None:
        return 0, 0
    wait = first - request_end
    if wait < 0:
        own["response_start"] = (first - start) / 1000
        wait = 0
    if last is None:
        own["response_end"] = None
        return wait, 0
    receive = last - (request_end + wait)
    if receive < 0:
        own["response_end"] = (last - start) / 1000
        receive = 0
    return wait, receive


def _connect(server: Server, start: int, own: dict[str, float | None]) -> tuple[int, int]:
    """(connect, ssl) in microseconds, -1 where there was none; ssl is part of connect."""
    setup = server.timestamp_tcp_setup
    if setup is None:
        return -1, -1
    begin, tcp = microseconds(server.timestamp_start), microseconds(setup)
    tls = microseconds(server.timestamp_tls_setup)
    if begin is None or tcp is None or tcp < begin:
        return -1, -1
    own["connect"] = (begin - start) / 1000
    if tls is None or tls < tcp:
        return tcp - begin, -1
    return tls - begin, tls - tcp


# -- connections ------------------------------------------------------------------------------------------------------


def network(flow: HTTPFlow) -> dict[str, Any]:
    """The members that name both ends, such as ``serverIPAddress``, as far as they are known. Not to be changed."""
    server, client = flow.server_conn, flow.client_conn
    peer = server.peername
    connection = server.id if peer or server.timestamp_start is not None else ""
    tls = (server.tls_version, server.cipher, server.alpn, server.sni) if server.tls_version else ()
    try:
        return _network(connection, peer, client.peername, tls)
    except TypeError:  # an address that is a list
        return _network(connection, tuple(peer or ()), tuple(client.peername or ()), tls)


@lru_cache(maxsize=512)
def _network(connection: str, server: Any, client: Any, tls: tuple[Any, ...]) -> dict[str, Any]:
    """Cached, as many flows share a connection."""
    made: dict[str, Any] = {}
    if server and server[0]:
        made["serverIPAddress"] = _text(server[0])
        if len(server) > 1:
            made["_serverPort"] = int(server[1])
    if connection:
        made["connection"] = _text(connection)
    if client and client[0] and client[1]:
        host = f"[{client[0]}]" if ":" in client[0] else client[0]
        made["_clientAddress"] = f"{host}:{client[1]:d}"
    if tls:
        version, cipher, alpn, sni = tls
        details = {"protocol": version.replace("TLSv", "TLS ")}
        if cipher:
            details["cipher"] = _text(cipher)
        if alpn:
            details["_alpn"] = alpn.decode("latin-1")
        if sni:
            details["_sni"] = _text(sni)
        made["_securityDetails"] = details
    return made


def _text(value: Any) -> str:
    """Raises TypeError for a value that a script has set, and that is no text as the member of a HAR must be."""
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} instead of text")
    return value
