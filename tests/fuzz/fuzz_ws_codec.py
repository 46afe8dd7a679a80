"""Any bytes into the WebSocket decoder: messages, a violation or "need more", and the same with wsproto alone.

The first byte chooses peer, compression and limit; the second one where the input is cut in two.
"""

from __future__ import annotations

from flowdump.engine.errors import Peer
from flowdump.engine.websocket.frames import Decoder, Deflate, Violation

LIMITS = (None, 0, 100, 40_000)


def one_input(data: bytes) -> None:
    """Raises nothing but AssertionError, for what must not be."""
    if len(data) < 2:
        return
    peer: Peer = "client" if data[0] & 1 else "server"
    deflate = Deflate(takeover=bool(data[0] & 4)) if data[0] & 2 else None
    limit = LIMITS[data[0] >> 3 & 3]
    body, cut = data[2:], data[1]
    decoder, judge = Decoder(peer, deflate, limit), Decoder(peer, deflate, limit)
    judge._plain = {}
    messages, code, rest = _messages(decoder, body[:cut], body[cut:])
    expected, expected_code, _ = _messages(judge, body)
    assert messages == expected
    assert code is None or expected_code is not None
    assert code in (None, 1002, 1007, 1009)
    closed = bool(messages) and messages[-1][0] == 8
    assert closed or code is not None or body.endswith(rest)


def _messages(decoder: Decoder, *chunks: bytes) -> tuple[list[tuple[int, bytes]], int | None, bytes]:
    """Whole messages and control frames; the close code that it came to; what is left."""
    buffer, found, parts = bytearray(), list[tuple[int, bytes]](), list[bytes]()
    try:
        for chunk in chunks:
            buffer += chunk
            while (piece := decoder.next(buffer)) is not None:
                if piece.opcode == 8:
                    return [*found, (8, piece.content)], None, bytes(buffer)
                if piece.opcode > 8:
                    found.append((piece.opcode, piece.content))
                    continue
                parts.append(piece.content)
                if piece.message_ends:
                    found.append((piece.opcode, b"".join(parts)))
                    parts.clear()
    except Violation as violation:
        return found, violation.code, b""
    return found, None, bytes(buffer)
