"""The elements of one array inside a JSON document, one after the other, in constant memory.

How it works. Nearly all of a large HAR is one array, ``log.entries``. ``ArrayElements`` walks down to it through the
members that come before (they are skipped, not parsed), then hands each element to the JSON decoder *inside the
buffer*: the C decoder finds the end of the value while it parses it, so the usual element costs its parsing and
nothing else. Only where that fails a second tool is used, a scanner that knows nothing but strings and brackets and
can stop and go on at any character:

* the element is not complete yet: the scanner looks for its end while more chunks are read, and it is parsed once;
* the element is damaged: it is reported, and reading goes on after its closing bracket, or at the next text that
  looks like the beginning of an entry (``{"startedDateTime"`` and the like), whichever comes first. A bare ``{"``
  followed by such a name cannot stand inside a JSON string, so this mark is right even where a lost quote has turned
  strings and structure around.

A document that ends too early (a killed writer, a full disk) is reported too; every complete element has been yielded
by then.

Memory holds one chunk and at most one element, which is bounded by ``max_element``. The scanner is a regular
expression that swallows strings and inner flat objects whole (150 to 300 MB/s, parsing included in the usual case:
300 to 400); Python code runs once per remaining bracket.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from flowdump.formats.har.json_scan import Scanner, Source

#: Most characters of one element, unless the caller says otherwise: room for a download of 700 MB in base64.
MAX_ELEMENT = 1 << 30

#: ``report(index, offset, reason)``: the element's place in the array (None: no single element), a byte offset, words
#: for people.
Report = Callable[[int | None, int, str], None]

#: How an entry begins in the HARs of all known tools; no object inside an entry begins like this.
_ENTRY = re.compile(
    r'\{[ \t\r\n]{0,80}"(?:startedDateTime|pageref|_initiator|_connectionId|_fromCache|_priority|_resourceType)"'
)
#: More than the length of such a beginning: where a chunk ends, so much of it is searched again together with the next.
_ENTRY_LENGTH = 128
#: From this size on, and whenever it has doubled, an incomplete element is tested for damage, lest a broken one
#: swallow the rest.
_SUSPICIOUS = 1 << 16
#: A JSON error nearer to the end than this may be due to the missing rest: the longest literal is ``-Infinity``.
_NEAR_END = 16

_ENDS_EARLY = "it ends too early"


class JsonStreamError(ValueError):
    """The document has no such array, or it is broken before it. ``offset`` is the byte where that showed."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


