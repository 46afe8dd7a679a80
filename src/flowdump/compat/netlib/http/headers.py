"""``netlib.http.headers``: Content-Type, and header fields."""

from flowdump.compat.shims.content_type import assemble_content_type, parse_content_type
from flowdump.http.flow import Headers

__all__ = ["Headers", "assemble_content_type", "parse_content_type"]
