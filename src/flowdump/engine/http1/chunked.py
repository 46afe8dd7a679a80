"""The chunked coding (RFC 9112 section 7.1), both ways.

``ChunkedDecoder.feed`` takes what it can from the front of a buffer and leaves the rest: an unfinished line, an
unfinished chunk, whatever follows the body. A chunk of up to ``WHOLE`` bytes is given as one piece once it is
complete, so that a proxy can pass chunks on as they were cut; a larger one is given in pieces as they arrive.

It is strict, since every tolerance here has been used to smuggle a request: sizes are 1 to 16 hex digits, lines end
with CRLF, chunk data is followed by CRLF and nothing else. Extensions are dropped; they hold no control characters, and
there are no more of them than ``MAX_EXTENSIONS`` bytes beyond the bytes of data that came.

Data in front of a fault is given before the fault is raised, so it makes no difference in how many pieces bytes arrive.
"""

from __future__ import annotations

import re
from typing import Final

from flowdump.engine.errors import Peer, ProtocolError
from flowdump.engine.http1.framing import CRLF, MAX_FIELDS, read_fields, refusal, shown
from flowdump.http.headers import Fields

#: Bytes of a chunk up to which it is given whole.
WHOLE: Final = 64 * 1024
#: Bytes of chunk extensions in one body that need no data to go with them.
MAX_EXTENSIONS: Final = 16 * 1024

_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t -~\x80-\xff]*)?\r\n")
_LINE_BEGUN = re.compile(rb"(?:[0-9A-Fa-f]{1,16}(?:[ \t]*(?:;[\t -~\x80-\xff]*)?)\r?)?")
_TRAILER_FAULT = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)|[^\t\r\n -~\x80-\xff]")
#: Fields that would change the message they come after (RFC 9110 section 6.5.1).
_NOT_IN_TRAILERS = frozenset((b"content-length", b"transfer-encoding", b"host"))


class ChunkedDecoder:
    """Decodes one body of ``peer``.

    ``done`` once it has come completely; ``trailers`` then holds the fields after it.
    """

    __slots__ = ("_in_trailer", "_left", "_limit_line", "_max_trailer", "_peer", "_slack", "done", "trailers")

    def __init__(self, *, peer: Peer = "client", limit_line: int = 4096, max_trailer: int = 16 * 1024) -> None:
        self.done = False
        self.trailers: Fields = ()
        self._peer: Peer = peer
        self._limit_line = limit_line
        self._max_trailer = max_trailer
        #: Bytes still to come of a chunk that is given in pieces, with the CRLF after it; 0 in front of a size.
        self._left = 0
        self._in_trailer = False
        #: Bytes of extensions that may still come.
        self._slack = MAX_EXTENSIONS

    def feed(self, buffer: bytearray) -> list[bytes]:
        """Pieces of the body from the front of ``buffer``, which loses what was understood.

        Raises ProtocolError (400, or 502 when ``peer`` is the server); nothing can be decoded after that.
        """
        pieces: list[bytes] = []
        position = 0
        try:
            while not self.done:
                begun = position
                if self._in_trailer:
                    position = self._trailer(buffer, position)
                elif self._left:
                    position = self._large(buffer, position, pieces)
                else:
                    position = self._chunk(buffer, position, pieces)
                if position == begun:
                    break
        except ProtocolError:
            if not pieces:
                raise
        del buffer[:position]
        return pieces

    def _chunk(self, buffer: bytearray, position: int, pieces: list[bytes]) -> int:
        """A size and its chunk if it is here, or the beginning of a large one. Gives where it ends."""
        line = _LINE.match(buffer, position)
        if line is None or line.end() - position > self._limit_line:
            # Raises unless this may still become a chunk's first line.
            if not _LINE_BEGUN.fullmatch(buffer, position, position + self._limit_line):
                raise refusal(f"malformed chunk size {shown(buffer[position : position + 40])}", self._peer)
            if len(buffer) - position > self._limit_line:
                raise refusal(f"the size of a chunk does not end within {self._limit_line} bytes", self._peer)
            return position
        size = int(line[1], 16)
        start = line.end()
        end = start + size
        if 0 < size <= WHOLE and len(buffer) < end + 2:
            return position
        length = start - line.end(1) - 2
        self._slack += size - length
        if self._slack < 0:
            raise refusal("more chunk extensions than data", self._peer)
        if size > WHOLE:
            self._left = size + 2
            return start
        if not size:
            self._in_trailer = True
            return start
        self._check_end(buffer[end : end + 2])
        pieces.append(bytes(buffer[start:end]))
        return end + 2

    def _large(self, buffer: bytearray, position: int, pieces: list[bytes]) -> int:
        """What is here of a large chunk and of the CRLF after it."""
        here = min(len(buffer) - position, self._left)
        data = min(here, self._left - 2)
        if data > 0:
            with memoryview(buffer) as view:
                pieces.append(bytes(view[position : position + data]))
            self._left -= data
            return position + data
        if here < 2:
            return position
        self._check_end(buffer[position : position + 2])
        self._left = 0
        return position + 2

    def _trailer(self, buffer: bytearray, position: int) -> int:
        """The fields after the last chunk, once they are all here."""
        if buffer.startswith(CRLF, position):
            self.done = True
            return position + 2
        end = buffer.find(b"\r\n\r\n", position)
        size = (end + 4 if end >= 0 else len(buffer)) - position
        if size > self._max_trailer:
            raise refusal(f"the trailer section is larger than {self._max_trailer} bytes", self._peer)
        block = bytes(buffer[position : position + size])
        if _TRAILER_FAULT.search(block):
            raise refusal("malformed trailer section: a control character, a bare CR or a bare LF", self._peer)
        if end < 0:
            return position
        self.trailers = self._trailer_fields(block[:-4].split(CRLF))
        self.done = True
        return end + 4

    def _trailer_fields(self, lines: list[bytes]) -> Fields:
        read = read_fields(lines)
        if read is None or len(lines) > MAX_FIELDS:
            raise refusal("malformed trailer section, or too many fields in it", self._peer)
        fields, facts = read
        if not _NOT_IN_TRAILERS.isdisjoint(facts):
            raise refusal("Content-Length, Transfer-Encoding or Host in a trailer section", self._peer)
        return fields

    # -- checking ------------------------------------------------------------------------------------------------

    def _check_end(self, end: bytearray) -> None:
        if end != CRLF:
            raise refusal(f"chunk data is followed by {shown(end)} instead of CRLF", self._peer)


def encode_chunk(data: bytes) -> bytes:
    """``data`` as one chunk; nothing for no data, since an empty chunk would be the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def last_chunk(trailers: Fields = ()) -> bytes:
    """The end of a chunked body. Raises ProtocolError for a line break in a trailer field."""
    if not trailers:
        return b"0\r\n\r\n"
    end = CRLF.join([b"0", *map(b": ".join, trailers), b"", b""])
    breaks = len(trailers) + 2
    if end.count(b"\n") != breaks or end.count(b"\r") != breaks:
        raise refusal("a line break in a trailer field", "server")
    return end
