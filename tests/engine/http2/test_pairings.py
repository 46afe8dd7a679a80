"""Every pairing of versions: whatever either side speaks, a message arrives as it was sent.

One test for client version, server version, streamed or buffered, with a length or without, with trailers or
without; requests and responses at the same time, since they have the same shapes.
"""

from __future__ import annotations

import asyncio
import itertools
import ssl
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from tests.support.http2 import Pairs, Peer, Reply, h2_client, h2_origin
from tests.support.interception import Authorities, trusting
from tests.support.live import Running, running

from flowdump.http import HTTPFlow

ASKED = bytes(range(256)) * 300
ANSWERED = bytes(reversed(range(256))) * 400
TRAILERS = [(b"x-sum", b"42"), (b"x-end", b"yes")]


class Shape(NamedTuple):
    """What the two messages of a row look like."""

    client: str
    server: str
    streamed: bool
    sized: bool
    trailers: bool

    def __str__(self) -> str:
        ways = ["streamed" if self.streamed else "buffered", "sized" if self.sized else "open"]
        return "-".join([self.client, self.server, *ways, *(["trailers"] if self.trailers else [])])

    def fields(self, version: str, body: bytes) -> Pairs:
        """The fields that frame a body."""
        fields = [(b"x-own", b"1")]
        if self.trailing(version):
            fields.append((b"trailer", b"x-sum, x-end"))
        if self.sized:
            return [*fields, (b"content-length", b"%d" % len(body))]
        return [*fields, (b"transfer-encoding", b"chunked")] if version == "h1" else fields

    def trailing(self, version: str) -> Pairs:
        """HTTP/1 has no trailers after a body with a length."""
        return TRAILERS if self.trailers and not (version == "h1" and self.sized) else []


SHAPES = [Shape(*row) for row in itertools.product(("h1", "h2"), ("h1", "h2"), *[(False, True)] * 3)]


class Got(NamedTuple):
    """A message as it arrived."""

    own: bytes | None
    length: bytes | None
    body: bytes
    trailers: Pairs


def got(fields: dict[bytes, bytes], body: bytes, trailers: Pairs) -> Got:
    return Got(fields.get(b"x-own"), fields.get(b"content-length"), body, trailers)


class Ways:
    """Streams both messages, or none; notes what the handlers of the whole messages saw."""

    def __init__(self, streamed: bool) -> None:
        self.streamed = streamed

    def requestheaders(self, flow: HTTPFlow) -> None:
        flow.request.stream = self.streamed

    def responseheaders(self, flow: HTTPFlow) -> None:
        assert flow.response is not None
        flow.response.stream = self.streamed


# -- HTTP/1, by hand -----------------------------------------------------------------------------------------------


def h1_bytes(start: bytes, fields: Pairs, body: bytes, trailers: Pairs) -> bytes:
    head = start + b"\r\n" + b"".join(b"%b: %b\r\n" % pair for pair in fields) + b"\r\n"
    if (b"transfer-encoding", b"chunked") not in fields:
        return head + body
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:1000], body[1000:]))
    return head + chunks + b"0\r\n" + b"".join(b"%b: %b\r\n" % pair for pair in trailers) + b"\r\n"


async def h1_read(read_line: Callable[[], Any], read: Callable[[int], Any]) -> tuple[bytes, Got]:
    """A message with its start line, decoded."""

    async def lines() -> Pairs:
        found = []
        while line := (await read_line()).rstrip(b"\r\n"):
            name, _, value = line.partition(b": ")
            found.append((name.lower(), value))
        return found

    start = (await read_line()).rstrip()
    fields = dict(await lines())
    if fields.get(b"transfer-encoding") != b"chunked":
        return start, got(fields, await read(int(fields.get(b"content-length", b"0"))), [])
    body = bytearray()
    while size := int(await read_line(), 16):
        body += await read(size)
        await read(2)
    return start, got(fields, bytes(body), await lines())


def h1_server(shape: Shape, arrived: list[Got]) -> Callable[..., Any]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, request = await h1_read(reader.readline, reader.readexactly)
        arrived.append(request)
        fields = shape.fields("h1", ANSWERED)
        writer.write(h1_bytes(b"HTTP/1.1 201 Made", fields, ANSWERED, shape.trailing("h1")))
        await writer.drain()
        await reader.read()
        writer.close()

    return serve


