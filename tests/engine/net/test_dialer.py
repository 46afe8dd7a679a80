"""Names are looked up once for a while, and their addresses tried until one answers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.support.live import until

from flowdump.engine.net import dialer as dialing
from flowdump.engine.net.dialer import Dialer
from flowdump.engine.net.stream import Stream, Streams

#: Reserved for documentation (RFC 5737): nobody answers, and nobody says so.
SILENT = "192.0.2.1"


class Resolver:
    """Stands in for the system's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []
        loop = asyncio.get_running_loop()
        self._connect = loop.create_connection
        monkeypatch.setattr(loop, "getaddrinfo", self.look_up)
        monkeypatch.setattr(loop, "create_connection", self.connect)

    async def look_up(self, host: str, port: int, **rest: Any) -> list[Any]:
        self.asked.append(host)
        await asyncio.sleep(0)
        if not self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        families = [socket.AF_INET6 if ":" in address else socket.AF_INET for address in self.addresses]
        return [(f, socket.SOCK_STREAM, 6, "", (a, port)) for f, a in zip(families, self.addresses, strict=True)]

    async def connect(self, made: Any, host: str, port: int, **rest: Any) -> Any:
        if host == SILENT:
            await asyncio.Event().wait()
        return await self._connect(made, host, port, **rest)


@contextmanager
def listening() -> Iterator[int]:
    """A port that takes connections, as far as the system does so on its own."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def dial(dialer: Dialer, streams: Streams, port: int) -> str:
    """The address that was reached."""
    stream = await dialer.dial("origin.example", port, None, lambda: Stream("server", streams))
    reached = stream.info("peername")[0]
    stream.abort()
    await until(lambda: not streams)
    return str(reached)


async def test_a_name_is_looked_up_once_for_connections_at_the_same_time_and_soon_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resolver, dialer, streams = Resolver(monkeypatch, "127.0.0.1"), Dialer(), Streams()
    with listening() as port:
        await asyncio.gather(*(dial(dialer, streams, port) for _ in range(5)))
        await dial(dialer, streams, port)
        assert resolver.asked == ["origin.example"]
        monkeypatch.setattr(dialing, "KEPT", -1.0)
        dialer._known.clear()
        dialer._proven.clear()
        await dial(dialer, streams, port)
        await dial(dialer, streams, port)
        assert len(resolver.asked) == 3


async def test_an_address_that_refuses_gives_way_to_the_next_which_is_first_from_then_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Resolver(monkeypatch, "127.0.0.2", "127.0.0.3", "127.0.0.1")
    dialer, streams = Dialer(), Streams()
    with listening() as port:
        assert await dial(dialer, streams, port) == "127.0.0.1"
        assert dialer._proven["origin.example", port][1] == "127.0.0.1"
        assert await dial(dialer, streams, port) == "127.0.0.1"


async def test_a_silent_address_has_a_head_start_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    Resolver(monkeypatch, SILENT, "127.0.0.1")
    dialer, streams = Dialer(), Streams()
    with listening() as port:
        assert await dial(dialer, streams, port) == "127.0.0.1"


def test_families_take_turns() -> None:
    v4, v6 = socket.AF_INET, socket.AF_INET6
    found = [(v6, "::1"), (v6, "::2"), (v6, "::1"), (v4, "127.0.0.1"), (v4, "127.0.0.2"), (v4, "127.0.0.3")]
    assert dialing._interleaved(found) == ["::1", "127.0.0.1", "::2", "127.0.0.2", "127.0.0.3"]


async def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    Resolver(monkeypatch, "127.0.0.2", "127.0.0.3")
    dialer, streams = Dialer(), Streams()
    with listening() as port, pytest.raises(ConnectionRefusedError):
        await dial(dialer, streams, port)
    assert not dialer._known, "it is looked up again next time"
    assert not streams


async def test_a_name_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver, dialer, streams = Resolver(monkeypatch), Dialer(), Streams()
    for _ in range(2):
        with pytest.raises(socket.gaierror):
            await dial(dialer, streams, 80)
    assert len(resolver.asked) == 2


async def test_who_gives_up_waiting_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    Resolver(monkeypatch, SILENT, SILENT)
    dialer, streams = Dialer(), Streams()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await dial(dialer, streams, 80)
    assert not streams
