"""What DNS mode knows of names by itself: which name servers to ask, and the hosts file.

Both files are the system's own, ``/etc/resolv.conf`` (resolv.conf(5)) and ``/etc/hosts`` (hosts(5)): the only ones that
the engine reads beside certificates. They are read when they are first needed, and again when they have changed; one
that cannot be read counts as empty, as it does for the C library.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from flowdump.engine.net.dialer import is_address
from flowdump.exceptions import OptionsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowdump.options.store import Options

DNS_PORT: Final = 53

RESOLV_CONF: Final = "/etc/resolv.conf"
HOSTS: Final = "/etc/hosts"

#: Bytes of such a file that are read; they are read within the event loop, and lists of blocked hosts are large.
MAX_FILE: Final = 16 * 1024 * 1024

Place = tuple[str, int]
T = TypeVar("T")


class Resolver:
    """Name servers and known hosts, by the options ``dns_name_servers`` and ``dns_use_hosts_file``."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._system = _File(RESOLV_CONF, name_servers)
        self._hosts = _File(HOSTS, host_addresses)
        self._given: list[Place] = []
        self.configure({"dns_name_servers"})
        options.subscribe(self.configure)

    def configure(self, changed: set[str]) -> None:
        """Take over changed options. Raises OptionsError."""
        if "dns_name_servers" in changed:
            self._given = [parse_server(text) for text in self._options.dns_name_servers]

    def servers(self) -> list[Place]:
        """The name servers in order; the local machine if the system names none, as resolv.conf(5) says."""
        return self._given or self._system.content() or [("127.0.0.1", DNS_PORT)]

    def look_up(self, name: str, version: int) -> list[str] | None:
        """The addresses (IP version 4 or 6) of a name in the hosts file; None when it is not there at all."""
        if not self._options.dns_use_hosts_file:
            return None
        known = self._hosts.content().get(name.lower())
        return None if known is None else [address for address in known if (":" in address) == (version == 6)]


class _File(Generic[T]):
    """What is in a file, by a reader of its lines; read again when the file has changed."""

    def __init__(self, path: str, read: Callable[[Iterator[list[str]]], T]) -> None:
        self._path = path
        self._read = read
        self._stamp: tuple[int, ...] | None = None
        self._content = read(iter(()))

    def content(self) -> T:
        try:
            status = os.stat(self._path)
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino)
            if stamp != self._stamp:
                with open(self._path, encoding="utf-8", errors="replace") as file:
                    self._content, self._stamp = self._read(_words(file.read(MAX_FILE))), stamp
        except OSError:
            self._content, self._stamp = self._read(iter(())), None
        return self._content


def _words(text: str) -> Iterator[list[str]]:
    """The words of each line without its comment."""
    for line in text.splitlines():
        words = line.partition("#")[0].partition(";")[0].split()
        if words:
            yield words


def name_servers(lines: Iterator[list[str]]) -> list[Place]:
    """The ``nameserver`` lines of a resolv.conf; what is no address there is left out, as the C library does."""
    found = []
    for words in lines:
        if words[0] == "nameserver" and len(words) > 1 and is_address(words[1]):
            found.append((words[1], DNS_PORT))
    return found


def host_addresses(lines: Iterator[list[str]]) -> dict[str, list[str]]:
    """Name in lower case -> its addresses, in their order in the file."""
    found: dict[str, list[str]] = {}
    for address, *names in lines:
        if "%" in address or not is_address(address):
            continue
        for name in names:
            addresses = found.setdefault(name.lower().removesuffix("."), [])
            if address not in addresses:
                addresses.append(address)
    return found


def parse_server(text: str) -> Place:
    """``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1`` or ``[2001:db8::1]:5353``. Raises OptionsError."""
    host, port = text.strip(), ""
    bracketed = re.fullmatch(r"\[([^\[\]]*)\](?::([0-9]*))?", host)
    if bracketed:
        host, port = bracketed[1], bracketed[2] or ""
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0 if port else DNS_PORT
    if not is_address(host) or not 0 < number < 65536:
        raise OptionsError(
            f"option 'dns_name_servers': {text!r} is no name server; an IP address is expected, or ADDRESS:PORT"
        )
    return host, number
