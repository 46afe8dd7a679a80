"""Connecting to an origin, directly or through an upstream proxy (``Via``).

An HTTP proxy is asked for a tunnel with CONNECT (RFC 9110 section 9.3.6), a SOCKS proxy with its own request (RFC
1928). The result is a stream whose other end is the origin. TLS with the upstream proxy is spoken here, TLS with the
origin is not. Plain HTTP needs no tunnel through an HTTP proxy: it is sent to the proxy itself, in absolute form.

Every refusal of an upstream proxy becomes a ConnectError that says why. Its credentials are sent to it only: no flow
and no message contains them.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import time
from typing import TYPE_CHECKING

from flowdump.connection import ConnectionState, Server, hostport
from flowdump.engine.errors import ConnectError, ConnectionFailure, PeerClosed, ProtocolError, TimedOut
from flowdump.engine.http1.connection import read_head
from flowdump.engine.http1.framing import shown
from flowdump.engine.http1.heads import parse_response_head, request_head_bytes
from flowdump.engine.net import socks5
from flowdump.engine.net.stream import Stream
from flowdump.flow import Error
from flowdump.http.flow import HTTPFlow
from flowdump.http.headers import Headers
from flowdump.http.request import Request, RequestData
from flowdump.http.urls import authority_to_ascii
from flowdump.runtime.hooks import fire

if TYPE_CHECKING:
    from flowdump.engine.context import Context
    from flowdump.engine.upstream.destination import Via

#: Interim responses (1xx) to a CONNECT; a proxy that sends more is broken.
MAX_INTERIM = 10


async def connect(context: Context, server: Server, via: Via | None, tunnel: bool) -> Stream:
    """A stream to ``server.address``, or to the proxy in ``via`` itself where no ``tunnel`` is wanted.

    Raises ConnectError, TlsError, TimedOut.
    """
    assert server.address is not None
    if via is None:
        return await _dial(context, server, (server.address[0], server.address[1]))
    try:
        stream = await _dial(context, server, (via.host, via.port))
    except ConnectError as error:
        raise ConnectError(f"{via}: {error}") from None
    try:
        async with asyncio.timeout(context.options.connect_timeout or None):
            if via.scheme == "https":
                await context.services.tls.secure_hop(stream, via.host, via.port)
            if tunnel and via.is_http:
                await _connect_through_http(context, server, stream, via)
            elif tunnel:
                await socks5.connect(stream, (server.address[0], server.address[1]), via.scheme, via.credentials)
    except TimeoutError:
        stream.abort()
        raise TimedOut(f"{via} took too long to connect to {hostport(server.address)}") from None
    except (ConnectionFailure, ProtocolError) as error:
        stream.abort()
        raise ConnectError(f"{via}: {error}") from None
    except BaseException:
        stream.abort()
        raise
    return stream


async def _dial(context: Context, server: Server, address: tuple[str, int]) -> Stream:
    """A TCP connection; notes in ``server`` what was reached."""
    services, options = context.services, context.options
    try:
        async with asyncio.timeout(options.connect_timeout or None):
            stream = await services.dialer.dial(
                *address, options.connect_addr, lambda: Stream("server", services.streams)
            )
    except TimeoutError:
        raise TimedOut(f"connecting to {hostport(address)} took too long") from None
    except (OSError, UnicodeError, ValueError, OverflowError) as error:
        raise ConnectError(f"cannot connect to {hostport(address)}: {_reason(error)}") from None
    server.peername = stream.info("peername")
    server.sockname = stream.info("sockname")
    server.timestamp_tcp_setup = time.time()
    server.state = ConnectionState.OPEN
    if services.is_own_address(server.peername):
        stream.abort()
        raise ConnectError(f"{hostport(address)} is this proxy itself")
    return stream


async def _connect_through_http(context: Context, server: Server, stream: Stream, via: Via) -> None:
    """Ask for a tunnel; ``http_connect_upstream`` may change how. Raises ConnectError, ProtocolError, PeerClosed."""
    assert server.address is not None
    authority = authority_to_ascii(hostport(server.address))
    fields = []
    if context.options.http_connect_send_host_header:
        fields.append((b"Host", authority))
    if via.authorization:
        fields.append((b"Proxy-Authorization", via.authorization))
    data = RequestData()
    data.method, data.http_version = b"CONNECT", b"HTTP/1.1"
    data.scheme = data.path = b""
    data.host, data.port, data.authority = server.address[0], server.address[1], authority
    data.headers, data.content, data.trailers = Headers(fields), b"", None
    data.timestamp_start = data.timestamp_end = time.time()
    handlers = context.hooks.table.http_connect_upstream
    if handlers:
        flow = HTTPFlow(context.client, server, live=context)
        flow.request = Request.from_data(data)
        await fire(handlers, flow)
        flow.live = None
        if flow.error is not None:
            raise ConnectError(flow.error.msg if flow.error.msg != Error.KILLED_MESSAGE else "a script gave it up")
    stream.write(request_head_bytes(b"CONNECT", data.authority, b"HTTP/1.1", data.headers.fields))
    for _ in range(MAX_INTERIM):
        raw = await read_head(stream)
        if raw is None:
            raise PeerClosed("it closed the connection without an answer")
        head = parse_response_head(raw, request_method=b"CONNECT", validate=context.options.validate_inbound_headers)
        if 200 <= head.status_code < 300:
            return
        if head.status_code >= 200 or head.status_code == 101:
            break
    hint = ": it asks for credentials, see upstream_auth" if head.status_code == 407 else ""
    status = f"{head.status_code} {shown(head.reason)[1:-1]}".strip()
    raise ConnectError(f"CONNECT to {hostport(server.address)} was refused with {status}{hint}")


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return str(error)
    number = re.search(r"\[Errno (\d+)\]", str(error))  # asyncio's own words for it are for programmers
    if number:
        return os.strerror(int(number[1]))
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
