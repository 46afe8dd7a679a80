"""Where a client wants to go, before it has said anything that belongs there: one function per mode.

A proxy for HTTP (``regular``, ``upstream``) needs none: its requests say so. Each function sets the destination of the
session and returns True, or returns False when the client is not to be served; it has its answer by then.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowdump.connection import hostport
from flowdump.engine.errors import ProtocolError
from flowdump.engine.http1.error_page import error_page
from flowdump.engine.listen import original_destination
from flowdump.engine.net import socks5
from flowdump.engine.upstream.pool import Destination
from flowdump.runtime.hook_data import Socks5AuthData
from flowdump.runtime.hooks import fire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowdump.engine.listen.session import Session

#: What an HTTP/1 request begins with, unlike any version of SOCKS.
_HTTP = re.compile(rb"[A-Z]{3,16} ").match

#: The answer of a SOCKS 4 server that does not want to (there is no other way to tell such a client).
_SOCKS4_REJECTED = b"\0\x5b" + bytes(6)


async def _reverse(session: Session) -> bool:
    target = session.mode.target
    assert target is not None
    session.destination = Destination(target.host, target.port, tls=target.scheme in ("https", "tls"))
    return True


async def _transparent(session: Session) -> bool:
    stream = session.stream
    sockname = stream.info("sockname")
    try:
        host, port = original_destination.original_destination(stream.info("socket"), sockname)
    except OSError:  # not redirected: with TPROXY our own end has the address that was meant
        host, port = sockname[:2]
    if session.proxy.is_own_address((host, port)):
        session.proxy.log.warn(
            f"{hostport(session.client.peername)}: came to the transparent proxy itself, no rule has redirected it"
        )
        stream.abort()
        return False
    session.destination = Destination(host, port, tls=False)
    return True


async def _socks5(session: Session) -> bool:
    stream = session.stream
    stream.idle_limit = session.options.client_timeout or None
    if not stream.buffer and not await stream.more():
        return False
    try:
        if stream.buffer[0] != socks5.VERSION:
            _answer_stranger(session)
        host, port = await socks5.accept(stream, _checker(session) if session.options.proxyauth else None)
    except ProtocolError as error:
        session.proxy.log.warn(f"{hostport(session.client.peername)}: {error}")
        await session.record_failure(error)
        await session.linger()
        return False
    session.destination = Destination(host, port, tls=False)
    return True


def _answer_stranger(session: Session) -> None:
    """Something else than SOCKS 5, answered in its own words where these are known. Raises ProtocolError."""
    stream = session.stream
    if stream.buffer[0] == 4:
        stream.write(_SOCKS4_REJECTED)
        raise ProtocolError("SOCKS 4 is not supported, SOCKS 5 is", status=400)
    text = "this is a SOCKS 5 proxy: set your client up for that"
    if _HTTP(stream.buffer):
        stream.write(b"".join(error_page(400, text, b"GET")))
    raise ProtocolError(text, status=400)


def _checker(session: Session) -> Callable[[str, str], Awaitable[bool]]:
    """Asks whoever handles ``socks5_auth``."""

    async def check(user: str, password: str) -> bool:
        data = Socks5AuthData(session.client, user, password)
        await fire(session.hooks.table.socks5_auth, data)
        return data.valid

    return check


#: Kind of mode -> its entrance.
ENTRANCES: dict[str, Callable[[Session], Awaitable[bool]]] = {
    "reverse": _reverse,
    "transparent": _transparent,
    "socks5": _socks5,
}
