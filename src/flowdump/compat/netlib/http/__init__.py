"""``netlib.http``: HTTP messages."""

from flowdump.compat.shims.older_http import CONTENT_MISSING, decoded
from flowdump.compat.shims.older_http import HTTPRequest as Request
from flowdump.compat.shims.older_http import HTTPResponse as Response
from flowdump.http.flow import Headers

__all__ = ["CONTENT_MISSING", "Headers", "Request", "Response", "decoded"]
