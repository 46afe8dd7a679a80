"""``Request``: what a client asked for (RFC 9110). Import it from :mod:`flowdump.http`."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, ClassVar

from flowdump.http import urls
from flowdump.http.headers import to_bytes, to_headers
from flowdump.http.message import Message, MessageData, pairs_of
from flowdump.http.multidict import MultiDictView

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


class Request(Message):
    """An HTTP request (RFC 9110). ``Request.make("GET", "https://example.com/")`` makes one."""

    DATA = RequestData
    ARGUMENTS: ClassVar[tuple[str, ...]] = (
        *("host", "port", "method", "scheme", "authority", "path"),
        *("http_version", "headers", "content", "trailers", "timestamp_start", "timestamp_end"),
    )
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
        request.set_made_content(content)
        return request

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
        self.data.host = urls.host_to_unicode(host if isinstance(host, str) else to_bytes(host))
        self._update_host_and_authority()

    @property
    def port(self) -> int:
        """The port to connect to. Setting it also rewrites the Host header and the authority, where there are any."""
        return self.data.port

    @port.setter
    def port(self, port: int) -> None:
        if not isinstance(port, int):
            raise ValueError(f"a port is an int, not {port!r}")
        self.data.port = port
        self._update_host_and_authority()

    @property
    def authority(self) -> str:
        """The authority of the request target (``:authority`` in HTTP/2), ``""`` where it had none."""
        return _authority_text(self.data.authority)

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
            self.data.headers["Host"] = urls.authority_to_ascii(value)

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
        return _origin(data.scheme, data.host, data.port) + self._shown_path()

    @url.setter
    def url(self, url: str | bytes) -> None:
        data = self.data
        data.scheme, data.host, data.port, data.path = urls.parse(url)
        self._update_host_and_authority()

    @property
    def pretty_host(self) -> str:
        """The host the client addressed, without its port, where it said one; else ``host``. Clients may lie here."""
        authority = self.host_header
        return _parsed_authority(authority)[0] if authority else self.data.host

    @property
    def pretty_url(self) -> str:
        """Like ``url``, but with the host that the client addressed (see ``pretty_host``)."""
        data = self.data
        if data.method.upper() == b"CONNECT":
            return self.authority or self.url
        authority = self.host_header
        if not authority:
            return self.url
        return _addressed_origin(data.scheme, authority) + self._shown_path()

    def _shown_path(self) -> str:
        path = self.data.path
        return "" if path == b"*" else path.decode("utf-8", "surrogateescape")

    @property
    def query(self) -> MultiDictView[str, str]:
        """The query as a multi-dict; changing it rewrites the path."""
        return MultiDictView(self._get_query, self._set_query)

    @query.setter
    def query(self, pairs: Any) -> None:
        self._set_query(pairs_of(pairs))

    def _get_query(self) -> list[tuple[str, str]]:
        return urls.decode_query(self.path.partition("#")[0].partition("?")[2])

    def _set_query(self, pairs: Iterable[tuple[str, str]]) -> None:
        target, hash_sign, fragment = self.path.partition("#")
        path, _, old = target.partition("?")
        query = urls.encode_query(_texts(pairs), similar_to=old)
        self.path = path + (f"?{query}" if query else "") + hash_sign + fragment

    @property
    def path_components(self) -> tuple[str, ...]:
        """The segments of the path, percent-decoded: ``/a/b%2Fc?x`` -> ``("a", "b/c")``.

        ``;`` is a character like any other here (RFC 3986 section 3.3). Setting them keeps query and fragment.
        """
        return () if self.data.path == b"*" else urls.path_components(self.path)

    @path_components.setter
    def path_components(self, components: Iterable[str]) -> None:
        self.path = urls.replace_path_components(self.path, map(_text, components))

    # -- cookies and forms ---------------------------------------------------------------------------------------

    @property
    def cookies(self) -> MultiDictView[str, str]:
        """The cookies of the Cookie header; changing them rewrites it."""
        return MultiDictView(self._get_cookies, self._set_cookies)

    @cookies.setter
    def cookies(self, pairs: Any) -> None:
        self._set_cookies(pairs_of(pairs))

    def _get_cookies(self) -> list[tuple[str, str]]:
        from flowdump.http import cookies

        return [pair for header in self.data.headers.get_all("cookie") for pair in cookies.parse_cookie_header(header)]

    def _set_cookies(self, pairs: Iterable[tuple[str, str]]) -> None:
        from flowdump.http import cookies

        self.data.headers["cookie"] = cookies.format_cookie_header(list(pairs))

    @property
    def urlencoded_form(self) -> MultiDictView[str, str]:
        """The fields of an ``application/x-www-form-urlencoded`` body, empty for others; changing them rewrites body
        and type.
        """
        return MultiDictView(self._get_urlencoded_form, self._set_urlencoded_form)

    @urlencoded_form.setter
    def urlencoded_form(self, pairs: Any) -> None:
        self._set_urlencoded_form(pairs_of(pairs))

    def _get_urlencoded_form(self) -> list[tuple[str, str]]:
        from flowdump.http import forms

        if "application/x-www-form-urlencoded" not in self.data.headers.get("content-type", "").lower():
            return []
        return forms.decode_urlencoded(self.get_content(strict=False) or b"")

    def _set_urlencoded_form(self, pairs: Iterable[tuple[str, str]]) -> None:
        old = self.get_text(strict=False) or ""
        self.data.headers["content-type"] = "application/x-www-form-urlencoded"
        self.set_content(to_bytes(urls.encode_query(_texts(pairs), similar_to=old)))

    @property
    def multipart_form(self) -> MultiDictView[bytes, bytes]:
        """Names and values of a ``multipart/form-data`` body, empty for others; changing them rewrites the body."""
        return MultiDictView(self._get_multipart_form, self._set_multipart_form)

    @multipart_form.setter
    def multipart_form(self, pairs: Any) -> None:
        self._set_multipart_form(pairs_of(pairs))

    def _get_multipart_form(self) -> list[tuple[bytes, bytes]]:
        from flowdump.http import forms

        content_type = self.data.headers.get("content-type", "")
        if "multipart/form-data" not in content_type.lower():
            return []
        try:
            return forms.decode_multipart(content_type, self.get_content(strict=False) or b"")
        except ValueError:
            return []

    def _set_multipart_form(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        from flowdump.http import charsets, forms

        content_type, old = self.data.headers.get("content-type", ""), self.get_content(strict=False) or b""
        parsed = charsets.parse_content_type(content_type)
        if parsed is None or parsed[:2] != ("multipart", "form-data") or not parsed[2].get("boundary"):
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


@lru_cache(maxsize=1024)
def _origin(scheme: bytes, host: str, port: int) -> str:
    """``https://example.com``: what comes before the path of a URL."""
    return urls.unparse(scheme, host, port, "")


@lru_cache(maxsize=1024)
def _addressed_origin(scheme: bytes, authority: str) -> str:
    """The same for a Host header or ``:authority``; what is not one of these is shown as it stands."""
    host, port = _parsed_authority(authority)
    if port is None and ":" in authority and host == authority:
        return f"{scheme.decode('utf-8', 'surrogateescape')}://{authority}"
    return urls.unparse(scheme, host, port or urls.default_port(scheme) or 443, "")


@lru_cache(maxsize=1024)
def _parsed_authority(authority: str) -> tuple[str, int | None]:
    return urls.parse_authority(authority, check=False)


@lru_cache(maxsize=1024)
def _authority_text(authority: bytes) -> str:
    return urls.authority_to_unicode(authority)


def _texts(pairs: Iterable[tuple[Any, Any]]) -> list[tuple[str, str]]:
    """Names and values as text: ``request.query["page"] = 2`` is as good as ``"2"``."""
    return [(_text(name), _text(value)) for name, value in pairs]


def _text(value: Any) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
