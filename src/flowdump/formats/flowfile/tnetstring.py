"""Tagged netstrings, in the dialect of mitmproxy's flow files: plain values to bytes and back.

A value is ``LEN ":" PAYLOAD TAG``. LEN is the payload's size in bytes, in ASCII decimal; the one-byte tag after the
payload tells its type:

====  =====  ==========================================================
tag   type   payload
====  =====  ==========================================================
``,``  bytes  as it is
``;``  str    UTF-8 (not in the public tnetstring notes)
``#``  int    decimal
``^``  float  the shortest decimal that reads back as the same number
``!``  bool   ``true`` or ``false``
``~``  None   empty
``]``  list   values one after the other (tuples are written as lists)
``}``  dict   key, value, key, value...
====  =====  ==========================================================

Reading is one loop per container with all scalar types inlined: a flow is some 130 small values, so a call per value
would cost more than the work. Lengths of one and two digits, nearly all of them, are summed from tables; a byte that
is no digit contributes a large negative number there, which the one range check after it catches along with every
other wrong length. A list and a dict read alike, as a flat run of values; pairing those up is left to ``zip``.

Writing goes back to front, so that every length is known when it is written; pieces are collected and joined once.

Stricter than mitmproxy where it would crash or ask for any amount of memory: lengths are bounded by the data at hand
and are one to twelve digits at every level, and containers nest at most ``MAX_DEPTH`` deep, in both directions.
As lenient where it is harmless: int and float payloads are what Python's ``int()`` and ``float()`` accept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_DEPTH: Final = 200
"""How deep containers may nest, read or written. Flows need less than ten."""

MAX_LENGTH_DIGITS: Final = 12
"""The most characters a LEN may have: as many as mitmproxy 8 and later read."""

_NO_DIGIT: Final = -(1 << 60)
_ONES: Final = tuple(byte - 48 if 48 <= byte <= 57 else _NO_DIGIT for byte in range(256))
_TENS: Final = tuple((byte - 48) * 10 if 48 <= byte <= 57 else _NO_DIGIT for byte in range(256))
_BOOLS: Final = {b"true": True, b"false": False}


class TnetstringError(ValueError):
    """The bytes are not a tnetstring. `offset` is where in the data, in bytes from its start."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} (at byte {offset})")
        self.reason = reason
        self.offset = offset


