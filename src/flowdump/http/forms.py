"""Form bodies: `application/x-www-form-urlencoded` and `multipart/form-data` (RFC 7578, RFC 2046 section 5.1).

Multipart bodies are cut with plain searches for `--boundary`; an occurrence counts only at the start of a line and
with nothing but blanks after it, so values that hold the boundary's text in the middle of a line stay whole. Bare LF
line ends are accepted, a body that ends early gives the parts it has, and what stands before the first and after the
last delimiter is ignored. Values are exact to the byte. Every byte is looked at a bounded number of times.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from flowdump.http.charsets import parse_content_type, parse_parameters
from flowdump.http.urls import decode_query, encode_query, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ESCAPED_IN_NAMES = ((b'"', b"%22"), (b"\r", b"%0D"), (b"\n", b"%0A"))
"""What HTML has browsers write in place of characters that would end a name (WHATWG HTML 4.10.21.8)."""
_BLANKS = b" \t"


class Part:
    """One part of a multipart body.

    `name` is None where the part has none, `filename` is None for plain fields; both are text, bytes that are not
    UTF-8 as surrogate escapes. `content_type` is "" if there is none. `headers` and `content` are as they came.
    """

    # Not a NamedTuple: making one from annotations costs a millisecond of start-up.
    __slots__ = ("content", "content_type", "filename", "headers", "name")

    def __init__(
        self,
        name: str | None,
        filename: str | None,
        content_type: str,
        headers: tuple[tuple[bytes, bytes], ...],
        content: bytes,
    ) -> None:
        self.name = name
        self.filename = filename
        self.content_type = content_type
        self.headers = headers
        self.content = content

    def __repr__(self) -> str:
        return f"Part({self.name!r}, filename={self.filename!r}, {self.content_type!r}, {len(self.content)} bytes)"


# -- urlencoded -------------------------------------------------------------------------------------------------------


def decode_urlencoded(body: bytes | str) -> list[tuple[str, str]]:
    """The (name, value) pairs of a body in order; bytes that are not UTF-8 become surrogate escapes. Never raises."""
    return decode_query(body.decode("utf-8", "surrogateescape") if isinstance(body, bytes) else body)


def encode_urlencoded(pairs: Iterable[tuple[str, str]], similar_to: str | None = None) -> bytes:
    """A body for these pairs; see `urls.encode_query` for `similar_to` and for what raises `ValueError`."""
    return encode_query(pairs, similar_to).encode()


# -- multipart, reading -----------------------------------------------------------------------------------------------


def decode_multipart(content_type: str, content: bytes) -> list[tuple[bytes, bytes]]:
    """The (name, value) pairs of a body in order, files with their content; parts without a name are left out.

    Raises `ValueError` if the Content-Type has no boundary; a body that does not fit it gives fewer pairs, or none.
    """
    return [
        (part.name.encode("utf-8", "surrogateescape"), part.content)
        for part in parts(content_type, content)
        if part.name is not None
    ]


def parts(content_type: str, content: bytes) -> list[Part]:
    """All parts of a body, with or without a name. Raises `ValueError` if the Content-Type has no boundary."""
    return [_part(content[begin:end]) for begin, end in _spans(content, _delimiter(content_type))]


def _delimiter(content_type: str) -> bytes:
    parsed = parse_content_type(content_type)
    boundary = parsed[2].get("boundary") if parsed else None
    if not boundary:
        raise ValueError("a multipart Content-Type without a boundary")
    return b"--" + boundary.encode("utf-8", "surrogateescape")


def _spans(content: bytes, delimiter: bytes) -> Iterator[tuple[int, int]]:
    """Begin and end of each part: after the line of a delimiter, up to the line end before the next."""
    begin = -1
    at = content.find(delimiter)
    while at >= 0:
        after = at + len(delimiter)
        if at == 0 or content[at - 1] == 0x0A:
            closing = content.startswith(b"--", after)
            line_end = _blank_until(content, after + 2 * closing)
            if line_end >= 0:
                if begin >= 0:
                    # Where the line end in front of a line starts (CRLF or LF).
                    yield begin, max(begin, (at - 2 if content[max(at - 2, 0) : at] == b"\r\n" else at - 1))
                if closing:
                    return
                begin = line_end
        at = content.find(delimiter, after)
    if begin >= 0:
        yield begin, len(content)


def _blank_until(content: bytes, at: int) -> int:
    """Where the next line begins if only blanks are left on this one, else -1."""
    while at < len(content) and content[at] in _BLANKS:
        at += 1
    if at == len(content):
        return at
    if content.startswith(b"\r\n", at):
        return at + 2
    return at + 1 if content[at] == 0x0A else -1


def _part(data: bytes) -> Part:
    head, content = _split_head(data)
    headers = tuple(_header_fields(head))
    values = {name.lower(): value for name, value in reversed(headers)}
    disposition = _disposition(values.get(b"content-disposition", b"").decode("utf-8", "surrogateescape"))
    content_type = values.get(b"content-type", b"").decode("utf-8", "surrogateescape")
    return Part(disposition.get("name"), disposition.get("filename"), content_type, headers, content)


def _split_head(data: bytes) -> tuple[bytes, bytes]:
    """Header lines and content of a part; what has no blank line is all header (RFC 2046 5.1: it must have one)."""
    if data.startswith((b"\r\n", b"\n")):
        return b"", data[2:] if data[0] == 0x0D else data[1:]
    ends = [(at, at + len(mark)) for mark in (b"\r\n\r\n", b"\n\n") if (at := data.find(mark)) >= 0]
    end, begin = min(ends, default=(len(data), len(data)))
    return data[:end], data[begin:]


def _header_fields(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    unfolded = re.sub(rb"\r?\n[ \t]+", b" ", head)
    for line in unfolded.splitlines():
        name, colon, value = line.partition(b":")
        if colon:
            yield name.strip(), value.strip()


def _disposition(value: str) -> dict[str, str]:
    """The parameters of a Content-Disposition; `filename*` (RFC 5987) stands in for a `filename` that is not there."""
    parameters = {name.lower(): _unescaped(text) for name, text in reversed(parse_parameters(value))}
    extended = parameters.get("filename*", "").split("'", 2)
    if len(extended) == 3 and "filename" not in parameters:
        parameters["filename"] = unquote(extended[2])
    return parameters


def _unescaped(text: str) -> str:
    """A name without its quotes. A backslash counts only before a quote: most senders do not escape backslashes."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        text = text[1:-1].replace('\\"', '"')
    return re.sub("(?i)%22|%0d|%0a", lambda match: unquote(match[0]), text) if "%" in text else text


