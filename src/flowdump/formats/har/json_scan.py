"""The two tools under :mod:`flowdump.formats.har.json_array`: a JSON document as a moving window of text, and a scanner
for the end of a value.

The scanner knows nothing but strings and brackets and can stop and go on at any character. It is a regular expression
that swallows strings and inner flat objects whole, at 150 to 300 MB/s; Python code runs once per remaining bracket.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable

_BLANK = re.compile(r"[ \t\r\n]*+")
_SCALAR = re.compile(r'[^ \t\r\n,:"\[\]{}]*+')
_JUNK = re.compile(r'[^"\[\]{]*+')

# \x01 is excluded from the class, and then let in again, because a class of three stretches becomes a bitmap in re,
# which is nearly twice as fast as comparing with the two characters that matter.
# Groups that are repeated are atomic because of gh-106052, see contentviews/javascript.py.
_STRING_REST = r'[^"\\\x01]*+(?>(?:\\.|\x01)[^"\\\x01]*+)*+'
_OUTSIDE = r'[^"\[\]{}]*+'
_FLAT = rf'{_OUTSIDE}(?>"{_STRING_REST}"{_OUTSIDE})*+'
_PLAIN = re.compile(rf'{_OUTSIDE}(?>(?:"{_STRING_REST}"|[\[{{]{_FLAT}[\]}}]){_OUTSIDE})*+', re.DOTALL)
_IN_STRING = re.compile(_STRING_REST, re.DOTALL)
#: Of a number or literal only so many characters are kept; longer ones are no numbers.
_KEPT = 1 << 20
#: Text that is put back comes in pieces of so many characters.
_WINDOW = 1 << 13
_ENCODINGS = (
    (b"\xef\xbb\xbf", "utf-8", 3),
    (b"\xff\xfe\x00\x00", "utf-32-le", 4),
    (b"\x00\x00\xfe\xff", "utf-32-be", 4),
    (b"\xff\xfe", "utf-16-le", 2),
    (b"\xfe\xff", "utf-16-be", 2),
    (b"{\x00\x00\x00", "utf-32-le", 0),
    (b"\x00\x00\x00{", "utf-32-be", 0),
    (b"{\x00", "utf-16-le", 0),
    (b"\x00{", "utf-16-be", 0),
)


class Scanner:
    """Finds the end of a JSON string, array or object whose first character has been passed, over any number of
    pieces of text.
    """

    __slots__ = ("_depth", "_escaped", "_in_string")

    def __init__(self, first: str = "", depth: int = 1) -> None:
        self._in_string = first == '"'
        self._depth = 0 if self._in_string else depth
        self._escaped = False

    def feed(self, text: str, pos: int, limit: int) -> int:
        """The position after the value, or -1 when it goes on at ``limit``, up to where the text is looked at."""
        while pos < limit:
            if self._in_string:
                pos = self._pass_string(text, pos, limit)
                if not self._in_string and not self._depth:
                    return pos
                continue
            found = _PLAIN.match(text, pos, limit)
            pos = found.end() if found else pos
            if pos == limit:
                break
            char = text[pos]
            pos += 1
            if char == '"':
                self._in_string = True
            elif char in "{[":
                self._depth += 1
            else:
                self._depth -= 1
                if self._depth <= 0:
                    return pos
        return -1

    def _pass_string(self, text: str, pos: int, limit: int) -> int:
        if self._escaped:
            self._escaped = False
            pos += 1
        found = _IN_STRING.match(text, pos, limit)
        pos = found.end() if found else pos
        if pos < limit:  # a quote, or a backslash that is the last character
            self._in_string = text[pos] != '"'
            self._escaped = self._in_string
            pos += 1
        return pos


class Source:
    """The document as text: a buffer, a position in it, and where both lie in the file."""

    __slots__ = ("_base", "_chunks", "_decoder", "_encoding", "_pending", "pos", "text")

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self.text = ""
        self.pos = 0
        self._base = 0
        self._pending: list[str] = []
        self._chunks = iter(chunks)
        self._encoding = ""
        self._decoder: codecs.IncrementalDecoder | None = None

    # -- reading ---------------------------------------------------------------------------------------------------

    def more(self) -> bool:
        """Drop what has been passed and append the next chunk; False at the end of the document."""
        new = self._pending.pop() if self._pending else ""
        while not new:
            chunk = next(self._chunks, None)
            if chunk is None:
                decoder, self._decoder = self._decoder, None
                self._chunks = iter(())
                new = decoder.decode(b"", True) if decoder else ""
                break
            new = self._decoder.decode(chunk) if self._decoder else self._first(chunk)
        self._base = self.offset
        self.text = self.text[self.pos :] + new
        self.pos = 0
        return bool(new)

    def _first(self, chunk: bytes) -> str:
        """Find out the encoding, for which the first four bytes are needed."""
        head = chunk
        while len(head) < 4 and (chunk := next(self._chunks, b"")):
            head += chunk
        self._encoding, mark = next(
            ((name, length) for start, name, length in _ENCODINGS if head.startswith(start)), ("utf-8", 0)
        )
        errors = "surrogateescape" if self._encoding == "utf-8" else "replace"
        self._decoder = codecs.getincrementaldecoder(self._encoding)(errors)
        self._base = mark
        return self._decoder.decode(head[mark:])

    def put_back(self, text: str, offset: int) -> None:
        """Undo the passing of ``text``, which began at a byte offset. It comes back in small pieces: Python's JSON
        errors count the lines before them, which in a large buffer takes longer than all the rest.
        """
        text += self.text[self.pos :]
        self._pending += [text[start : start + _WINDOW] for start in range(0, len(text), _WINDOW)][::-1]
        self.text = self._pending.pop()
        self.pos = 0
        self._base = offset

    def cut_up(self) -> None:
        """Go on in small pieces, see ``put_back``."""
        if len(self.text) > 2 * _WINDOW:
            offset = self.offset
            text, self.text = self.text[self.pos :], ""
            self.pos = 0
            self.put_back(text, offset)

    # -- where we are ----------------------------------------------------------------------------------------------

    @property
    def offset(self) -> int:
        """The byte offset of the position."""
        return self.offset_of(self.pos)

    def offset_of(self, position: int) -> int:
        return self._base + self.size_of(self.text[:position])

    def size_of(self, text: str) -> int:
        """How many bytes of the document a piece of its text was."""
        if self._encoding == "utf-8":
            return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))
        return len(text.encode(self._encoding or "utf-8", "surrogatepass"))

    # -- taking ----------------------------------------------------------------------------------------------------

    def peek(self) -> str:
        """Pass blanks and give the next character without passing it; "" at the end of the document."""
        while True:
            found = _BLANK.match(self.text, self.pos)
            self.pos = found.end() if found else self.pos
            if self.pos < len(self.text):
                return self.text[self.pos]
            if not self.more():
                return ""

    def take_char(self) -> str:
        self.pos += 1
        return self.text[self.pos - 1]

    def take_scalar(self) -> str:
        """A number or a literal (or what stands in the place of one); only the first megabyte of it is kept."""
        taken = ""
        while True:
            found = _SCALAR.match(self.text, self.pos)
            end = found.end() if found else self.pos
            if len(taken) < _KEPT:
                taken += self.text[self.pos : end]
            self.pos = end
            if end < len(self.text) or not self.more():
                return taken

    def skip_junk(self) -> None:
        """Pass what cannot begin a string, array or object, nor end an array."""
        while True:
            found = _JUNK.match(self.text, self.pos)
            self.pos = found.end() if found else self.pos
            if self.pos < len(self.text) or not self.more():
                return

    def take_string(self, limit: int) -> str | None:
        """A string with its quotes; None when it does not end, or not within ``limit`` characters."""
        taken = self.take_char()
        scanner = Scanner(taken)
        while len(taken) <= limit:
            end = scanner.feed(self.text, self.pos, len(self.text))
            taken += self.text[self.pos : end if end >= 0 else len(self.text)]
            self.pos = end if end >= 0 else len(self.text)
            if end >= 0:
                return taken
            if not self.more():
                break
        return None

    def skip(self, scanner: Scanner) -> bool:
        """Pass a value without keeping it; False when the document ends first."""
        while True:
            end = scanner.feed(self.text, self.pos, len(self.text))
            self.pos = end if end >= 0 else len(self.text)
            if end >= 0:
                return True
            if not self.more():
                return False
