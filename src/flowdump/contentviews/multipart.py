"""multipart form: each part's name, file name and type, and a short view of its content.

Delimiters are searched for as one goes (RFC 2046 section 5.1), so a large upload costs nothing until its parts are
shown.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from flowdump.contentviews.body import Body, parameters
from flowdump.http.urls import unquote

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHOWN_LINES = 20
_DEEPEST = 3
_LONGEST_HEAD = 16_384


class Part(NamedTuple):
    """One part: headers with names in lower case, and the bytes."""

    headers: dict[str, str]
    content: bytes


def lines(body: Body) -> Iterator[str]:
    """Raises ValueError when the boundary is unknown or not in the body, or when parts are in parts too often."""
    if body.depth >= _DEEPEST:
        raise ValueError("nested too deep")
    boundary = _boundary(body)
    if not boundary or boundary not in body.content:
        raise ValueError("no boundary")
    return _format(body, boundary)


def _boundary(body: Body) -> bytes:
    """The delimiter with its two hyphens: as the header says, else from the first line."""
    stated = parameters(body.content_type).get("boundary", "").encode("utf-8", "replace")
    if stated:
        return b"--" + stated
    first = body.content[:256].lstrip().partition(b"\n")[0].strip()
    return first if first.startswith(b"--") and len(first) > 4 else b""


def parts(content: bytes, boundary: bytes) -> Iterator[Part]:
    """The parts between delimiters that stand at the start of a line; a last part without an end counts."""
    position = _find(content, boundary, 0)
    while position >= 0:
        start = position + len(boundary)
        if content.startswith(b"--", start):
            return
        start = content.find(b"\n", start) + 1
        if not start:
            return
        position = _find(content, boundary, start)
        end = len(content) if position < 0 else position
        yield _part(content[start:end])


def _find(content: bytes, boundary: bytes, start: int) -> int:
    if content.startswith(boundary, start):
        return start
    found = content.find(b"\n" + boundary, start)
    return found + 1 if found >= 0 else found


def _part(raw: bytes) -> Part:
    raw = raw.removesuffix(b"\n").removesuffix(b"\r")
    if raw.startswith((b"\r\n", b"\n")):
        return Part({}, raw.partition(b"\n")[2])
    ends = [(raw.find(mark, 0, _LONGEST_HEAD), len(mark)) for mark in (b"\r\n\r\n", b"\n\n")]
    end, gap = min((found for found in ends if found[0] >= 0), default=(len(raw), 0))
    headers: dict[str, str] = {}
    for line in raw[: min(end, _LONGEST_HEAD)].decode("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    return Part(headers, raw[end + gap :])


def _format(body: Body, boundary: bytes) -> Iterator[str]:
    for number, part in enumerate(parts(body.content, boundary)):
        if number:
            yield ""
        yield _title(part)
        yield from _preview(part, body.depth + 1)


def _title(part: Part) -> str:
    disposition = parameters(part.headers.get("content-disposition", ""))
    facts = [f'"{disposition["name"]}"' if "name" in disposition else "(no name)"]
    name = unquote(disposition.get("filename*", "").rpartition("'")[2]) or disposition.get("filename", "")
    if name:
        facts.append(f'file "{name}"')
    facts.append(part.headers.get("content-type", ""))
    facts.append(f"{len(part.content):,} bytes")
    return "Part " + ", ".join(fact for fact in facts if fact)


def _preview(part: Part, depth: int) -> Iterator[str]:
    from flowdump.contentviews.choice import show

    inner = Body(part.content, part.headers.get("content-type", ""))
    inner.depth = depth
    shown = show(inner, "auto").lines
    for line in islice(shown, _SHOWN_LINES):
        yield f"  {line}"
    if next(shown, None) is not None:
        yield "  …"