# -- multipart, writing -----------------------------------------------------------------------------------------------


def new_boundary() -> str:
    """A boundary that no body holds by chance."""
    return "----flowdump" + os.urandom(16).hex()


def encode_multipart(
    content_type: str, pairs: Iterable[tuple[bytes | str, bytes | str]], similar_to: bytes = b""
) -> bytes:
    """A body for these (name, value) pairs with the boundary of the Content-Type.

    `similar_to` is the body that this one replaces: the n-th value of a name keeps the headers (file name, type; not
    the length that some clients add) of the n-th part with that name there. Raises `ValueError` if there is no
    boundary, or if a value holds it.
    """
    delimiter = _delimiter(content_type)
    heads = _heads(content_type, similar_to)
    body = []
    for name, value in pairs:
        key, data = _bytes(name), _bytes(value)
        if delimiter in data:
            raise ValueError("the boundary of a multipart body occurs in one of its values")
        known = heads.get(key)
        head = known.pop() if known else b'Content-Disposition: form-data; name="%b"\r\n' % _escaped(key)
        body.append(b"%b\r\n%b\r\n%b\r\n" % (delimiter, head, data))
    return b"".join(body) + delimiter + b"--\r\n"


def _heads(content_type: str, body: bytes) -> dict[bytes, list[bytes]]:
    """The header lines of a body's parts by name, those of the last part of a name first."""
    heads: dict[bytes, list[bytes]] = {}
    for part in reversed(parts(content_type, body)):
        if part.name is not None:
            lines = b"".join(b"%b: %b\r\n" % field for field in part.headers if field[0].lower() != b"content-length")
            heads.setdefault(part.name.encode("utf-8", "surrogateescape"), []).append(lines)
    return heads


def _bytes(value: bytes | str) -> bytes:
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value


def _escaped(name: bytes) -> bytes:
    for character, escape in _ESCAPED_IN_NAMES:
        name = name.replace(character, escape)
    return name
