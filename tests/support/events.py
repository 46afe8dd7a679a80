"""An addon that notes which events fire, in order, with what they are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.live import until


class Events:
    """Notes every event of connections, TLS and flows, and does what it is given in some of them.

    ``Events(request=act)`` calls ``act`` with what the event ``request`` is given, after noting it.
    """

    NAMES = (
        "client_connected", "client_disconnected", "server_connect", "server_connected", "server_connect_error",
        "server_disconnected", "http_connect", "tls_clienthello", "tls_start_client", "tls_start_server",
        "tls_established_client", "tls_established_server", "tls_failed_client", "tls_failed_server", "request",
        "response", "error", "tcp_start", "tcp_message", "tcp_end", "tcp_error", "udp_start", "udp_message", "udp_end",
        "udp_error", "dns_request", "dns_response", "dns_error",
    )  # fmt: skip

    def __init__(self, **acts: Callable[[Any], Any]) -> None:
        assert acts.keys() <= set(self.NAMES)
        self.seen: list[tuple[str, Any]] = []
        for name in self.NAMES:
            setattr(self, name, self._noting(name, acts.get(name)))

    def _noting(self, name: str, act: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
        def note(argument: Any) -> Any:
            self.seen.append((name, argument))
            return act(argument) if act is not None else None

        return note

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.seen]

    def __getitem__(self, name: str) -> Any:
        """What the first such event was given."""
        return next(argument for seen, argument in self.seen if seen == name)

    async def wait_for(self, name: str, count: int = 1) -> None:
        """Until that many such events have fired."""
        await until(lambda: self.names.count(name) >= count)
