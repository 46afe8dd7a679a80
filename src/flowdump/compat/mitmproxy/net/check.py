"""``mitmproxy.net.check``: what can be a host or a port."""

from flowdump.server_spec import is_valid_host, is_valid_port

__all__ = ["is_valid_host", "is_valid_port"]
