"""json: indented, everything else as it was written.

The text is *checked* by the standard library's parser, in C and without building the document (objects are dropped as
soon as they are read), and *printed* from its own tokens. So big numbers, the order of keys, duplicate keys, 1.0 and
1e2 all stay what they were, and printing is lazy. Only ``\\u`` escapes of printable characters are shown as the
characters.

Several values in a row (JSON lines, RFC 7464 sequences) are printed one after the other, and the guards that some sites
put in front of JSON against inclusion by foreign pages (``)]}'``) stay on a line of their own.
"""

from __future__ import annotations

import re
from json import JSONDecoder
from typing import TYPE_CHECKING

from flowdump.contentviews.layout import indent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowdump.contentviews.body import Body

_GUARD = re.compile(r"""\s*+(?:\)\]\}['"]?,?|for\s?\(;;\);|while\s?\(1\);)[ \t\r]*\n?""")
_GAP = re.compile(r"[ \t\r\n\x1e]*+")
_TOKEN = re.compile(r'[ \t\r\n\x1e]*+("(?>[^"\\]++|\\.)*+"|[{}\[\]:,]|[^\s{}\[\]:,"]++)', re.DOTALL)
# An array of simple values that fits on a line stays on one. Looked for within _FLAT_WIDTH characters only.
_FLAT = re.compile(r'\[\s*+(?>(?:"[^"\\\x00-\x1f]*+"|[-+.\w]++)\s*+(?:,\s*+|(?=\])))*+\]')
_FLAT_ITEM = re.compile(r'"[^"]*+"|[-+.\w]++')
_EMPTY_OBJECT = re.compile(r"\{\s*+\}")
_FLAT_WIDTH = 100
_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.", re.DOTALL)


def lines(body: Body) -> Iterator[str]:
    """Raises ValueError (or RecursionError where it is nested too deep) at once when the body is not JSON."""
    return json_lines(body.text)


def json_lines(text: str) -> Iterator[str]:
    """The same for text."""
    guard = _GUARD.match(text)
    start = guard.end() if guard else 0
    _check(text, start, alone=text[start : start + 64].lstrip(" \t\r\n\x1e")[:1] not in ("{", "["))
    return _format(text, guard[0].strip() if guard else "", start)


def _check(text: str, start: int, alone: bool) -> None:
    """One value, or several that are divided by line ends or record separators; numbers are never computed."""
    scan = JSONDecoder(strict=False, object_pairs_hook=len, parse_int=len, parse_float=len).raw_decode
    position = _end_of_gap(text, start)
    while True:
        end = scan(text, position)[1]
        position = _end_of_gap(text, end)
        if position == len(text):
            return
        gap = text[end:position]
        if alone or not ("\n" in gap or "\x1e" in gap):
            raise ValueError("text after the JSON value")


def _end_of_gap(text: str, start: int) -> int:
    match = _GAP.match(text, start)
    return match.end() if match else start


def _format(text: str, guard: str, position: int) -> Iterator[str]:
    if guard:
        yield guard
    depth, line = 0, ""
    while match := _TOKEN.match(text, position):
        token, position = match[1], match.end()
        kind = token[0]
        if kind == ",":
            yield f"{indent(depth)}{line},"
            line = ""
        elif kind == ":":
            line += ": "
        elif kind in "}]":
            if line:
                yield indent(depth) + line
            depth -= 1
            line = kind
        else:
            if not depth and line:  # the next of several values
                yield line
                line = ""
            flat = _flat(text, match.start(1)) if kind in "{[" else None
            if flat:
                position = flat[1]
                line += flat[0]
            elif kind in "{[":
                yield indent(depth) + line + kind
                depth, line = depth + 1, ""
            else:
                line += _ESCAPE.sub(_unescape, token) if "\\u" in token or "\\/" in token else token
    if line:
        yield line


def _flat(text: str, start: int) -> tuple[str, int] | None:
    pattern = _FLAT if text[start] == "[" else _EMPTY_OBJECT
    match = pattern.match(text, start, start + _FLAT_WIDTH)
    if not match:
        return None
    if pattern is _EMPTY_OBJECT:
        return "{}", match.end()
    return f"[{', '.join(_FLAT_ITEM.findall(match[0]))}]", match.end()


def _unescape(match: re.Match[str]) -> str:
    escape = match[0]
    if escape == "\\/":
        return "/"
    if not escape.startswith("\\u"):
        return escape
    code = int(escape[2:6], 16)
    if len(escape) == 12:
        code = 0x10000 + ((code - 0xD800) << 10) + int(escape[8:], 16) - 0xDC00
    character = chr(code)
    return character if character.isprintable() and character not in '"\\' else escape
