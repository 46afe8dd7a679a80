"""HTTP/2 through the running proxy: what the origin sees, what the client gets, what is recorded."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from h2.settings import SettingCodes
from tests.support.asynchronous import run
from tests.support.http1 import OK
from tests.support.http2 import Peer, Reply, Reset, h2_client, h2_origin
from tests.support.interception import Authorities, with_alpn
from tests.support.live import Running, origin, running, until

from flowdump.engine.http2 import client as http2_client
from flowdump.http import HTTPFlow, Response

# -- what passes ---------------------------------------------------------------------------------------------------


async def test_a_request_reaches_the_origin_and_its_answer_the_client(pki: Authorities) -> None:
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


async def test_without_http2_its_preface_is_a_malformed_request() -> None:
    async with running(http2=False) as proxy:
        reply = await proxy.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        assert reply.startswith(b"HTTP/1.1 400 ")
        assert proxy.flow.error is not None


@pytest.mark.parametrize(
    ("offered", "chosen", "agreed"),
    [
        (["h2", "http/1.1"], ["h2", "http/1.1"], "h2"),
        (["h2", "http/1.1"], ["http/1.1"], "http/1.1"),
        (["http/1.1"], ["h2", "http/1.1"], "http/1.1"),
        (["h2"], ["http/1.1"], "h2"),
        (["h2", "http/1.1"], [], "http/1.1"),
    ],
)
async def test_the_client_is_offered_what_its_origin_speaks(
    pki: Authorities, offered: list[str], chosen: list[str], agreed: str
) -> None:
    serving = pki.serve("example.com")
    if chosen:
        serving.set_alpn_protocols(chosen)
    async with origin(OK, ssl=serving) as server, running(**pki.trust) as proxy:
        assert await agreed_protocol(proxy, server.port, *offered) == agreed


async def agreed_protocol(proxy: Running, port: int, *offered: str) -> str | None:
    reader, writer = await proxy.connect()
    writer.write(b"CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n" % port)
    await reader.readuntil(b"\r\n\r\n")
    await writer.start_tls(with_alpn(*offered), server_hostname="example.com")
    protocol: str | None = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    writer.close()
    return protocol


@pytest.mark.parametrize("options", [{"upstream_cert": False}, {"connection_strategy": "lazy"}], ids=str)
async def test_an_origin_that_was_not_asked_yet_may_speak_either(pki: Authorities, options: dict[str, Any]) -> None:
    async with (
        origin(OK, ssl=pki.serve("example.com")) as server,
        running(**pki.trust, **options) as proxy,
        h2_client(proxy, server.port, with_alpn("h2", "http/1.1")) as client,
    ):
        assert (await client.fetch("GET", "/")).body == b"hi"
        assert server.received == b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"


async def test_prior_knowledge_without_tls_goes_on_so() -> None:
    async with h2_origin() as server, running() as proxy, h2_client(proxy, server.port) as client:
        assert (await client.fetch("GET", "/")).body == b"hi"
        await proxy.wait_for_flows()
        assert proxy.flow.request.url == f"http://127.0.0.1:{server.port}/"


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n", b""], ids=["400", "hangs up"]
)
async def test_an_origin_that_does_not_understand_prior_knowledge_is_asked_in_http1(answer: bytes) -> None:
    async def bewildered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(answer if head.startswith(b"PRI ") else OK)
        if not head.startswith(b"PRI "):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(bewildered, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with running() as proxy, h2_client(proxy, port) as client:
        assert (await client.fetch("POST", "/", body=b"x")).body == b"hi"
        await proxy.wait_for_flows()
        assert proxy.flow.response is not None
        assert proxy.flow.response.http_version == "HTTP/1.1"
    server.close()


@pytest.mark.parametrize("asked", [b"h2c", b"websocket, H2C"])
async def test_a_switch_to_http2_is_not_passed_on(asked: bytes) -> None:
    async with origin(OK) as server, running() as proxy:
        await proxy.send(
            b"GET http://127.0.0.1:%d/ HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
            b"Upgrade: %b\r\nHTTP2-Settings: AAMAAABk\r\n\r\n" % (server.port, asked)
        )
        assert server.received == b"GET / HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n" % server.port
        assert proxy.flow.request.headers["upgrade"] == asked.decode()


async def test_a_forward_proxy_is_spoken_to_in_http2_as_well() -> None:
    async with origin(OK) as server, running() as proxy:
        client = Peer(*await proxy.connect(), True)
        client.authority = b"127.0.0.1:%d" % server.port
        assert (await client.fetch("GET", "/x")).body == b"hi"
        assert server.received.startswith(b"GET /x HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n" % server.port)
        client.authority = b"a b"
        with pytest.raises(Reset):
            await client.fetch("GET", "/x")
        await client.close()


async def test_cookies_are_joined_for_handlers_and_for_http1_and_go_in_crumbs_to_http2(pki: Authorities) -> None:
    seen: list[str] = []

    class Look:
        def request(self, flow: HTTPFlow) -> None:
            seen.append(flow.request.headers["cookie"])

    crumbs = [(b"cookie", b"a=1"), (b"cookie", b"b=2; c=3")]

    async with h2_origin() as server, running(Look()) as proxy, h2_client(proxy, server.port) as client:
        await client.fetch("GET", "/", (b"x-a", b"1"), crumbs[0], (b"x-b", b"2"), crumbs[1])
        fields = server.requests[0].heads[0][4:]
        assert fields == [
            (b"x-a", b"1"), (b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"cookie", b"c=3"), (b"x-b", b"2"),
        ]  # fmt: skip
    async with (
        origin(OK, ssl=pki.serve("example.com")) as server,
        running(Look(), **pki.trust) as proxy,
        h2_client(proxy, server.port, with_alpn("h2")) as client,
    ):
        await client.fetch("GET", "/", *crumbs)
        assert b"\r\ncookie: a=1; b=2; c=3\r\n" in server.received
    assert seen == ["a=1; b=2; c=3"] * 2


async def test_what_is_for_one_connection_stays_and_names_are_in_lower_case(pki: Authorities) -> None:
    answer = (
        b"HTTP/1.1 200 Fine\r\nConnection: keep-alive, X-Hop\r\nKeep-Alive: timeout=5\r\nX-Hop: 1\r\nX-End: 2\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"
    )

    async with (
        origin(answer, ssl=pki.serve("example.com")) as server,
        running(**pki.trust) as proxy,
        h2_client(proxy, server.port, with_alpn("h2")) as client,
    ):
        reply = await client.fetch("GET", "/", (b"te", b"trailers"))
        assert (reply.headers, reply.body) == ([(b"x-end", b"2")], b"hi")
        assert b"\r\nte: trailers\r\n" in server.received


async def test_the_host_of_a_script_wins() -> None:
    class Rename:
        def request(self, flow: HTTPFlow) -> None:
            flow.request.headers["Host"] = "other.example"

    async with h2_origin() as server, running(Rename()) as proxy, h2_client(proxy, server.port) as client:
        await client.fetch("GET", "/")
        assert server.requests[0].fields[b":authority"] == b"other.example"
        assert b"host" not in server.requests[0].fields


async def test_the_length_of_a_streamed_body_is_true_whatever_a_script_makes_of_it() -> None:
    class Shorten:
        def requestheaders(self, flow: HTTPFlow) -> None:
            flow.request.stream = True
            flow.request.headers["content-length"] = "1"

        def responseheaders(self, flow: HTTPFlow) -> None:
            assert flow.response is not None
            flow.response.stream = True
            flow.response.headers["content-length"] = "1"

    answer = Reply(200, [(b"content-length", b"6")], b"foobar")
    async with h2_origin(answer) as server, running(Shorten()) as proxy, h2_client(proxy, server.port) as client:
        reply = await client.fetch("POST", "/", (b"content-length", b"3"), body=b"abc")
        assert (reply[b"content-length"], reply.body) == (b"6", b"foobar")
        asked = server.requests[0]
        assert (asked.fields[b"content-length"], asked.body) == (b"3", b"abc")


async def test_interim_responses_pass() -> None:
    replies = Reply(200, body=b"hi", interim=[103, 103])
    async with h2_origin(replies) as server, running() as proxy, h2_client(proxy, server.port) as client:
        reply = await client.fetch("GET", "/")
        assert (reply.interim, reply.status, reply.body) == ([103, 103], 200, b"hi")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_responses_without_a_body_end_with_their_head(method: str, status: int) -> None:
    fields = [(b"content-length", b"5")] if status != 204 else []
    answer = Reply(status, fields)
    async with h2_origin(answer) as server, running() as proxy, h2_client(proxy, server.port) as client:
        reply = await client.fetch(method, "/")
        assert (reply.status, reply.headers, reply.body) == (status, fields, b"")


async def test_a_response_of_a_script_and_of_an_addon_in_the_middle_of_an_upload() -> None:
    class Answer:
        def requestheaders(self, flow: HTTPFlow) -> None:
            flow.response = Response.make(403, b"no", {"X-Why": "because"})

    async with h2_origin() as server, running(Answer()) as proxy, h2_client(proxy, server.port) as client:
        identifier = client.request("POST", "/", body=b"x" * 1000, end=False)
        reply = await client.response(identifier)
        assert (reply.status, reply.body, reply[b"x-why"]) == (403, b"no", b"because")
        await client.until(lambda: client.streams[identifier].reset == 0)  # NO_ERROR: nobody reads the rest
        assert (await client.fetch("GET", "/")).status == 403  # the connection goes on
        assert server.requests == []


async def test_streams_overtake_each_other_on_one_connection() -> None:
    gates: dict[bytes, asyncio.Event] = {}
    all_there = asyncio.Event()

    async def gated(peer: Peer, identifier: int) -> None:
        path = peer.streams[identifier].fields[b":path"]
        if len(gates) == 19:
            all_there.set()
        await gates.setdefault(path, asyncio.Event()).wait()
        await peer.answer(identifier, Reply(200, body=path))

    async with h2_origin(gated) as server, running() as proxy, h2_client(proxy, server.port) as client:
        numbers = [client.request("GET", f"/{n}") for n in range(20)]
        await all_there.wait()
        for n in reversed(range(20)):
            gates[b"/%d" % n].set()
            assert (await client.response(numbers[n])).body == b"/%d" % n
        assert len(server.peers) == 1
        await proxy.wait_for_flows(20)
        assert len({flow.server_conn.id for flow in proxy.flows}) == 1


async def test_http1_origins_get_as_many_connections_as_are_needed_and_keep_them(pki: Authorities) -> None:
    both = asyncio.Event()
    waiting = 0

    async def together(reader: Any, writer: asyncio.StreamWriter) -> None:
        nonlocal waiting
        waiting += 1
        if waiting == 3:
            both.set()
        await both.wait()
        writer.write(OK)

    async with (
        origin(together, ssl=pki.serve("example.com")) as server,
        running(**pki.trust) as proxy,
        h2_client(proxy, server.port, with_alpn("h2")) as client,
    ):
        for _ in range(2):
            replies = [client.response(client.request("GET", "/")) for _ in range(3)]
            assert [reply.body for reply in await asyncio.gather(*replies)] == [b"hi"] * 3
        assert len(server.requests) == 3


async def test_the_origin_s_limit_of_streams_is_kept() -> None:
    most = now = 0

    async def slow(peer: Peer, identifier: int) -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        for _ in range(3):
            await asyncio.sleep(0)
        now -= 1
        await peer.answer(identifier, Reply(200, body=b"hi"))

    settings = {SettingCodes.MAX_CONCURRENT_STREAMS: 2}
    async with (
        h2_origin(slow, settings=settings) as server,
        running() as proxy,
        h2_client(proxy, server.port) as client,
    ):
        await client.fetch("GET", "/")
        replies = [client.response(client.request("GET", "/")) for _ in range(10)]
        assert [reply.body for reply in await asyncio.gather(*replies)] == [b"hi"] * 10
        assert most == 2


# -- windows -------------------------------------------------------------------------------------------------------


async def test_a_client_that_does_not_read_stops_the_origin_and_nobody_else() -> None:
    sent = 0

    async def endless(peer: Peer, identifier: int) -> None:
        nonlocal sent
        if peer.streams[identifier].fields[b":path"] == b"/small":
            await peer.answer(identifier, Reply(200, body=b"hi"))
            return
        peer.h2.send_headers(identifier, [(b":status", b"200")])
        while True:
            await peer.send(identifier, bytes(16384))
            sent += 16384

    class Stream:
        def responseheaders(self, flow: HTTPFlow) -> None:
            assert flow.response is not None
            flow.response.stream = True

    async with h2_origin(endless) as server, running(Stream()) as proxy, h2_client(proxy, server.port) as client:
        client.acknowledge = False
        client.h2.increment_flow_control_window(1 << 20)
        large = client.request("GET", "/large")
        await client.until(lambda: len(client.streams[large].body) == 65535)
        for _ in range(3):
            assert (await client.fetch("GET", "/small")).body == b"hi"
        before = -1
        while sent != before:  # until nothing moves
            before = sent
            await asyncio.sleep(0.1)
        assert sent < 3 << 20  # the origin's window, our queue, and a piece in between
        client.h2.reset_stream(large, 8)
        client.flush()
        await server.peers[0].until(lambda: server.requests[0].reset == 8)


async def test_an_upload_is_sent_as_fast_as_the_origin_takes_it() -> None:
    body = bytes(range(256)) * 8000

    async with h2_origin() as server, running() as proxy, h2_client(proxy, server.port) as client:
        identifier = client.request("POST", "/", end=False)
        await client.send(identifier, body, end=True)
        assert (await client.response(identifier)).body == b"hi"
        assert server.requests[0].body == body


async def test_padding_and_empty_frames_cost_no_window() -> None:
    async with h2_origin() as server, running() as proxy, h2_client(proxy, server.port) as client:
        identifier = client.request("POST", "/", end=False)
        for _ in range(200):
            while client.h2.local_flow_control_window(identifier) < 20000:
                await client.until(lambda: client.h2.local_flow_control_window(identifier) > 65535)
            client.h2.send_data(identifier, b"x" * 9000, pad_length=255)
            client.flush()
        client.h2.end_stream(identifier)
        client.flush()
        assert (await client.response(identifier)).body == b"hi"
        assert len(server.requests[0].body) == 200 * 9000


# -- ends ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [2, 8, 11])
async def test_a_client_s_reset_reaches_the_origin_and_nobody_else(code: int) -> None:
    started = asyncio.Event()

    async def never(peer: Peer, identifier: int) -> None:
        if peer.streams[identifier].fields[b":path"] == b"/other":
            await peer.answer(identifier, Reply(200, body=b"hi"))
        started.set()

    async with h2_origin(never) as server, running() as proxy, h2_client(proxy, server.port) as client:
        identifier = client.request("GET", "/never")
        await started.wait()
        client.h2.reset_stream(identifier, code)
        client.flush()
        await proxy.wait_for_flows()
        assert "reset the stream" in str(proxy.flow.error)
        (peer,) = server.peers
        await peer.until(lambda: peer.streams[1].reset == code)
        assert (await client.fetch("GET", "/other")).body == b"hi"


@pytest.mark.parametrize("head", [False, True], ids=["in front of the head", "after the head"])
async def test_an_origin_s_reset_reaches_the_client_and_nobody_else(head: bool) -> None:
    async def reset(peer: Peer, identifier: int) -> None:
        if peer.streams[identifier].fields[b":path"] == b"/other":
            await peer.answer(identifier, Reply(200, body=b"hi"))
            return
        if head:
            peer.h2.send_headers(identifier, [(b":status", b"200")])
            peer.h2.send_data(identifier, b"beginning")
        peer.h2.reset_stream(identifier, 11)
        peer.flush()

    async with h2_origin(reset) as server, running() as proxy, h2_client(proxy, server.port) as client:
        with pytest.raises(Reset) as caught:
            await client.fetch("GET", "/")
        assert caught.value.code == 11
        assert (await client.fetch("GET", "/other")).body == b"hi"
        await proxy.wait_for_flows(2)
        assert "ENHANCE_YOUR_CALM" in str(proxy.flows[0].error)


async def test_a_request_that_the_origin_refused_is_sent_again() -> None:
    refused = 0

    async def busy(peer: Peer, identifier: int) -> None:
        nonlocal refused
        refused += 1
        if refused < 3:
            peer.h2.reset_stream(identifier, 7)
            peer.flush()
            return
        await peer.until(lambda: peer.streams[identifier].ended)
        await peer.answer(identifier, Reply(200, body=bytes(peer.streams[identifier].body)))

    async with h2_origin(busy) as server, running() as proxy, h2_client(proxy, server.port) as client:
        assert (await client.fetch("POST", "/", body=b"once more")).body == b"once more"


async def test_streams_above_the_last_one_of_a_goaway_go_to_a_new_connection() -> None:
    async def leaving(peer: Peer, identifier: int) -> None:
        if len(server_of[0].peers) > 1:
            await peer.until(lambda: peer.streams[identifier].ended)
            await peer.answer(identifier, Reply(200, body=b"second " + peer.streams[identifier].body))
        elif identifier == 3:  # the first one may end, this one was never looked at
            goaway = bytes.fromhex("000008 07 00 00000000") + (1).to_bytes(4, "big") + bytes(4)
            peer.writer.write(peer.h2.data_to_send() + goaway)
            await peer.answer(1, Reply(200, body=b"first"))

    server_of: list[Any] = []

    async with h2_origin(leaving) as server, running() as proxy, h2_client(proxy, server.port) as client:
        server_of.append(server)
        first, second = client.request("GET", "/1"), client.request("POST", "/2", body=b"again")
        assert (await client.response(second)).body == b"second again"
        assert (await client.response(first)).body == b"first"
        assert (await client.fetch("GET", "/3")).body == b"second "
        await server.peers[0].until(lambda: server.peers[0].reader.at_eof())
        assert len(server.peers) == 2


async def test_the_reason_of_a_goaway_is_told() -> None:
    async def fed_up(peer: Peer, identifier: int) -> None:
        goaway = bytes.fromhex("000017 07 00 00000000 00000001 0000000b") + b"too_many_\x1bpings"
        peer.writer.write(peer.h2.data_to_send() + goaway)
        peer.writer.close()

    async with h2_origin(fed_up) as server, running() as proxy, h2_client(proxy, server.port) as client:
        assert (await client.fetch("GET", "/")).status == 502
        await proxy.wait_for_flows()
        assert proxy.flow.error is not None
        assert proxy.flow.error.msg == (r"the server ends the connection: ENHANCE_YOUR_CALM ('too_many_\x1bpings')")


async def test_a_connection_that_is_not_used_is_no_error(pki: Authorities) -> None:
    async with origin(OK, ssl=pki.serve("example.com")) as server, running(**pki.trust) as proxy:
        assert await agreed_protocol(proxy, server.port, "h2") == "h2"
        await until(lambda: not proxy.proxy.sessions)
        assert proxy.flows == []
        assert not [line for line in proxy.log if line.startswith("warn")]


async def test_a_lost_origin_is_a_502_and_a_reused_one_is_tried_again() -> None:
    async def lose(peer: Peer, identifier: int) -> None:
        if identifier == 3 or peer.streams[identifier].fields[b":path"] == b"/lose":
            peer.writer.close()
        else:
            await peer.answer(identifier, Reply(200, body=b"hi"))

    async with h2_origin(lose) as server, running() as proxy, h2_client(proxy, server.port) as client:
        assert (await client.fetch("GET", "/lose")).status == 502
        for _ in range(2):
            assert (await client.fetch("GET", "/")).body == b"hi"
        assert len(server.peers) == 3


async def test_a_client_that_disconnects_cancels_its_streams() -> None:
    begun = asyncio.Event()

    async def never(peer: Peer, identifier: int) -> None:
        if identifier == 5:
            begun.set()

    async with h2_origin(never) as server, running() as proxy:
        async with h2_client(proxy, server.port) as client:
            for _ in range(3):
                client.request("GET", "/")
            await begun.wait()
        await proxy.wait_for_flows(3)
        assert {str(flow.error) for flow in proxy.flows} == {"the client disconnected"}


async def test_a_proxy_that_stops_lets_streams_end_and_takes_no_new_ones() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slow(peer: Peer, identifier: int) -> None:
        begun.set()
        await go_on.wait()
        await peer.answer(identifier, Reply(200, body=b"hi"))

    async with h2_origin(slow) as server, running() as proxy, h2_client(proxy, server.port) as client:
        identifier = client.request("GET", "/")
        await begun.wait()
        stopping = asyncio.create_task(proxy.proxy.stop(10))
        await client.until(lambda: client.goaway is not None)
        assert client.goaway is not None
        assert (client.goaway.error_code, client.goaway.last_stream_id) == (0, 1)
        go_on.set()
        await client.until(lambda: client.gone or client.streams[identifier].ended)
        await stopping
        assert client.streams[identifier].body == b"hi"


async def test_a_slow_origin_is_a_504_on_its_own_stream_only() -> None:
    async def slow(peer: Peer, identifier: int) -> None:
        if peer.streams[identifier].fields[b":path"] == b"/quick":
            await peer.answer(identifier, Reply(200, body=b"hi"))

    async with h2_origin(slow) as server, running(response_timeout=1) as proxy, h2_client(proxy, server.port) as client:
        reply = await client.fetch("GET", "/slow")
        assert reply.status == 504
        assert (await client.fetch("GET", "/quick")).body == b"hi"
        assert server.requests[0].reset == 8


def test_a_silent_origin_is_pinged_and_given_up_when_it_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2_client, "PONG", 0.5)

    async def scenario() -> None:
        async with (
            h2_origin() as server,
            running(http2_ping_keepalive=1) as proxy,
            h2_client(proxy, server.port) as client,
        ):
            await client.fetch("GET", "/")
            (peer,) = server.peers
            await peer.until(lambda: peer.pings > 0)
            peer.task.cancel()  # from now on it reads nothing
            await peer_gone(proxy)
            assert (await client.fetch("GET", "/")).body == b"hi"
            assert len(server.peers) == 2

    async def peer_gone(proxy: Running) -> None:
        (session,) = proxy.proxy.sessions.values()
        while session.upstreams._http2._open:
            await asyncio.sleep(0.01)

    run(scenario())
