"""DNS messages as bytes (RFC 1035 section 4), pure: bytes in, plain values out, and back.

Everything a stranger can send is either a message or a :class:`MalformedMessage`, in time linear in its length.
Compression pointers have to point backwards, so they cannot loop, and the name at each is read once; a name has at
most 255 bytes; records cannot be more than the bytes there are. What is left after the last record is malformed, as
in mitmproxy.

Names are text: labels joined with dots, without a last one, the root is ``""``. Labels in IDNA form are Unicode where
that leads back to the very same bytes. Within a label, a dot and a backslash are written ``\\.`` and ``\\\\``, bytes
that are not printable ASCII ``\\123`` (RFC 4343 section 2.1), so that every name survives reading and writing.
"""

from __future__ import annotations

import re
import struct
from functools import lru_cache
from typing import Final, NamedTuple

from flowdump.http import urls

#: RFC 1035 section 2.3.4.
MAX_NAME: Final = 255
MAX_LABEL: Final = 63

#: The length that TCP can announce (RFC 1035 section 4.2.2), and more than a datagram holds.
MAX_MESSAGE: Final = 65535

_HEADER: Final = struct.Struct("!6H")
_QUESTION: Final = struct.Struct("!HH")
_RECORD: Final = struct.Struct("!HHLH")

#: Offsets that a compression pointer can tell (RFC 1035 section 4.1.4).
_REACH: Final = 0x4000

#: Record types whose data holds names that may be compressed (RFC 1035; RFC 3597 section 4 for the later ones):
#: bytes in front of them, character strings after these, then so many names; the rest is as it is.
_NAMES_IN_DATA: Final = {
    2: (0, 0, 1), 3: (0, 0, 1), 4: (0, 0, 1), 5: (0, 0, 1), 6: (0, 0, 2), 7: (0, 0, 1), 8: (0, 0, 1), 9: (0, 0, 1),
    12: (0, 0, 1), 14: (0, 0, 2), 15: (2, 0, 1), 17: (0, 0, 2), 18: (2, 0, 1), 21: (2, 0, 1), 24: (18, 0, 1),
    26: (2, 0, 2), 30: (0, 0, 1), 33: (6, 0, 1), 35: (4, 3, 1), 36: (2, 0, 1), 39: (0, 0, 1),
}  # fmt: skip

_PLAIN_LABEL: Final = re.compile(rb"[!-\-/-\[\]-~]*").fullmatch
_ESCAPED_LABEL: Final = re.compile(r"(?:[^.\\]|\\.|\\$)*", re.DOTALL).match
_ESCAPE: Final = re.compile(rb"\\([0-9]{3}|.)", re.DOTALL)


class MalformedMessage(ValueError, struct.error):
    """Bytes that are no DNS message; also what mitmproxy raises, for scripts that expect that."""


class QuestionParts(NamedTuple):
    """One question."""

    name: str
    type: int
    class_: int


class RecordParts(NamedTuple):
    """One record; ``data`` without compression."""

    name: str
    type: int
    class_: int
    ttl: int
    data: bytes


class MessageParts(NamedTuple):
    """A whole message; ``flags`` is the second 16-bit number of the header."""

    id: int
    flags: int
    questions: list[QuestionParts]
    answers: list[RecordParts]
    authorities: list[RecordParts]
    additionals: list[RecordParts]


# -- reading -----------------------------------------------------------------------------------------------------


def unpack(data: bytes) -> tuple[MessageParts, int]:
    """The message at the front of ``data``, and its length. Raises MalformedMessage."""
    if len(data) < _HEADER.size:
        raise MalformedMessage(f"{len(data)} bytes are no DNS message: its header has {_HEADER.size}")
    identifier, flags, asked, *counts = _HEADER.unpack_from(data)
    names: dict[int, bytes] = {}
    offset = _HEADER.size
    questions = []
    for _ in range(asked):
        question, offset = _question(data, offset, names)
        questions.append(question)
    sections: list[list[RecordParts]] = [[], [], []]
    for section, count in zip(sections, counts, strict=True):
        for _ in range(count):
            record, offset = _record(data, offset, names)
            section.append(record)
    return MessageParts(identifier, flags, questions, *sections), offset


