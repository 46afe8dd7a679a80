"""What a view is given: the bytes of one body and what is known about them, with the text made on demand.

Text has two ways out. `Body.text` is all of it at once, for views that parse. `Body.text_lines` is lazy: it finds line
ends in the *bytes* and decodes line by line, so the first 512 lines of a 100 MB log cost 512 lines. That is sound for
every charset in which the byte 0x0A is only ever a line end; the others (UTF-16, UTF-32, stateful ones) are decoded
whole.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING

from flowdump.http.charsets import infer_charset, known_charset

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SAMPLE = 2048
"""So many bytes from the start decide what a body is."""

_CONTROL_FREE = bytes(code for code in range(256) if (code >= 0x20 and code != 0x7F) or code in b"\t\n\f\r\x1b")
_ASCII = bytes(range(128))
# A string, since compiling it would be most of the time that importing this module takes.
_PARAMETER = r'(?s);\s*([\w!#$&+.^*-]++)\s*=\s*(?:"((?>[^"\\]++|\\.)*+)"|([^;"]*+))'
# Beyond this no sane header value goes; it bounds the time of the pattern above.
_LONGEST_HEADER = 4096

_UNSPECIFIC = frozenset({"latin_1", "iso8859_1", "ascii", "cp1252"})
# In these the byte 0x0A means a line end wherever it stands.
_LINE_SAFE = ("utf_8", "ascii", "iso8859", "cp125", "cp9", "gb", "big5", "shift_jis", "euc", "koi8", "tis", "mac_")


class NeedsPackage(Exception):
    """The view asked for works only with an optional package; `str()` of it is the package's name."""


class Body:
    """The bytes of a body and what the message says about them.

    `mime` is the media type in lower case without parameters, `depth` counts bodies within bodies (multipart).
    """

    __slots__ = ("charset", "content", "content_type", "depth", "grpc_encoding", "mime", "query")

    def __init__(
        self,
        content: bytes,
        content_type: str = "",
        query: Sequence[tuple[str, str]] = (),
        charset: str = "",
        grpc_encoding: str = "",
    ) -> None:
        self.content = content
        self.content_type = content_type
        self.mime = content_type.partition(";")[0].strip().lower()
        self.query = query
        self.charset = charset
        self.grpc_encoding = grpc_encoding
        self.depth = 0

    @property
    def head(self) -> bytes:
        """The first bytes, without byte order mark and leading white space: what sniffers look at."""
        return self.content[:SAMPLE].removeprefix(codecs.BOM_UTF8).lstrip()

    @property
    def codec(self) -> str:
        """The name of the charset: what the caller, the header or the document says, else UTF-8.

        Latin-1 is what a body without a word about it is said to be; today that is more often UTF-8, which cannot be
        mistaken. What is not UTF-8 after all is then read as Windows-1252, which includes latin-1.
        """
        charset = self.charset or infer_charset(self.content_type, self.content)
        codec = known_charset(charset)
        return codec if codec and codec not in _UNSPECIFIC else "utf_8"

    @property
    def text(self) -> str:
        """All of the body without its byte order mark; what is not in the charset is read as `decode` says."""
        return decode(self.content, self.codec).removeprefix("\ufeff")

    def text_lines(self) -> Iterator[str]:
        """The body's lines without their ends (LF or CRLF), decoded one by one where the charset allows it."""
        codec = self.codec
        if codec.startswith(_LINE_SAFE):
            start = len(codecs.BOM_UTF8) if self.content.startswith(codecs.BOM_UTF8) else 0
            return (decode(line, codec) for line in _byte_lines(self.content, start))
        return str_lines(self.text)


def decode(content: bytes, codec: str) -> str:
    """`content` as text: by `codec`, else UTF-8, else Windows-1252 with the bytes it lacks shown as escapes."""
    for attempt in (codec, "utf_8"):
        try:
            return content.decode(attempt)
        except (UnicodeError, LookupError):
            continue
    return content.decode("cp1252", "backslashreplace")


def str_lines(text: str) -> Iterator[str]:
    """Lines of `text` without their ends, lazily; only LF and CRLF end a line. An end at the very end adds no line."""
    start, length = 0, len(text)
    while start < length:
        end = text.find("\n", start)
        end = length if end < 0 else end
        yield text[start : end - 1] if end > start and text[end - 1] == "\r" else text[start:end]
        start = end + 1


def _byte_lines(content: bytes, start: int) -> Iterator[bytes]:
    length = len(content)
    while start < length:
        end = content.find(b"\n", start)
        end = length if end < 0 else end
        yield content[start : end - 1] if end > start and content[end - 1] == 13 else content[start:end]
        start = end + 1


def parameters(header: str) -> dict[str, str]:
    """The parameters of a header value such as ``text/html; charset="utf-8"``: names in lower case, quotes undone."""
    found: dict[str, str] = {}
    for match in re.finditer(_PARAMETER, header[:_LONGEST_HEADER]):
        name, quoted, plain = match.groups()
        value = plain.strip() if quoted is None else quoted.replace('\\"', '"').replace("\\\\", "\\")
        found.setdefault(name.lower(), value)
    return found


def looks_binary(body: Body) -> bool:
    """Whether the start of the body is no text: NUL, many control characters, or many bytes that are not UTF-8."""
    sample = body.content[:SAMPLE]
    if body.codec.startswith(("utf_16", "utf_32")):
        return False
    if 0 in sample:
        return True
    if len(sample.translate(None, _CONTROL_FREE)) * 20 > len(sample):
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        foreign = len(sample.translate(None, _ASCII))
        return foreign * 3 > len(sample) and not (body.charset or "charset" in body.content_type)
    return False
