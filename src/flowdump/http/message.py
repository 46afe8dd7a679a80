"""What requests and responses share: a version, headers, a body, trailers and times.

Every message keeps its raw facts in ``message.data``, exactly as they are on the wire and in the flow file. The
properties are views on it in the types that scripts like (``str`` methods, decoded content). A body is decoded when
``content`` is read and encoded only when it is set: an untouched body leaves as it came.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

from flowdump.http import content_coding, urls
from flowdump.http.headers import Headers, to_bytes, to_headers
from flowdump.http.multidict import BaseMultiDict


class MessageData:
    """The raw facts of a message. ``content`` is the body as sent (still content-encoded), None when it was not
    recorded.

    Timestamps are Unix seconds.
    """

    __slots__ = ("content", "headers", "http_version", "timestamp_end", "timestamp_start", "trailers")
    #: Every fact, in the order of a state dict.
    FIELDS: tuple[str, ...] = ("http_version", "headers", "content", "trailers", "timestamp_start", "timestamp_end")

    http_version: bytes
    headers: Headers
    content: bytes | None
    trailers: Headers | None
    timestamp_start: float
    timestamp_end: float | None

    def get_state(self) -> dict[str, Any]:
        state = {name: getattr(self, name) for name in self.FIELDS}
        state["headers"] = self.headers.fields
        state["trailers"] = None if self.trailers is None else self.trailers.fields
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        for name in self.FIELDS:
            setattr(self, name, state[name])
        self.headers = Headers.from_state(state["headers"])
        self.trailers = None if state["trailers"] is None else Headers.from_state(state["trailers"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, MessageData) and self.get_state() == other.get_state()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.FIELDS)})"


class Message:
    """Base of Request and Response.

    ``stream`` is set in a headers event: True, or a callable that transforms the chunks. Messages are equal when their
    raw facts are.
    """

    DATA: ClassVar[type[MessageData]]
    #: What the class is called with, in this order or by name: every fact of ``data``.
    ARGUMENTS: ClassVar[tuple[str, ...]]

    data: MessageData
    stream: Any = False
    #: The last decoded body: (raw content, content-encoding, decoded), so that asking twice decodes once.
    _decoded: tuple[bytes, str, bytes] | None = None

    def __init__(self, *values: Any, **named: Any) -> None:
        """A message from all its raw facts, in the order of ``ARGUMENTS`` or by name; ``make`` asks for less.

        Raises TypeError when one is missing, unknown or of a wrong type.
        """
        facts = dict(zip(self.ARGUMENTS, values, strict=False)) | named
        if len(values) + len(named) != len(self.ARGUMENTS) or facts.keys() != set(self.ARGUMENTS):
            raise TypeError(f"{type(self).__name__} is made of {', '.join(self.ARGUMENTS)}")
        self.data = self.DATA()
        for name, value in facts.items():
            setattr(self.data, name, _FROM_ARGUMENT.get(name, to_bytes)(value))

    @classmethod
    def from_data(cls, data: Any) -> Self:
        message = cls.__new__(cls)
        message.data = data
        return message

    # -- state ---------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        return self.data.get_state()

    def set_state(self, state: dict[str, Any]) -> None:
        self.data.set_state(state)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        data = cls.DATA()
        data.set_state(state)
        return cls.from_data(data)

    def copy(self) -> Self:
        """An independent message with the same facts."""
        return self.from_state(self.get_state())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Message) and self.data == other.data

    #: By identity, since messages change: scripts keep what they know of one in a dict while it is under way.
    __hash__ = object.__hash__

    # -- start line, headers, times ------------------------------------------------------------------------------

    @property
    def http_version(self) -> str:
        """``HTTP/1.0``, ``HTTP/1.1``, ``HTTP/2.0`` or ``HTTP/3``."""
        return self.data.http_version.decode("utf-8", "surrogateescape")

    @http_version.setter
    def http_version(self, version: str | bytes) -> None:
        self.data.http_version = to_bytes(version)

    @property
    def is_http10(self) -> bool:
        return self.data.http_version == b"HTTP/1.0"

    @property
    def is_http11(self) -> bool:
        return self.data.http_version == b"HTTP/1.1"

    @property
    def is_http2(self) -> bool:
        return self.data.http_version == b"HTTP/2.0"

    @property
    def is_http3(self) -> bool:
        return self.data.http_version == b"HTTP/3"

    @property
    def headers(self) -> Headers:
        return self.data.headers

    @headers.setter
    def headers(self, headers: Headers) -> None:
        self.data.headers = headers

    @property
    def trailers(self) -> Headers | None:
        """Fields after the body (RFC 9110 section 6.5), None where there are none."""
        return self.data.trailers

    @trailers.setter
    def trailers(self, trailers: Headers | None) -> None:
        self.data.trailers = trailers

    @property
    def timestamp_start(self) -> float:
        """When the head was received, in Unix seconds."""
        return self.data.timestamp_start

    @timestamp_start.setter
    def timestamp_start(self, timestamp: float) -> None:
        self.data.timestamp_start = timestamp

    @property
    def timestamp_end(self) -> float | None:
        """When the last byte was received, in Unix seconds."""
        return self.data.timestamp_end

    @timestamp_end.setter
    def timestamp_end(self, timestamp: float | None) -> None:
        self.data.timestamp_end = timestamp

    # -- body ----------------------------------------------------------------------------------------------------

    @property
    def raw_content(self) -> bytes | None:
        """The body as on the wire: de-chunked, but still content-encoded. Setting it touches no header."""
        return self.data.content

    @raw_content.setter
    def raw_content(self, content: bytes | None) -> None:
        self.data.content = content

    def get_content(self, strict: bool = True) -> bytes | None:
        """The body with its content codings undone (RFC 9110 section 8.4), None when it was not recorded.

        A body that cannot be decoded raises ValueError; with ``strict=False`` it comes raw.
        """
        raw = self.data.content
        if raw is None:
            return None
        coding = self.data.headers.get("content-encoding")
        if not coding:
            return raw
        cached = self._decoded
        if cached is not None and cached[0] is raw and cached[1] == coding:
            return cached[2]
        try:
            content = content_coding.decode(raw, coding)
        except ValueError:
            if strict:
                raise
            return raw
        self._decoded = (raw, coding, content)
        return content

    def set_content(self, content: bytes | None) -> None:
        """Replace the body: it is encoded as Content-Encoding says, and Content-Length follows.

        A body that is what the message holds already keeps the bytes that came, however they were encoded. A coding
        that we cannot produce is given up: the header goes. Raises TypeError for ``str`` (that is ``text``).
        """
        if content is None:
            self.data.content = None
            return
        if not isinstance(content, bytes):
            raise TypeError(f"Message content must be bytes, not {type(content).__name__}; set .text to assign a str.")
        headers = self.data.headers
        coding = headers.get("content-encoding")
        raw = content
        known = self._decoded
        if coding and known and known[0] is self.data.content and known[1] == coding and known[2] == content:
            raw = known[0]
        elif coding:
            try:
                raw = content_coding.encode(content, coding)
                self._decoded = (raw, coding, content)
            except ValueError:
                del headers["content-encoding"]
        self.data.content = raw
        if "transfer-encoding" not in headers:
            headers["content-length"] = str(len(raw))

    @property
    def content(self) -> bytes | None:
        """The decoded body; see ``get_content`` and ``set_content``.

        Setting it re-encodes it and updates Content-Length.
        """
        return self.get_content()

    @content.setter
    def content(self, content: bytes | None) -> None:
        self.set_content(content)

    def get_text(self, strict: bool = True) -> str | None:
        """The decoded body as text; the charset is inferred from Content-Type, the document itself, or latin-1.

        With ``strict`` a body that is not in its charset raises ValueError; otherwise UTF-8 with surrogateescape is
        used.
        """
        content = self.get_content(strict)
        if content is None:
            return None
        charset = content_coding.infer_charset(self.data.headers.get("content-type", ""), content)
        try:
            return content_coding.text_decode(content, charset)
        except ValueError:
            if strict:
                raise
            return content.decode("utf-8", "surrogateescape")

    def set_made_content(self, content: str | bytes) -> None:
        """The body given to ``make``. Raises TypeError for anything but str and bytes."""
        if isinstance(content, str):
            self.set_text(content)
        elif isinstance(content, bytes):
            self.set_content(content)
        else:
            raise TypeError(f"content is given as str or bytes, not as {type(content).__name__}")

    def set_text(self, text: str | None) -> None:
        """Replace the body by text in the charset of Content-Type; where it does not fit, by UTF-8, which Content-Type
        then says.
        """
        if text is None:
            self.set_content(None)
            return
        if not isinstance(text, str):
            raise TypeError(f"Message text must be str, not {type(text).__name__}; set .content to assign bytes.")
        content_type = self.data.headers.get("content-type", "")
        charset = content_coding.infer_charset(content_type, b"")
        try:
            content = content_coding.text_encode(text, charset)
        except ValueError:
            self.data.headers["content-type"] = content_coding.with_charset(content_type, "utf-8")
            content = text.encode("utf-8", "surrogateescape")
        self.set_content(content)

    @property
    def text(self) -> str | None:
        """The decoded body as text; see ``get_text`` and ``set_text``."""
        return self.get_text()

    @text.setter
    def text(self, text: str | None) -> None:
        self.set_text(text)

    def json(self, **kwargs: Any) -> Any:
        """The decoded body parsed as JSON. Raises TypeError without a body, ValueError when it is not JSON."""
        content = self.get_content(strict=False)
        if content is None:
            raise TypeError("Message content is not available.")
        return json.loads(content, **kwargs)

    def decode(self, strict: bool = True) -> None:
        """Store the body decoded and drop Content-Encoding.

        An undecodable body raises ValueError, or stays raw with ``strict=False``. Without a body nothing happens.
        """
        content = self.get_content(strict)
        if content is not None:
            self.data.headers.pop("content-encoding", None)
            self.set_content(content)

    def encode(self, content_encoding: str) -> None:
        """Encode the (decoded) body with a coding and set Content-Encoding. Raises ValueError for an unknown coding."""
        self.decode(strict=False)
        content = self.data.content
        if content is not None:
            content_coding.encode(content, content_encoding)
        self.data.headers["content-encoding"] = content_encoding
        self.set_content(content)

    def replace(self, pattern: str | bytes, repl: str | bytes, count: int = 0, flags: int = 0) -> int:
        """Replace a regular expression in the decoded body and in every header line; gives the number of replacements.

        ``pattern`` and ``repl`` may be str or bytes; ``count`` limits the replacements in each of body and headers, 0
        means all.
        """
        return self._replace_in_content(pattern, repl, count, flags) + self.data.headers.replace(
            pattern, repl, count, flags
        )

    def _replace_in_content(self, pattern: str | bytes, repl: str | bytes, count: int, flags: int) -> int:
        content = self.get_content(strict=False)
        if not content:
            return 0
        replaced, n = re.subn(to_bytes(pattern), to_bytes(repl), content, count=count, flags=flags)
        if not n:
            return 0
        if content is self.data.content:
            # Stored without a coding, or undecodable: encoding it now would change what it is.
            self.data.content = replaced
            if "transfer-encoding" not in self.data.headers:
                self.data.headers["content-length"] = str(len(replaced))
        else:
            self.set_content(replaced)
        return n


def pairs_of(pairs: Any) -> Sequence[tuple[Any, Any]]:
    """The pairs assigned to a multi-dict: another multi-dict, a dict, or pairs."""
    if isinstance(pairs, BaseMultiDict):
        return pairs.fields
    return list(pairs.items()) if isinstance(pairs, Mapping) else [(key, value) for key, value in pairs]


def _body(content: Any) -> bytes | None:
    if content is not None and not isinstance(content, bytes):
        raise TypeError(f"content is given as bytes or None, not as {type(content).__name__}")
    return content


def _number(number: Any) -> int:
    if not isinstance(number, int):
        raise TypeError(f"an int is expected, not {number!r}")
    return number


#: What becomes of each argument of a message; those that are not here are bytes or str.
_FROM_ARGUMENT: dict[str, Callable[[Any], Any]] = {
    "host": lambda host: urls.host_to_unicode(host if isinstance(host, str) else to_bytes(host)),
    "port": _number,
    "status_code": _number,
    "headers": to_headers,
    "content": _body,
    "trailers": lambda trailers: None if trailers is None else to_headers(trailers),
    "timestamp_start": lambda timestamp: timestamp,
    "timestamp_end": lambda timestamp: timestamp,
}