def header(data: bytes) -> tuple[int, int] | None:
    """Id and flags of what may not be a whole message; None where not even these are there."""
    return _HEADER.unpack_from(data)[:2] if len(data) >= _HEADER.size else None


def _question(data: bytes, offset: int, names: dict[int, bytes]) -> tuple[QuestionParts, int]:
    name, offset = read_name(data, offset, names)
    if offset + _QUESTION.size > len(data):
        raise MalformedMessage(f"a question is cut off at byte {len(data)}")
    return QuestionParts(name_text(name), *_QUESTION.unpack_from(data, offset)), offset + _QUESTION.size


def _record(data: bytes, offset: int, names: dict[int, bytes]) -> tuple[RecordParts, int]:
    name, offset = read_name(data, offset, names)
    begin = offset + _RECORD.size
    if begin > len(data):
        raise MalformedMessage(f"a record is cut off at byte {len(data)}")
    kind, class_, ttl, length = _RECORD.unpack_from(data, offset)
    end = begin + length
    if end > len(data):
        raise MalformedMessage(f"the data of a record is cut off at byte {len(data)}")
    plain = data[begin:end]
    if plain and kind in _NAMES_IN_DATA:  # there is none in an UPDATE that deletes (RFC 2136 section 2.5)
        plain = _expanded(data, begin, end, names)
    return RecordParts(name_text(name), kind, class_, ttl, plain), end


def _expanded(data: bytes, begin: int, end: int, names: dict[int, bytes]) -> bytes:
    """The data of a record with its names written out."""
    (kind,) = struct.unpack_from("!H", data, begin - _RECORD.size)
    offset, strings, count = _NAMES_IN_DATA[kind]
    offset += begin
    for _ in range(strings):
        offset += 1 + (data[offset] if offset < end else 0)
    pieces = [data[begin:offset]]
    for _ in range(count):
        if offset >= end:
            raise MalformedMessage(f"a name is missing in the data of a record at byte {begin}")
        name, offset = read_name(data, offset, names)
        pieces.append(name)
    if offset > end:
        raise MalformedMessage(f"the data of a record at byte {begin} is shorter than what it holds")
    return b"".join(pieces) + data[offset:end]


def read_name(data: bytes, offset: int, names: dict[int, bytes]) -> tuple[bytes, int]:
    """The name at ``offset`` without compression, and the offset after it. Raises MalformedMessage.

    ``names`` remembers what pointers led to: offset -> name.
    """
    pieces: list[bytes] = []
    led: list[tuple[int, int]] = []  # where pointers led to, and how many labels were there before
    at, lowest, after, size, tail = offset, offset, 0, 0, b"\0"
    try:
        while length := data[at]:
            if length >= 0xC0:
                target = (length & 0x3F) << 8 | data[at + 1]
                after = after or at + 2
                if target >= lowest:
                    raise MalformedMessage(f"the pointer at byte {at} does not point backwards")
                led.append((target, len(pieces)))
                if target in names:
                    tail = names[target]
                    break
                at = lowest = target
            elif length > MAX_LABEL:
                raise MalformedMessage(f"the label at byte {at} has an unknown form ({length:#04x})")
            else:
                pieces.append(data[at : at + 1 + length])
                at += 1 + length
                size += 1 + length
    except IndexError:
        raise MalformedMessage(f"a name is cut off at byte {len(data)}") from None
    if size + len(tail) > MAX_NAME:
        raise MalformedMessage(f"the name at byte {offset} is longer than {MAX_NAME} bytes")
    for target, before in led:
        names[target] = b"".join(pieces[before:]) + tail
    return b"".join(pieces) + tail, after or at + 1