class EncodeError(ValueError):
    """A value that the format cannot hold. `path` leads to it from the outermost value."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: list[object] = []

    def __str__(self) -> str:
        where = "".join(f"[{step!r}]" for step in reversed(self.path))
        return f"value{where}: {self.reason}"


# reading


def loads(data: bytes) -> Any:
    """The one value that `data` holds. Anything after it is an error; raises TnetstringError."""
    value, rest = parse(data)
    if rest != len(data):
        raise TnetstringError("bytes after the value", rest)
    return value


def parse(data: bytes, offset: int = 0, end: int | None = None) -> tuple[Any, int]:
    """Read the value that begins at `offset` and must be complete before `end` (default: the end of the data).

    Returns the value and the offset after it. Bytes come as copies, so `data` may be let go. Raises TnetstringError.
    """
    limit = len(data) if end is None else min(end, len(data))
    _, stop = _parse_length(data, offset, data.find(b":", offset, min(limit, offset + MAX_LENGTH_DIGITS + 1)))
    if stop >= limit:
        raise TnetstringError("value is cut short", offset)
    return _parse_items(data, offset, stop + 1, 0)[0], stop + 1


def _parse_items(data: bytes, pos: int, end: int, depth: int) -> list[Any]:
    """The values that fill data[pos:end] exactly."""
    if depth > MAX_DEPTH:
        raise TnetstringError(f"nested more than {MAX_DEPTH} levels deep", pos)
    items: list[Any] = []
    add = items.append
    begin = pos
    try:
        while pos < end:
            begin = pos
            if data[pos + 1] == 58:
                start = pos + 2
                stop = start + _ONES[data[pos]]
            elif data[pos + 2] == 58:
                start = pos + 3
                stop = start + _TENS[data[pos]] + _ONES[data[pos + 1]]
            else:
                start, stop = _parse_length(data, pos, data.find(b":", pos, pos + 13))
            if not start <= stop < end:
                raise TnetstringError("wrong length", pos)
            tag = data[stop]
            pos = stop + 1
            if tag == 59:
                add(data[start:stop].decode())
            elif tag == 126:
                if start != stop:
                    raise TnetstringError("null with a payload", begin)
                add(None)
            elif tag == 44:
                add(data[start:stop])
            elif tag == 94:
                add(float(data[start:stop]))
            elif tag == 93:
                add(_parse_items(data, start, stop, depth + 1) if start < stop else [])
            elif tag == 35:
                add(int(data[start:stop]))
            elif tag == 125:
                pairs = iter(_parse_items(data, start, stop, depth + 1))
                add(dict(zip(pairs, pairs, strict=True)))
            elif tag == 33:
                add(_BOOLS[data[start:stop]])
            else:
                raise TnetstringError(f"unknown type tag {bytes((tag,))!r}", stop)
    except TnetstringError:
        raise
    except TypeError:
        raise TnetstringError("list or dict used as a dict key", begin) from None
    except (ValueError, LookupError):
        raise TnetstringError("malformed value", begin) from None
    return items


def _parse_length(data: bytes, pos: int, colon: int) -> tuple[int, int]:
    """Where the payload begins and ends, for a length that is not one or two characters long."""
    digits = data[pos : max(colon, pos)]
    if not digits.isdigit():
        raise TnetstringError("no length where a value should begin", pos)
    return colon + 1, colon + 1 + int(digits)


# writing


def dumps(value: object) -> bytes:
    """Write `value`: bytes, str, int, float, bool, None, and lists, tuples and dicts of those, in the order given.

    Raises EncodeError (a ValueError) with the path to the culprit for anything else, for strings with lone surrogates,
    for containers as dict keys, and for values that nest more than `MAX_DEPTH` deep.
    """
    pieces: list[bytes] = []
    _write(pieces, value, 0)
    pieces.reverse()
    return b"".join(pieces)


def _write(pieces: list[bytes], value: object, depth: int) -> int:
    """Append the pieces of one value, last piece first. Returns their size in bytes."""
    encode = _SCALARS.get(type(value))
    if encode is not None:
        piece = encode(value)
        pieces.append(piece)
        return len(piece)
    if isinstance(value, dict):
        return _write_dict(pieces, value, depth)
    if isinstance(value, (list, tuple)):
        size = _open(pieces, b"]", depth)
        for index in range(len(value) - 1, -1, -1):
            try:
                size += _write(pieces, value[index], depth + 1)
            except EncodeError as error:
                error.path.append(index)
                raise
        return _close(pieces, size)
    piece = _subclass_encoder(value)(value)
    pieces.append(piece)
    return len(piece)


def _write_dict(pieces: list[bytes], value: dict[Any, Any], depth: int) -> int:
    size = _open(pieces, b"}", depth)
    for key, item in reversed(value.items()):
        try:
            size += _write(pieces, item, depth + 1)
            piece = _str_key(key) if type(key) is str else (_SCALARS.get(type(key)) or _subclass_encoder(key))(key)
        except EncodeError as error:
            error.path.append(key)
            raise
        pieces.append(piece)
        size += len(piece)
    return _close(pieces, size)


def _open(pieces: list[bytes], tag: bytes, depth: int) -> int:
    if depth >= MAX_DEPTH:
        raise EncodeError(f"nested more than {MAX_DEPTH} levels deep")
    pieces.append(tag)
    return 0


def _close(pieces: list[bytes], size: int) -> int:
    """Put the length before a container's payload. Returns the size of the whole."""
    head = b"%d:" % size
    pieces.append(head)
    return len(head) + size + 1


def _encode_str(value: str) -> bytes:
    try:
        payload = value.encode()
    except UnicodeEncodeError:
        raise EncodeError("text with lone surrogates cannot be written as UTF-8") from None
    return b"%d:%b;" % (len(payload), payload)


def _encode_int(value: int) -> bytes:
    try:
        digits = int.__repr__(value)
    except ValueError:
        raise EncodeError("integer with too many digits") from None
    return b"%d:%b#" % (len(digits), digits.encode())


def _encode_float(value: float) -> bytes:
    digits = float.__repr__(value)
    return b"%d:%b^" % (len(digits), digits.encode())


def _encode_bytes(value: bytes) -> bytes:
    return b"%d:%b," % (len(value), value)


def _encode_bool(value: bool) -> bytes:
    return b"4:true!" if value else b"5:false!"


def _encode_none(value: None) -> bytes:
    return b"0:~"


_SCALARS: Final[dict[type, Callable[[Any], bytes]]] = {
    str: _encode_str,
    bytes: _encode_bytes,
    bool: _encode_bool,
    int: _encode_int,
    float: _encode_float,
    type(None): _encode_none,
}


@lru_cache(maxsize=512)
def _str_key(key: str) -> bytes:
    """Dict keys repeat from flow to flow, so they are encoded once."""
    return _encode_str(key)


def _subclass_encoder(value: object) -> Callable[[Any], bytes]:
    """The encoder for enums and other children of the scalar types."""
    for kind in (str, bytes, int, float):
        if isinstance(value, kind):
            return _SCALARS[kind]
    raise EncodeError(f"cannot store a value of type {type(value).__name__}")