class ArrayElements:
    """Iterate over the parsed elements of the array at ``path``, such as ``("log", "entries")``.

    ``chunks`` are the bytes of the document in pieces of any size: UTF-8 (bytes that are not come as lone surrogates,
    as with surrogateescape), UTF-16 or UTF-32. While an element is in the reader's hands, ``index`` is its place in
    the array and ``offset`` its first byte. Damage goes to ``report``. Iterating raises JsonStreamError when the
    document has no such array.
    """

    def __init__(
        self, chunks: Iterable[bytes], path: tuple[str, ...], report: Report, *, max_element: int = MAX_ELEMENT
    ) -> None:
        self.index = -1
        self._source = Source(chunks)
        self._path = path
        self._report = report
        self._max_element = max_element
        self._decode = json.JSONDecoder(strict=False).raw_decode
        self._start = 0
        self._offset: int | None = None
        self._comma_due = False
        self._cut = False
        self._hurt = False

    @property
    def offset(self) -> int:
        """The byte offset of the current element; counted when asked for."""
        return self._source.offset_of(self._start) if self._offset is None else self._offset

    def __iter__(self) -> Iterator[Any]:
        self._enter()
        source, decode = self._source, self._decode
        while self._next_element():
            self.index += 1
            self._offset = None
            self._comma_due = True
            self._start = source.pos
            try:
                value, end = decode(source.text, source.pos)
            except (ValueError, RecursionError) as error:
                yield from self._slowly(error)
                continue
            if isinstance(value, int | float):
                yield from self._slowly(None)  # a number may go on in the next chunk; nothing else may
                continue
            source.pos = end
            yield value

    # -- before the array ------------------------------------------------------------------------------------------

    def _enter(self) -> None:
        source = self._source
        if not source.peek():
            raise JsonStreamError("it is empty", source.offset)
        where = "it"
        for key in self._path:
            if source.peek() != "{":
                raise JsonStreamError(f"{where} is not a JSON object", source.offset)
            source.pos += 1
            if not self._find_member(key):
                raise JsonStreamError(f"{where} has no member {key!r}", source.offset)
            where = f"its member {key!r}"
        if source.peek() != "[":
            raise JsonStreamError(f"{where} is not an array", source.offset)
        source.pos += 1

    def _find_member(self, wanted: str) -> bool:
        """Inside an object, go to the value of a member, past the others; False when there is none."""
        source = self._source
        while (char := source.peek()) != "}":
            if char == ",":
                source.pos += 1
                continue
            key = self._take_key()
            if source.peek() != ":":
                raise JsonStreamError("it is not valid JSON", source.offset)
            source.pos += 1
            if not source.peek():
                raise JsonStreamError(_ENDS_EARLY, source.offset)
            if key == wanted:
                return True
            self._skip_value()
        return False

    def _take_key(self) -> str:
        source = self._source
        char, offset = source.peek(), source.offset
        if char != '"':
            raise JsonStreamError("it is not valid JSON" if char else _ENDS_EARLY, offset)
        raw = source.take_string(_SUSPICIOUS)
        if raw is None:
            raise JsonStreamError(_ENDS_EARLY, offset)
        try:
            return str(json.loads(raw, strict=False))
        except ValueError:
            raise JsonStreamError("it is not valid JSON", offset) from None

    def _skip_value(self) -> None:
        source = self._source
        offset = source.offset
        if source.peek() in '{["':
            if not source.skip(Scanner(source.take_char())):
                raise JsonStreamError(_ENDS_EARLY, source.offset)
        elif not source.take_scalar():
            raise JsonStreamError("it is not valid JSON", offset)

    # -- between and after elements -------------------------------------------------------------------------------

    def _next_element(self) -> bool:
        """Go to the first character of the next element; False at the end of the array, when all is read."""
        source = self._source
        char = source.peek()
        if char == ",":
            source.pos += 1
            char = source.peek()
        elif self._comma_due and char not in ("]", ""):
            self._complain(None, source.offset, f"there is no comma after entry {self.index}")
            if char != "{":
                self._skip(None, source.pos)
                char = source.peek()
        if char == "]":
            return self._goes_on()
        if not char and not self._cut:
            self._report(None, source.offset, "the document ends before its list of entries does")
        return bool(char)

    def _goes_on(self) -> bool:
        """At a closing bracket: finish the document, unless the bracket is there by damage and entries follow."""
        source = self._source
        offset = source.offset
        source.pos += 1
        if not self._hurt:
            expected = "}"
            if source.peek() == ",":
                source.pos += 1
                expected = '"'
            if source.peek() in (expected, ""):
                self._finish()
                return False
            self._complain(None, offset, "there is a closing bracket too many")
        self._skip(None, source.pos)
        return bool(source.peek())

    def _finish(self) -> None:
        source = self._source
        if not source.skip(Scanner(depth=len(self._path))):
            self._report(None, source.offset, "the document ends before its closing brackets; its entries are complete")
        elif source.peek():
            self._report(None, source.offset, "there is text after the end of the document")

    def _complain(self, index: int | None, offset: int, reason: str) -> None:
        """Report damage inside the array: from now on its end is not believed while entries follow."""
        self._hurt = True
        self._report(index, offset, reason)

    # -- elements that are not in the buffer as a whole ------------------------------------------------------------

    def _slowly(self, error: Exception | None) -> tuple[Any, ...]:
        """The current element, which is damaged or goes on in the next chunk: ``(value,)``, or ``()`` having reported
        it.
        """
        source = self._source
        self._offset = source.offset
        if error is not None and _is_certain(error, len(source.text)):
            return self._damaged(error, source.offset_of(getattr(error, "pos", 0)))
        raw = self._gather() if source.text[source.pos] in '{["' else source.take_scalar()
        if raw is None:
            return ()
        try:
            return (self._decode(raw)[0],)
        except (ValueError, RecursionError) as found:
            return self._take_back(raw, found)

    def _gather(self) -> str | None:
        """The text of the current element, reading up to its end; None when it has none: then it was reported and
        skipped.
        """
        source = self._source
        scanner = Scanner(source.text[source.pos])
        start, size, limit = source.pos, 0, _SUSPICIOUS
        parts: list[str] = []
        end = scanner.feed(source.text, start + 1, len(source.text))
        while end < 0:
            parts.append(source.text[start:])
            size += len(parts[-1])
            source.pos = len(source.text)
            if size > self._max_element:
                self._report(self.index, self.offset, f"it is larger than {self._max_element} characters")
                self._skip(scanner, source.pos)
                return None
            ended = not source.more()
            if ended or size >= limit:
                parts, limit = ["".join(parts)], 2 * size
                if not self._is_sound(parts[0], ended):
                    return None
            start = 0
            end = scanner.feed(source.text, 0, len(source.text))
        source.pos = end
        parts.append(source.text[start:end])
        return "".join(parts)

    def _is_sound(self, text: str, ended: bool) -> bool:
        """Whether the beginning of an element may still become a valid one; if not, it is reported and skipped."""
        try:
            self._decode(text)
        except (ValueError, RecursionError) as error:
            if _is_certain(error, len(text)):
                self._take_back(text, error)
                return False
        if ended:
            self._cut = True
            self._report(self.index, self.offset, "it is cut off by the end of the document")
        return not ended

    # -- damage ----------------------------------------------------------------------------------------------------

    def _take_back(self, text: str, error: Exception) -> tuple[()]:
        """The text that was taken for the current element turned out to be damaged."""
        place = self.offset + self._source.size_of(text[: getattr(error, "pos", 0)])
        self._source.put_back(text, self.offset)
        return self._damaged(error, place)

    def _damaged(self, error: Exception, place: int) -> tuple[()]:
        """Report the element at the source's position and go to where the next one may begin.

        ``place`` is the byte at which the JSON decoder gave up.
        """
        source = self._source
        if isinstance(error, json.JSONDecodeError):
            reason = f"it is not valid JSON: {error.msg.strip(': ').lower()} at byte {place}"
        else:
            reason = (
                "it is nested too deeply" if isinstance(error, RecursionError) else "it holds a number that is too long"
            )
        self._complain(self.index, self.offset, reason)
        source.cut_up()
        if source.text[source.pos] in '{["':
            scanner = Scanner(source.take_char())
            if isinstance(error, RecursionError):  # a bomb of brackets may hold as many beginnings of entries
                source.skip(scanner)
            else:
                self._skip(scanner, source.pos)
        else:
            source.skip_junk()
            self._comma_due = False
        return ()

    def _skip(self, scanner: Scanner | None, seen: int) -> None:
        """Go on to the end that the scanner finds, or to what looks like the beginning of an entry after ``seen``."""
        source = self._source
        position = source.pos
        while True:
            entry = _ENTRY.search(source.text, seen)
            limit = entry.start() if entry else len(source.text)
            end = scanner.feed(source.text, position, limit) if scanner else -1
            if entry and end < 0:
                source.pos = limit
                self._comma_due = False
                return
            if end >= 0:
                source.pos = end
                if source.peek() in ("", ",", "]"):
                    return
                scanner, seen = None, source.pos  # not the end after all: strings and structure have changed places
                continue
            overlap = min(_ENTRY_LENGTH, len(source.text) - seen)
            source.pos = len(source.text) - max(overlap, 0)
            if not source.more():
                source.pos = len(source.text)
                return
            position, seen = max(overlap, 0), 0


