"""WebSocket peers that try to use the proxy up, and any bytes at all."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from time import process_time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.asynchronous import PATIENCE, run
from tests.support.growth import is_linear
from tests.support.http1 import get
from tests.support.live import assert_quiet, origin, running
from tests.support.memory import traced
from tests.support.websocket import DEFLATE, MASK, Watch, close, ending, frame, messages, until_close, wires

from flowdump.engine.websocket import direction

FRAGMENTS = 100_000


def fragments(count: int, payload: bytes) -> bytes:
    return frame(0x02, b"", MASK) + frame(0x00, payload, MASK) * count + frame(0x80, b"", MASK)


def cost(wire: bytes, streamed: bool = False) -> float:
    """Seconds of the processor for a conversation in which the client sends ``wire``, and the server reads it all."""
    spent = [0.0]

    async def scenario() -> None:
        async with running(stream_websockets=streamed) as proxy:
            async with wires(proxy) as (client, server):
                start = process_time()
                client.writer.write(wire)
                assert await server.reader.readexactly(len(wire)) == wire
                spent[0] = process_time() - start
                await close(client, server)
            await proxy.wait_for_flows()
            assert proxy.flow.error is None

    run(scenario(), patience=3 * PATIENCE)
    return spent[0]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("payload", [b"", b"x" * 20], ids=["empty", "short"])
def test_time_is_linear_in_the_fragments(payload: bytes, streamed: bool) -> None:
    small, large = fragments(FRAGMENTS // 4, payload), fragments(FRAGMENTS, payload)
    assert is_linear(lambda: cost(small, streamed), lambda: cost(large, streamed))


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_time_is_linear_in_the_size_of_a_message(streamed: bool) -> None:
    small, large = frame(0x82, bytes(4 << 20), MASK), frame(0x82, bytes(16 << 20), MASK)
    assert is_linear(lambda: cost(small, streamed), lambda: cost(large, streamed))


async def test_lengths_of_endless_fragments_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message passes; an edit of it has fewer fragments than came."""
    monkeypatch.setattr(direction, "MAX_FRAGMENTS", 3)

    def change(message: object) -> None:
        message.content = message.content.replace(b"a", b"b")  # type: ignore[attr-defined]

    async with running(Watch(change)) as proxy, wires(proxy) as (client, server):
        client.writer.write(frame(0x01, b"a", MASK) + frame(0x00, b"a", MASK) * 8 + frame(0x80, b"a", MASK))
        assert [await server.read() for _ in range(3)] == [(0x01, b"b"), (0x00, b"b"), (0x80, b"b" * 8)]
        await close(client, server)


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_a_deflate_bomb_is_bounded(streamed: bool) -> None:
    """Whole, it ends with 1009; streamed, it goes to whom it is meant for, and little of it is recorded."""
    made = zlib.compressobj(9, wbits=-15)
    bomb = b"".join(made.compress(bytes(1 << 20)) for _ in range(400)) + made.flush(zlib.Z_SYNC_FLUSH)
    wire = frame(0xC2, bomb[:-4], MASK)

    async def scenario(memory: Callable[[], tuple[int, int]]) -> None:
        before, _ = memory()
        async with running(stream_websockets=streamed, websocket_message_limit="1m") as proxy:
            async with wires(proxy, DEFLATE) as (client, server):
                client.writer.write(wire)
                if streamed:
                    assert await server.reader.readexactly(len(wire)) == wire
                    await close(client, server)
                else:
                    assert int.from_bytes((await until_close(client))[:2], "big") == 1009
                    client.writer.close()
                    server.writer.close()
            await proxy.wait_for_flows()
            kept = messages(proxy)
            assert [len(content) for _, _, content in kept] == ([1 << 20] if streamed else [])
            assert ending(proxy)[1] == (1000 if streamed else 1009)
        assert memory()[1] - before < 30_000_000

    with traced() as memory:
        run(scenario(memory), patience=3 * PATIENCE)


async def test_a_flood_of_frames_leaves_time_for_others() -> None:
    """One connection has sent a buffer full of tiny frames: a request of another one is answered in between."""

    async with origin() as other, running() as proxy:
        async with wires(proxy) as (client, server):
            reading = asyncio.create_task(server.rest())
            client.writer.write(fragments(FRAGMENTS, b""))
            (session,) = proxy.proxy.sessions.values()
            (relay,) = session.context.websockets.values()
            assert (await proxy.send(get(other.port))).endswith(b"hi")
            assert relay._from_client.lengths  # it is not through
            client.writer.transport.abort()
            await reading
        await proxy.wait_for_flows(2)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=40),
            st.builds(frame, st.integers(0, 255), st.binary(max_size=200), st.sampled_from([None, MASK])),
        ),
        max_size=5,
    ).map(b"".join),
    st.sampled_from([b"", DEFLATE]),
    st.booleans(),
    st.booleans(),
)
async def test_any_bytes_end_in_a_clean_close(data: bytes, extensions: bytes, by_client: bool, streamed: bool) -> None:
    async with running(stream_websockets=streamed, websocket_message_limit="1k") as proxy:
        async with wires(proxy, extensions) as (client, server):
            bad, good = (client, server) if by_client else (server, client)
            bad.writer.write(data)
            bad.writer.write_eof()
            await good.rest()
            good.writer.close()
            await bad.rest()
        await proxy.wait_for_flows()
        by, code, _ = ending(proxy)
        assert by is by_client
        assert code is not None
        assert code != 1006 or proxy.flow.error is not None
        assert proxy.flow.error is None or code in (1002, 1006, 1007, 1009)
        assert_quiet(proxy)