# -- writing -----------------------------------------------------------------------------------------------------


def pack(message: MessageParts) -> bytes:
    """The message as bytes, the owners of records compressed. Raises ValueError where a value does not fit."""
    sections = (message.answers, message.authorities, message.additionals)
    try:
        out = bytearray(
            _HEADER.pack(message.id, message.flags, len(message.questions), *(len(section) for section in sections))
        )
        known: dict[bytes, int] = {}
        for question in message.questions:
            _put_name(out, pack_name(question.name), known)
            out += _QUESTION.pack(question.type, question.class_)
        for section in sections:
            for record in section:
                _put_name(out, pack_name(record.name), known)
                out += _RECORD.pack(record.type, record.class_, record.ttl, len(record.data))
                out += record.data
    except struct.error as error:
        raise ValueError(f"a number of a DNS message does not fit its field: {error}") from None
    if len(out) > MAX_MESSAGE:
        raise ValueError(f"a DNS message cannot have {len(out)} bytes; {MAX_MESSAGE} are the most")
    return bytes(out)


def _put_name(out: bytearray, name: bytes, known: dict[bytes, int]) -> None:
    """Append a name; as much of its end as was there before becomes a pointer (same case only)."""
    at = 0
    while name[at]:
        rest = name[at:]
        if rest in known:
            out += struct.pack("!H", 0xC000 | known[rest])
            return
        if len(out) < _REACH:
            known[rest] = len(out)
        out += rest[: 1 + rest[0]]
        at += 1 + rest[0]
    out += b"\0"


# -- names -------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)  # the records of a message have few names, and so have the messages of a machine
def name_text(name: bytes) -> str:
    """The text of a name without compression, such as ``b"\\1a\\1b\\0"``."""
    labels = []
    at = 0
    while name[at]:
        labels.append(_label_text(name[at + 1 : at + 1 + name[at]]))
        at += 1 + name[at]
    return ".".join(labels)


def _label_text(label: bytes) -> str:
    if _PLAIN_LABEL(label):
        text = label.decode("ascii")
        if not text.startswith("xn--"):
            return text
        shown = urls.host_to_unicode(label)
        return shown if "." not in shown and "\\" not in shown and urls.host_to_ascii(shown) == label else text
    return "".join(
        f"\\{chr(byte)}" if byte in b".\\" else chr(byte) if 0x20 < byte < 0x7F else f"\\{byte:03d}" for byte in label
    )


def pack_name(name: str) -> bytes:
    """The wire form of a domain name, in IDNA form where it is not ASCII; a dot at the end is allowed.

    Raises ValueError for what is no domain name.
    """
    if name in ("", "."):
        return b"\0"
    labels = _escaped_labels(name) if "\\" in name else urls.host_to_ascii(name).split(b".")
    if not labels[-1]:
        labels.pop()
    packed = b"".join(bytes([len(label) & 0xFF]) + label for label in labels) + b"\0"
    if not all(0 < len(label) <= MAX_LABEL for label in labels) or len(packed) > MAX_NAME:
        raise ValueError(f"{name!r} is not a domain name")
    return packed


def _escaped_labels(name: str) -> list[bytes]:
    """The labels of a name with backslashes in it. Raises ValueError for an escape above 255."""
    labels = []
    at = 0
    while at <= len(name):
        found = _ESCAPED_LABEL(name, at)
        assert found is not None  # it matches nothing, too
        text = found[0]
        labels.append(
            _ESCAPE.sub(_unescaped, text.encode("utf-8", "surrogateescape"))
            if "\\" in text
            else urls.host_to_ascii(text)
        )
        at = found.end() + 1
    return labels


def _unescaped(escape: re.Match[bytes]) -> bytes:
    return bytes([int(escape[1])]) if len(escape[1]) == 3 else escape[1]
