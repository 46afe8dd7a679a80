"""Which hosts are passed through untouched, and which are relayed raw: options ignore_hosts, allow_hosts, tcp_hosts,
udp_hosts.

*Passthrough* means that flowdump joins the client and the server without looking at their bytes: TLS is not
intercepted. *Raw* means that bytes are recorded, after TLS interception if there is TLS, but not read as HTTP.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowdump.connection import hostport
from flowdump.engine.net.dialer import is_address
from flowdump.exceptions import OptionsError

if TYPE_CHECKING:
    from flowdump.options.store import Options

_OPTIONS = ("ignore_hosts", "allow_hosts", "tcp_hosts", "udp_hosts")


class HostRules:
    """The regular expressions of the four options, each searched for in ``host:port``, ignoring case."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._patterns: dict[str, list[re.Pattern[str]]] = {}
        self.configure(set(_OPTIONS))
        options.subscribe(self.configure)

    def configure(self, changed: set[str]) -> None:
        """Compile the expressions of all four options, and use them once all are right. Raises OptionsError.

        After an error the options get their old values back without another call, so nothing may have changed here.
        """
        if not changed.intersection(_OPTIONS):
            return
        patterns = {}
        for option in _OPTIONS:
            try:
                patterns[option] = [re.compile(each, re.IGNORECASE) for each in getattr(self._options, option)]
            except re.error as error:
                raise OptionsError(
                    f"option {option!r}: {error.pattern!r} is not a regular expression: {error}"
                ) from None
        self._patterns = patterns

    def _match(self, option: str, *names: str) -> bool:
        return any(pattern.search(name) for pattern in self._patterns[option] for name in names)

    def is_ignored(self, *names: str) -> bool:
        """Whether a connection to one of these ``host:port`` is passed through untouched."""
        if self._patterns["allow_hosts"]:
            return not self._match("allow_hosts", *names)
        return self._match("ignore_hosts", *names)

    def is_passed(self, host: str, port: int) -> bool:
        """Whether the target of CONNECT is enough to tell that a connection is passed through.

        With ``allow_hosts`` an address is not: the ClientHello may still name an allowed host.
        """
        if self._patterns["allow_hosts"] and is_address(host):
            return False
        return self.is_ignored(hostport((host, port)))

    def is_raw(self, *names: str) -> bool:
        """Whether a connection to one of these ``host:port`` is raw TCP, even if it looks like HTTP."""
        return self._match("tcp_hosts", *names)

    def is_raw_udp(self, name: str) -> bool:
        """Whether datagrams to this ``host:port`` are passed on uninterpreted, even in a DNS mode."""
        return self._match("udp_hosts", name)
