"""Where the proxy listens, for scripts and programs: ``ctx.master.addons.get("proxyserver").listen_addrs()``."""

from __future__ import annotations

from collections.abc import Callable, Sequence


class ProxyServer:
    """Hears of nothing; ``addresses`` gives where it listens now."""

    option = "server"

    def __init__(self, addresses: Callable[[], Sequence[tuple[str, int]]]) -> None:
        self._addresses = addresses

    @property
    def is_running(self) -> bool:
        return bool(self._addresses())

    def listen_addrs(self) -> list[tuple[str, int]]:
        """Host and port of each listener; the port is the real one where the option said 0."""
        return list(self._addresses())
