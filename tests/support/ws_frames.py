"""What a WebSocket decoder makes of bytes, in whole messages."""

from __future__ import annotations

from typing import NamedTuple

from flowdump.engine.websocket.frames import Decoder, Violation


class Message(NamedTuple):
    """What a decoder made of one message or control frame, whatever pieces it came in."""

    opcode: int
    content: bytes
    lengths: tuple[int, ...]
    wire: bytes
    compressed: bool


def read(decoder: Decoder, *chunks: bytes) -> tuple[list[Message], int | None, bytes]:
    """Everything the decoder gets out of the chunks, the code it failed with, and what it left in the buffer."""
    buffer = bytearray()
    messages: list[Message] = []
    parts: list[bytes] = []
    wire: list[bytes] = []
    lengths = [0]
    try:
        for chunk in chunks:
            buffer += chunk
            while (piece := decoder.next(buffer)) is not None:
                if piece.opcode >= 8:
                    messages.append(Message(piece.opcode, piece.content, (), piece.wire, False))
                    if piece.opcode == 8:
                        return messages, None, bytes(buffer)
                    continue
                parts.append(piece.content)
                wire.append(piece.wire)
                lengths[-1] += len(piece.content)
                if piece.message_ends:
                    assert piece.frame_ends
                    content = b"".join(parts)
                    messages.append(Message(piece.opcode, content, tuple(lengths), b"".join(wire), piece.compressed))
                    parts, wire, lengths = [], [], [0]
                elif piece.frame_ends:
                    lengths.append(0)
    except Violation as violation:
        return messages, violation.code, bytes(buffer)
    return messages, None, bytes(buffer)
