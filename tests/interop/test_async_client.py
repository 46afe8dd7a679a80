"""A real asynchronous client, httpx, through the proxy: pooled and kept connections, HTTPS, streamed bodies."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.asynchronous import PATIENCE
from tests.support.live import Running, origin, running, shared_confdir, until
from tests.support.pki import Ca

from flowdump.engine.tls.authority import Authority

httpx = pytest.importorskip("httpx", reason="httpx is not installed")

PIECE = bytes(range(256)) * 256
PIECES = 128


def client(proxy: Running, connections: int = 4) -> Any:
    """A client that trusts our authority and nobody else, with a pool of few connections."""
    trust = ssl.create_default_context(cafile=Authority.open(str(shared_confdir())).certificate_path)
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    return httpx.AsyncClient(
        proxy=f"http://127.0.0.1:{proxy.port}", verify=trust, limits=limits, timeout=PATIENCE, trust_env=False
    )


class Place:
    """An origin over one of the schemes, and the options with which the proxy trusts it."""

    def __init__(self, scheme: str, folder: Path) -> None:
        self.scheme = scheme
        self.options: dict[str, Any] = {}
        self.context: ssl.SSLContext | None = None
        if scheme == "https":
            ca = Ca()
            self.options["ssl_verify_upstream_trusted_ca"] = str(ca.write(folder))
            self.context = ca.leaf("localhost").server_context(folder / "origin.pem")

    def url(self, port: int, path: str = "/") -> str:
        return f"{self.scheme}://localhost:{port}{path}"


@pytest.fixture(params=["http", "https"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(request.param, tmp_path)


async def test_requests_share_a_pool_of_kept_connections(place: Place) -> None:
    async with origin(ssl=place.context) as server, running(**place.options) as proxy, client(proxy) as http:
        asked = (http.get(place.url(server.port, f"/{n}"), headers={"X-N": str(n)}) for n in range(40))
        replies = await asyncio.gather(*asked)
        assert [(reply.status_code, reply.content) for reply in replies] == [(200, b"hi")] * 40
        assert sorted(int(flow.request.path[1:]) for flow in proxy.flows) == list(range(40))
        assert all(flow.request.headers["x-n"] == flow.request.path[1:] for flow in proxy.flows)
        assert {flow.request.scheme for flow in proxy.flows} == {place.scheme}
        assert len({flow.client_conn.id for flow in proxy.flows}) <= 4
        assert len(server.requests) <= 4


async def pieces() -> AsyncIterator[bytes]:
    for _ in range(PIECES):
        yield PIECE


async def swap(reader: Any, writer: asyncio.StreamWriter) -> None:
    """Takes a large body, answers with one of the same size, and with what came as a trailer."""
    taken = hashlib.sha256()
    size = len(PIECE) * PIECES
    while size:
        data = await reader.read(min(size, 65536))
        taken.update(data)
        size -= len(data)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Taken: %b\r\n\r\n" % taken.hexdigest().encode())
    for _ in range(PIECES):
        writer.write(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
        await writer.drain()
    writer.write(b"0\r\n\r\n")


async def test_large_bodies_are_streamed_both_ways(place: Place) -> None:
    digest = hashlib.sha256(PIECE * PIECES).hexdigest()

    options = place.options | {"stream_large_bodies": "64k"}
    async with origin(swap, ssl=place.context) as server, running(**options) as proxy, client(proxy) as http:
        length = {"Content-Length": str(len(PIECE) * PIECES)}
        for _ in range(2):  # over one connection
            got, most = hashlib.sha256(), 0
            async with http.stream("POST", place.url(server.port), content=pieces(), headers=length) as reply:
                assert reply.headers["x-taken"] == digest
                async for data in reply.aiter_raw():
                    got.update(data)
                    most = max([most, *(len(stream.buffer) for stream in proxy.proxy.streams)])
            assert got.hexdigest() == digest
            assert most <= 1 << 20
        assert [flow.error for flow in proxy.flows] == [None, None]
        assert [flow.response.raw_content for flow in proxy.flows] == [None, None]
        assert len({flow.client_conn.id for flow in proxy.flows}) == 1


async def test_a_client_that_leaves_in_the_middle_takes_nothing_with_it(place: Place) -> None:
    options = place.options | {"stream_large_bodies": "64k"}
    async with origin(swap, ssl=place.context) as server, running(**options) as proxy, client(proxy) as http:
        length = {"Content-Length": str(len(PIECE) * PIECES)}
        async with http.stream("POST", place.url(server.port), content=pieces(), headers=length) as reply:
            await anext(reply.aiter_raw())
        await proxy.wait_for_flows()
        assert "client" in proxy.flow.error.msg
        async with origin(ssl=place.context) as other:
            assert (await http.get(place.url(other.port))).content == b"hi"


async def test_an_authority_that_the_client_does_not_know_is_told(tmp_path: Path) -> None:
    place = Place("https", tmp_path)

    async with origin(ssl=place.context) as server, running(**place.options) as proxy:
        strict = httpx.AsyncClient(proxy=f"http://127.0.0.1:{proxy.port}", trust_env=False)
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            async with strict:
                await strict.get(place.url(server.port))
        await until(lambda: proxy.log)
        # asyncio hangs up without a word (an alert); others say that they do not trust the authority
        assert "TLS for localhost: the client closed the connection during the TLS handshake" in proxy.log[0]
