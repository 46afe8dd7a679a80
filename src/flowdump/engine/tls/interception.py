"""TLS interception: the handshake with the client as the host it asked for, and the one with the origin.

Which connections are intercepted, and in which order the two handshakes happen, is decided in
:mod:`flowdump.engine.listen.session`; which are passed through, in :mod:`flowdump.engine.tls.passthrough`.
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
from flowdump.engine.tls import client_hello
from flowdump.engine.tls.authority import Authority
from flowdump.engine.tls.contexts import TlsContexts
from flowdump.engine.tls.custom_certs import GivenCerts
from flowdump.engine.tls.failures import describe_failure, way_out
from flowdump.runtime import hook_data
from flowdump.runtime.hook_data import TlsData
from flowdump.runtime.hooks import fire

if TYPE_CHECKING:
    from flowdump.connection import Client
    from flowdump.engine.context import Context
    from flowdump.engine.net.stream import Stream
    from flowdump.engine.tls.codec import TlsCodec
    from flowdump.engine.tls.leaf import Leaf
    from flowdump.engine.upstream.connection import Upstream
    from flowdump.options.store import Options

HTTP_1 = (b"http/1.1",)
HTTP_2 = (b"h2", b"http/1.1")

#: Names of HTTP in ALPN, former ones too. A client that offers none of them speaks another protocol.
_HTTP_NAMES = re.compile(rb"http/.*|h[23].*|spdy/.*").fullmatch


class Interception:
    """Both handshakes, and what they need: the certificate authority, custom certificates, TLS contexts."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.authority = Authority.open(options.confdir, key_size=options.key_size, passphrase=options.cert_passphrase)
        self._given = GivenCerts(options.certs, options.cert_passphrase)
        self._contexts = TlsContexts(options)
        options.subscribe(self.configure)

    def configure(self, changed: set[str]) -> None:
        """Apply changed options. Raises OptionsError."""
        self._contexts.configure(changed)
        if changed & {"certs", "cert_passphrase"}:
            self._given = GivenCerts(self._options.certs, self._options.cert_passphrase)

    # -- towards the client --------------------------------------------------------------------------------------

    async def client_hello(self, stream: Stream) -> client_hello.ClientHello:
        """The ClientHello at the front of the buffer, which stays there. Raises TlsError, PeerClosed, TimedOut."""
        with self._time_limit(stream):
            while True:
                try:
                    hello = client_hello.parse(stream.buffer)
                except ValueError as error:
                    raise TlsError(f"the client's TLS handshake cannot be understood: {error}", "client") from None
                if hello is not None:
                    return hello
                if not await stream.more():
                    raise PeerClosed("the client closed the connection during the TLS handshake", "client")

    def leaf(self, name: str, host: str, upstream: Upstream | None) -> Leaf:
        """The certificate for a client: a custom one, else one from our authority, modelled on the origin's."""
        chain = upstream.server.certificate_list if upstream is not None else []
        given = self._given.find([name, host]) if self._given else None
        if given is not None:
            return given
        sent = chain[1:] if self._options.add_upstream_certs_to_client_chain else []
        return self.authority.leaf([name], upstream=chain[0] if chain else None, chain=sent)

    def speaks_another_protocol(self, client: Client) -> bool:
        """Whether a client offers only protocols in ALPN that are not HTTP."""
        return bool(client.tls and client.alpn_offers) and not any(map(_HTTP_NAMES, client.alpn_offers))

    def alpn_for_client(self, context: Context, upstream: Upstream | None) -> tuple[bytes, ...]:
        """The protocols that a client may choose from: its origin's, if known, so that nothing is translated."""
        if context.is_raw or self.speaks_another_protocol(context.client):
            if upstream is None:
                return tuple(context.client.alpn_offers[:1])
            return (upstream.server.alpn,) if upstream.server.alpn else ()
        if not self._options.http2:
            return HTTP_1
        if upstream is None or upstream.server.alpn == b"h2":
            return HTTP_2
        return (b"http/1.1", b"h2")  # the first one that the client offers

    async def accept(
        self, context: Context, stream: Stream, leaf: Leaf, alpn: tuple[bytes, ...], pair: hook_data.Context
    ) -> None:
        """Finish the handshake with a client, with its events. Raises TlsError, TimedOut, PeerClosed."""
        client, table = context.client, context.hooks.table
        codec = self._contexts.client_codec(leaf, alpn)
        data = TlsData(client, pair)
        await fire(table.tls_start_client, data)
        try:
            await self._finish(stream, codec)
        except (TlsError, TimedOut, PeerClosed) as error:
            await self.failed(context, data, error)
            raise
        _record(client, codec)
        await fire(table.tls_established_client, data)

    async def accept_as_proxy(self, context: Context, stream: Stream) -> None:
        """The handshake of a client that speaks TLS with the proxy itself. Raises TlsError, TimedOut, PeerClosed."""
        client = context.client
        try:
            hello = await self.client_hello(stream)
            name = hello.sni or str(client.sockname[0])
            await self._finish(stream, self._contexts.client_codec(self.leaf(name, name, None), HTTP_1))
        except (TlsError, TimedOut, PeerClosed) as error:
            pair = hook_data.Context(client, Server(address=None))
            await self.failed(context, TlsData(client, pair), error, "this proxy")
            raise

    async def failed(self, context: Context, data: TlsData, error: ConnectionFailure, name: str = "") -> None:
        """Log why the handshake with a client failed, and fire its event."""
        client = context.client
        client.error = str(error)
        name = name or client.sni or hostport(data.context.server.address or ("", 0))
        context.log.warn(f"{hostport(client.peername)}: TLS for {name}: {error}")
        await fire(context.hooks.table.tls_failed_client, data)

    # -- towards the origin --------------------------------------------------------------------------------------

    async def connect(self, context: Context, upstream: Upstream) -> None:
        """The handshake with an origin, with its events. Raises TlsError, TimedOut."""
        destination, server, client, table = upstream.destination, upstream.server, context.client, context.hooks.table
        # The origin is offered what the client speaks, or would; a script may have set server.alpn_offers before.
        if server.alpn_offers or context.is_raw or self.speaks_another_protocol(client):
            agreed = [client.alpn] if client.alpn else client.alpn_offers
            alpn = tuple(server.alpn_offers or agreed)
        elif not self._options.http2 or (client.tls and b"h2" not in client.alpn_offers):
            alpn = HTTP_1
        else:
            alpn = HTTP_2
        server.tls, server.alpn_offers = True, list(alpn)
        name = destination.sni or destination.host
        server.sni = name
        data = TlsData(server, hook_data.Context(client, server))
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
        _record(server, codec)
        await fire(table.tls_established_server, data)

    async def secure_hop(self, stream: Stream, host: str, port: int) -> None:
        """The handshake with an upstream proxy. Raises TlsError, TimedOut, PeerClosed."""
        await self._finish(stream, self._contexts.server_codec(host, (host, port), HTTP_1))

    # -- both ----------------------------------------------------------------------------------------------------

    async def _finish(self, stream: Stream, codec: TlsCodec) -> None:
        """Complete a handshake. Raises TlsError that says why in words, TimedOut or PeerClosed."""
        try:
            with self._time_limit(stream):
                await stream.start_tls(codec)
        except ssl.SSLError as error:
            raise TlsError(describe_failure(error, stream.peer) + way_out(error, stream.peer), stream.peer) from None

    @contextmanager
    def _time_limit(self, stream: Stream) -> Iterator[None]:
        """``tls_timeout`` by the clock of the proxy, which ticks once a second: a timer for each step costs more."""
        limit = self._options.tls_timeout
        stream.deadline = asyncio.get_running_loop().time() + limit if limit else None
        try:
            yield
        except TimedOut:
            raise TimedOut(f"the {stream.peer} took too long for the TLS handshake", stream.peer) from None
        finally:
            stream.deadline = None


def _record(connection: Client | Server, codec: TlsCodec) -> None:
    """Note what a handshake agreed on."""
    connection.timestamp_tls_setup = time.time()
    connection.tls_version = codec.version
    connection.cipher = codec.cipher
    connection.alpn = codec.alpn or b""
    connection.certificate_list = list(codec.certificates)
