"""TLS in the middle: towards the client as the host it asked for, towards the origin as a client that verifies.

The ClientHello is looked at while it is still in the buffer. That tells the name and the protocols the client wants
before anything is answered, so the origin can be asked first: its certificate names what ours has to name, and its
choice of protocol (ALPN) is what the client is offered.

An origin that cannot be reached or verified does not end the client's connection. The client gets its handshake, and
each of its requests the reason as a 502.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from flowdump.connection import Server, hostport
from flowdump.engine.errors import ConnectionFailure, PeerClosed, TimedOut, TlsError
from flowdump.engine.listen import first_bytes
from flowdump.engine.net.dialer import is_address
from flowdump.engine.tls import client_hello
from flowdump.engine.tls.authority import Authority
from flowdump.engine.tls.contexts import TlsContexts
from flowdump.engine.tls.custom_certs import GivenCerts
from flowdump.engine.tls.failures import describe_failure, way_out
from flowdump.exceptions import OptionsError
from flowdump.runtime.hook_data import ClientHelloData, Context, TlsData
from flowdump.runtime.hooks import fire

if TYPE_CHECKING:
    from flowdump.connection import Client
    from flowdump.engine.listen.proxy import Proxy
    from flowdump.engine.listen.session import Session
    from flowdump.engine.net.stream import Stream
    from flowdump.engine.tls.codec import TlsCodec
    from flowdump.engine.tls.leaf import Leaf
    from flowdump.engine.upstream.pool import Destination, Upstream

HTTP_1 = (b"http/1.1",)
HTTP_2 = (b"h2", b"http/1.1")

#: Names of HTTP in ALPN, former ones too. A client that offers none of them speaks something else.
_HTTP_NAMES = re.compile(rb"http/.*|h[23].*|spdy/.*").fullmatch


class Interception:
    """Both handshakes, and what they need: the certificate authority, given certificates, contexts."""

    def __init__(self, proxy: Proxy) -> None:
        options = proxy.options
        self._proxy = proxy
        self.authority = Authority.open(options.confdir, key_size=options.key_size, passphrase=options.cert_passphrase)
        self._given = GivenCerts(options.certs, options.cert_passphrase)
        self._contexts = TlsContexts(options)
        self._passed: list[re.Pattern[str]] = []
        self._only: list[re.Pattern[str]] = []
        self._raw: list[re.Pattern[str]] = []
        self._raw_udp: list[re.Pattern[str]] = []
        self.configure({"ignore_hosts", "allow_hosts", "tcp_hosts", "udp_hosts"})
        options.subscribe(self.configure)

    def configure(self, changed: set[str]) -> None:
        """Take over changed options. Raises OptionsError."""
        self._contexts.configure(changed)
        options = self._proxy.options
        if changed & {"certs", "cert_passphrase"}:
            self._given = GivenCerts(options.certs, options.cert_passphrase)
        if changed & {"ignore_hosts", "allow_hosts", "tcp_hosts", "udp_hosts"}:
            self._passed = _patterns("ignore_hosts", options.ignore_hosts)
            self._only = _patterns("allow_hosts", options.allow_hosts)
            self._raw = _patterns("tcp_hosts", options.tcp_hosts)
            self._raw_udp = _patterns("udp_hosts", options.udp_hosts)

    # -- which hosts ---------------------------------------------------------------------------------------------

    def is_ignored(self, *names: str) -> bool:
        """Whether a connection to one of these ``host:port`` is to be passed on untouched."""
        if self._only:
            return not _any_match(self._only, names)
        return _any_match(self._passed, names)

    def is_passed(self, host: str, port: int) -> bool:
        """Whether CONNECT alone tells that a connection is to be passed on untouched.

        With ``allow_hosts``, an address may yet turn out to be one of them by the name in the ClientHello.
        """
        if self._only and is_address(host):
            return False
        return self.is_ignored(hostport((host, port)))

    def is_raw(self, *names: str) -> bool:
        """Whether a connection to one of these ``host:port`` is raw TCP, whatever it looks like."""
        return _any_match(self._raw, names)

    def is_raw_udp(self, name: str) -> bool:
        """Whether datagrams to this ``host:port`` are passed on without interpretation, whatever the mode says."""
        return _any_match(self._raw_udp, (name,))

    # -- towards the client --------------------------------------------------------------------------------------

    async def intercept(self, session: Session) -> None:
        """The client begins a TLS handshake: take it up, and serve what comes inside."""
        destination, client = session.destination, session.client
        assert destination is not None
        context = Context(client, Server(address=(destination.host, destination.port)))
        try:
            hello = await self._hello(session.stream)
        except ConnectionFailure as error:
            await self._failed(session, TlsData(client, context), error)
            raise
        client.sni, client.alpn_offers = hello.sni, hello.alpn_protocols
        data = ClientHelloData(context, hello)
        await fire(session.hooks.table.tls_clienthello, data)
        name = hello.sni or _called(session, destination)
        names = (hostport((name, destination.port)), hostport((destination.host, destination.port)))
        if data.ignore_connection or self.is_ignored(*names):
            await session.pass_on()
            return
        client.tls = True
        session.destination = destination = _behind(session, destination, hello.sni)
        session.is_raw = session.is_raw or self.is_raw(*names)
        upstream = None
        eager = session.options.upstream_cert and session.options.connection_strategy == "eager"
        if destination.tls and (eager or data.establish_server_tls_first):
            upstream = await self._look_at_origin(session, destination, context)
        leaf = self._leaf(name, destination.host, upstream)
        client.mitmcert = leaf.cert
        await self._handshake(session, leaf, self._alpn_for_client(session, upstream), context)
        session.is_raw = session.is_raw or (_is_stranger(client) and _may_be_raw(session))
        if client.alpn and not session.is_raw:
            await session.serve_http()
        else:
            await session.serve()

    async def secure(self, session: Session) -> None:
        """Answer a client that speaks TLS with the proxy itself (``https://`` in its settings).

        The certificate is for the name by which it calls the proxy, else for the address that it has connected to.
        """
        client = session.client
        if session.stream.buffer[0] != client_hello.HANDSHAKE:
            return
        context = Context(client, Server(address=None))
        try:
            hello = await self._hello(session.stream)
            name = hello.sni or str(client.sockname[0])
            leaf = self._leaf(name, name, None)
            await self._finish(session.stream, self._contexts.client_codec(leaf, HTTP_1))
        except (TlsError, TimedOut, PeerClosed) as error:
            await self._failed(session, TlsData(client, context), error, "this proxy")
            raise
        if not await first_bytes.heard(session):
            raise PeerClosed("the client asked for nothing", "client")

    async def _look_at_origin(self, session: Session, destination: Destination, context: Context) -> Upstream | None:
        """Connect to the origin for its certificate; the connection waits for the first request."""
        try:
            upstream = await session.upstreams.connect(destination, context.server)
        except ConnectionFailure as error:
            session.upstreams.failed[destination] = error
            return None
        session.upstreams.keep(upstream)
        return upstream

    def _leaf(self, name: str, host: str, upstream: Upstream | None) -> Leaf:
        chain = upstream.server.certificate_list if upstream is not None else []
        given = self._given.find([name, host]) if self._given else None
        if given is not None:
            return given
        sent = chain[1:] if self._proxy.options.add_upstream_certs_to_client_chain else []
        return self.authority.leaf([name], upstream=chain[0] if chain else None, chain=sent)

    def _alpn_for_client(self, session: Session, upstream: Upstream | None) -> tuple[bytes, ...]:
        """What the client may speak: what its origin does, if that is known, so that nothing has to be translated."""
        if session.is_raw or _is_stranger(session.client):
            if upstream is None:
                return tuple(session.client.alpn_offers[:1])
            return (upstream.server.alpn,) if upstream.server.alpn else ()
        if not self._proxy.options.http2:
            return HTTP_1
        if upstream is None or upstream.server.alpn == b"h2":
            return HTTP_2
        return (b"http/1.1", b"h2")  # the first one that the client offers

    def _alpn_for_origin(self, session: Session, server: Server) -> tuple[bytes, ...]:
        """What an origin is offered: what the client speaks, or would; everything when that does not show.

        A script may have set ``server.alpn_offers`` before.
        """
        client = session.client
        if server.alpn_offers or session.is_raw or _is_stranger(client):
            agreed = [client.alpn] if client.alpn else client.alpn_offers
            return tuple(server.alpn_offers or agreed)
        if not self._proxy.options.http2 or (client.tls and b"h2" not in client.alpn_offers):
            return HTTP_1
        return HTTP_2

    async def _handshake(self, session: Session, leaf: Leaf, alpn: tuple[bytes, ...], context: Context) -> None:
        client, table = session.client, session.hooks.table
        codec = self._contexts.client_codec(leaf, alpn)
        data = TlsData(client, context)
        await fire(table.tls_start_client, data)
        try:
            await self._finish(session.stream, codec)
        except (TlsError, TimedOut, PeerClosed) as error:
            await self._failed(session, data, error)
            raise
        _note(client, codec)
        client.certificate_list = list(codec.certificates)
        await fire(table.tls_established_client, data)

    async def _failed(self, session: Session, data: TlsData, error: ConnectionFailure, name: str = "") -> None:
        """Say why the client's handshake failed."""
        client = session.client
        client.error = str(error)
        name = name or client.sni or hostport(data.context.server.address or ("", 0))
        session.proxy.log.warn(f"{hostport(client.peername)}: TLS for {name}: {error}")
        await fire(session.hooks.table.tls_failed_client, data)

    async def _hello(self, stream: Stream) -> client_hello.ClientHello:
        with self._time_limit(stream):
            return await _client_hello(stream)

    async def _finish(self, stream: Stream, codec: TlsCodec) -> None:
        """Shake hands. Raises TlsError, TimedOut or PeerClosed, in words."""
        try:
            with self._time_limit(stream):
                await stream.start_tls(codec)
        except ssl.SSLError as error:
            raise TlsError(describe_failure(error, stream.peer) + way_out(error, stream.peer), stream.peer) from None

    @contextmanager
    def _time_limit(self, stream: Stream) -> Iterator[None]:
        """``tls_timeout`` by the clock of the proxy, which ticks once a second: a timer for each step costs more."""
        limit = self._proxy.options.tls_timeout
        stream.deadline = asyncio.get_running_loop().time() + limit if limit else None
        try:
            yield
        except TimedOut:
            raise TimedOut(f"the {stream.peer} took too long for the TLS handshake", stream.peer) from None
        finally:
            stream.deadline = None

    # -- towards the origin --------------------------------------------------------------------------------------

    async def secure_hop(self, stream: Stream, host: str, port: int) -> None:
        """Speak TLS with another proxy on the way. Raises TlsError or TimedOut, in words, and PeerClosed."""
        await self._finish(stream, self._contexts.server_codec(host, (host, port), (b"http/1.1",)))

    async def connect(self, session: Session, upstream: Upstream) -> None:
        """Speak TLS on a connection to an origin. Raises TlsError or TimedOut, in words."""
        destination, server, table = upstream.destination, upstream.server, session.hooks.table
        alpn = self._alpn_for_origin(session, server)
        server.tls, server.alpn_offers = True, list(alpn)
        name = destination.sni or destination.host
        server.sni = name
        data = TlsData(server, Context(session.client, server))
        await fire(table.tls_start_server, data)
        try:
            codec = self._contexts.server_codec(name, (destination.host, destination.port), alpn)
            await self._finish(upstream.stream, codec)
        except (TlsError, TimedOut, PeerClosed) as error:
            upstream.stream.abort()
            await fire(table.tls_failed_server, data)
            if isinstance(error, PeerClosed):
                raise TlsError(str(error)) from None
            raise
        _note(server, codec)
        server.certificate_list = list(codec.certificates)
        await fire(table.tls_established_server, data)


def _behind(session: Session, destination: Destination, name: str | None) -> Destination:
    """Where what is inside the client's TLS goes: to TLS, but for reverse mode, where the mode says so.

    The server of reverse mode is asked for by its own name, unless the client's is kept altogether.
    """
    if session.mode.kind != "reverse":
        return destination._replace(tls=True, sni=name)
    return destination._replace(sni=name if session.options.keep_host_header else None)


def _is_stranger(client: Client) -> bool:
    """Whether a client says in its handshake that it speaks something else than HTTP."""
    return bool(client.tls and client.alpn_offers) and not any(map(_HTTP_NAMES, client.alpn_offers))


def _may_be_raw(session: Session) -> bool:
    """Whether something else than HTTP has a place here."""
    return bool(session.options.rawtcp) and session.mode.kind != "reverse"


def _called(session: Session, destination: Destination) -> str:
    """What a client that names nobody has connected to."""
    if session.mode.kind == "reverse":
        return str(session.client.sockname[0])
    return destination.host


def _note(connection: Client | Server, codec: TlsCodec) -> None:
    """What the handshake agreed on."""
    connection.timestamp_tls_setup = time.time()
    connection.tls_version = codec.version
    connection.cipher = codec.cipher
    connection.alpn = codec.alpn or b""


async def _client_hello(stream: Stream) -> client_hello.ClientHello:
    """The ClientHello at the front of the buffer, which stays there. Raises TlsError, PeerClosed."""
    while True:
        try:
            hello = client_hello.parse(stream.buffer)
        except ValueError as error:
            raise TlsError(f"the client's TLS handshake cannot be understood: {error}", "client") from None
        if hello is not None:
            return hello
        if not await stream.more():
            raise PeerClosed("the client closed the connection during the TLS handshake", "client")


def _patterns(option: str, expressions: list[str]) -> list[re.Pattern[str]]:
    try:
        return [re.compile(expression, re.IGNORECASE) for expression in expressions]
    except re.error as error:
        raise OptionsError(f"option {option!r}: {error.pattern!r} is not a regular expression: {error}") from None


def _any_match(patterns: list[re.Pattern[str]], names: tuple[str, ...]) -> bool:
    return any(pattern.search(name) for pattern in patterns for name in names)
