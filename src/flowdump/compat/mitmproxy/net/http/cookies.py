"""``mitmproxy.net.http.cookies``: cookie headers."""

from flowdump.compat.shims.cookies import (
    CookieAttrs,
    format_cookie_header,
    format_set_cookie_header,
    get_expiration_ts,
    group_cookies,
    is_expired,
    parse_cookie_header,
    parse_cookie_headers,
    parse_set_cookie_header,
    parse_set_cookie_headers,
    refresh_set_cookie_header,
)

__all__ = [
    "CookieAttrs",
    "format_cookie_header",
    "format_set_cookie_header",
    "get_expiration_ts",
    "group_cookies",
    "is_expired",
    "parse_cookie_header",
    "parse_cookie_headers",
    "parse_set_cookie_header",
    "parse_set_cookie_headers",
    "refresh_set_cookie_header",
]
