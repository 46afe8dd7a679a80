"""HTTP/2 through the running proxy: what the origin sees, what the client gets, what is recorded."""

from __future__ import annotations

import ssl

from tests.engine.test_interception import Authorities, pki, trusting
from tests.support.http2 import Reply, h2_client, h2_origin
from tests.support.live import run, running

__all__ = ["pki"]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


def with_alpn(*protocols: str) -> ssl.SSLContext:
    context = trusting()
    context.set_alpn_protocols(list(protocols))
    return context


# -- what passes ---------------------------------------------------------------------------------------------------


def test_a_request_reaches_the_origin_and_its_answer_the_client(pki: Authorities) -> None:
    async def scenario() -> None:
        reply = Reply(200, [(b"x-answer", b"yes"), (b"content-length", b"2")], b"hi")
        async with (
            h2_origin(reply, ssl=pki.serve("example.com")) as server,
            running(**pki.trust) as proxy,
            h2_client(proxy, server.port, with_alpn("h2", "http/1.1")) as client,
        ):
            got = await client.fetch("GET", "/x?y", (b"x-asked", b"1"))
            assert (got.status, got.headers, got.body) == (200, reply.headers, b"hi")
            asked = server.requests[0]
            assert asked.heads == [
                [
                    (b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"example.com"), (b":path", b"/x?y"),
                    (b"x-asked", b"1"),
                ]
            ]  # fmt: skip
            await proxy.wait_for_flows()
            flow = proxy.flow
            assert flow.request.url == f"https://127.0.0.1:{server.port}/x?y"
            assert flow.request.pretty_host == "example.com"
            assert (flow.request.http_version, flow.request.authority) == ("HTTP/2.0", "example.com")
            assert flow.request.headers.fields == ((b"x-asked", b"1"),)
            assert flow.response is not None
            assert (flow.response.http_version, flow.response.reason) == ("HTTP/2.0", "")
            assert flow.response.content == b"hi"
            assert flow.client_conn.alpn == flow.server_conn.alpn == b"h2"
            assert flow.error is None

    run(scenario())


def test_without_http2_its_preface_is_a_malformed_request() -> None:
    async def scenario() -> None:
        async with running(http2=False) as proxy:
            reply = await proxy.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            assert reply.startswith(b"HTTP/1.1 400 ")
            assert proxy.flow.error is not None

    run(scenario())
