"""What hostile peers do over HTTP/2: their stream ends or their connection, it is recorded, nobody else notices."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import struct
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from h2.settings import SettingCodes
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.http2 import Gone, Pairs, Peer, Reply, Reset, h2_client, h2_origin
from tests.support.interception import Authorities, with_alpn
from tests.support.live import origin, running

from flowdump.engine.errors import ProtocolError
from flowdump.engine.http2 import connection
from flowdump.engine.http2.codec import Patience
from flowdump.engine.http2.connection import PREFACE
from flowdump.engine.http2.fields import read_request
from flowdump.engine.http2.stream import Inbox
from flowdump.http import HTTPFlow, Response

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
PROTOCOL_ERROR, FRAME_SIZE_ERROR, ENHANCE_YOUR_CALM = 1, 6, 11

START: Pairs = [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"example.com"), (b":path", b"/")]


def frame(kind: int, payload: bytes = b"", flags: int = 0, stream: int = 0) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


class Answer:
    """Answers everything without an origin."""

    def request(self, flow: HTTPFlow) -> None:
        flow.response = Response.make(200, b"hi")


# -- malformed messages --------------------------------------------------------------------------------------------

MALFORMED: dict[str, Pairs] = {
    "an upper-case name": [*START, (b"X-Upper", b"1")],
    "an empty name": [*START, (b"", b"1")],
    "a colon in a name": [*START, (b"a:b", b"1")],
    "a blank in a name": [*START, (b"a b", b"1")],
    "a line break in a name": [*START, (b"a\r\nb", b"1")],
    "a line break in a value": [*START, (b"a", b"1\r\nx-smuggled: 1")],
    "a line feed in a value": [*START, (b"a", b"1\nb")],
    "a NUL in a value": [*START, (b"a", b"1\0")],
    "a control character in a value": [*START, (b"a", b"\x1b[2J")],
    "a blank in front of a value": [*START, (b"a", b" 1")],
    "a blank after a value": [*START, (b"a", b"1\t")],
    "connection": [*START, (b"connection", b"close")],
    "transfer-encoding": [*START, (b"transfer-encoding", b"chunked")],
    "upgrade": [*START, (b"upgrade", b"websocket")],
    "te that is not trailers": [*START, (b"te", b"gzip")],
    "a length that does not match": [*START, (b"content-length", b"5")],
    "two hosts": [*START, (b"host", b"example.com"), (b"host", b"other.example")],
    "an empty host": [*START[:2], START[3], (b"host", b"")],
    "an empty authority": [*START[:2], (b":authority", b""), START[3]],
    "a host that is not the authority": [*START, (b"host", b"other.example")],
    "an authority with a path": [*START[:2], (b":authority", b"a/b"), START[3]],
    "an authority with a user": [*START[:2], (b":authority", b"u@a"), START[3]],
    "a pseudo-header after the fields": [*START[:3], (b"a", b"1"), START[3]],
    "a pseudo-header twice": [*START, (b":path", b"/other")],
    "an unknown pseudo-header": [*START, (b":version", b"2")],
    "no path": START[:3],
    "no method": START[1:],
    "no scheme": [START[0], *START[2:]],
    "an empty path": [*START[:3], (b":path", b"")],
    "a path with a blank": [*START[:3], (b":path", b"/a b")],
    "a path with a line break": [*START[:3], (b":path", b"/ HTTP/1.1\r\nx: y")],
    "a path that is a URL": [*START[:3], (b":path", b"http://other.example/")],
    "a path that is a star": [*START[:3], (b":path", b"*")],
    "a method with a blank": [(b":method", b"GET /x"), *START[1:]],
    "a method with a bracket": [(b":method", b"G(T"), *START[1:]],
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_a_malformed_request_ends_its_stream(name: str, pki: Authorities) -> None:
    async with (
        origin(ssl=pki.serve("example.com")) as server,
        running(**pki.trust) as proxy,
        h2_client(proxy, server.port, with_alpn("h2")) as client,
    ):
        client.h2.send_headers(1, MALFORMED[name], end_stream=True)
        client.flush()
        with pytest.raises(Reset) as caught:
            await client.response(1)
        assert caught.value.code == PROTOCOL_ERROR
        await proxy.wait_for_flows()
        assert "malformed" in str(proxy.flow.error)
        assert server.received == b""
        assert (await client.fetch("GET", "/")).body == b"hi"


async def test_lenient_headers_pass_where_they_can_do_no_harm() -> None:
    async with (
        h2_origin() as server,
        running(validate_inbound_headers=False) as proxy,
        h2_client(proxy, server.port) as client,
    ):
        server_fields = [(b"a", b" 1"), (b"X-Upper", b"1"), (b"connection", b"close")]
        client.h2.send_headers(1, [*START, *server_fields], end_stream=True)
        client.flush()
        assert (await client.response(1)).body == b"hi"
        client.h2.send_headers(3, MALFORMED["a line break in a value"], end_stream=True)
        client.flush()
        with pytest.raises(Reset):
            await client.response(3)


@pytest.mark.parametrize(
    ("fields", "is_lenient"),
    [
        ([*START[:3], (b":path", "/\u00fc".encode())], True),
        ([*START[:3], (b":path", b"*")], False),
        ([*START[:3], (b":path", b"/a b")], False),
        ([*START, (b"connection", b"close")], True),
        ([*START, (b"te", b"gzip")], True),
        ([*START, (b"a", b" 1")], True),
        ([*START, (b"host", b"other.example")], True),
        ([*START[:2], (b":authority", b"u@a"), START[3]], True),
        ([*START, (b"a", b"1\n")], False),
    ],
    ids=str,
)
def test_a_refusal_names_the_option_that_is_less_strict_where_it_is(fields: Pairs, is_lenient: bool) -> None:
    with pytest.raises(ProtocolError) as caught:
        read_request(fields, True)
    assert ("validate_inbound_headers=false" in str(caught.value)) is is_lenient
    with contextlib.nullcontext() if is_lenient else pytest.raises(ProtocolError):
        read_request(fields, True, validate=False)


async def test_too_many_fields_are_a_431() -> None:
    async with running(Answer()) as proxy, h2_client(proxy, 1) as client:
        assert (await client.fetch("GET", "/", *[(b"a", b"1")] * 300)).status == 431
        assert (await client.fetch("GET", "/")).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        [(b":status", b"abc")],
        [(b":status", b"0200")],
        [(b":status", b"101")],
        [(b":path", b"/")],
        [(b":status", b"200"), (b":status", b"200")],
        [(b":status", b"200"), (b"X-Upper", b"1")],
        [(b":status", b"200"), (b"transfer-encoding", b"chunked")],
        [(b":status", b"200"), (b"a", b"1\r\n\r\n<html>")],
        [(b":status", b"200"), (b"content-length", b"7")],
    ],
    ids=str,
)
async def test_a_malformed_response_is_a_502(fields: Pairs) -> None:
    async def bad(peer: Peer, identifier: int) -> None:
        if peer.streams[identifier].fields[b":path"] == b"/good":
            await peer.answer(identifier, Reply(200, body=b"hi"))
            return
        peer.h2.send_headers(identifier, fields, end_stream=fields[0][1] != b"101")
        peer.flush()

    async with h2_origin(bad) as server, running() as proxy, h2_client(proxy, server.port) as client:
        assert (await client.fetch("GET", "/")).status == 502
        assert (await client.fetch("GET", "/good")).body == b"hi"
        assert proxy.flows[0].error is not None


@pytest.mark.parametrize("end", ["body", "reset"])
async def test_a_malformed_response_that_came_with_its_end_costs_one_stream(end: str) -> None:
    async def bad(peer: Peer, identifier: int) -> None:
        path = peer.streams[identifier].fields[b":path"]
        if path == b"/bad":
            peer.h2.send_headers(identifier, [(b":status", b"426"), (b"upgrade", b"websocket")])
            if end == "body":
                peer.h2.send_data(identifier, b"no", end_stream=True)
            else:
                peer.h2.reset_stream(identifier)
            peer.flush()  # all in one write
            await peer.answer(identifier - 2, Reply(200, body=b"hi"))

    async with h2_origin(bad) as server, running() as proxy, h2_client(proxy, server.port) as client:
        good, lost = client.request("GET", "/good"), client.request("GET", "/bad")
        assert (await client.response(lost)).status == 502
        assert (await client.response(good)).body == b"hi"
        await proxy.wait_for_flows(2)
        assert "malformed" in str(proxy.flows[0].error)
        assert len(server.peers) == 1


@pytest.mark.parametrize("sent", [b"abc", b"abcdefg"], ids=["too short", "too long"])
async def test_a_body_that_is_not_as_long_as_it_said_is_never_complete(sent: bytes, pki: Authorities) -> None:
    async with h2_origin() as server, running() as proxy, h2_client(proxy, server.port) as client:
        with pytest.raises((Reset, Gone)):
            await client.fetch("POST", "/", (b"content-length", b"5"), body=sent)
        await proxy.wait_for_flows()
        assert proxy.flow.error is not None
        assert server.requests == []


@pytest.mark.parametrize("trailers", [[(b":path", b"/")], [(b"A", b"1")], [(b"a", b"1\n")]], ids=str)
async def test_malformed_trailers_end_their_stream(trailers: Pairs) -> None:
    async with h2_origin() as server, running() as proxy, h2_client(proxy, server.port) as client:
        identifier = client.request("POST", "/", body=b"x", end=False)
        client.h2.send_headers(identifier, trailers, end_stream=True)
        client.flush()
        with pytest.raises(Reset):
            await client.response(identifier)
        await proxy.wait_for_flows()
        assert "malformed" in str(proxy.flow.error)
        assert server.requests == []


# -- floods --------------------------------------------------------------------------------------------------------


def unlimited(client: Peer) -> None:
    """Let a client open more streams than it was told."""
    client.h2.remote_settings.max_concurrent_streams = 10_000
    client.h2.remote_settings.acknowledge()


def rapid_reset(client: Peer) -> bytes:
    for _ in range(1000):
        identifier = client.request("GET", "/")
        client.h2.reset_stream(identifier, 8)
    return client.h2.data_to_send()


def own_resets(client: Peer) -> bytes:
    """Frames that make the other side reset: a window of more than 2 GiB."""
    unlimited(client)
    for _ in range(1000):
        identifier = client.request("GET", "/", end=False)
        client.h2._data_to_send += frame(WINDOW_UPDATE, b"\x7f\xff\xff\xff", 0, identifier)
    return client.h2.data_to_send()


def continuations(client: Peer) -> bytes:
    return frame(HEADERS, b"", 0, 1) + frame(CONTINUATION, b"\0\1a\1b" * 100, 0, 1) * 1000


FLOODS: dict[str, Callable[[Peer], bytes]] = {
    "rapid reset": rapid_reset,
    "resets that we are made to send": own_resets,
    "continuations": continuations,
    "settings": lambda client: frame(SETTINGS) * 10_000,
    "pings": lambda client: frame(PING, bytes(8)) * 10_000,
    "priorities": lambda client: frame(PRIORITY, bytes((0, 0, 0, 0, 9)), 0, 3) * 10_000,
    "empty data": lambda client: frame(DATA, b"", 0, client.request("POST", "/", end=False)) * 10_000,
    "small windows": lambda client: frame(WINDOW_UPDATE, b"\0\0\0\1") * 10_000,
    "unknown frames": lambda client: frame(99, b"x") * 10_000,
}


@pytest.mark.parametrize("name", FLOODS)
async def test_a_flood_ends_its_connection(name: str) -> None:
    async with h2_origin() as server, running() as proxy:
        async with h2_client(proxy, server.port) as client:
            await client.fetch("GET", "/")
            client.writer.write(FLOODS[name](client))
            with pytest.raises(Gone) as caught:
                await client.until(lambda: False)
            assert caught.value.code in (ENHANCE_YOUR_CALM, PROTOCOL_ERROR)
        async with h2_client(proxy, server.port) as client:
            assert (await client.fetch("GET", "/")).body == b"hi"
        assert any("HTTP/2" in line for line in proxy.log)
        assert any(flow.error is not None for flow in proxy.flows)


def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """As much of everything at once as ever divided by 20, and next to nothing for long."""
    monkeypatch.setattr(connection, "Patience", lambda burst, rate, now: Patience(burst // 20, 1, now))


async def test_small_messages_with_small_windows_may_go_on_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    patient(monkeypatch)

    async def echo(peer: Peer, identifier: int) -> None:
        peer.acknowledge = False
        peer.h2.send_headers(identifier, [(b":status", b"200"), (b"content-type", b"application/grpc")])
        for count in range(1, 301):
            await peer.until(lambda count=count: len(peer.streams[identifier].body) == count)
            peer.h2.increment_flow_control_window(1)
            peer.h2.increment_flow_control_window(1, identifier)
            await peer.send(identifier, b"x", end=count == 300)

    async with h2_origin(echo) as server, running() as proxy, h2_client(proxy, server.port) as client:
        client.acknowledge = False
        number = client.request("POST", "/", (b"content-type", b"application/grpc"), end=False)
        for count in range(300):
            client.h2.send_data(number, b"x", end_stream=count == 299)
            client.flush()
            await client.until(lambda count=count: len(client.streams[number].body) > count)
            client.h2.increment_flow_control_window(1)
            if not client.streams[number].ended:
                client.h2.increment_flow_control_window(1, number)
        assert (await client.response(number)).body == b"x" * 300


async def test_a_body_that_is_asked_for_byte_by_byte_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    patient(monkeypatch)

    async def dribble(client: Peer, number: int) -> None:
        for count in range(10_000):
            client.h2.increment_flow_control_window(1, number)
            client.flush()
            await client.until(lambda count=count: len(client.streams[number].body) > count)

    async with (
        h2_origin(Reply(200, body=b"x" * 10_000)) as server,
        running() as proxy,
        h2_client(proxy, server.port, settings={SettingCodes.INITIAL_WINDOW_SIZE: 0}) as client,
    ):
        number = client.request("GET", "/")
        await client.until(lambda: client.streams[number].heads)
        with pytest.raises(Gone) as caught:
            await dribble(client, number)
        assert caught.value.code == ENHANCE_YOUR_CALM
        assert len(client.streams[number].body) < 500


async def test_a_header_list_that_is_too_large_ends_the_connection() -> None:
    async with running(Answer()) as proxy, h2_client(proxy, 1) as client:
        client.request("GET", "/", (b"a", b"x" * 40_000), (b"b", b"y" * 40_000))
        with pytest.raises(Gone) as caught:
            await client.until(lambda: False)
        assert caught.value.code == ENHANCE_YOUR_CALM


async def test_a_frame_that_is_too_large_ends_the_connection() -> None:
    async with running(Answer()) as proxy, h2_client(proxy, 1) as client:
        client.writer.write(b"\x01\x00\x01\x00\x00\x00\x00\x00\x01")
        with pytest.raises(Gone) as caught:
            await client.until(lambda: False)
        assert caught.value.code == FRAME_SIZE_ERROR


async def test_who_opens_too_many_streams_is_refused_those_and_keeps_the_others() -> None:
    held = asyncio.Event()

    class Hold:
        async def request(self, flow: HTTPFlow) -> None:
            if flow.request.path != "/first":
                await held.wait()
            flow.response = Response.make(200, b"hi")

    async with running(Hold()) as proxy, h2_client(proxy, 1) as client:
        await client.fetch("GET", "/first")
        unlimited(client)
        numbers = [client.request("GET", "/") for _ in range(120)]
        await client.until(lambda: sum(client.streams[n].reset == 7 for n in numbers) == 20)
        held.set()
        for number in numbers[:100]:
            assert (await client.response(number)).body == b"hi"


async def test_a_client_that_gives_no_window_costs_one_stream() -> None:
    async with (
        h2_origin(Reply(200, body=b"x" * 100_000)) as server,
        running(body_timeout=1) as proxy,
        h2_client(proxy, server.port) as client,
    ):
        client.acknowledge = False
        number = client.request("GET", "/")
        with pytest.raises(Reset):
            await client.response(number)
        await proxy.wait_for_flows()


async def test_a_client_that_reads_nothing_is_cut_when_too_much_waits_for_it() -> None:
    """Answers to pings pile up: as many as fit into the sockets, then a few megabytes, then that is it."""

    async with running(Answer()) as proxy:
        reader, writer = await proxy.connect()
        writer.write(PREFACE + frame(SETTINGS))
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        sent = 0
        while not writer.transport.is_closing() and sent < 200:
            writer.write(frame(PING, bytes(8)) * 1000)
            sent += 1
            await asyncio.wait([asyncio.create_task(writer.drain())], timeout=1)
            await asyncio.sleep(0)
        await proxy.wait_for_flows()
        assert "HTTP/2" in str(proxy.flow.error)
        writer.close()


async def test_interim_responses_without_end_are_a_502() -> None:
    async def wild(peer: Peer, identifier: int) -> None:
        for _ in range(1000):
            peer.h2.send_headers(identifier, [(b":status", b"103")])
        peer.flush()

    async with h2_origin(wild) as server, running() as proxy, h2_client(proxy, server.port) as client:
        assert (await client.fetch("GET", "/")).status == 502
        assert "interim" in str(proxy.flow.error)


def test_a_body_of_single_bytes_takes_no_more_memory_than_its_bytes() -> None:
    inbox: Any = Inbox(Mock(), 1)
    for _ in range(100_000):
        inbox.feed(b"ab")
    assert len(inbox._pieces) < 250
    assert sum(map(len, inbox._pieces)) == inbox.received == 200_000


async def test_many_streams_on_one_connection_leave_memory_flat() -> None:
    async with running(Answer()) as proxy, h2_client(proxy, 1) as client:

        async def fetch(count: int) -> int:
            for _ in range(count // 50):
                numbers = [client.request("GET", "/") for _ in range(50)]
                for number in numbers:
                    await client.response(number)
                    del client.streams[number]
                proxy.flows.clear()
            gc.collect()
            return len(gc.get_objects())

        before = await fetch(1500)
        assert await fetch(3000) - before < 500  # a single object kept per stream would be six times as many


# -- any bytes at all ----------------------------------------------------------------------------------------------

PAYLOADS = [b"\x82\x84\x86\x41\x01a", bytes(4), bytes(5), bytes(6), bytes(8)]
FRAMES = st.builds(
    frame,
    st.integers(0, 12),
    st.one_of(st.binary(max_size=40), st.sampled_from(PAYLOADS)),
    st.sampled_from([0, 1, 4, 5, 8, 0x20, 0x25, 0xFF]),
    st.sampled_from([0, 1, 1, 3, 5, 2, 2**31 - 1]),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(FRAMES, FRAMES, st.binary(max_size=30)), max_size=12))
async def test_any_frames_end_in_a_clean_close(pieces: list[bytes]) -> None:
    async with running(Answer()) as proxy:
        await proxy.send(PREFACE, *pieces)
        assert not [line for line in proxy.log if "internal error" in line]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(FRAMES, FRAMES, st.binary(max_size=30)), max_size=12))
async def test_any_frames_of_an_origin_end_in_an_answer_or_a_reset(pieces: list[bytes]) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(PREFACE))
        writer.write(frame(SETTINGS) + b"".join(pieces))
        writer.write_eof()
        while await reader.read(65536):
            pass
        writer.close()

    server: Any = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with running() as proxy, h2_client(proxy, server.sockets[0].getsockname()[1]) as client:
        with contextlib.suppress(Reset):
            await client.fetch("GET", "/")
        await proxy.wait_for_flows()
        assert not [line for line in proxy.log if "internal error" in line]
    server.close()
