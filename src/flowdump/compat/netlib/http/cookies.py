"""``netlib.http.cookies``: cookie headers."""

from flowdump.compat.shims.cookies import (
    format_cookie_header,
    format_set_cookie_header,
    parse_cookie_header,
    parse_set_cookie_header,
)

__all__ = ["format_cookie_header", "format_set_cookie_header", "parse_cookie_header", "parse_set_cookie_header"]
