"""The way to an origin: straight, or through another proxy (``Via``).

An HTTP proxy is asked with CONNECT (RFC 9110 section 9.3.6) for a tunnel, a SOCKS proxy in its own words (RFC 1928).
What comes back is a stream whose other end is the origin; TLS to the origin is none of this module's business, TLS to
the proxy is. Plain HTTP needs no tunnel through an HTTP proxy: it is sent to the proxy itself, in absolute form.

Whatever the other proxy says no to becomes a ConnectError in words. Its credentials go to it and to nobody else: they
are in no flow and in no message.
"""

from __future__ import annotations

import asyncio
import binascii
import os
import re
import ssl
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdump.connection import ConnectionState, Server, hostport
from flowdump.engine.errors import ConnectError, ConnectionFailure, PeerClosed, ProtocolError, TimedOut
from flowdump.engine.http1.connection import read_head
from flowdump.engine.http1.framing import shown
from flowdump.engine.http1.heads import parse_response_head, request_head_bytes
from flowdump.engine.listen.modes import Credentials
from flowdump.engine.net import socks5
from flowdump.engine.net.stream import Stream
from flowdump.exceptions import OptionsError
from flowdump.flow import Error
from flowdump.http.flow import HTTPFlow, Request, RequestData
from flowdump.http.headers import Headers
from flowdump.http.urls import authority_to_ascii
from flowdump.runtime.hooks import fire
from flowdump.server_spec import ServerSpec

if TYPE_CHECKING:
    from flowdump.engine.listen.modes import Mode
    from flowdump.engine.listen.session import Session
    from flowdump.options.store import Options

#: Interim responses (1xx) to a CONNECT; more than a few are a proxy that runs wild.
MAX_INTERIM = 10


class Via(NamedTuple):
    """Another proxy on the way: ``scheme`` is http, https, socks5 (names are resolved here) or socks5h."""

    scheme: str
    host: str
    port: int
    credentials: Credentials | None = None

    @property
    def is_http(self) -> bool:
        return self.scheme in ("http", "https")

    @property
    def spec(self) -> ServerSpec:
        """As flows have it: without credentials."""
        return ServerSpec(self.scheme, (self.host, self.port))

    @property
    def authorization(self) -> bytes:
        """The value of Proxy-Authorization (RFC 7617), empty without credentials."""
        return basic(self.credentials) if self.credentials is not None and self.is_http else b""

    def __str__(self) -> str:
        return f"the upstream proxy {hostport((self.host, self.port))}"


SCHEMES = ("http", "https", "socks5", "socks5h")


def basic(credentials: Credentials) -> bytes:
    """``Basic …`` (RFC 7617 section 2), in UTF-8."""
    pair = f"{credentials.user}:{credentials.password}".encode("utf-8", "surrogateescape")
    return b"Basic " + binascii.b2a_base64(pair, newline=False)


def parse_credentials(text: str, option: str) -> Credentials:
    """``user:password``. Raises OptionsError."""
    user, colon, password = text.partition(":")
    if not colon:
        raise OptionsError(f"option {option!r}: USER:PASSWORD is expected")
    return Credentials(user, password)


def via_of_mode(mode: Mode, options: Options) -> Via | None:
    """The proxy behind this one, with the credentials of the mode, else those of ``upstream_auth``."""
    if mode.kind != "upstream" or mode.target is None:
        return None
    credentials = mode.credentials
    if credentials is None and options.upstream_auth:
        credentials = parse_credentials(options.upstream_auth, "upstream_auth")
    return Via(*mode.target, credentials)


def via_of_server(server: Server, own: Via | None, options: Options) -> Via | None:
    """The proxy that ``server.via`` names, which a script may have set, with credentials.

    Those are ``server.via_auth`` if a script has set it, those of the mode if it is the mode's own proxy, and
    ``upstream_auth`` where the mode has no proxy of its own. Raises ConnectError for what is no proxy.
    """
    spec, given = server.via, server.via_auth
    if spec is None:
        return None
    try:
        scheme, (host, port) = spec
        if scheme not in SCHEMES or not isinstance(host, str) or not isinstance(port, int):
            raise ValueError(scheme)
    except (TypeError, ValueError):
        known = ", ".join(SCHEMES)
        raise ConnectError(f"server_conn.via is (SCHEME, (HOST, PORT)) with one of {known}, not {spec!r}") from None
    if given is not None:
        return Via(scheme, host, port, _given(given))
    if own is not None:
        return own if own[:3] == (scheme, host, port) else Via(scheme, host, port)
    text = options.upstream_auth
    return Via(scheme, host, port, parse_credentials(text, "upstream_auth") if text else None)


