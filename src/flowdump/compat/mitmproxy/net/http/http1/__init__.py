"""``mitmproxy.net.http.http1``: messages as HTTP/1 has them on the wire."""

from flowdump.compat.shims.http1 import (
    assemble_body,
    assemble_request,
    assemble_request_head,
    assemble_response,
    assemble_response_head,
    connection_close,
    expected_http_body_size,
    read_request_head,
    read_response_head,
)

__all__ = [
    "assemble_body",
    "assemble_request",
    "assemble_request_head",
    "assemble_response",
    "assemble_response_head",
    "connection_close",
    "expected_http_body_size",
    "read_request_head",
    "read_response_head",
]
