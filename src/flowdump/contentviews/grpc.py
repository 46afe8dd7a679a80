"""grpc: the messages of a gRPC or gRPC-Web body, each as a protobuf tree.

A body is a row of frames: one byte of flags, four bytes of length, the message (the "Length-Prefixed-Message" of the
gRPC over HTTP/2 protocol). Flag 1 means compressed as the header grpc-encoding says; flag 128, in gRPC-Web, trailers
as text. gRPC-Web-Text is the same in base64.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from flowdump.contentviews.body import Body, str_lines
from flowdump.contentviews.layout import tree
from flowdump.contentviews.protobuf import message

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMPRESSED, _TRAILERS = 0x01, 0x80
_HEAD = 5
_LARGEST = 8 << 20


class Frame(NamedTuple):
    """One frame as it came: its flags and its bytes, still compressed."""

    flags: int
    data: bytes


def lines(body: Body) -> Iterator[str]:
    """Raises NeedsPackage without the package protobuf, ValueError when the first frame is damaged."""
    content = _from_base64(body.content) if "-web-text" in body.mime else body.content
    if len(content) < _HEAD or content[0] not in (0, _COMPRESSED, _TRAILERS, _TRAILERS | _COMPRESSED):
        raise ValueError("no gRPC frame")
    message(b"")  # raises NeedsPackage now, not at the first message
    return _format(content, body.grpc_encoding.strip().lower())


def _from_base64(content: bytes) -> bytes:
    """Base64 with padding in the middle, as servers send it that encode message by message."""
    from binascii import a2b_base64

    return b"".join(a2b_base64(piece + b"==") for piece in content.split(b"=") if piece.strip())


def frames(content: bytes) -> Iterator[Frame]:
    """Split; the last frame may be cut short."""
    position = 0
    while position < len(content):
        end = position + _HEAD + int.from_bytes(content[position + 1 : position + _HEAD], "big")
        yield Frame(content[position], content[position + _HEAD : end])
        position = end


def _format(content: bytes, encoding: str) -> Iterator[str]:
    number = 0
    for frame in frames(content):
        if frame.flags & _TRAILERS:
            yield f"Trailers, {len(frame.data):,} bytes"
            yield from (f"  {line}" for line in str_lines(frame.data.decode("utf-8", "replace")))
            continue
        number += 1
        coding = f", {encoding or 'compressed'}" if frame.flags & _COMPRESSED else ""
        yield f"Message {number}, {len(frame.data):,} bytes{coding}"
        yield from (f"  {line}" for line in _message(frame, encoding))


def _message(frame: Frame, encoding: str) -> Iterator[str]:
    from flowdump.contentviews import hexdump

    data = frame.data
    if frame.flags & _COMPRESSED:
        from flowdump.http.content_coding import decode

        try:
            data = decode(data, encoding, limit=_LARGEST)
        except ValueError:
            return hexdump.lines(Body(data))
    try:
        return tree(message(data)) if data else iter(())
    except Exception:  # no message: the package's DecodeError, or nested too deep
        return hexdump.lines(Body(data))
