"""``libmproxy.protocol.http``: HTTP messages."""

from flowdump.compat.shims.older_http import CONTENT_MISSING, HTTPRequest, HTTPResponse, decoded
from flowdump.http import HTTPFlow

__all__ = ["CONTENT_MISSING", "HTTPFlow", "HTTPRequest", "HTTPResponse", "decoded"]
