"""protobuf: a tree without a schema, by the optional package protobuf.

An empty message keeps all it is given as unknown fields; `UnknownFieldSet` lists them. What a field of bytes holds is
not written anywhere, so it is guessed: printable text, else a message, else bytes. Numbers are shown as unsigned; a
large one also as the negative one, a fixed one also as the floating point number that it may be.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from flowdump.contentviews.body import NeedsPackage
from flowdump.contentviews.layout import Pairs, Plain, tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from flowdump.contentviews.body import Body

# Wire types (https://protobuf.dev/programming-guides/encoding/).
_FIXED64, _BYTES, _GROUP, _FIXED32 = 1, 2, 3, 5
# Each level looks at its bytes again; the limit keeps that linear.
_DEEPEST = 24
_WHITE = {ord(space): " " for space in "\t\r\n"}
_FLOATS = {_FIXED32: ("<I", "<f"), _FIXED64: ("<Q", "<d")}


def lines(body: Body) -> Iterator[str]:
    """Raises NeedsPackage without the package, its DecodeError or ValueError when the body is no message."""
    return tree(message(body.content))


def message(content: bytes) -> Pairs:
    """The fields of a message: pairs of field number and value, in order. Raises as `lines` does."""
    try:
        from google.protobuf.empty_pb2 import Empty
        from google.protobuf.unknown_fields import UnknownFieldSet
    except ImportError:
        raise NeedsPackage("protobuf") from None

    def parse(data: bytes) -> Any:
        empty = Empty()
        empty.ParseFromString(data)
        return UnknownFieldSet(empty)

    return _fields(parse(content), parse, 0)


def _fields(unknown: Any, parse: Callable[[bytes], Any], depth: int) -> Pairs:
    if depth > _DEEPEST:
        raise ValueError("nested too deep")
    return Pairs((Plain(field.field_number), _value(field.wire_type, field.data, parse, depth)) for field in unknown)


def _value(wire_type: int, data: Any, parse: Callable[[bytes], Any], depth: int) -> object:
    if wire_type == _GROUP:
        return _fields(data, parse, depth + 1)
    if wire_type == _BYTES:
        return _guess(data, parse, depth)
    return _fixed(data, *_FLOATS[wire_type]) if wire_type in _FLOATS else _varint(data)


def _varint(number: int) -> object:
    """A number, and in brackets the negative one that ten bytes usually stand for."""
    return Plain(f"{number} ({number - (1 << 64)})") if number >> 63 else number


def _fixed(number: int, whole: str, real: str) -> object:
    """A fixed number, and in brackets the floating point number where that is a likely one."""
    value = struct.unpack(real, struct.pack(whole, number))[0]
    likely = value == 0 or 1e-9 < abs(value) < 1e15
    return Plain(f"{number} ({value:.9g})") if likely and number else number


def _guess(data: bytes, parse: Callable[[bytes], Any], depth: int) -> object:
    text = _printable(data)
    if text is not None:
        return text
    try:
        return _fields(parse(data), parse, depth + 1)
    except Exception:  # the package's DecodeError, whose module is not imported here, or nested too deep
        return data


def _printable(data: bytes) -> str | None:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return None
    return text if text.translate(_WHITE).isprintable() else None
