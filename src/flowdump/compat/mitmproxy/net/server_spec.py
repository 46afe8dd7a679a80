"""``mitmproxy.net.server_spec``: ``https://host:port`` in pieces."""

from flowdump.server_spec import ServerSpec, parse

__all__ = ["ServerSpec", "parse"]
