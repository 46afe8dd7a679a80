"""``mitmproxy.net.http.message``: what requests and responses share, where it was up to mitmproxy 6."""

from flowdump.http import Message

__all__ = ["Message"]
