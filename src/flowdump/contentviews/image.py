"""image: what the header says of a picture. Nothing is decoded, so a hostile picture costs a few comparisons.

Each format is recognised by its first bytes; its function gives (label, value) pairs and may raise struct.error,
IndexError or ValueError on a cut or damaged header.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowdump.contentviews.body import Body

Facts = list[tuple[str, str]]

_PNG_COLOURS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGB with alpha"}
_JPEG_COLOURS = {1: "grey", 3: "colour", 4: "CMYK"}
# Start of frame markers (ITU T.81 table B.1): baseline, extended, progressive, lossless, and their arithmetic kin.
_JPEG_FRAMES = {0xC0: "baseline", 0xC1: "extended", 0xC2: "progressive", 0xC3: "lossless"}
_JPEG_OTHER_FRAMES = frozenset({0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
# Frames are counted in so many bytes only.
_COUNTED = 8 << 20
_SVG_ATTRIBUTE = re.compile(r"""\s(width|height|viewBox)\s*+=\s*+["']([^"']*+)["']""")


def lines(body: Body) -> Iterator[str]:
    """Raises ValueError for anything that is none of the formats known here."""
    found = recognise(body.content)
    if not found:
        raise ValueError("no known image format")
    name, read = found
    facts = [("Format", name), *read(body.content), ("Bytes", f"{len(body.content):,}")]
    return (f"{label + ':':<9}{value}" for label, value in facts)


def recognise(content: bytes) -> tuple[str, Callable[[bytes], Facts]] | None:
    """The name of the format and the function that reads its header."""
    for offset, magic, name, read in _FORMATS:
        if content.startswith(magic, offset):
            return name, read
    if re.search(rb"<svg[\s>]", content[:2048]):
        return "SVG", _svg
    return None


def _size(width: int, height: int) -> tuple[str, str]:
    return "Size", f"{width} x {height} px"


def _png(content: bytes) -> Facts:
    width, height, bits, colours, interlaced = struct.unpack_from(">IIBBxxB", content, 16)
    facts = [_size(width, height), ("Colours", f"{bits} bit, {_PNG_COLOURS.get(colours, 'unknown')}")]
    if interlaced:
        facts.append(("Layout", "interlaced"))
    position = 8
    while position + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        if kind == b"IDAT":
            break
        if kind == b"acTL":
            facts.append(("Frames", f"{struct.unpack_from('>I', content, position + 8)[0]}, animated"))
        position += length + 12
    return facts


def _gif(content: bytes) -> Facts:
    width, height, flags = struct.unpack_from("<HHB", content, 6)
    table = 2 << (flags & 7)
    frames = _gif_frames(content, 13 + (3 * table if flags & 0x80 else 0))
    facts = [_size(width, height), ("Colours", f"palette of {table}" if flags & 0x80 else "palette per frame")]
    return [*facts, ("Frames", f"{frames}, animated" if frames > 1 else str(frames))]


def _gif_frames(content: bytes, position: int) -> int:
    """Count the image descriptors: blocks are skipped by their lengths (GIF89a, section 15)."""
    frames, end = 0, min(len(content), _COUNTED)
    while position < end and content[position] in (0x21, 0x2C):
        if content[position] == 0x21:
            position += 2
        elif position + 10 > end:
            break
        else:
            frames += 1
            flags = content[position + 9]
            position += 11 + (3 * (2 << (flags & 7)) if flags & 0x80 else 0)
        while position < end and content[position]:
            position += content[position] + 1
        position += 1
    return frames


def _jpeg(content: bytes) -> Facts:
    position = 2
    while True:
        if content[position] != 0xFF:
            raise ValueError("no marker")
        marker = content[position + 1]
        if marker in _JPEG_FRAMES or marker in _JPEG_OTHER_FRAMES:
            break
        length = 2 if marker == 0xFF or 0xD0 <= marker <= 0xD8 else 0
        position += 1 if marker == 0xFF else length or 2 + struct.unpack_from(">H", content, position + 2)[0]
    bits, height, width, components = struct.unpack_from(">BHHB", content, position + 4)
    colours = _JPEG_COLOURS.get(components, f"{components} components")
    kind = _JPEG_FRAMES.get(marker, f"frame type 0x{marker:x}")
    return [_size(width, height), ("Colours", f"{bits} bit, {colours}"), ("Layout", kind)]


def _webp(content: bytes) -> Facts:
    kind = content[12:16]
    if kind == b"VP8X":  # WebP container specification, "Extended File Format"
        flags = content[20]
        size = _size(1 + int.from_bytes(content[24:27], "little"), 1 + int.from_bytes(content[27:30], "little"))
        facts = [size, ("Colours", "with alpha" if flags & 0x10 else "no alpha")]
        if flags & 0x02:
            facts.append(("Frames", f"{content[:_COUNTED].count(b'ANMF')}, animated"))
        return facts
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", content, 21)[0]
        return [_size(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)), ("Layout", "lossless")]
    if kind != b"VP8 " or content[23:26] != b"\x9d\x01\x2a":
        raise ValueError("unknown kind of WebP")
    width, height = struct.unpack_from("<HH", content, 26)
    return [_size(width & 0x3FFF, height & 0x3FFF), ("Layout", "lossy")]


def _ico(content: bytes) -> Facts:
    count = struct.unpack_from("<H", content, 4)[0]
    if not 0 < count <= 256:
        raise ValueError("not an icon")
    facts = []
    for index in range(count):
        width, height, colours, _, bits = struct.unpack_from("<BBBBxxH", content, 6 + 16 * index)
        depth = f", {bits} bit" if 0 < bits <= 32 else f", {colours} colours" if colours else ""
        facts.append((f"Icon {index + 1}", f"{width or 256} x {height or 256} px{depth}"))
    return facts


def _bmp(content: bytes) -> Facts:
    header = struct.unpack_from("<I", content, 14)[0]
    layout = "<HHxxH" if header == 12 else "<iixxH"
    width, height, bits = struct.unpack_from(layout, content, 18)
    return [_size(width, abs(height)), ("Colours", f"{bits} bit")]


def _heif(content: bytes) -> Facts:
    """The largest of the sizes that the item properties give (ISO/IEC 23008-12, 6.5.3); smaller ones are tiles."""
    sizes = [struct.unpack_from(">II", content, match.end() + 4) for match in re.finditer(rb"ispe", content[: 1 << 16])]
    if not sizes:
        return []
    return [_size(*max(sizes, key=lambda size: size[0] * size[1]))]


def _svg(content: bytes) -> Facts:
    root = re.search(r"<svg[\s>][^>]*+", content[:8192].decode("utf-8", "replace"))
    attributes = dict(_SVG_ATTRIBUTE.findall(root[0])) if root else {}
    facts = []
    if "width" in attributes and "height" in attributes:
        facts.append(("Size", f"{attributes['width']} x {attributes['height']}"))
    if "viewBox" in attributes:
        facts.append(("View box", attributes["viewBox"]))
    return facts


_FORMATS: tuple[tuple[int, bytes, str, Callable[[bytes], Facts]], ...] = (
    (0, b"\x89PNG\r\n\x1a\n", "PNG", _png),
    (0, b"GIF87a", "GIF", _gif),
    (0, b"GIF89a", "GIF", _gif),
    (0, b"\xff\xd8\xff", "JPEG", _jpeg),
    (8, b"WEBP", "WebP", _webp),
    (4, b"ftypavi", "AVIF", _heif),
    (4, b"ftyphe", "HEIC", _heif),
    (4, b"ftypmif1", "HEIF", _heif),
    (0, b"\0\0\1\0", "ICO", _ico),
    (0, b"\0\0\2\0", "CUR", _ico),
    (0, b"BM", "BMP", _bmp),
)
