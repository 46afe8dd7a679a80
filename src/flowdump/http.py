"""HTTP flows: ``Request``, ``Response`` and ``HTTPFlow``, the objects that most scripts are about.

Bodies, headers and times are in :mod:`flowdump.message`; this module adds what only a request or only a response has.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flowdump import urls
from flowdump.flow import Error, Flow
from flowdump.headers import Headers, to_headers
from flowdump.message import Message, MessageData, to_bytes
from flowdump.multidict import MultiDict, MultiDictView
from flowdump.status_codes import RESPONSES
from flowdump.websocket import WebSocketData

__all__ = ["HTTPFlow", "Headers", "Message", "Request", "RequestData", "Response", "ResponseData"]

#: Codings that flowdump can undo; ``constrain_encoding`` asks the origin for no other.
KNOWN_CODINGS = ("gzip", "deflate", "br", "zstd", "identity")


class RequestData(MessageData):
    """The raw facts of a request.

    ``authority`` is the authority part of an absolute-form or CONNECT target, or ``:authority``.
    """

    __slots__ = ("authority", "host", "method", "path", "port", "scheme")
    FIELDS = (*MessageData.FIELDS, "host", "port", "method", "scheme", "authority", "path")

    host: str
    port: int
    method: bytes
    scheme: bytes
    authority: bytes
    path: bytes


class ResponseData(MessageData):
    """The raw facts of a response."""

    __slots__ = ("reason", "status_code")
    FIELDS = (*MessageData.FIELDS, "status_code", "reason")

    status_code: int
    reason: bytes


class Request(Message):
    """An HTTP request (RFC 9110). ``Request.make("GET", "https://example.com/")`` makes one."""

    data: RequestData

    @classmethod
    def make(cls, method: str, url: str, content: str | bytes = b"", headers: Any = ()) -> Request:
        """A request as a client would send it.

        Raises ValueError for a URL without a host, TypeError for odd headers.
        """
        now = time.time()
        data = RequestData()
        data.http_version = b"HTTP/1.1"
        data.headers = to_headers(headers)
        data.content = b""
        data.trailers = None
        data.timestamp_start = data.timestamp_end = now
        data.host, data.port, data.method = "", 0, to_bytes(method)
        data.scheme, data.authority, data.path = b"", b"", b""
        request = cls.from_data(data)
        request.url = url
        _set_made_content(request, content)
        return request

    @classmethod
    def from_data(cls, data: RequestData) -> Request:
        request = cls.__new__(cls)
        request.data = data
        return request

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Request:
        data = RequestData()
        data.set_state(state)
        return cls.from_data(data)

    def __repr__(self) -> str:
        where = f"{self.host}:{self.port}" if self.host and self.port else ""
        return f"Request({self.method} {where}{self.path})"

    # -- target --------------------------------------------------------------------------------------------------

    @property
    def method(self) -> str:
        """The method in upper case."""
        return self.data.method.decode("utf-8", "surrogateescape").upper()

    @method.setter
    def method(self, method: str | bytes) -> None:
        self.data.method = to_bytes(method)

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return self.data.scheme.decode("utf-8", "surrogateescape")

    @scheme.setter
    def scheme(self, scheme: str | bytes) -> None:
        self.data.scheme = to_bytes(scheme)

    @property
    def host(self) -> str:
        """The host to connect to. Setting it also rewrites the Host header and the authority, where there are any."""
        return self.data.host

    @host.setter
    def host(self, host: str | bytes) -> None:
        self.data.host = urls.host_to_unicode(host)
        self._update_host_and_authority()

    @property
    def port(self) -> int:
        """The port to connect to. Setting it also rewrites the Host header and the authority, where there are any."""
        return self.data.port

    @port.setter
    def port(self, port: int) -> None:
        if not isinstance(port, int):
            raise TypeError(f"a port is an int, not {port!r}")
        self.data.port = port
        self._update_host_and_authority()

    @property
    def authority(self) -> str:
        """The authority of the request target (``:authority`` in HTTP/2), ``""`` where it had none."""
        return urls.authority_to_unicode(self.data.authority)

    @authority.setter
    def authority(self, authority: str | bytes) -> None:
        self.data.authority = urls.authority_to_ascii(authority)

    @property
    def host_header(self) -> str | None:
        """The host the client addressed:

        ``:authority``, else Host; in HTTP/1 the Host header. None where there is none.
        """
        if self.data.http_version in (b"HTTP/2.0", b"HTTP/3"):
            return self.authority or self.data.headers.get("host")
        return self.data.headers.get("host")  # type: ignore[no-any-return]

    @host_header.setter
    def host_header(self, value: str | bytes | None) -> None:
        http2 = self.data.http_version in (b"HTTP/2.0", b"HTTP/3")
        if value is None:
            self.data.authority = b""
            self.data.headers.pop("host", None)
            return
        if http2:
            self.authority = value
        if not http2 or "host" in self.data.headers:
            self.data.headers["host"] = urls.authority_to_ascii(value)

    def _update_host_and_authority(self) -> None:
        data = self.data
        if "host" in data.headers or data.authority:
            where = urls.authority_to_ascii(urls.hostport(self.scheme, data.host, data.port))
            if "host" in data.headers:
                data.headers["host"] = where
            if data.authority:
                data.authority = where

    @property
    def path(self) -> str:
        """Path and query as sent; ``*`` for a server-wide OPTIONS, empty for CONNECT."""
        return self.data.path.decode("utf-8", "surrogateescape")

    @path.setter
    def path(self, path: str | bytes) -> None:
        self.data.path = to_bytes(path)

    @property
    def first_line_format(self) -> str:
        """The form of the request target (RFC 9112 section 3.2): ``authority``, ``absolute`` or ``relative``."""
        if self.data.method.upper() == b"CONNECT":
            return "authority"
        return "absolute" if self.data.authority else "relative"

    # -- URL -----------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The URL from scheme, host, port and path; for CONNECT ``host:port``.

        Setting it sets all four, and Host with them.
        """
        data = self.data
        if data.method.upper() == b"CONNECT":
            return f"{data.host}:{data.port}"
        return urls.unparse(self.scheme, data.host, data.port, "" if data.path == b"*" else self.path)

    @url.setter
    def url(self, url: str | bytes) -> None:
        data = self.data
        data.scheme, data.host, data.port, data.path = urls.parse(url)
        self._update_host_and_authority()

    @property
    def pretty_host(self) -> str:
        """The host the client addressed, without its port, where it said one; else ``host``. Clients may lie here."""
        authority = self.host_header
        return urls.parse_authority(authority, check=False)[0] if authority else self.data.host

    @property
    def pretty_url(self) -> str:
        """Like ``url``, but with the host that the client addressed (see ``pretty_host``)."""
        data = self.data
        if data.method.upper() == b"CONNECT":
            return self.authority or self.url
        authority = self.host_header
        if not authority:
            return self.url
        host, port = urls.parse_authority(authority, check=False)
        path = "" if data.path == b"*" else self.path
        return urls.unparse(self.scheme, host, port or urls.default_port(self.scheme) or 443, path)

    @property
    def query(self) -> MultiDictView[str, str]:
        """The query as a multi-dict; changing it rewrites the path."""
        return MultiDictView(self._get_query, self._set_query)

    @query.setter
    def query(self, pairs: Any) -> None:
        self._set_query(_pairs(pairs))

    def _get_query(self) -> list[tuple[str, str]]:
        return urls.decode_query(self.path.partition("#")[0].partition("?")[2])

    def _set_query(self, pairs: Iterable[tuple[str, str]]) -> None:
        target, hash_sign, fragment = self.path.partition("#")
        path, _, old = target.partition("?")
        query = urls.encode_query(list(pairs), similar_to=old)
        self.path = path + (f"?{query}" if query else "") + hash_sign + fragment

    @property
    def path_components(self) -> tuple[str, ...]:
        """The segments of the path, percent-decoded: ``/a/b%2Fc?x`` -> ``("a", "b/c")``."""
        path = self.path.partition("#")[0].partition("?")[0]
        return tuple(urls.unquote(segment) for segment in path.split("/") if segment)

    @path_components.setter
    def path_components(self, components: Iterable[str]) -> None:
        path = "/" + "/".join(urls.quote(segment, safe="") for segment in components)
        _, question_mark, query = self.path.partition("?")
        self.path = path + question_mark + query

    # -- cookies and forms ---------------------------------------------------------------------------------------

    @property
    def cookies(self) -> MultiDictView[str, str]:
        """The cookies of the Cookie header; changing them rewrites it."""
        return MultiDictView(self._get_cookies, self._set_cookies)

    @cookies.setter
    def cookies(self, pairs: Any) -> None:
        self._set_cookies(_pairs(pairs))

    def _get_cookies(self) -> list[tuple[str, str]]:
        from flowdump import cookies

        return [pair for header in self.data.headers.get_all("cookie") for pair in cookies.parse_cookie_header(header)]

    def _set_cookies(self, pairs: Iterable[tuple[str, str]]) -> None:
        from flowdump import cookies

        self.data.headers["cookie"] = cookies.format_cookie_header(list(pairs))

    @property
    def urlencoded_form(self) -> MultiDictView[str, str]:
        """The fields of an ``application/x-www-form-urlencoded`` body, empty for others; changing them rewrites body
        and type.
        """
        return MultiDictView(self._get_urlencoded_form, self._set_urlencoded_form)

    @urlencoded_form.setter
    def urlencoded_form(self, pairs: Any) -> None:
        self._set_urlencoded_form(_pairs(pairs))

    def _get_urlencoded_form(self) -> list[tuple[str, str]]:
        from flowdump import forms

        if "application/x-www-form-urlencoded" not in self.data.headers.get("content-type", "").lower():
            return []
        return forms.decode_urlencoded(self.get_content(strict=False) or b"")

    def _set_urlencoded_form(self, pairs: Iterable[tuple[str, str]]) -> None:
        old = self.get_text(strict=False) or ""
        self.data.headers["content-type"] = "application/x-www-form-urlencoded"
        self.set_content(to_bytes(urls.encode_query(list(pairs), similar_to=old)))

    @property
    def multipart_form(self) -> MultiDictView[bytes, bytes]:
        """Names and values of a ``multipart/form-data`` body, empty for others; changing them rewrites the body."""
        return MultiDictView(self._get_multipart_form, self._set_multipart_form)

    @multipart_form.setter
    def multipart_form(self, pairs: Any) -> None:
        self._set_multipart_form(_pairs(pairs))

    def _get_multipart_form(self) -> list[tuple[bytes, bytes]]:
        from flowdump import forms

        content_type = self.data.headers.get("content-type", "")
        if "multipart/form-data" not in content_type.lower():
            return []
        try:
            return forms.decode_multipart(content_type, self.get_content(strict=False) or b"")
        except ValueError:
            return []

    def _set_multipart_form(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        from flowdump import forms

        content_type, old = self.data.headers.get("content-type", ""), self.get_content(strict=False) or b""
        if "multipart/form-data" not in content_type.lower() or "boundary=" not in content_type.lower():
            content_type = f"multipart/form-data; boundary={forms.new_boundary()}"
            self.data.headers["content-type"] = content_type
        self.set_content(forms.encode_multipart(content_type, list(pairs), old))

    # -- asking the origin for something simpler ------------------------------------------------------------------

    def anticache(self) -> None:
        """Drop the headers that may be answered with 304 Not Modified."""
        for name in ("if-modified-since", "if-none-match"):
            self.data.headers.pop(name, None)

    def anticomp(self) -> None:
        """Ask for a response without content coding."""
        self.data.headers["accept-encoding"] = "identity"

    def constrain_encoding(self) -> None:
        """Leave only the content codings that flowdump can undo in Accept-Encoding."""
        accepted = self.data.headers.get("accept-encoding")
        if accepted:
            kept = [item.strip() for item in accepted.split(",") if item.split(";")[0].strip().lower() in KNOWN_CODINGS]
            self.data.headers["accept-encoding"] = ", ".join(kept)

    def replace(self, pattern: str | bytes, repl: str | bytes, count: int = 0, flags: int = 0) -> int:
        """As for every message, and in the path too."""
        path, n = re.subn(to_bytes(pattern), to_bytes(repl), self.data.path, count=count, flags=flags)
        if n:
            self.data.path = path
        return n + super().replace(pattern, repl, count, flags)


class Response(Message):
    """An HTTP response (RFC 9110). ``Response.make(200, b"hello", {"content-type": "text/plain"})`` makes one."""

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
        _set_made_content(response, content)
        return response

    @classmethod
    def from_data(cls, data: ResponseData) -> Response:
        response = cls.__new__(cls)
        response.data = data
        return response

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Response:
        data = ResponseData()
        data.set_state(state)
        return cls.from_data(data)

    def __repr__(self) -> str:
        if self.data.content is None:
            return f"Response({self.status_code}, no recorded content)"
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
        """The reason phrase (ISO-8859-1); empty in HTTP/2."""
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
        self._set_cookies(_pairs(pairs))

    def _get_cookies(self) -> list[tuple[str, tuple[str | None, MultiDict[str, str | None]]]]:
        from flowdump import cookies

        return [
            (cookie.name, (cookie.value, CookieAttributes(cookie.attributes)))
            for header in self.data.headers.get_all("set-cookie")
            for cookie in cookies.parse_set_cookie(header)
        ]

    def _set_cookies(self, pairs: Iterable[tuple[str, tuple[str | None, Any]]]) -> None:
        from flowdump import cookies

        self.data.headers.set_all(
            "set-cookie",
            [cookies.format_set_cookie(name, value, _pairs(attributes)) for name, (value, attributes) in pairs],
        )

    def refresh(self, now: float | None = None) -> None:
        """Move Date, Expires, Last-Modified and cookie expiry by the age of this response, as if it came at ``now``
        (Unix seconds).
        """
        from email.utils import formatdate, mktime_tz, parsedate_tz

        from flowdump import cookies

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


class HTTPFlow(Flow):
    """A request and what became of it.

    ``response`` is None until there is one, ``websocket`` is set once the connection speaks WebSocket.
    """

    type = "http"
    PARTS = ("request", "response", "websocket")

    request: Request
    response: Response | None = None
    websocket: WebSocketData | None = None

    @property
    def timestamp_start(self) -> float:
        """When the head of the request was received, in Unix seconds."""
        return self.request.data.timestamp_start

    @property
    def mode(self) -> str:
        """Older scripts ask for the kind of proxy; it is the client's ``proxy_mode`` now."""
        return getattr(self, "_mode", "regular")

    @mode.setter
    def mode(self, mode: str) -> None:
        self._mode = mode

    def _parts_state(self) -> dict[str, Any]:
        return {
            "request": self.request.get_state(),
            "response": self.response.get_state() if self.response else None,
            "websocket": self.websocket.get_state() if self.websocket else None,
        }

    def _set_parts(self, state: dict[str, Any]) -> None:
        self.request = Request.from_state(state["request"])
        self.response = Response.from_state(state["response"]) if state["response"] else None
        self.websocket = WebSocketData.from_state(state["websocket"]) if state["websocket"] else None

    def __repr__(self) -> str:
        parts = ("request", "response", "websocket", "error", "client_conn", "server_conn")
        lines = [f"\n  {part} = {getattr(self, part)!r}" for part in parts if getattr(self, part, None)]
        return f"<HTTPFlow{''.join(lines)}>"


def _set_made_content(message: Message, content: Any) -> None:
    """The body given to ``make``: str goes in by the charset of Content-Type."""
    if isinstance(content, str):
        message.set_text(content)
    elif isinstance(content, bytes):
        message.set_content(content)
    else:
        raise TypeError(f"content is given as str or bytes, not as {type(content).__name__}")


def _pairs(pairs: Any) -> Sequence[tuple[Any, Any]]:
    if isinstance(pairs, MultiDict | MultiDictView):
        return pairs.fields
    return list(pairs.items()) if isinstance(pairs, Mapping) else [(key, value) for key, value in pairs]


def is_failed(flow: HTTPFlow) -> bool:
    """Whether the exchange ended with an error instead of a response."""
    return flow.response is None and isinstance(flow.error, Error)
