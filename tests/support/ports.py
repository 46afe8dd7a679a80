"""Ports for programs that cannot pick a free one themselves."""

from __future__ import annotations

import contextlib
import random
import socket
from pathlib import Path

#: Where the ports begin that Linux gives to whoever asks for any, unless it is told otherwise.
USUAL = 32768

#: Below this are ports that well-known programs listen on.
LOWEST = 15000


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 on which nobody listens, nor will by chance before they are used.

    They lie below those that the system gives to outgoing connections and to listeners on port 0, of which other
    tests open many in the meantime; and they are random, for the sake of others who look for ports in this way.
    """
    chosen: list[int] = []
    with contextlib.ExitStack() as held:
        while len(chosen) < count:
            port = random.SystemRandom().randrange(LOWEST, _first_given())
            with contextlib.suppress(OSError):
                held.enter_context(socket.create_server(("127.0.0.1", port)))
                chosen.append(port)
    return chosen


def free_port() -> int:
    (port,) = free_ports(1)
    return port


def _first_given() -> int:
    try:
        first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    except (OSError, ValueError, IndexError):
        first = USUAL
    return first if first > LOWEST + 1000 else 65536  # where all ports are given, any will do
