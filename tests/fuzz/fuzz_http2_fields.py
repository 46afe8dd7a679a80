"""Any header blocks: what hpack makes of them we make too, and what is accepted can be sent on in either version.

The first byte chooses the direction, the second one where the input is cut into two blocks.
"""

from __future__ import annotations

from hpack import Decoder, HPACKError

from flowdump.engine.errors import ProtocolError
from flowdump.engine.http1 import outgoing
from flowdump.engine.http1.heads import parse_request_head
from flowdump.engine.http2 import fields as http2_fields
from flowdump.engine.http2.hpack import FieldDecoder, FieldEncoder
from flowdump.http import RequestData
from flowdump.http.headers import Headers

SIZE = 1 << 16


def one_input(data: bytes) -> None:
    """Raises nothing but AssertionError, for what must not be."""
    if len(data) < 2:
        return
    ours, theirs = FieldDecoder(SIZE), Decoder(SIZE)
    body, cut = data[2:], data[1]
    for block in (body[:cut], body[cut:], body[:cut]):
        try:
            expected = [tuple(pair) for pair in theirs.decode(block, raw=True)]
        except HPACKError:
            return
        assert [tuple(pair) for pair in ours.decode(block, raw=True)] == expected
        if data[0] & 1:
            request(expected, bool(data[0] & 2))
        else:
            response(expected, bool(data[0] & 2))


def request(fields: list[tuple[bytes, bytes]], ended: bool) -> None:
    try:
        head = http2_fields.read_request(fields, ended)
    except ProtocolError:
        return
    if head.method == b"CONNECT":
        return
    data = RequestData()
    data.method, data.path, data.scheme, data.authority = head.method, head.target, b"https", head.host or b""
    data.host, data.port, data.http_version = "example.com", 443, head.version
    data.headers, data.content, data.trailers = Headers.of(head.headers), b"", None
    sent = http2_fields.request_fields(data, None)
    assert http2_fields.read_request(sent, ended).target == head.target
    assert [tuple(pair) for pair in Decoder(SIZE).decode(FieldEncoder().encode(sent), raw=True)] == sent
    raw, content = outgoing.whole_request(data, head, False)
    assert content == b""
    assert parse_request_head(raw).method == head.method


def response(fields: list[tuple[bytes, bytes]], ended: bool) -> None:
    try:
        head = http2_fields.read_response(fields, ended, b"GET")
    except ProtocolError:
        return
    assert 100 <= head.status_code <= 999
