"""``mitmproxy.net.http``: HTTP, below flows; a class or two of older releases."""

from flowdump.compat.shims.older_http import decoded
from flowdump.http import Headers, Message, Request, Response

__all__ = ["Headers", "Message", "Request", "Response", "decoded"]
