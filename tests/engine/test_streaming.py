"""Bodies that pass through piece by piece: who is streamed, what scripts may do to them, what is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest
from tests.support.http1 import CHUNKED, chunk, get
from tests.support.live import Origin, Running, origin, running, until
from tests.support.streaming import EventStream, Flood, Stream

from flowdump.http import HTTPFlow, Response


def modern(data: bytes) -> bytes | Iterable[bytes]:
    return [data.replace(b"foo", b"bar")] if data else b"!"


def older(chunks: Iterator[bytes]) -> Iterator[bytes]:
    for piece in chunks:
        yield piece.replace(b"foo", b"bar")
    yield b"!"


def annotated(pieces: Iterable[bytes]) -> Iterator[bytes]:
    yield from (piece.replace(b"foo", b"bar") for piece in pieces)
    yield b"!"


async def awaited(data: bytes) -> bytes:
    await asyncio.sleep(0)
    return data.replace(b"foo", b"bar") if data else b"!"


async def with_flow(flow: HTTPFlow, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    assert flow.request.method == "GET"
    async for piece in chunks:
        yield piece.replace(b"foo", b"bar")
    yield b"!"


async def test_a_streamed_response_passes_and_is_not_recorded() -> None:
    addon = Stream()
    async with origin(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfoobar") as server, running(addon) as proxy:
        assert (await proxy.send(get(server.port))).endswith(b"\r\n\r\nfoobar")
        assert proxy.flow.response is not None
        assert proxy.flow.response.raw_content is None
        assert addon.events == ["request", "response"]


@pytest.mark.parametrize("transform", [modern, older, annotated, awaited, with_flow])
async def test_every_form_of_a_transform_works(transform: Any) -> None:
    body = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfoobar"
    async with origin(body) as server, running(Stream(transform)) as proxy:
        reply = await proxy.send(get(server.port))
        # nobody knows how long the transformed body will be
        assert b"Transfer-Encoding: chunked" in reply
        assert b"Content-Length" not in reply
        assert reply.endswith(b"\r\n\r\n6\r\nbarbar\r\n1\r\n!\r\n0\r\n\r\n")


async def test_chunk_boundaries_are_kept() -> None:
    reply = CHUNKED + chunk(b"a") + chunk(b"bc") + chunk(b"def") + b"0\r\n\r\n"

    async with origin(reply) as server, running(Stream()) as proxy:
        got = await proxy.send(get(server.port))
        assert got.endswith(b"\r\n\r\n1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n")


async def test_stream_large_bodies_goes_by_the_declared_length_and_store_keeps_a_copy() -> None:
    large, small = b"x" * 2000, b"y" * 10

    replies = [b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(b), b) for b in (large, small, large)]
    async with origin(*replies) as server, running(stream_large_bodies="1k") as proxy:
        for _ in range(2):
            await proxy.send(get(server.port))
        assert [flow.response.raw_content for flow in proxy.flows] == [None, small]
        proxy.proxy.options.update(store_streamed_bodies=True)
        await proxy.send(get(server.port))
        assert proxy.flows[-1].response.raw_content == large


async def test_an_undeclared_body_is_streamed_once_it_is_large() -> None:
    released = asyncio.Event()

    async def drip(reader: Any, writer: Any) -> None:
        writer.write(CHUNKED + chunk(b"x" * 1500))
        await writer.drain()
        await released.wait()
        writer.write(chunk(b"end") + b"0\r\n\r\n")

    async with origin(drip) as server, running(stream_large_bodies="1k") as proxy:
        reader, writer = await proxy.connect()
        writer.write(get(server.port))
        await reader.readuntil(b"x" * 1500 + b"\r\n")
        released.set()  # only now: the beginning arrived before the end existed
        assert await reader.read() == b"3\r\nend\r\n0\r\n\r\n"
        writer.close()
        await proxy.wait_for_flows()
        assert proxy.flow.response is not None
        assert proxy.flow.response.raw_content is None


@pytest.mark.parametrize(
    "content_type", ["text/event-stream; charset=utf-8", "application/x-ndjson", "application/grpc+x"]
)
async def test_event_streams_pass_at_once_and_are_recorded(content_type: str) -> None:
    events = EventStream(content_type)

    async with origin(events) as server, running() as proxy:
        reader, writer = await proxy.connect()
        writer.write(get(server.port))
        await reader.readuntil(b"\r\n\r\n")
        await events.read(reader)
        assert await reader.read() == b""
        writer.close()
        await proxy.wait_for_flows()
        assert proxy.flow.response is not None
        assert proxy.flow.response.content == events.CONTENT


async def test_what_came_of_an_event_stream_is_recorded_when_the_client_goes() -> None:
    async def events(reader: Any, writer: Any) -> None:
        writer.write(CHUNKED.replace(b"OK\r\n", b"OK\r\nContent-Type: text/event-stream\r\n") + chunk(b"data: 1\n\n"))
        await asyncio.Event().wait()

    async with origin(events) as server, running() as proxy:
        reader, writer = await proxy.connect()
        writer.write(get(server.port))
        await reader.readuntil(b"data: 1\n\n\r\n")
        writer.transport.abort()
        await proxy.wait_for_flows()
        assert proxy.flow.error is not None
        assert proxy.flow.response is not None
        assert proxy.flow.response.content == b"data: 1\n\n"


@pytest.mark.parametrize("content_type", ["text/plain", "text/event-stream"])
async def test_a_response_that_a_script_puts_in_the_place_of_another_is_sent_as_it_is(content_type: str) -> None:
    class Replace:
        def responseheaders(self, flow: HTTPFlow) -> None:
            flow.response = Response.make(403, b"mine")

    reply = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\nContent-Type: %b\r\n\r\nfoobar" % content_type.encode()

    async with origin(reply) as server, running(Replace()) as proxy:
        got = await proxy.send(get(server.port))
        assert got.startswith(b"HTTP/1.1 403 Forbidden\r\n")
        assert got.endswith(b"content-length: 4\r\nConnection: close\r\n\r\nmine")
        assert proxy.flow.response is not None
        assert proxy.flow.response.content == b"mine"


async def test_an_explicit_false_beats_everything() -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 6\r\n\r\nfoobar"

    class Buffer:
        def responseheaders(self, flow: HTTPFlow) -> None:
            assert flow.response is not None
            flow.response.stream = False

        def response(self, flow: HTTPFlow) -> None:
            assert flow.response is not None
            flow.response.content = b"edited"

    async with origin(reply) as server, running(Buffer(), stream_large_bodies="1") as proxy:
        assert (await proxy.send(get(server.port))).endswith(b"edited")


async def _upload(server: Origin, proxy: Running, body: bytes, *lines: str) -> bytes:
    return await proxy.send(get(server.port, "/", *lines, method="POST") + body)


async def test_a_streamed_request_passes_piece_by_piece() -> None:
    async def answer(reader: Any, writer: Any) -> None:
        assert await reader.readexactly(3) == b"one"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n" + await reader.readexactly(3))

    addon = Stream(response=None, request=True)
    addon.response = lambda flow: addon.events.append("response")  # type: ignore[method-assign,assignment]
    async with origin(answer) as server, running(addon) as proxy:
        reader, writer = await proxy.connect()
        writer.write(get(server.port, "/", "Content-Length: 6", method="POST") + b"one")
        await until(lambda: b"one" in server.received)
        writer.write(b"two")
        assert (await reader.read()).endswith(b"two")
        writer.close()
        assert proxy.flow.request.raw_content is None
        assert addon.events == ["request", "response"]


async def test_a_script_that_answers_a_streamed_request_too_late_is_told() -> None:
    class Late:
        def requestheaders(self, flow: HTTPFlow) -> None:
            flow.request.stream = True

        def request(self, flow: HTTPFlow) -> None:
            flow.response = Response.make(418)

    async def answer(reader: Any, writer: Any) -> None:
        await reader.readexactly(6)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    async with origin(answer) as server, running(Late()) as proxy:
        proxy.master.log.verbosity = "warn"
        assert (await _upload(server, proxy, b"foobar", "Content-Length: 6")).endswith(b"hi")
        assert proxy.flow.response is not None
        assert proxy.flow.response.status_code == 200
        (warning,) = proxy.log
        assert "a script answers a request that has gone out already: it was streamed" in warning


async def test_a_transformed_request_is_chunked() -> None:
    async def answer(reader: Any, writer: Any) -> None:
        await reader.readexactly(len(b"6\r\nbarbar\r\n1\r\n!\r\n0\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    async with origin(answer) as server, running(Stream(response=None, request=modern)) as proxy:
        proxy.master.addons.script_addons[0].response = None
        proxy.master.addons.rebuild()
        assert (await _upload(server, proxy, b"foobar", "Content-Length: 6")).endswith(b"hi")
        assert b"Transfer-Encoding: chunked\r\n" in server.received
        assert b"Content-Length" not in server.received
        assert server.received.endswith(b"\r\n\r\n6\r\nbarbar\r\n1\r\n!\r\n0\r\n\r\n")


async def test_trailers_of_a_streamed_request_are_what_scripts_make_of_them() -> None:
    class Sign:
        def requestheaders(self, flow: HTTPFlow) -> None:
            flow.request.stream = True

        def request(self, flow: HTTPFlow) -> None:
            assert flow.request.trailers is not None
            flow.request.trailers["x-sum"] = flow.request.trailers["x-sum"] + "!"

    end = b"0\r\nx-sum: 1!\r\n\r\n"

    async def answer(reader: Any, writer: Any) -> None:
        await reader.readexactly(len(b"3\r\none\r\n" + end))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    async with origin(answer) as server, running(Sign()) as proxy:
        body = chunk(b"one") + b"0\r\nX-Sum: 1\r\n\r\n"
        assert (await _upload(server, proxy, body, "Transfer-Encoding: chunked")).endswith(b"hi")
        assert server.received.lower().endswith(end)


async def test_a_final_answer_may_come_before_the_request_has_ended() -> None:
    async def refuse(reader: Any, writer: Any) -> None:
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")
        await writer.drain()

    async with origin(refuse) as server, running(Stream(response=None, request=True)) as proxy:
        proxy.master.addons.script_addons[0].response = None
        proxy.master.addons.rebuild()
        reader, writer = await proxy.connect()
        writer.write(get(server.port, "/", "Content-Length: 1000", method="POST") + b"beginning")
        reply = await reader.read()  # the client never sends the rest
        assert reply.startswith(b"HTTP/1.1 413")
        assert reply.endswith(b"\r\n\r\nno")
        writer.close()


async def test_a_slow_reader_holds_back_the_origin() -> None:
    flood = Flood()

    async with origin(flood) as server, running(Stream()) as proxy:
        reader, writer = await proxy.connect()
        writer.write(get(server.port))
        await reader.readuntil(b"\r\n\r\n")
        assert await flood.settled() < 32 << 20
        held = sum(len(stream.buffer) for stream in proxy.proxy.streams)
        assert held <= 1 << 20
        writer.transport.abort()
        await proxy.wait_for_flows()
        assert proxy.flow.error is not None


async def test_body_size_limit_holds_for_streamed_bodies() -> None:
    reply = CHUNKED + chunk(b"x" * 600) * 3 + b"0\r\n\r\n"
    async with origin(reply) as server, running(Stream(), body_size_limit="1k") as proxy:
        got = await proxy.send(get(server.port))
        assert got.count(b"x" * 600) == 1  # the head had gone out: the connection is cut
        assert not got.endswith(b"0\r\n\r\n")
        assert "body_size_limit" in str(proxy.flow.error)


async def test_a_body_that_ends_with_the_connection_does_not_promise_to_keep_it() -> None:
    large = CHUNKED + chunk(b"x" * 2000) + b"0\r\n\r\n"

    async with origin(large) as server, running(stream_large_bodies="1k") as proxy:
        start = f"GET http://127.0.0.1:{server.port}/ HTTP/1.0\r\n".encode()
        reply = await proxy.send(start + b"Connection: keep-alive\r\n\r\n", half_close=False)
        head, _, body = reply.partition(b"\r\n\r\n")
        assert body == b"x" * 2000
        assert b"\r\nConnection: close" in head
        assert b"keep-alive" not in head


def _lose(message: Any) -> None:
    del message.headers["Content-Length"]


def _shorten(message: Any) -> None:
    message.headers["Content-Length"] = "1"


def _recode(message: Any) -> None:
    message.headers["Transfer-Encoding"] = "gzip"


@pytest.mark.parametrize("change", [_lose, _shorten, _recode])
async def test_a_streamed_body_is_framed_as_it_comes_whatever_a_script_makes_of_its_length(change: Any) -> None:
    """Else what is left of it would be the next message, or its end never seen."""

    class Change:
        def requestheaders(self, flow: HTTPFlow) -> None:
            flow.request.stream = True
            change(flow.request)

        def responseheaders(self, flow: HTTPFlow) -> None:
            assert flow.response is not None
            flow.response.stream = True
            change(flow.response)

    async def answer(reader: Any, writer: Any) -> None:
        await reader.readexactly(len(b"6\r\nfoobar\r\n0\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfoobar")

    async with origin(answer) as server, running(Change()) as proxy:
        reply = await _upload(server, proxy, b"foobar", "Content-Length: 6")
        for sent in (bytes(server.received), reply):
            assert b"\r\nTransfer-Encoding: chunked\r\n" in sent
            assert sent.lower().count(b"transfer-encoding") == 1
            assert b"Content-Length" not in sent
            assert sent.endswith(b"\r\n\r\n6\r\nfoobar\r\n0\r\n\r\n")
