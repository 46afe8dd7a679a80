"""url-encoded: a form's fields, one per line, decoded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowdump.contentviews.body import decode
from flowdump.contentviews.name_value import fields

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowdump.contentviews.body import Body

_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_NOT_IN_FORMS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]")


def lines(body: Body) -> Iterator[str]:
    """Raises ValueError for what cannot be a form: control characters that are not percent-encoded."""
    if _NOT_IN_FORMS.search(body.content):
        raise ValueError("not a form")
    codec = body.codec
    return fields(_pairs(body.content.strip(), codec))


def _pairs(content: bytes, codec: str) -> Iterator[tuple[str, str]]:
    start, length = 0, len(content)
    while start < length:
        end = content.find(b"&", start)
        end = length if end < 0 else end
        name, _, value = content[start:end].partition(b"=")
        if name or value:
            yield _decode(name, codec), _decode(value, codec)
        start = end + 1


def _decode(value: bytes, codec: str) -> str:
    value = value.replace(b"+", b" ")
    if b"%" in value:
        value = _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), value)
    return decode(value, codec)