def _given(credentials: Any) -> Credentials | None:
    """What a script has set as ``via_auth``: ``"user:password"`` or a pair; empty for none."""
    if not credentials:
        return None
    if isinstance(credentials, str):
        user, colon, password = credentials.partition(":")
        if colon:
            return Credentials(user, password)
    elif isinstance(credentials, tuple | list) and len(credentials) == 2:
        return Credentials(str(credentials[0]), str(credentials[1]))
    raise ConnectError('server_conn.via_auth is "USER:PASSWORD" or a pair of these')


# -- connecting -------------------------------------------------------------------------------------------------------


async def connect(session: Session, server: Server, via: Via | None, tunnel: bool) -> Stream:
    """A stream to ``server.address``, or to the proxy in ``via`` itself where no ``tunnel`` is wanted.

    Raises ConnectError, TlsError, TimedOut.
    """
    assert server.address is not None
    if via is None:
        return await _dial(session, server, (server.address[0], server.address[1]))
    try:
        stream = await _dial(session, server, (via.host, via.port))
    except ConnectError as error:
        raise ConnectError(f"{via}: {error}") from None
    try:
        async with asyncio.timeout(session.options.connect_timeout or None):
            if via.scheme == "https":
                await session.proxy.tls.secure_hop(stream, via.host, via.port)
            if tunnel and via.is_http:
                await _connect_through_http(session, server, stream, via)
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


async def _dial(session: Session, server: Server, address: tuple[str, int]) -> Stream:
    """A TCP connection; notes in ``server`` what was reached."""
    streams, dialer, options = session.proxy.streams, session.proxy.dialer, session.options
    try:
        async with asyncio.timeout(options.connect_timeout or None):
            stream = await dialer.dial(*address, options.connect_addr, lambda: Stream("server", streams))
    except TimeoutError:
        raise TimedOut(f"connecting to {hostport(address)} took too long") from None
    except (OSError, UnicodeError, ValueError, OverflowError) as error:
        raise ConnectError(f"cannot connect to {hostport(address)}: {_reason(error)}") from None
    server.peername = stream.info("peername")
    server.sockname = stream.info("sockname")
    server.timestamp_tcp_setup = time.time()
    server.state = ConnectionState.OPEN
    if session.proxy.is_own_address(server.peername):
        stream.abort()
        raise ConnectError(f"{hostport(address)} is this proxy itself")
    return stream


async def _connect_through_http(session: Session, server: Server, stream: Stream, via: Via) -> None:
    """Ask for a tunnel; ``http_connect_upstream`` may change how. Raises ConnectError, ProtocolError, PeerClosed."""
    assert server.address is not None
    authority = authority_to_ascii(hostport(server.address))
    fields = []
    if session.options.http_connect_send_host_header:
        fields.append((b"Host", authority))
    if via.authorization:
        fields.append((b"Proxy-Authorization", via.authorization))
    data = _connect_request(server.address[0], server.address[1], authority, Headers(fields))
    handlers = session.hooks.table.http_connect_upstream
    if handlers:
        flow = HTTPFlow(session.client, server, live=session)
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
        head = parse_response_head(raw, request_method=b"CONNECT", validate=session.options.validate_inbound_headers)
        if 200 <= head.status_code < 300:
            return
        if head.status_code >= 200 or head.status_code == 101:
            break
    hint = ": it asks for credentials, see upstream_auth" if head.status_code == 407 else ""
    status = f"{head.status_code} {shown(head.reason)[1:-1]}".strip()
    raise ConnectError(f"CONNECT to {hostport(server.address)} was refused with {status}{hint}")


def _connect_request(host: str, port: int, authority: bytes, headers: Headers) -> RequestData:
    data = RequestData()
    data.method, data.http_version = b"CONNECT", b"HTTP/1.1"
    data.scheme = data.path = b""
    data.host, data.port, data.authority = host, port, authority
    data.headers, data.content, data.trailers = headers, b"", None
    data.timestamp_start = data.timestamp_end = time.time()
    return data


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return str(error)
    number = re.search(r"\[Errno (\d+)\]", str(error))  # asyncio's own words for it are for programmers
    if number:
        return os.strerror(int(number[1]))
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
