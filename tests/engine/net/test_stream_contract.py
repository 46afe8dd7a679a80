"""The contract of a stream, on every kind of stream: over sockets, in memory, with TLS, with TLS in TLS."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.live import until
from tests.support.memory_transport import memory_streams
from tests.support.pki import Ca

from flowdump.engine.errors import ConnectionFailure, PeerClosed
from flowdump.engine.net import stream as stream_module
from flowdump.engine.net.stream import Stream, Streams
from flowdump.engine.tls.codec import TlsCodec

Pair = tuple[Stream, Stream]
ASKING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
ASKING.check_hostname, ASKING.verify_mode = False, ssl.CERT_NONE
with tempfile.TemporaryDirectory() as _folder:
    SERVING = Ca().leaf("localhost").server_context(Path(_folder) / "leaf.pem")


async def over_sockets() -> Pair:
    loop, streams = asyncio.get_running_loop(), Streams()
    own, other = socket.socketpair()
    _, client = await loop.create_connection(lambda: Stream("server", streams), sock=own)
    _, server = await loop.create_connection(lambda: Stream("client", streams), sock=other)
    return client, server


async def in_memory() -> Pair:
    return memory_streams()


async def secured(pair: Pair) -> Pair:
    client, server = pair
    await asyncio.gather(
        client.start_tls(TlsCodec(ASKING, False, "localhost")), server.start_tls(TlsCodec(SERVING, True))
    )
    return client, server


async def with_tls() -> Pair:
    return await secured(await over_sockets())


async def with_tls_in_tls() -> Pair:
    return await secured(await secured(await in_memory()))


KINDS: dict[str, Callable[[], Awaitable[Pair]]] = {
    "sockets": over_sockets,
    "memory": in_memory,
    "tls": with_tls,
    "tls in tls": with_tls_in_tls,
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@asynccontextmanager
async def connected(kind: str) -> AsyncIterator[Pair]:
    client, server = await KINDS[kind]()
    try:
        yield client, server
    finally:
        client.abort()
        server.abort()
        await until(lambda: client.closed and server.closed)


async def received(stream: Stream, count: int) -> bytes:
    while len(stream.buffer) < count:
        assert await stream.more()
    return stream.take(count)


async def to_the_end(stream: Stream) -> None:
    while await stream.more():
        stream.take(len(stream.buffer))


@every_kind
async def test_bytes_arrive_in_both_directions_and_in_order(kind: str) -> None:
    async with connected(kind) as (client, server):
        client.write(b"one ")
        client.write(b"two")
        server.write(b"three")
        assert await received(server, 7) == b"one two"
        assert await received(client, 5) == b"three"


@every_kind
async def test_looking_into_the_buffer_does_not_consume_it(kind: str) -> None:
    async with connected(kind) as (client, server):
        client.write(b"abc")
        assert await server.more()
        while len(server.buffer) < 3:
            await server.more()
        assert bytes(server.buffer) == b"abc"
        assert (server.take(2), server.take(9), server.take(1)) == (b"ab", b"c", b"")


@every_kind
async def test_the_end_of_data_comes_after_the_data_and_the_other_direction_stays_open(kind: str) -> None:
    async with connected(kind) as (client, server):
        client.write(b"last")
        client.write_eof()
        assert await received(server, 4) == b"last"
        assert not await server.more()
        assert not await server.more()
        server.write(b"answer")
        assert await received(client, 6) == b"answer"


@every_kind
async def test_closing_sends_what_was_written_before(kind: str) -> None:
    async with connected(kind) as (client, server):
        client.write(b"x" * 100_000)
        client.close()
        assert await received(server, 100_000) == b"x" * 100_000
        assert not await server.more()
        await until(lambda: client.closed)


@every_kind
async def test_an_aborted_connection_never_looks_like_one_that_ended(kind: str) -> None:
    """Over a socket pair a reset cannot be told from an end; TLS tells by the missing goodbye, in a later read."""
    async with connected(kind) as (client, server):
        client.abort()
        await until(lambda: client.closed)
        with pytest.raises(PeerClosed):
            await client.drain()
        if kind in ("memory", "tls in tls"):
            with pytest.raises(ConnectionFailure):
                await to_the_end(server)


@every_kind
async def test_writing_after_the_end_goes_nowhere_and_draining_says_so(kind: str) -> None:
    async with connected(kind) as (_, server):
        server.close()
        await until(lambda: server.closed)
        server.write(b"lost")
        with pytest.raises(PeerClosed):
            await server.drain()
        assert server.clogged


@every_kind
async def test_a_reader_that_waits_is_woken_by_data_by_the_end_and_by_a_failure(kind: str) -> None:
    async with connected(kind) as (client, server):
        waiting = asyncio.create_task(server.more())
        await asyncio.sleep(0)
        client.write(b"x")
        assert await waiting
        server.take(1)
        waiting = asyncio.create_task(server.more())
        await asyncio.sleep(0)
        server.fail(PeerClosed("given up", "client"))
        with pytest.raises(PeerClosed, match="given up"):
            await waiting
        with pytest.raises(PeerClosed, match="given up"):
            await server.more()


@every_kind
async def test_bytes_that_arrive_before_a_task_begins_to_wait_are_not_waited_past(kind: str) -> None:
    """The caller has seen an empty buffer; the bytes are there before the first step of the task that waits."""
    async with connected(kind) as (client, server):
        assert not server.buffer
        client.write(b"banner")
        while not server.buffer:
            await asyncio.sleep(0)
        waiting = asyncio.create_task(server.more(seen=0))
        assert await waiting
        assert await server.more(seen=len(server.buffer) - 1)
        waiting = asyncio.create_task(server.more(seen=len(server.buffer)))
        await asyncio.sleep(0)
        assert not waiting.done()
        client.write(b"!")
        assert await waiting


@every_kind
async def test_a_peer_that_does_not_read_bounds_memory_on_both_sides(kind: str) -> None:
    """Backpressure: the reader stops at its high mark plus one read, the writer sees that it is clogged."""
    async with connected(kind) as (client, server):
        written = 0
        while not client.clogged:
            client.write(bytes(64 * 1024))
            written += 64 * 1024
            await asyncio.sleep(0)
            assert written < 64 * 1024 * 1024
        drained = asyncio.create_task(client.drain())
        await until(lambda: len(server.buffer) > stream_module.HIGH)
        for _ in range(20):
            await asyncio.sleep(0)
        assert not drained.done()
        assert len(server.buffer) <= stream_module.HIGH + stream_module.RECEIVED
        taken = 0
        while taken < written:
            taken += len(server.take(1 << 20))
            if taken < written and not server.buffer:
                assert await server.more()
        await drained
        assert not client.clogged


@every_kind
async def test_lingering_throws_away_what_still_comes_until_the_peer_ends(kind: str) -> None:
    async with connected(kind) as (client, server):
        lingering = asyncio.create_task(server.linger())
        client.write(b"late")
        assert not await client.more()
        client.write(b" and later")
        client.write_eof()
        await lingering
        assert not server.buffer


async def test_lingering_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "LINGER", 0.01)
    async with connected("memory") as (_, server):
        await server.linger()