def _is_certain(error: Exception, length: int) -> bool:
    """Whether a text is damaged, rather than not complete yet."""
    if not isinstance(error, json.JSONDecodeError):
        return True
    return error.pos < length - _NEAR_END and not error.msg.startswith("Unterminated string")


# -- compressed documents ---------------------------------------------------------------------------------------------

_SLICE = 1 << 14
_OUTPUT = 1 << 18


def inflate_chunks(chunks: Iterable[bytes], damaged: Callable[[str], None]) -> Iterator[bytes]:
    """The plain bytes of a zlib (RFC 1950, ``.zhar``) or gzip (RFC 1952, also of several members) stream, 256 KiB at
    a time at most.

    However far the input expands, only one such piece is in memory. Where the stream is damaged or ends too early,
    ``damaged`` is told why, once, and the bytes until there are all there is.
    """
    engine = zlib.decompressobj(47)  # 32 + 15: either header, the largest window
    for chunk in chunks:
        for start in range(0, len(chunk), _SLICE):
            data = chunk[start : start + _SLICE]
            while data:
                if engine.eof:
                    if data[:1] != b"\x1f":
                        damaged("there are bytes after the end of the compressed data")
                        return
                    engine = zlib.decompressobj(47)
                try:
                    piece = engine.decompress(data, _OUTPUT)
                except zlib.error as error:
                    damaged(f"the compressed data is damaged ({error})")
                    return
                data = engine.unused_data if engine.eof else engine.unconsumed_tail
                if piece:
                    yield piece
    if rest := engine.flush():
        yield rest
    if not engine.eof:
        damaged("the compressed data ends too early")
