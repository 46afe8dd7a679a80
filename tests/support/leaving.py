"""Peers that go away: how they do it, and what a proxy has to tell of it."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest
from tests.support.live import Running, assert_quiet

from flowdump.http import HTTPFlow

#: Both ways to go, and both ways in which a body passes.
LEAVING = pytest.mark.parametrize("how", ["close", "reset"])
STREAMED = pytest.mark.parametrize("streamed", [False, True], ids=["buffered", "streamed"])


class Watch:
    """Notes the events of flows, and streams where asked to."""

    def __init__(self, streamed: bool = False) -> None:
        self.events: list[str] = []
        self._streamed = streamed

    def requestheaders(self, flow: HTTPFlow) -> None:
        self.events.append("requestheaders")
        if self._streamed:
            flow.request.stream = True

    def request(self, flow: HTTPFlow) -> None:
        self.events.append("request")

    def responseheaders(self, flow: HTTPFlow) -> None:
        assert flow.response is not None
        self.events.append("responseheaders")
        if self._streamed:
            flow.response.stream = True

    def response(self, flow: HTTPFlow) -> None:
        self.events.append("response")

    def error(self, flow: HTTPFlow) -> None:
        assert flow.error is not None
        self.events.append("error")


def reset(writer: asyncio.StreamWriter) -> None:
    """Break the connection: closing alone ends it in an orderly way."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def leave(writer: asyncio.StreamWriter, how: str) -> None:
    """Go away: politely, or with a reset."""
    if how == "reset":
        reset(writer)
        return
    writer.close()
    await asyncio.gather(writer.wait_closed(), return_exceptions=True)


def failed_once(proxy: Running, watch: Watch, words: str) -> None:
    assert watch.events.count("error") == 1
    assert proxy.flow.error is not None
    assert words in proxy.flow.error.msg
    assert_quiet(proxy)
