"""Make the network slow, as it is on the road: a rate for responses, and a delay for each request.

    flowdump -s "scripts/throttle.py 50k"
    flowdump -s "scripts/throttle.py 1m --delay 200 --filter '~d example.com'"

The rate is bytes per second, with k or m (1024-based), of all responses together; 0 is no limit. ``--delay`` is
milliseconds. ``--filter`` says which requests are slowed, all of them without it.

Handlers here are ``async``: while one waits, everything else goes on. Slowed responses are streamed, so they are not
in the flow unless ``--set store_streamed_bodies=true`` keeps them. Saved flows pass at once, unchanged.
"""

import argparse
import asyncio
import time
from collections.abc import AsyncIterator

from flowdump import filters, flow, http

#: How many pieces a second are sent at least: a slow line trickles, it does not stand still and then jump.
PIECES_A_SECOND = 10
LARGEST = 65536


class Throttle:
    def __init__(self, rate: int, delay: float, filter: filters.Filter) -> None:
        self.rate = rate
        self.delay = delay
        self.filter = filter
        #: When the line is free again, on the clock of ``time.monotonic``.
        self.free = 0.0

    async def requestheaders(self, flow: http.HTTPFlow) -> None:
        if self.delay and flow.live and self.filter(flow):
            await asyncio.sleep(self.delay)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        if self.rate and flow.response is not None and flow.live and self.filter(flow):
            flow.response.stream = self.slowly

    async def slowly(self, flow: flow.Flow, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """A streaming function that waits until the line had time for what it sends."""
        size = max(1, min(LARGEST, self.rate // PIECES_A_SECOND))
        async for chunk in chunks:
            for at in range(0, len(chunk), size):
                piece = chunk[at : at + size]
                await self.turn(len(piece))
                yield piece

    async def turn(self, size: int) -> None:
        """Wait for as long as the line takes for that many bytes, after those who came before."""
        now = time.monotonic()
        self.free = max(self.free, now) + size / self.rate
        await asyncio.sleep(self.free - now)


def rate(text: str) -> int:
    digits = text[:-1] if text[-1:].lower() in ("k", "m") else text
    if not (digits.isascii() and digits.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a rate such as 50k, 1m or 0")
    return int(digits) * {"k": 1024, "m": 1024**2}.get(text[-1:].lower(), 1)


def delay(text: str) -> float:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of milliseconds")
    return int(text) / 1000


def expression(text: str) -> filters.Filter:
    try:
        return filters.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def start() -> Throttle:
    parser = argparse.ArgumentParser(description="Make the network slow.")
    parser.add_argument("rate", type=rate, help="bytes per second, with k or m; 0 is no limit")
    parser.add_argument("--delay", type=delay, default="0", help="milliseconds before each request")
    parser.add_argument("--filter", type=expression, default="~all", help="which requests are slowed")
    args = parser.parse_args()
    return Throttle(args.rate, args.delay, args.filter)