async def h1_ask(proxy: Running, port: int, scheme: str, shape: Shape) -> tuple[bytes, Got]:
    reader, writer = await proxy.connect()
    fields = [(b"host", b"127.0.0.1:%d" % port), *shape.fields("h1", ASKED)]
    start = f"POST {scheme}://127.0.0.1:{port}/x HTTP/1.1".encode()
    writer.write(h1_bytes(start, fields, ASKED, shape.trailing("h1")))
    start, answer = await h1_read(reader.readline, reader.readexactly)
    writer.close()
    return start, answer


# -- HTTP/2 --------------------------------------------------------------------------------------------------------


def h2_server(shape: Shape, arrived: list[Got]) -> Callable[[Peer, int], Any]:
    async def serve(peer: Peer, identifier: int) -> None:
        message = peer.streams[identifier]
        await peer.until(lambda: message.ended)
        arrived.append(got(message.fields, bytes(message.body), message.trailers))
        await peer.answer(identifier, Reply(201, shape.fields("h2", ANSWERED), ANSWERED, shape.trailing("h2")))

    return serve


async def h2_ask(client: Peer, shape: Shape) -> tuple[int, Got]:
    identifier = client.request("POST", "/x", *shape.fields("h2", ASKED), end=False)
    trailers = shape.trailing("h2")
    await client.send(identifier, ASKED, end=not trailers)
    if trailers:
        client.h2.send_headers(identifier, trailers, end_stream=True)
        client.flush()
    reply = await client.response(identifier)
    return reply.status, got(dict(reply.headers), reply.body, reply.trailers)


# -- the test ------------------------------------------------------------------------------------------------------


def only_h2() -> ssl.SSLContext:
    context = trusting(check_hostname=False)
    context.set_alpn_protocols(["h2"])
    return context


@pytest.mark.parametrize("shape", SHAPES, ids=str)
async def test_whatever_is_spoken_a_message_arrives_as_it_was_sent(shape: Shape, pki: Authorities) -> None:
    arrived: list[Got] = []

    async def ask(proxy: Running, port: int) -> tuple[Any, Got]:
        if shape.client == "h1":
            return await h1_ask(proxy, port, "http" if shape.server == "h1" else "https", shape)
        async with h2_client(proxy, port, only_h2()) as client:
            return await h2_ask(client, shape)

    context = pki.serve("example.com", "127.0.0.1")
    async with running(Ways(shape.streamed), **pki.trust) as proxy:
        if shape.server == "h2":
            async with h2_origin(h2_server(shape, arrived), ssl=context) as server:
                status, answer = await ask(proxy, server.port)
        else:
            tls = context if shape.client == "h2" else None
            origin_server = await asyncio.start_server(h1_server(shape, arrived), "127.0.0.1", 0, ssl=tls)
            status, answer = await ask(proxy, origin_server.sockets[0].getsockname()[1])
            origin_server.close()
        await proxy.wait_for_flows()
        check(shape, proxy.flow, status)
    (request,) = arrived
    check_message(shape, shape.client, shape.server, request, ASKED)
    check_message(shape, shape.server, shape.client, answer, ANSWERED)


def check_message(shape: Shape, sender: str, receiver: str, message: Got, body: bytes) -> None:
    sent = shape.trailing(sender)
    assert message.own == b"1"
    assert message.body == body
    assert message.trailers == sent
    keeps_length = shape.sized and not (receiver == "h1" and sent)
    grows_length = not shape.sized and receiver == "h1" and sender == "h2" and not shape.streamed and not sent
    assert message.length == (b"%d" % len(body) if keeps_length or grows_length else None)


def check(shape: Shape, flow: HTTPFlow, status: Any) -> None:
    """What is recorded, and the start line that the client got."""
    versions = {"h1": "HTTP/1.1", "h2": "HTTP/2.0"}
    assert flow.error is None
    assert flow.response is not None
    assert flow.request.http_version == versions[shape.client]
    assert flow.response.http_version == versions[shape.server]
    if shape.client == "h2":
        assert status == 201
    else:
        assert status == (b"HTTP/1.1 201 Made" if shape.server == "h1" else b"HTTP/1.1 201 Created")
    for message, sender, body in ((flow.request, shape.client, ASKED), (flow.response, shape.server, ANSWERED)):
        assert message.raw_content == (None if shape.streamed else body)
        assert (list(message.trailers.fields) if message.trailers else []) == shape.trailing(sender)
