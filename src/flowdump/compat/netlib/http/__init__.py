"""``netlib.http``: HTTP messages."""

from flowdump.compat.shims.older_http import HTTPRequest as Request
from flowdump.compat.shims.older_http import HTTPResponse as Response
from flowdump.compat.shims.older_http import decoded
from flowdump.http import Headers

__all__ = ["Headers", "Request", "Response", "decoded"]
