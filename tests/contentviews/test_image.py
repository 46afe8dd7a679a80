from __future__ import annotations

import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.contentviews.body import Body
from flowdump.contentviews.image import lines


def facts(content: bytes) -> dict[str, str]:
    return {label.strip(): value.strip() for label, _, value in (line.partition(":") for line in lines(Body(content)))}


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(*chunks: bytes) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 640, 480, 8, 6, 0, 0, 1))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks)


def gif(frames: int) -> bytes:
    control = b"\x21\xf9\x04\0\0\0\0\0"
    image = b"\x2c\0\0\0\0\3\0\2\0\x81" + bytes(12) + b"\2\3abc\1d\0"
    return b"GIF89a" + struct.pack("<HHBBB", 3, 2, 0x91, 0, 0) + bytes(12) + (control + image) * frames + b";"


def test_png() -> None:
    still = png(png_chunk(b"gAMA", b"abcd"), png_chunk(b"IDAT", b""))
    assert facts(still) == {
        "Format": "PNG",
        "Size": "640 x 480 px",
        "Colours": "8 bit, RGB with alpha",
        "Layout": "interlaced",
        "Bytes": str(len(still)),
    }


def test_animated_png() -> None:
    assert facts(png(png_chunk(b"acTL", struct.pack(">II", 12, 0))))["Frames"] == "12, animated"


def test_gif_frames_are_counted() -> None:
    assert facts(gif(1)) | {"Bytes": ""} == {
        "Format": "GIF",
        "Size": "3 x 2 px",
        "Colours": "palette of 4",
        "Frames": "1",
        "Bytes": "",
    }
    assert facts(gif(3))["Frames"] == "3, animated"
    assert facts(gif(3)[:-20])["Frames"] == "3, animated"


def test_jpeg() -> None:
    frame = b"\xff\xc2" + struct.pack(">HBHHB", 17, 8, 48, 64, 3)
    found = facts(b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xdb\0\x02" + frame + bytes(20))
    assert found["Size"] == "64 x 48 px"
    assert found["Colours"] == "8 bit, colour"
    assert found["Layout"] == "progressive"


def test_webp_of_three_kinds() -> None:
    head = b"RIFF\0\0\0\0WEBP"
    lossy = head + b"VP8 " + bytes(7) + b"\x9d\x01\x2a" + struct.pack("<HH", 64, 0x4030)
    lossless = head + b"VP8L" + bytes(4) + b"\x2f" + struct.pack("<I", 63 | 47 << 14)
    extended = head + b"VP8X" + bytes(4) + b"\x12\0\0\0" + b"\x3f\0\0" + b"\x2f\0\0" + b"ANMFxxxxANMF"
    assert facts(lossy.replace(bytes(7), b"\x0a\0\0\0\0\0\0"))["Size"] == "64 x 48 px"
    assert facts(lossless)["Size"] == "64 x 48 px"
    assert facts(lossless)["Layout"] == "lossless"
    assert facts(extended)["Size"] == "64 x 48 px"
    assert facts(extended)["Colours"] == "with alpha"
    assert facts(extended)["Frames"] == "2, animated"


def test_icon_with_its_sizes() -> None:
    entries = struct.pack("<BBBBHHII", 0, 0, 0, 0, 1, 32, 9, 9) + struct.pack("<BBBBHHII", 16, 16, 4, 0, 1, 0, 9, 9)
    found = facts(b"\0\0\1\0\2\0" + entries)
    assert found["Icon 1"] == "256 x 256 px, 32 bit"
    assert found["Icon 2"] == "16 x 16 px, 4 colours"


def test_bitmap_even_upside_down() -> None:
    found = facts(b"BM" + bytes(12) + struct.pack("<IiiHH", 40, 20, -10, 1, 24))
    assert found["Size"] == "20 x 10 px"
    assert found["Colours"] == "24 bit"


def test_avif_gives_the_largest_of_its_sizes() -> None:
    def property_box(width: int, height: int) -> bytes:
        return b"\0\0\0\x14ispe\0\0\0\0" + struct.pack(">II", width, height)

    found = facts(b"\0\0\0\x1cftypavif" + bytes(8) + property_box(512, 512) + property_box(1024, 768))
    assert found["Format"] == "AVIF"
    assert found["Size"] == "1024 x 768 px"


def test_svg() -> None:
    found = facts(b"<?xml version='1.0'?>\n<svg viewBox=\"0 0 10 20\" width='1em' height='2em'><rect width='9'/></svg>")
    assert found["Size"] == "1em x 2em"
    assert found["View box"] == "0 0 10 20"


def test_what_is_no_image_is_refused() -> None:
    with pytest.raises(ValueError, match="no known image"):
        lines(Body(b"<html>", "image/png"))


@settings(deadline=None)
@given(
    st.sampled_from(
        [png(), gif(2), b"\xff\xd8\xff", b"RIFF1234WEBPVP8X", b"\0\0\1\0", b"BM", b"    ftypavif", b"<svg "]
    ),
    st.integers(0, 40),
    st.binary(max_size=64),
)
def test_damage_is_an_error_of_its_kind_or_some_facts(start: bytes, cut: int, tail: bytes) -> None:
    content = start[:cut] + tail
    try:
        found = list(lines(Body(content)))
    except (ValueError, struct.error, IndexError):
        return
    assert found[0].startswith("Format:")
    assert found[-1] == f"Bytes:   {len(content)}"
