"""``mitmproxy.net.http.http1.assemble``: messages to bytes."""

from flowdump.compat.shims.http1 import (
    assemble_body,
    assemble_request,
    assemble_request_head,
    assemble_response,
    assemble_response_head,
)

__all__ = ["assemble_body", "assemble_request", "assemble_request_head", "assemble_response", "assemble_response_head"]
