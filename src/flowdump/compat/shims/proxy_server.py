"""``ProxyServer(ProxyConfig(options))``, which programs passed to ``DumpMaster`` up to mitmproxy 6.

``DumpMaster`` now opens its own listeners, so these classes only carry the options.
"""

from __future__ import annotations

from flowdump.options.store import Options


class ProxyConfig:
    """The options of a proxy."""

    def __init__(self, options: Options) -> None:
        self.options = options


class ProxyServer:
    """The server that a program passes to ``DumpMaster``; ``config`` has the options."""

    bound = True

    def __init__(self, config: ProxyConfig) -> None:
        self.config = config


class DummyServer:
    """A server without listeners: a DumpMaster with it accepts no clients."""

    bound = False

    def __init__(self, config: ProxyConfig | None = None) -> None:
        self.config = config
