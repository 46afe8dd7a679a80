"""Any bytes into the chunked decoder: the same body whether they come at once or one by one, or ProtocolError."""

from __future__ import annotations

from flowdump.engine.errors import ProtocolError
from flowdump.engine.http1.chunked import ChunkedDecoder

FRONTS = (b"", b"5\r\nhello\r\n", b"ffff;a=b\r\n", b"0\r\nName: value\r\n")


def _decoded(pieces: list[bytes]) -> tuple[bytes, bool, object, bytes]:
    """The body, whether it was refused, how it ended, and what was left."""
    decoder, buffer, body = ChunkedDecoder(), bytearray(), b""
    for piece in pieces:
        buffer += piece
        if decoder.done:
            continue
        try:
            body += b"".join(decoder.feed(buffer))
            while not decoder.done and (more := decoder.feed(buffer)):
                body += b"".join(more)
        except ProtocolError:
            return body, True, None, b""
    return body, False, (decoder.done, decoder.trailers), bytes(buffer) if decoder.done else b""


def one_input(data: bytes) -> None:
    """Raises nothing but AssertionError, for what must not be."""
    raw = FRONTS[data[0] & 3 if data else 0] + data[1:]
    assert _decoded([raw]) == _decoded([raw[at : at + 1] for at in range(len(raw))])
