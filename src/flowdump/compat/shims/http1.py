"""``mitmproxy.net.http.http1``: assemble HTTP/1 messages (RFC 9112), and parse heads."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from flowdump.http import urls
from flowdump.http.flow import Headers, Request, Response

#: Responses with these status codes have no body (RFC 9112 section 6.3).
_NO_BODY_STATUS = (204, 304)


# -- to bytes ----------------------------------------------------------------------------------------------------


def assemble_request(request: Request) -> bytes:
    """The request as bytes. Raises ValueError if its body was not recorded."""
    return assemble_request_head(request) + _whole_body(request)


def assemble_response(response: Response) -> bytes:
    """The response as bytes. Raises ValueError if its body was not recorded."""
    return assemble_response_head(response) + _whole_body(response)


def _whole_body(message: Any) -> bytes:
    if message.raw_content is None:
        raise ValueError("Cannot assemble flow with missing content")
    return b"".join(assemble_body(message.headers, [message.raw_content], message.trailers))


def assemble_request_head(request: Request) -> bytes:
    data = request.data
    target = data.path
    if request.first_line_format == "authority":
        target = data.authority
    elif request.first_line_format == "absolute":
        target = data.scheme + b"://" + data.authority + data.path
    return b"%s %s %s\r\n%s\r\n" % (data.method, target, data.http_version, bytes(data.headers))


def assemble_response_head(response: Response) -> bytes:
    data = response.data
    return b"%s %d %s\r\n%s\r\n" % (data.http_version, data.status_code, data.reason, bytes(data.headers))


def assemble_body(headers: Headers, body_chunks: Iterable[bytes], trailers: Headers | None) -> Iterator[bytes]:
    """Yield a body, chunked if the headers say so. Raises ValueError for trailers without chunked coding."""
    if "chunked" not in headers.get("transfer-encoding", "").lower():
        if trailers:
            raise ValueError("Sending HTTP/1.1 trailer headers requires transfer-encoding: chunked")
        yield from filter(None, body_chunks)
        return
    for chunk in filter(None, body_chunks):
        yield b"%x\r\n%s\r\n" % (len(chunk), chunk)
    yield b"0\r\n%s\r\n" % (bytes(trailers) if trailers else b"")


# -- from lines --------------------------------------------------------------------------------------------------


def read_request_head(lines: list[bytes]) -> Request:
    """Parse the lines of a request head, without line ends. Raises ValueError if they are invalid."""
    words = lines[0].split(b" ") if lines else []
    if len(words) != 3:
        raise ValueError(f"Bad HTTP request line: {lines[:1]!r}")
    method, target, version = words
    _check_version(version)
    scheme, host, port, path, authority = b"", "", 0, target, b""
    if method == b"CONNECT":
        host, port_or_none = urls.parse_authority(target, check=True)
        port, path, authority = port_or_none or 0, b"", target
    elif not target.startswith((b"/", b"*")):
        scheme, host, port, path = urls.parse(target)
        authority = target.partition(b"://")[2].partition(b"/")[0]
    where = (host, port, method, scheme, authority, path)
    return Request(*where, version, _headers(lines[1:]), None, None, time.time(), None)


def read_response_head(lines: list[bytes]) -> Response:
    """Parse the lines of a response head, without line ends. Raises ValueError if they are invalid."""
    version, _, rest = (lines[0] if lines else b"").partition(b" ")
    code, _, reason = rest.partition(b" ")
    _check_version(version)
    if not code.isdigit():
        raise ValueError(f"Bad HTTP response line: {lines[:1]!r}")
    return Response(version, int(code), reason, _headers(lines[1:]), None, None, time.time(), None)


def _check_version(version: bytes) -> None:
    if not (version.startswith(b"HTTP/") and version[5:6].isdigit()):
        raise ValueError(f"Unknown HTTP version: {version!r}")


def _headers(lines: list[bytes]) -> Headers:
    fields: list[tuple[bytes, bytes]] = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if line[:1] in b" \t" and fields:
            fields[-1] = (fields[-1][0], fields[-1][1] + b"\r\n " + line.strip())
        elif not colon or not name:
            raise ValueError("Invalid headers")
        else:
            fields.append((name, value.strip()))
    return Headers(fields)


def expected_http_body_size(request: Request, response: Response | None = None) -> int | None:
    """The length of the body (RFC 9112 section 6.3): None if it is chunked, -1 if it ends with the connection.

    Raises ValueError for Content-Length values that are invalid or differ.
    """
    message: Any = response or request
    if response is not None:
        code = response.status_code
        if request.method == "HEAD" or 100 <= code <= 199 or code in _NO_BODY_STATUS:
            return 0
        if request.method == "CONNECT" and 200 <= code <= 299:
            return 0
    if "chunked" in message.headers.get("transfer-encoding", "").lower():
        return None
    lengths = {text.strip() for text in message.headers.get("content-length", "").split(",")} - {""}
    if not lengths:
        return 0 if response is None else -1
    if len(lengths) > 1 or not lengths.copy().pop().isdecimal():
        raise ValueError(f"Conflicting or invalid Content-Length headers: {sorted(lengths)}")
    return int(lengths.pop())


def get_header_tokens(headers: Headers, key: str) -> list[str]:
    """The comma-separated items of a header."""
    return [item.strip() for item in headers.get(key, "").split(",") if item.strip()]


def connection_close(http_version: str | bytes, headers: Headers) -> bool:
    """Whether the connection ends after this message (RFC 9112 section 9.3)."""
    tokens = [token.lower() for token in get_header_tokens(headers, "connection")]
    if "close" in tokens or "keep-alive" in tokens:
        return "close" in tokens
    return http_version not in ("HTTP/1.1", b"HTTP/1.1", "HTTP/2.0", b"HTTP/2.0")
