"""Reverse mode for HTTP: in front of one server, whatever the client says and speaks."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from tests.support.interception import Authorities, trusting
from tests.support.live import Running, origin, running
from tests.support.peers import close

from flowdump.addons.alt_svc import AltSvc, lead_here
from flowdump.addons.upstream_auth import UpstreamAuth
from flowdump.exceptions import UserError

GET = b"GET /x HTTP/1.1\r\nHost: front.example\r\nConnection: close\r\n\r\n"


async def ask(
    proxy: Running, tls: ssl.SSLContext | None = None, name: str | None = None, request: bytes = GET
) -> bytes:
    reader, writer = await proxy.connect()
    try:
        if tls is not None:
            await writer.start_tls(tls, server_hostname=name)
        writer.write(request)
        return await reader.read()
    finally:
        await close(writer)


@pytest.mark.parametrize("client_tls", [False, True])
@pytest.mark.parametrize("server_tls", [False, True])
async def test_every_pairing_of_tls(pki: Authorities, client_tls: bool, server_tls: bool) -> None:
    context = pki.serve("localhost") if server_tls else None
    scheme = "https" if server_tls else "http"
    async with (
        origin(ssl=context, close=True) as server,
        running(mode=[f"reverse:{scheme}://localhost:{server.port}"], **pki.trust) as proxy,
    ):
        reply = await ask(proxy, trusting() if client_tls else None, "front.example")
        assert reply.endswith(b"hi")
        assert server.received.startswith(b"GET /x HTTP/1.1\r\nHost: localhost:%d\r\n" % server.port)
        flow = proxy.flow
        assert flow.request.url == f"{scheme}://localhost:{server.port}/x"
        assert flow.metadata["host_header_arrived"] == b"front.example"
        assert flow.client_conn.tls_established == client_tls
        assert flow.server_conn.tls_established == server_tls
        assert flow.server_conn.sni == ("localhost" if server_tls else None)


async def test_keep_host_header(pki: Authorities) -> None:
    async with (
        origin(ssl=pki.serve("front.example"), close=True) as server,
        running(mode=[f"reverse:https://localhost:{server.port}"], keep_host_header=True, **pki.trust) as proxy,
    ):
        assert (await ask(proxy, trusting(), "front.example")).endswith(b"hi")
        assert b"Host: front.example\r\n" in server.received
        assert proxy.flow.server_conn.sni == "front.example"
        assert "host_header_arrived" not in proxy.flow.metadata


async def test_a_client_that_names_nobody_gets_a_certificate_for_where_it_is() -> None:
    async with origin(close=True) as server, running(mode=[f"reverse:http://127.0.0.1:{server.port}"]) as proxy:
        assert (await ask(proxy, trusting(), "127.0.0.1")).endswith(b"hi")


@pytest.mark.parametrize(
    "request_head",
    [
        b"GET http://evil.example/x HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        b"GET /x HTTP/1.0\r\n\r\n",
    ],
)
async def test_where_it_goes_is_not_for_the_client_to_say(request_head: bytes) -> None:
    async with origin(close=True) as server, running(mode=[f"reverse:http://127.0.0.1:{server.port}"]) as proxy:
        assert (await ask(proxy, request=request_head)).endswith(b"hi")
        assert server.received.startswith(b"GET /x HTTP/1.1\r\n")
        assert b"Host: 127.0.0.1:%d\r\n" % server.port in server.received
        assert b"evil" not in server.received


@pytest.mark.parametrize("head", [b"CONNECT evil.example:443 HTTP/1.1\r\n\r\n", b"\0\1\2\3\r\n\r\n", b"SSH-2.0-x\r\n"])
async def test_what_is_no_request_is_refused(head: bytes) -> None:
    async with origin() as server, running(mode=[f"reverse:http://127.0.0.1:{server.port}"]) as proxy:
        assert (await proxy.send(head)).startswith(b"HTTP/1.1 400 ")
        assert server.received == b""
        assert len(proxy.flows) == 1


async def test_upstream_auth_is_told_to_the_server() -> None:
    async with (
        origin(close=True) as server,
        running(UpstreamAuth(), mode=[f"reverse:http://127.0.0.1:{server.port}"], upstream_auth="a:b") as proxy,
    ):
        assert (await ask(proxy)).endswith(b"hi")
        assert b"Authorization: Basic YTpi\r\n" in server.received


async def test_alternatives_stay_here() -> None:
    reply = b'HTTP/1.1 200 OK\r\nAlt-Svc: h3=":443", h2="a:443"; ma=5\r\nContent-Length: 2\r\n\r\nhi'

    async with origin(reply, close=True) as server:
        spec = f"reverse:http://127.0.0.1:{server.port}"
        async with running(AltSvc(), mode=[spec]) as proxy:
            assert b'\r\nAlt-Svc: h2=":%d"; ma=5\r\n' % proxy.port in await ask(proxy)
        async with running(AltSvc(), mode=[spec], keep_alt_svc_header=True) as proxy:
            assert b'Alt-Svc: h3=":443", h2="a:443"; ma=5\r\n' in await ask(proxy)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("clear", "clear"),
        ('h3=":443"; ma=2592000,h3-29=":443"; ma=2592000', ""),
        ('h2="b:1"; ma="5"; persist=1, h3=":4"', 'h2=":9"; ma="5"; persist=1'),
        ('w%3D%3Ax#y="c:2"', 'w%3D%3Ax#y=":9"'),
        ("nonsense", ""),
        ("", ""),
    ],
)
def test_alt_svc_values(value: str, expected: str) -> None:
    assert lead_here(value, 9) == expected


async def test_an_origin_that_cannot_be_had_is_a_502() -> None:
    async with running(mode=["reverse:http://127.0.0.1:1"]) as proxy:
        reply = await proxy.send(GET)
        assert reply.startswith(b"HTTP/1.1 502 ")
        assert b"Connection refused" in reply


async def test_several_modes_at_once() -> None:
    async with origin(close=True) as server:
        modes = ["regular", f"reverse:http://127.0.0.1:{server.port}", "socks5"]
        async with running(mode=modes) as proxy:
            ports = [port for _, port in proxy.proxy.addresses]
            assert len(set(ports)) == 3
            reader, writer = await asyncio.open_connection("127.0.0.1", ports[1])
            writer.write(GET)
            assert (await reader.read()).endswith(b"hi")
            await close(writer)
            absolute = b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % server.port
            assert (await proxy.send(absolute)).endswith(b"hi")
            assert [str(flow.client_conn.proxy_mode) for flow in proxy.flows] == [modes[1], "regular"]


@pytest.mark.parametrize("mode", ["reverse:tcp://a:1", "reverse:tls://a:1", "reverse:udp://a:1", "reverse:dns://a"])
async def test_credentials_need_a_place(mode: str) -> None:
    with pytest.raises(UserError, match="has no place for credentials"):
        async with running(mode=[mode], proxyauth="a:b"):
            raise AssertionError("it started")
