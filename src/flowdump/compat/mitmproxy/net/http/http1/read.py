"""``mitmproxy.net.http.http1.read``: heads to messages."""

from flowdump.compat.shims.http1 import (
    connection_close,
    expected_http_body_size,
    get_header_tokens,
    read_request_head,
    read_response_head,
)

__all__ = [
    "connection_close",
    "expected_http_body_size",
    "get_header_tokens",
    "read_request_head",
    "read_response_head",
]
