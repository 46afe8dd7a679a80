"""``netlib.http.http1``: messages as HTTP/1 has them on the wire."""

from flowdump.compat.shims.http1 import (
    assemble_request,
    assemble_request_head,
    assemble_response,
    assemble_response_head,
)

__all__ = ["assemble_request", "assemble_request_head", "assemble_response", "assemble_response_head"]
