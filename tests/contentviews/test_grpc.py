from __future__ import annotations

import gzip
import struct
import sys
from base64 import b64encode

import pytest

from flowdump import contentviews
from flowdump.contentviews.body import Body
from flowdump.contentviews.grpc import frames, lines

MESSAGE = b"\x08\x96\x01"


def frame(data: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BI", flags, len(data)) + data


def shown(content: bytes, content_type: str = "application/grpc", encoding: str = "") -> list[str]:
    return list(lines(Body(content, content_type, grpc_encoding=encoding)))


def test_each_message_is_a_tree() -> None:
    pytest.importorskip("google.protobuf.unknown_fields")
    packed = gzip.compress(MESSAGE)
    body = frame(MESSAGE) + frame(packed, 1) + frame(b"") + frame(b"grpc-status: 0\r\ngrpc-message: ok\r\n", 0x80)
    assert shown(body, encoding="gzip") == [
        "Message 1, 3 bytes",
        "  1: 150",
        f"Message 2, {len(packed)} bytes, gzip",
        "  1: 150",
        "Message 3, 0 bytes",
        "Trailers, 34 bytes",
        "  grpc-status: 0",
        "  grpc-message: ok",
    ]


def test_messages_that_cannot_be_read_are_dumped() -> None:
    pytest.importorskip("google.protobuf.unknown_fields")
    for body, encoding in ((frame(b"\xff"), ""), (frame(b"\xff", 1), "gzip"), (frame(b"\xff", 1), "unheard")):
        assert shown(body, encoding=encoding)[1] == f"  00000000  {'ff':<48}  ."


def test_bombs_are_not_unpacked() -> None:
    packed = gzip.compress(bytes(64 << 20))
    made = shown(frame(packed, 1), encoding="gzip")
    assert made[1].startswith("  00000000  1f 8b")


def test_web_text_is_base64_of_frames() -> None:
    pytest.importorskip("google.protobuf.unknown_fields")
    body = b64encode(frame(MESSAGE)) + b64encode(frame(b"a: b", 0x80))
    assert shown(body, "application/grpc-web-text+proto") == [
        "Message 1, 3 bytes",
        "  1: 150",
        "Trailers, 4 bytes",
        "  a: b",
    ]


def test_last_frame_may_be_cut() -> None:
    assert [(found.flags, found.data) for found in frames(frame(b"abc") + b"\0\0\0\0\x09xy")] == [
        (0, b"abc"),
        (0, b"xy"),
    ]


def test_what_is_no_frame_is_refused() -> None:
    for body in (b"<html>", b"\0\0"):
        with pytest.raises(ValueError, match="no gRPC frame"):
            shown(body)


def test_without_the_package_a_hint_and_a_dump(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.protobuf.empty_pb2", None)
    rendered = contentviews.render(frame(MESSAGE), content_type="application/grpc")
    assert rendered.name == "hex dump"
    assert "flowdump[views]" in next(rendered.lines)
    assert next(rendered.lines).startswith("00000000  00 00")
