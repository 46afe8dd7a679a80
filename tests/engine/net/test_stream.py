"""Streams by themselves; what they do in a running proxy is tested with what uses them."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from tests.support.asynchronous import run
from tests.support.live import until

from flowdump.engine.net.stream import Stream, Streams


def test_pieces_for_a_peer_that_is_gone_are_no_lines_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """asyncio warns of each write after the fifth, and a body may have many pieces before anybody waits."""

    async def scenario() -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            streams, loop = Streams(), asyncio.get_running_loop()
            _, stream = await loop.create_connection(lambda: Stream("client", streams), *server.getsockname())
            peer, _ = server.accept()
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closing is a reset
            peer.close()
            for _ in range(20):
                stream.write(b"piece")
            await until(lambda: stream.closed)

    run(scenario())
    assert caplog.records == []
