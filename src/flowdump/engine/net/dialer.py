"""Connecting by name: addresses are looked up, tried one after the other with a head start each (RFC 8305), and kept
for a moment.

A look-up takes a thread and, through the interpreter's lock, a good part of what a whole connection costs; browsers
open half a dozen connections to one name at once. So addresses are kept for ``KEPT`` seconds, the one that answered is
taken without a race as long, and connections that are made at the same time share one look-up. A name none of whose
addresses can be reached is looked up again next time.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from contextlib import suppress
from functools import lru_cache
from itertools import zip_longest
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from flowdump.engine.net.stream import Stream

#: Seconds that an address has before the next one is tried (RFC 8305 section 5).
HEAD_START: Final = 0.25
#: Seconds for which addresses are kept. Operating systems' and browsers' caches keep them for longer.
KEPT: Final = 5.0
#: Names whose addresses are kept.
MAX_NAMES: Final = 1024

Name = tuple[str, int]


class Dialer:
    """Makes connections to names and addresses."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._known: dict[Name, tuple[float, list[str]]] = {}
        #: The address that answered, and until when it is taken without a race.
        self._proven: dict[Name, tuple[float, str]] = {}
        self._lookups: dict[Name, asyncio.Task[list[str]]] = {}

    async def dial(self, host: str, port: int, local: str | None, made: Callable[[], Stream]) -> Stream:
        """A connection, its Stream made by ``made``. Raises OSError; UnicodeError for what can be no name."""
        local_addr = (local, 0) if local else None

        async def attempt(address: str) -> Stream:
            if local and (":" in local) != (":" in address):
                raise OSError(f"connect_addr {local} is of the other IP version")
            _, stream = await self._loop.create_connection(made, address, port, local_addr=local_addr)
            return stream

        if is_address(host):
            return await attempt(host)
        name = host, port
        proven = self._proven.get(name)
        if proven is not None and self._loop.time() < proven[0]:
            with suppress(OSError):
                return await attempt(proven[1])
        self._proven.pop(name, None)
        addresses = await self._addresses(name)
        try:
            address, stream = await _race(attempt, addresses)
        except OSError:
            self._known.pop(name, None)
            raise
        self._proven[name] = self._loop.time() + KEPT, address
        if len(self._proven) > MAX_NAMES:
            del self._proven[next(iter(self._proven))]
        return stream

    def close(self) -> None:
        """Abandon the look-ups that still run."""
        for lookup in list(self._lookups.values()):
            lookup.cancel()

    async def _addresses(self, name: Name) -> list[str]:
        known = self._known.get(name)
        if known is not None and self._loop.time() < known[0]:
            return known[1]
        lookup = self._lookups.get(name)
        if lookup is None:
            lookup = self._lookups[name] = self._loop.create_task(self._look_up(name))
            lookup.add_done_callback(lambda ended: self._looked_up(name, ended))
        return await asyncio.shield(lookup)

    def _looked_up(self, name: Name, ended: asyncio.Task[list[str]]) -> None:
        del self._lookups[name]
        if not ended.cancelled():
            ended.exception()  # the waiting task has it; without one, it does not matter

    async def _look_up(self, name: Name) -> list[str]:
        found = await self._loop.getaddrinfo(*name, type=socket.SOCK_STREAM)
        addresses = _interleaved([(family, str(where[0])) for family, _, _, _, where in found])
        self._known.pop(name, None)
        self._known[name] = self._loop.time() + KEPT, addresses
        if len(self._known) > MAX_NAMES:
            del self._known[next(iter(self._known))]
        return addresses


@lru_cache(maxsize=1024)
def is_address(host: str) -> bool:
    """Whether a host is an IP address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _interleaved(found: list[tuple[int, str]]) -> list[str]:
    """Each address once, the two families in turn, beginning with that of the first (RFC 8305 section 4)."""
    first = [address for family, address in found if family == found[0][0]]
    second = [address for family, address in found if family != found[0][0]]
    return list(dict.fromkeys(a for pair in zip_longest(first, second) for a in pair if a is not None))


async def _race(attempt: Callable[[str], Coroutine[None, None, Stream]], addresses: list[str]) -> tuple[str, Stream]:
    """The first address that answers. Raises the OSError of the first one when none does."""
    if len(addresses) == 1:
        return addresses[0], await attempt(addresses[0])
    running: dict[asyncio.Task[Stream], str] = {}
    failure: BaseException | None = None
    try:
        for address in addresses:
            running[asyncio.create_task(attempt(address))] = address
            while running:
                patience = None if address == addresses[-1] else HEAD_START
                done, _ = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                winner = next((task for task in done if task.exception() is None), None)
                if winner is not None:
                    return running.pop(winner), winner.result()
                for task in done:
                    failure = failure or task.exception()
                    del running[task]
                if address != addresses[-1]:
                    break  # it failed, or its head start is over
        assert failure is not None
        raise failure
    finally:
        failure = None  # else its traceback and this frame would keep each other
        await _give_up(list(running))


async def _give_up(attempts: list[asyncio.Task[Stream]]) -> None:
    """End what is still under way; a connection that was made in the meantime is closed."""
    for task in attempts:
        task.cancel()
    for outcome in await asyncio.gather(*attempts, return_exceptions=True):
        if not isinstance(outcome, BaseException):
            outcome.abort()
