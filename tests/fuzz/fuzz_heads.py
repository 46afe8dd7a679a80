"""Any bytes into the readers of HTTP/1 heads: a head that means the same when it is written again, or ProtocolError.

The first byte chooses what is put in front, so that more than start lines is met.
"""

from __future__ import annotations

from flowdump.engine.errors import ProtocolError
from flowdump.engine.http1 import heads

FRONTS = (b"", b"GET / HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n", b"HTTP/1.1 200 OK\r\n")


def one_input(data: bytes) -> None:
    """Raises nothing but AssertionError, for what must not be."""
    front = FRONTS[data[0] & 3 if data else 0]
    raw = front + data[1:] + b"\r\n\r\n"
    try:
        end = heads.head_end(bytearray(raw))
    except ProtocolError:
        return
    assert end <= len(raw)
    for validate in (True, False):
        _request(raw[:end], validate)
        _response(raw[:end], validate)


def _request(raw: bytes, validate: bool) -> None:
    try:
        head = heads.parse_request_head(raw, validate=validate)
    except ProtocolError:
        return
    assert head.framing.length >= 0
    written = heads.request_head_bytes(head.method, head.target, head.version, head.headers)
    again = heads.parse_request_head(written, validate=validate)
    assert (again.headers, again.framing, again.host) == (head.headers, head.framing, head.host)
    assert set(heads.forwarded(head.headers)) - {(b"te", b"trailers")} <= {
        *head.headers, *((name, b"trailers") for name, _ in head.headers)
    }  # fmt: skip


def _response(raw: bytes, validate: bool) -> None:
    try:
        head = heads.parse_response_head(raw, request_method=b"GET", validate=validate)
    except ProtocolError:
        return
    written = heads.response_head_bytes(head.version, head.status_code, head.reason, head.headers)
    again = heads.parse_response_head(written, request_method=b"GET", validate=validate)
    assert (again.status_code, again.headers, again.framing) == (head.status_code, head.headers, head.framing)
