"""The two ends of the ``websocket`` row: an echo server, and clients that wait for each answer before the next message.

    python benchmarks/websocket_load.py echo
    python benchmarks/websocket_load.py load URL SECONDS

``echo`` prints its port. ``load`` has 16 connections of the ``websockets`` package with 200-byte messages, as in
``performance.md``, and prints the round trips per second as ``Requests/sec``.
"""

from __future__ import annotations

import asyncio
import sys
import time

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

CONNECTIONS = 16
MESSAGE = "x" * 200


async def echo() -> None:
    """Send every message back, until the process is ended."""

    async def answer(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(answer, "127.0.0.1", 0) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Event().wait()


async def load(url: str, seconds: float) -> None:
    """Round trips on all connections; the clock starts when they are open."""
    async with asyncio.TaskGroup() as group:
        ready = asyncio.Barrier(CONNECTIONS)
        clients = [group.create_task(client(url, seconds, ready)) for _ in range(CONNECTIONS)]
    print(f"Requests/sec: {sum(task.result() for task in clients) / seconds:.1f}")


async def client(url: str, seconds: float, ready: asyncio.Barrier) -> int:
    count = 0
    async with connect(url, proxy=None, open_timeout=60) as connection:
        await ready.wait()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await connection.send(MESSAGE)
            if await connection.recv() != MESSAGE:
                raise SystemExit("an answer differs from its message")
            count += 1
    return count


if __name__ == "__main__":
    if sys.argv[1] == "echo":
        asyncio.run(echo())
    else:
        asyncio.run(load(sys.argv[2], float(sys.argv[3])))
