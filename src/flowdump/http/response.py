"""``Response``: what an origin or a script answered (RFC 9110). Import it from :mod:`flowdump.http`."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, ClassVar

from flowdump.http.headers import to_headers
from flowdump.http.message import Message, MessageData, pairs_of
from flowdump.http.multidict import MultiDict, MultiDictView
from flowdump.http.status_codes import RESPONSES


class ResponseData(MessageData):
    """The raw facts of a response."""

    __slots__ = ("reason", "status_code")
    FIELDS = (*MessageData.FIELDS, "status_code", "reason")

    status_code: int
    reason: bytes


class Response(Message):
    """An HTTP response (RFC 9110). ``Response.make(200, b"hello", {"content-type": "text/plain"})`` makes one."""

    DATA = ResponseData
    ARGUMENTS: ClassVar[tuple[str, ...]] = (
        *("http_version", "status_code", "reason"),
        *("headers", "content", "trailers", "timestamp_start", "timestamp_end"),
    )
    data: ResponseData

    @classmethod
    def make(cls, status_code: int = 200, content: str | bytes = b"", headers: Any = ()) -> Response:
        """A response made by a script; Content-Length and the usual reason phrase are added.

        Raises TypeError for odd headers or content.
        """
        now = time.time()
        data = ResponseData()
        data.http_version = b"HTTP/1.1"
        data.status_code = int(status_code)
        data.reason = RESPONSES.get(data.status_code, "").encode("ascii")
        data.headers = to_headers(headers)
        data.content = b""
        data.trailers = None
        data.timestamp_start = data.timestamp_end = now
        response = cls.from_data(data)
        response.set_made_content(content)
        return response

    def __repr__(self) -> str:
        if self.data.content is None:
            return f"Response({self.status_code}, no recorded content)"
        if not self.data.content:
            return f"Response({self.status_code}, no content)"
        kind = self.data.headers.get("content-type", "unknown content type")
        return f"Response({self.status_code}, {kind}, {len(self.data.content)} bytes)"

    @property
    def status_code(self) -> int:
        return self.data.status_code

    @status_code.setter
    def status_code(self, status_code: int) -> None:
        self.data.status_code = status_code

    @property
    def reason(self) -> str:
        """The reason phrase (ISO-8859-1, any other character becomes ``?``); empty in HTTP/2."""
        return self.data.reason.decode("latin-1")

    @reason.setter
    def reason(self, reason: str | bytes) -> None:
        self.data.reason = reason if isinstance(reason, bytes) else reason.encode("latin-1", "replace")

    @property
    def cookies(self) -> MultiDictView[str, tuple[str | None, MultiDict[str, str | None]]]:
        """The cookies that Set-Cookie sets: name -> ``(value, attributes)``; changing them rewrites the headers."""
        return MultiDictView(self._get_cookies, self._set_cookies)

    @cookies.setter
    def cookies(self, pairs: Any) -> None:
        self._set_cookies(pairs_of(pairs))

    def _get_cookies(self) -> list[tuple[str, tuple[str | None, MultiDict[str, str | None]]]]:
        from flowdump.http import cookies

        return [
            (cookie.name, (cookie.value, CookieAttributes(cookie.attributes)))
            for header in self.data.headers.get_all("set-cookie")
            for cookie in cookies.parse_set_cookie(header)
        ]

    def _set_cookies(self, pairs: Iterable[tuple[str, tuple[str | None, Any]]]) -> None:
        from flowdump.http import cookies

        self.data.headers.set_all(
            "set-cookie",
            [cookies.format_set_cookie(name, value, pairs_of(attributes)) for name, (value, attributes) in pairs],
        )

    def refresh(self, now: float | None = None) -> None:
        """Move Date, Expires, Last-Modified and cookie expiry by the age of this response, as if it came at ``now``
        (Unix seconds).
        """
        from email.utils import formatdate, mktime_tz, parsedate_tz

        from flowdump.http import cookies

        delta = (time.time() if now is None else now) - self.data.timestamp_start
        headers = self.data.headers
        for name in ("date", "expires", "last-modified"):
            parsed = parsedate_tz(headers.get(name, ""))
            if parsed is not None:
                headers[name] = formatdate(mktime_tz(parsed) + delta, usegmt=True)
        refreshed = [cookies.refresh_set_cookie(header, delta) for header in headers.get_all("set-cookie")]
        if refreshed:
            headers.set_all("set-cookie", refreshed)


class CookieAttributes(MultiDict[str, Any]):
    """Attributes of a Set-Cookie header; their names are case-insensitive."""

    __slots__ = ()

    @staticmethod
    def _fold_key(key: Any) -> Any:
        return key.lower()
