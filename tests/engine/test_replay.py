"""Client replay: recorded requests go through the engine again, and what comes back is in the flow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.support.asynchronous import run
from tests.support.flows import client, dns_flow, http_flow, request, response, tcp_flow, websocket_flow
from tests.support.http2 import Reply, h2_origin
from tests.support.interception import Authorities
from tests.support.live import Running, origin, running

from flowdump.engine.replay import Replayer, refusal
from flowdump.http import Response

CLOSING = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


@asynccontextmanager
async def replaying(*addons: Any, **options: Any) -> AsyncIterator[tuple[Running, Replayer]]:
    async with running(*addons, **options) as proxy:
        replayer = Replayer(proxy.proxy)
        yield proxy, replayer
        await replayer.stop(1)


def recorded(port: int, path: str = "/", method: str = "GET", body: bytes = b"", headers: Any = ()) -> Any:
    fields = [("Host", f"127.0.0.1:{port}"), *headers]
    return http_flow(request(method, f"http://127.0.0.1:{port}{path}", body, fields), response(500, b"old"))


def paths(received: bytes) -> list[bytes]:
    return [line.split(b" ")[1] for line in received.split(b"\r\n") if line.endswith(b" HTTP/1.1")]


def test_a_request_is_sent_again() -> None:
    heard: list[str] = []

    class Listener:
        def requestheaders(self, flow: Any) -> None:
            heard.append(f"requestheaders {flow.is_replay} {flow.response} {flow.request.content!r}")

        def request(self, flow: Any) -> None:
            heard.append("request")
            flow.request.headers["X-Added"] = "1"

        def responseheaders(self, flow: Any) -> None:
            heard.append("responseheaders")

        def response(self, flow: Any) -> None:
            heard.append(f"response {flow.response.content!r}")

        def error(self, flow: Any) -> None:
            raise AssertionError("there was none")

    async def scenario() -> None:
        async with origin() as server, replaying(Listener()) as (proxy, replayer):
            flow = recorded(server.port, "/x?y", "POST", b"body", [("X-Two", "1"), ("X-Two", "2")])
            before = flow.get_state()
            replayer.add([flow])
            assert replayer.count == 1
            await replayer.idle()
            assert replayer.count == 0
            assert proxy.flows == [flow]
            head, _, body = server.received.partition(b"\r\n\r\n")
            assert head.startswith(b"POST /x?y HTTP/1.1\r\n")
            assert b"X-Two: 1\r\nX-Two: 2\r\n" in head
            assert head.endswith(b"X-Added: 1")
            assert body == b"body"
            assert (flow.response.status_code, flow.response.content) == (200, b"hi")
            assert (flow.is_replay, flow.live, flow.error) == ("request", False, None)
            assert flow.server_conn.peername == ("127.0.0.1", server.port)
            assert flow.request.timestamp_start > before["request"]["timestamp_start"]
            flow.revert()
            assert flow.response.content == b"old"
            assert flow.is_replay is None

    run(scenario())
    assert heard == ["requestheaders request None b'body'", "request", "responseheaders", "response b'hi'"]


async def test_flows_of_one_client_share_a_connection_and_others_do_not() -> None:
    async with origin() as server, replaying() as (_, replayer):
        first, second = client(), client()
        flows = [recorded(server.port, f"/{i}") for i in range(5)]
        for flow, owner in zip(flows, (first, first, second, second, first), strict=True):
            flow.client_conn = owner
        replayer.add(flows)
        await replayer.idle()
        assert [paths(seen) for seen in server.requests] == [[b"/0", b"/1"], [b"/2", b"/3"], [b"/4"]]
        assert flows[0].client_conn is flows[1].client_conn
        assert flows[0].client_conn.id != first.id


@pytest.mark.parametrize(("limit", "together"), [(1, 1), (3, 3), (-1, 8)])
def test_as_many_at_a_time_as_the_option_says(limit: int, together: int) -> None:
    most = now = 0

    async def scenario() -> None:
        full = asyncio.Event()

        async def hold(reader: Any, writer: Any) -> None:
            nonlocal most, now
            now += 1
            most = max(most, now)
            if now == together:
                full.set()
            await full.wait()
            for _ in range(10):  # one too many would come in now
                await asyncio.sleep(0)
            now -= 1
            writer.write(CLOSING)

        async with origin(hold, close=True) as server, replaying(client_replay_concurrency=limit) as (proxy, replayer):
            replayer.add([recorded(server.port) for _ in range(8)])
            await replayer.idle()
            assert [flow.response.content for flow in proxy.flows] == [b"ok"] * 8

    run(scenario())
    assert most == together


def test_sources_are_read_as_far_as_needed() -> None:
    read: list[int] = []

    async def scenario() -> None:
        async with origin(CLOSING, close=True) as server, replaying() as (proxy, replayer):

            def source() -> Iterable[Any]:
                for i in range(3):
                    read.append(len(proxy.flows))
                    yield recorded(server.port, f"/{i}")

            replayer.add_source(iter(source()))
            assert replayer.count == 1
            await replayer.idle()
            assert len(proxy.flows) == 3

    run(scenario())
    assert read == [0, 1, 2]


async def test_what_waits_can_be_forgotten() -> None:
    async def answer(reader: Any, writer: Any) -> None:
        replayer.clear()
        writer.write(CLOSING)

    async with origin(answer, close=True) as server, replaying() as (proxy, replayer):
        replayer.add([recorded(server.port, f"/{i}") for i in range(5)])
        await replayer.idle()
        assert [flow.request.path for flow in proxy.flows] == ["/0"]


async def test_an_origin_that_is_not_there_is_an_error_of_the_flow() -> None:
    async with replaying() as (proxy, replayer):
        replayer.add([recorded(1)])
        await replayer.idle()
        assert "cannot connect to 127.0.0.1:1" in str(proxy.flow.error)
        assert proxy.flow.response is None


async def test_scripts_answer_change_and_kill_replays() -> None:
    class Script:
        def requestheaders(self, flow: Any) -> None:
            if flow.request.path == "/early":
                flow.response = Response.make(203, b"early")
            elif flow.request.path == "/edit":
                flow.request.content = b"edited"

        def request(self, flow: Any) -> None:
            if flow.request.path == "/kill":
                flow.kill()

    async with origin() as server, replaying(Script()) as (proxy, replayer):
        replayer.add([recorded(server.port, path, "POST", b"body") for path in ("/early", "/edit", "/kill")])
        await replayer.idle()
        early, edit, kill = proxy.flows
        assert (early.response.status_code, early.request.content) == (203, b"body")
        assert edit.request.content == b"edited"
        assert server.received.endswith(b"\r\n\r\nedited")
        assert str(kill.error) == "Connection killed."
        assert paths(server.received) == [b"/edit"]


async def test_streamed_bodies_are_sent_and_stay_in_the_flow() -> None:
    body = b"x" * 5000

    async with origin() as server, replaying(stream_large_bodies="1k") as (proxy, replayer):
        replayer.add([recorded(server.port, "/", "POST", body)])
        await replayer.idle()
        assert server.received.endswith(body)
        assert proxy.flow.request.content == body


async def test_expectations_and_codings_are_those_of_this_time() -> None:
    headers = [("Expect", "100-continue"), ("Transfer-Encoding", "chunked"), ("Connection", "close")]

    async with origin() as server, replaying() as (proxy, replayer):
        flow = recorded(server.port, "/", "POST", b"abc", headers)
        replayer.add([flow])
        await replayer.idle()
        assert b"expect" not in server.received.lower()
        assert server.received.endswith(b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        assert proxy.flow.response.content == b"hi"


async def test_a_body_above_the_limit_is_not_sent() -> None:
    async with origin() as server, replaying(body_size_limit="1k") as (proxy, replayer):
        replayer.add([recorded(server.port, "/", "POST", b"x" * 2000)])
        await replayer.idle()
        assert "body_size_limit" in str(proxy.flow.error)
        assert server.received == b""


async def test_a_switch_of_protocols_that_nobody_asked_for_is_an_error() -> None:
    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"

    async with origin(switch) as server, replaying() as (proxy, replayer):
        replayer.add([recorded(server.port, headers=[("Upgrade", "x"), ("Connection", "upgrade")])])
        await replayer.idle()
        assert "switches protocols" in str(proxy.flow.error)


async def test_what_is_under_way_may_end_when_the_run_ends() -> None:
    reached, released = asyncio.Event(), asyncio.Event()

    async def answer(reader: Any, writer: Any) -> None:
        reached.set()
        await released.wait()
        writer.write(CLOSING)

    async with origin(answer, close=True) as server, replaying() as (proxy, replayer):
        replayer.add([recorded(server.port, "/first"), recorded(server.port, "/second")])
        await reached.wait()
        stopping = asyncio.create_task(replayer.stop(10))
        await asyncio.sleep(0)
        released.set()
        await stopping
        assert [(flow.request.path, flow.response.content) for flow in proxy.flows] == [("/first", b"ok")]


async def test_what_does_not_end_is_cut_when_the_run_ends() -> None:
    reached = asyncio.Event()

    async def silent(reader: Any, writer: Any) -> None:
        reached.set()
        await reader.read()

    async with origin(silent) as server, replaying() as (proxy, replayer):
        replayer.add([recorded(server.port), recorded(server.port)])
        await reached.wait()
        await replayer.stop(0.01)
        assert "shut down" in str(proxy.flow.error)
        late = recorded(server.port)
        replayer.add([late])
        assert late.is_replay is None
        assert "the run is about to end" in proxy.log[-1]


async def test_a_flow_in_http_3_is_asked_for_in_another_version() -> None:
    async with origin() as server, replaying() as (proxy, replayer):
        flow = recorded(server.port)
        flow.request.http_version = "HTTP/3"
        del flow.request.headers["host"]
        flow.request.authority = f"127.0.0.1:{server.port}"
        replayer.add([flow])
        await replayer.idle()
        assert b"Host: 127.0.0.1:%d\r\n" % server.port in server.received
        assert proxy.flow.response.content == b"hi"


def unrecorded() -> Any:
    flow = http_flow(request("POST", "http://a.example/"))
    flow.request.raw_content = None
    return flow


@pytest.mark.parametrize(
    ("flow", "says"),
    [
        (tcp_flow(b"x"), "no HTTP flow"),
        (dns_flow(), "no HTTP flow"),
        (websocket_flow(), "a WebSocket"),
        (http_flow(live=True), "it is live"),
        (http_flow(intercepted=True), "intercepted"),
        (http_flow(request("CONNECT", "https://a.example:443")), "a tunnel"),
        (unrecorded(), "not recorded"),
        (http_flow(), ""),
    ],
)
async def test_flows_that_cannot_be_sent_are_told(flow: Any, says: str) -> None:
    assert says in refusal(flow)
    assert bool(refusal(flow)) == bool(says)

    async with replaying() as (proxy, replayer):
        if says:
            replayer.add([flow])
            replayer.add_source(iter([flow]))
            await replayer.idle()
            assert [f"flow {flow.id} is not replayed: " in line for line in proxy.log] == [True, True]
            assert proxy.flows == []


async def test_https_is_asked_in_http_2(pki: Authorities) -> None:
    context = pki.serve("127.0.0.1")
    async with h2_origin(Reply(200, body=b"h2"), ssl=context) as server, replaying(**pki.trust) as (proxy, replayer):
        flow = recorded(server.port, "/x", "POST", b"body")
        flow.request.scheme, flow.request.http_version = "https", "HTTP/2.0"
        flow.client_conn.tls, flow.client_conn.alpn_offers = True, [b"http/1.1"]  # as other programs may have it
        replayer.add([flow])
        await replayer.idle()
        assert (proxy.flow.response.http_version, proxy.flow.response.content) == ("HTTP/2.0", b"h2")
        assert server.requests[0].body == b"body"
        assert proxy.flow.server_conn.alpn == b"h2"


async def test_an_upstream_proxy_is_asked() -> None:
    async with origin() as another, replaying(mode=[f"upstream:http://127.0.0.1:{another.port}"]) as (_, replayer):
        flow = http_flow("http://a.example/x")
        flow.server_conn.via = ("http", ("192.0.2.1", 1))  # the one of the recording
        replayer.add([flow])
        await replayer.idle()
        assert paths(another.received) == [b"http://a.example/x"]
