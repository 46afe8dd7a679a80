from __future__ import annotations

import struct
import sys

import pytest

from flowdump.contentviews.body import Body, NeedsPackage
from flowdump.contentviews.protobuf import lines


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def shown(content: bytes) -> list[str]:
    return list(lines(Body(content)))


def test_fields_of_every_kind() -> None:
    pytest.importorskip("google.protobuf.unknown_fields")
    inner = b"\x08\x96\x01" + field(2, b"deep\n")
    content = (
        b"\x08\x96\x01"
        + field(2, "täxt".encode())
        + field(3, inner)
        + b"\x25"
        + struct.pack("<f", 1.5)
        + b"\x29"
        + struct.pack("<d", -2.25)
        + field(6, b"\xff\xfe")
        + b"\x3d\x4d\0\0\0"
        + b"\x43\x08\x01\x44"
        + b"\x48"
        + b"\xff" * 9
        + b"\x01"
        + field(2, b"")
    )
    assert shown(content) == [
        "1: 150",
        '2: "täxt"',
        "3:",
        "  1: 150",
        '  2: "deep\\n"',
        "4: 1069547520 (1.5)",
        "5: 13835621005235585024 (-2.25)",
        "6: <ff fe>",
        "7: 77",
        "8:",
        "  1: 1",
        "9: 18446744073709551615 (-1)",
        '2: ""',
    ]


def test_no_message_is_refused() -> None:
    pytest.importorskip("google.protobuf.unknown_fields")
    for content in (b"\xff", b"\x08", b"\x0a\x05a", b"\x0c"):
        with pytest.raises(Exception, match=r"."):
            shown(content)


def test_deep_messages_end_as_bytes() -> None:
    pytest.importorskip("google.protobuf.unknown_fields")
    content = b"\xff\xff"
    for _ in range(2000):
        content = field(1, content)
    made = shown(content)
    assert len(made) < 50
    assert "bytes>" in made[-1]


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "google.protobuf.empty_pb2", None)
    with pytest.raises(NeedsPackage, match="protobuf"):
        shown(b"\x08\x01")
