"""Another proxy behind this one: in upstream mode, over SOCKS, and where a script says so."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from typing import Any

import pytest
from tests.support.interception import Authorities, visit
from tests.support.live import origin, running
from tests.support.peers import close, echo, serving, tunnel

from flowdump.addons.proxyauth import ProxyAuth
from flowdump.connection import Server, ServerSpec
from flowdump.engine.errors import ConnectError
from flowdump.engine.upstream.destination import Via, via_of_server
from flowdump.http import HTTPFlow
from flowdump.options import Options

AUTH = b"Basic " + base64.b64encode(b"user:pass")


def get(port: int, host: str = "127.0.0.1") -> bytes:
    return f"GET http://{host}:{port}/x HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode()


class Tunnels:
    """An HTTP proxy that knows CONNECT only; ``heads`` are what it was asked."""

    def __init__(self, status: bytes = b"200 OK", extra: bytes = b"") -> None:
        self.heads: list[bytes] = []
        self._reply = b"HTTP/1.1 " + status + b"\r\n" + extra + b"\r\n"
        self._ok = status.startswith(b"2")

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        writer.write(self._reply)
        if not self._ok:
            await writer.drain()
            return
        host, _, port = head.split(b" ")[1].decode().rpartition(":")
        far_reader, far_writer = await asyncio.open_connection(host.strip("[]"), int(port))
        await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
        await close(far_writer)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()


# -- plain HTTP -------------------------------------------------------------------------------------------------------


async def test_plain_requests_go_in_absolute_form() -> None:
    async with origin() as other, running(mode=[f"upstream:http://u:p%40@127.0.0.1:{other.port}"]) as proxy:
        assert (await proxy.send(get(81, "example.com"))).endswith(b"hi")
        credentials = base64.b64encode(b"u:p@")
        assert other.received.startswith(b"GET http://example.com:81/x HTTP/1.1\r\nHost: example.com:81\r\n")
        assert b"Proxy-Authorization: Basic " + credentials + b"\r\n" in other.received
        flow = proxy.flow
        assert flow.server_conn.via == ("http", ("127.0.0.1", other.port))
        assert flow.server_conn.address == ("example.com", 81)
        assert "proxy-authorization" not in flow.request.headers
        assert flow.client_conn.proxy_mode == f"upstream:http://127.0.0.1:{other.port}"
        assert "p@" not in repr(flow.get_state())


async def test_upstream_auth_is_for_the_proxy() -> None:
    async with (
        origin() as other,
        running(mode=[f"upstream:http://127.0.0.1:{other.port}"], upstream_auth="user:pass") as proxy,
    ):
        await proxy.send(get(81, "example.com"))
        assert b"Proxy-Authorization: " + AUTH + b"\r\n" in other.received


async def test_connections_to_the_proxy_are_kept_per_origin() -> None:
    async with origin() as other, running(mode=[f"upstream:http://127.0.0.1:{other.port}"]) as proxy:
        one = b"GET http://%b.example/ HTTP/1.1\r\nHost: %b.example\r\n\r\n"
        await proxy.send(*(one % (name, name) for name in (b"a", b"a", b"b", b"a")))
        assert [bytes(request).count(b"GET ") for request in other.requests] == [3, 1]


async def test_a_proxy_that_asks_for_credentials_is_a_502() -> None:
    refusal = b"HTTP/1.1 407 Authenticate\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n"

    async with origin(refusal) as other, running(mode=[f"upstream:http://127.0.0.1:{other.port}"]) as proxy:
        reply = await proxy.send(get(81, "example.com"))
        assert reply.startswith(b"HTTP/1.1 502 ")
        assert b"upstream_auth" in reply
        assert "upstream_auth" in str(proxy.flow.error)


async def test_a_proxy_that_is_not_there_is_named() -> None:
    async with running(mode=["upstream:http://127.0.0.1:1"]) as proxy:
        assert (await proxy.send(get(81, "example.com"))).startswith(b"HTTP/1.1 502 ")
        assert proxy.flow.error is not None
        assert proxy.flow.error.msg == (
            "the upstream proxy 127.0.0.1:1: cannot connect to 127.0.0.1:1: Connection refused"
        )


# -- tunnels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("send_host", [True, False])
async def test_tls_goes_through_a_tunnel(pki: Authorities, send_host: bool) -> None:
    other = Tunnels()

    async with (
        origin(ssl=pki.serve("example.com"), close=True) as server,
        serving(other) as parent,
        running(
            mode=[f"upstream:http://user:pass@127.0.0.1:{parent.port}"],
            http_connect_send_host_header=send_host,
            **pki.trust,
        ) as proxy,
    ):
        assert (await visit(proxy, server.port)).reply.endswith(b"hi")
        place = b"127.0.0.1:%d" % server.port
        host = b"Host: " + place + b"\r\n" if send_host else b""
        expected = b"CONNECT " + place + b" HTTP/1.1\r\n" + host + b"Proxy-Authorization: " + AUTH + b"\r\n\r\n"
        assert other.heads == [expected]
        assert AUTH not in server.received
        assert proxy.flow.server_conn.via == ("http", ("127.0.0.1", parent.port))
        assert proxy.flow.server_conn.tls_established


async def test_raw_tcp_goes_through_a_tunnel() -> None:
    other = Tunnels()

    async with (
        serving(echo) as server,
        serving(other) as parent,
        running(mode=[f"upstream:http://127.0.0.1:{parent.port}"]) as proxy,
    ):
        reader, writer = await tunnel(proxy, f"127.0.0.1:{server.port}")
        writer.write(b"\0raw")
        assert await reader.readexactly(4) == b"\0raw"
        await close(writer)
        await proxy.wait_for_flows()
        assert len(other.heads) == 1


async def test_tls_to_the_proxy(pki: Authorities) -> None:
    other = Tunnels()

    async with (
        origin(ssl=pki.serve("example.com"), close=True) as server,
        serving(other, ssl=pki.serve("localhost")) as parent,
        running(mode=[f"upstream:https://localhost:{parent.port}"], **pki.trust) as proxy,
    ):
        assert (await visit(proxy, server.port)).reply.endswith(b"hi")
        assert len(other.heads) == 1


async def test_a_proxy_that_cannot_be_trusted(pki: Authorities) -> None:
    async with (
        serving(Tunnels(), ssl=pki.serve("other.example")) as parent,
        running(mode=[f"upstream:https://localhost:{parent.port}"], **pki.trust) as proxy,
    ):
        reply = await proxy.send(get(81, "example.com"))
        assert reply.startswith(b"HTTP/1.1 502 ")
        assert b"the upstream proxy localhost:" in reply


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (b"407 Proxy Authentication Required", b"407 Proxy Authentication Required: it asks for credentials"),
        (b"403 No", b"403 No"),
        (b"403 No\x1b[2J", b"control character"),
        (b"302 Found", b"was refused with 302 Found"),
        (b"101 Switching", b"101"),
        (b"quatsch", b"upstream proxy"),
    ],
)
async def test_refusals_are_readable(pki: Authorities, status: bytes, expected: bytes) -> None:
    async with (
        serving(Tunnels(status)) as parent,
        running(mode=[f"upstream:http://127.0.0.1:{parent.port}"], **pki.trust) as proxy,
    ):
        reply = (await visit(proxy, 443)).reply
        assert reply.startswith(b"HTTP/1.1 502 ")
        assert expected in reply
        assert b"\x1b" not in reply
        assert proxy.flow.error is not None


async def test_http_connect_upstream_may_change_the_request(pki: Authorities) -> None:
    other = Tunnels()

    class Script:
        def http_connect_upstream(self, flow: HTTPFlow) -> None:
            assert flow.request.method == "CONNECT"
            flow.request.headers["X-Token"] = "abc"

    async with (
        origin(ssl=pki.serve("example.com"), close=True) as server,
        serving(other) as parent,
        running(Script(), mode=[f"upstream:http://127.0.0.1:{parent.port}"], **pki.trust) as proxy,
    ):
        assert (await visit(proxy, server.port)).reply.endswith(b"hi")
        assert b"X-Token: abc\r\n" in other.heads[0]
        assert len(proxy.flows) == 1


async def test_two_of_us_in_a_row_with_credentials(pki: Authorities) -> None:
    from flowdump import ctx

    async with (
        origin(ssl=pki.serve("example.com"), close=True) as secure,
        origin(close=True) as plain,
        running(ProxyAuth(), proxyauth="user:pass", **pki.trust) as far,
    ):
        far_state = ctx.options
        for credentials, good in (("user:pass@", True), ("user:wrong@", False)):
            async with running(mode=[f"upstream:http://{credentials}127.0.0.1:{far.port}"], ssl_insecure=True) as near:
                ctx.options = far_state
                reply = await near.send(get(plain.port))
                assert reply.startswith(b"HTTP/1.1 200 " if good else b"HTTP/1.1 502 "), reply
                reply = (await visit(near, secure.port)).reply
                assert reply.startswith(b"HTTP/1.1 200 " if good else b"HTTP/1.1 502 "), reply
        assert b"authorization" not in (plain.received + secure.received).lower()
        assert [flow.metadata.get("proxyauth") for flow in far.flows if flow.response.status_code == 200] == [
            ("user", "pass")
        ] * 2


# -- SOCKS ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
async def test_through_socks(scheme: str) -> None:
    async with (
        origin(close=True) as server,
        running(mode=["socks5"]) as far,
        running(mode=[f"upstream:{scheme}://127.0.0.1:{far.port}"]) as near,
    ):
        assert (await near.send(get(server.port, "localhost"))).endswith(b"hi")
        assert server.received.startswith(b"GET /x HTTP/1.1\r\n")
        expected = "localhost" if scheme == "socks5h" else "127.0.0.1"
        assert far.flow.server_conn.address in ((expected, server.port), ("::1", server.port))
        assert near.flow.server_conn.via == (scheme, ("127.0.0.1", far.port))


# -- from a script ----------------------------------------------------------------------------------------------------


def choosing(choose: Callable[[HTTPFlow], None]) -> Any:
    class Script:
        def request(self, flow: HTTPFlow) -> None:
            choose(flow)

    return Script()


async def test_a_script_chooses_the_proxy_per_request() -> None:
    async with origin() as one, origin() as two:

        def choose(flow: HTTPFlow) -> None:
            if "direct" in flow.request.path:
                return
            first = "one" in flow.request.path
            flow.server_conn.via = ServerSpec("http", ("127.0.0.1", (one if first else two).port))
            flow.server_conn.via_auth = "user:pass" if first else None

        async with origin() as server, running(choosing(choose)) as proxy:
            for path in (b"one", b"two", b"one", b"direct"):
                reply = await proxy.send(
                    b"GET http://127.0.0.1:%d/%b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % (server.port, path)
                )
                assert reply.endswith(b"hi")
            assert one.received.count(b"GET http://") == 2
            assert one.received.count(AUTH) == 2
            assert two.received.count(b"GET http://") == 1
            assert AUTH not in two.received
            assert server.received.startswith(b"GET /direct ")


async def test_the_credentials_of_the_mode_go_to_its_proxy_only() -> None:
    async with origin() as other, origin() as own:

        def choose(flow: HTTPFlow) -> None:
            flow.server_conn.via = ServerSpec("http", ("127.0.0.1", other.port))

        async with running(choosing(choose), mode=[f"upstream:http://user:pass@127.0.0.1:{own.port}"]) as proxy:
            assert (await proxy.send(get(81, "example.com"))).endswith(b"hi")
            assert b"authorization" not in other.received.lower()
            assert own.received == b""


async def test_users_share_no_connection() -> None:
    """What one user of another proxy opened is not used for the next one."""

    async with origin() as other:

        def choose(flow: HTTPFlow) -> None:
            flow.server_conn.via = ("http", ("127.0.0.1", other.port))
            flow.server_conn.via_auth = (flow.request.path[1:], "x")

        async with running(choosing(choose)) as proxy:
            one = b"GET http://a.example/%b HTTP/1.1\r\nHost: a.example\r\n\r\n"
            await proxy.send(*(one % name for name in (b"ann", b"bob", b"ann")))
            assert [bytes(request).count(b"GET ") for request in other.requests] == [2, 1]


@pytest.mark.parametrize("via", ["http://a", ("ftp", ("a", 1)), ("http", "a"), ("http", ("a", "1")), 7])
async def test_what_is_no_proxy_is_an_error_of_the_flow(via: Any) -> None:
    def choose(flow: HTTPFlow) -> None:
        flow.server_conn.via = via

    async with running(choosing(choose)) as proxy:
        reply = await proxy.send(get(81))
        assert reply.startswith(b"HTTP/1.1 502 ")
        assert "server_conn.via is (SCHEME, (HOST, PORT))" in str(proxy.flow.error)


def test_credentials_of_a_script_in_another_form() -> None:
    server = Server(address=("a", 1))
    server.via, server.via_auth = ("http", ("p", 2)), "nonsense"
    with pytest.raises(ConnectError, match="via_auth"):
        via_of_server(server, None, Options())
    server.via_auth = ""
    assert via_of_server(server, None, Options()) == Via("http", "p", 2)
