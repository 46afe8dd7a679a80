"""hex dump: offset, sixteen bytes, and the same as ASCII."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowdump.contentviews.body import Body

_ASCII = bytes(code if 0x20 <= code < 0x7F else 0x2E for code in range(256))
_WIDTH = 16


def lines(body: Body) -> Iterator[str]:
    """``00000010  89 50 4e 47 0d 0a 1a 0a  00 00 00 0d 49 48 44 52  .PNG........IHDR``"""
    content = body.content
    for offset in range(0, len(content), _WIDTH):
        row = content[offset : offset + _WIDTH]
        left, right = row[:8].hex(" "), row[8:].hex(" ")
        yield f"{offset:08x}  {left:<23}  {right:<23}  {row.translate(_ASCII).decode('ascii')}"
