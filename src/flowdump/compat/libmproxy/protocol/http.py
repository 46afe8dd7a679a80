"""``libmproxy.protocol.http``: HTTP messages."""

from flowdump.compat.shims.older_http import HTTPRequest, HTTPResponse, decoded
from flowdump.http import HTTPFlow

__all__ = ["HTTPFlow", "HTTPRequest", "HTTPResponse", "decoded"]
