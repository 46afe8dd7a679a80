"""``mitmproxy.net.http.response``: responses, where they were up to mitmproxy 6."""

from flowdump.http import Response

__all__ = ["Response"]
