"""Outgoing messages: their framing (RFC 9112 section 6), and which fields are not forwarded (RFC 9110 section 7.6.1).

The flow keeps a message as it came. What is sent keeps order, case and repetition of its fields, less the ones that
were meant for the proxy, and with a length that is true.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdump.engine.http1.chunked import encode_chunk, last_chunk
from flowdump.engine.http1.framing import CHUNKED, CLOSE, NONE, Framing, options
from flowdump.engine.http1.heads import forwarded, request_head_bytes, response_head_bytes
from flowdump.http.headers import Fields
from flowdump.http.status_codes import RESPONSES

if TYPE_CHECKING:
    from flowdump.engine.http1.heads import RequestHead
    from flowdump.http.flow import RequestData, Response, ResponseData
    from flowdump.http.headers import Headers

#: Requests of other methods without a body need no length (RFC 9110 section 8.6).
_EXPECT_BODY = frozenset((b"POST", b"PUT", b"PATCH"))


def whole_request(data: RequestData, request: RequestHead, proxy: bytes | None) -> tuple[bytes, bytes]:
    """Head and body of a request that is here completely.

    ``proxy`` is None for an origin; for another proxy, which gets requests in absolute form, what it is told in
    Proxy-Authorization (RFC 9110 section 11.7.2), or empty.
    """
    headers = data.headers
    fields = forwarded(_addressed(data), upgrading=bool(request.upgrade))
    if proxy is not None:
        fields = _for_proxy(fields, headers, proxy)
    body = content = data.content or b""
    if headers.fields is request.headers and not content and request.framing is NONE and data.method == b"GET":
        pass  # the fast path: untouched, and neither length nor coding in it
    elif headers.raw(b"transfer-encoding") is not None or data.trailers:
        fields = _chunked(fields)
        body = encode_chunk(content) + last_chunk(_trailer_fields(data.trailers))
    elif content or headers.raw(b"content-length") is not None or data.method in _EXPECT_BODY:
        fields = _with_length(fields, headers, len(content))
    return request_head_bytes(data.method, target(data, proxy is not None), b"HTTP/1.1", fields), body


def streamed_request(
    data: RequestData, request: RequestHead, stream: object, proxy: bytes | None
) -> tuple[bytes, Framing]:
    """Head and framing of a request whose body follows piece by piece."""
    fields = forwarded(_addressed(data))
    if proxy is not None:
        fields = _for_proxy(fields, data.headers, proxy)
    framing = request.framing
    if framing.kind == "length" and (callable(stream) or not _is_announced(framing, data.headers)):
        framing = CHUNKED  # the length of a transformed body is unknown
    if framing.kind == "chunked":
        fields = _chunked(fields)
    return request_head_bytes(data.method, target(data, proxy is not None), b"HTTP/1.1", fields), framing


def whole_response(data: ResponseData, method: bytes, request: RequestHead) -> tuple[bytes, bytes]:
    """Head and body of a response that is here completely."""
    fields = forwarded(data.headers.fields, upgrading=data.status_code == 101)
    content = data.content or b""
    if _is_bodiless(data.status_code, method):
        fields = _of_bodiless(fields, data.status_code, method)
        content = b""
    elif _goes_in_chunks(data, request):
        fields = _chunked(fields)
        content = encode_chunk(content) + last_chunk(_trailer_fields(data.trailers))
    else:
        fields = _with_length(fields, data.headers, len(content))
    fields = _persistence(fields, request)
    return response_head_bytes(b"HTTP/1.1", data.status_code, _reason(data), fields), content


def streamed_response(
    response: Response, incoming: Framing, method: bytes, request: RequestHead
) -> tuple[bytes, Framing]:
    """Head and framing of a response whose body follows piece by piece."""
    data = response.data
    fields = forwarded(data.headers.fields)
    if _is_bodiless(data.status_code, method):
        framing = NONE
        fields = _of_bodiless(fields, data.status_code, method)
    elif incoming.kind == "length" and not callable(response.stream) and _is_announced(incoming, data.headers):
        framing = incoming
    elif request.version == b"HTTP/1.0":
        framing, fields = CLOSE, _without(_without(fields, b"transfer-encoding"), b"content-length")
    else:
        framing, fields = CHUNKED, _chunked(fields)
    fields = _persistence(fields, request if framing is not CLOSE else request._replace(keep_alive=False))
    return response_head_bytes(b"HTTP/1.1", data.status_code, _reason(data), fields), framing


def _is_announced(framing: Framing, headers: Headers) -> bool:
    """Whether the fields still say how a body of known length comes, and may go on with it.

    A script may have changed them, and only chunks have trailers after them.
    """
    length = headers.raw(b"content-length")
    return length == b"%d" % framing.length and not any(map(headers.raw, (b"transfer-encoding", b"trailer")))


def _addressed(data: RequestData) -> Fields:
    """A request's fields; one that came in HTTP/2 has its Host elsewhere (RFC 9113 section 8.3.1)."""
    fields = data.headers.fields
    if data.http_version != b"HTTP/2.0" or data.headers.raw(b"host") is not None:
        return fields
    return ((b"Host", data.authority or _authority(data)), *fields)


def _authority(data: RequestData) -> bytes:
    """Where a request goes, as a target or a Host says it."""
    from flowdump.http import urls

    return urls.authority_to_ascii(urls.hostport(data.scheme, data.host, data.port))


def _goes_in_chunks(data: ResponseData, request: RequestHead) -> bool:
    """Whether a response that is here completely goes in chunks: it came so, or has trailers."""
    chunked = data.trailers or data.headers.raw(b"transfer-encoding") is not None
    return bool(chunked) and request.version != b"HTTP/1.0"


def _reason(data: ResponseData) -> bytes:
    """HTTP/2 has no reason phrases."""
    if data.reason or data.http_version != b"HTTP/2.0":
        return data.reason
    return RESPONSES.get(data.status_code, "").encode()


def target(data: RequestData, absolute_form: bool) -> bytes:
    """The request target: origin-form for an origin, absolute-form for a proxy (RFC 9112 section 3.2)."""
    if not absolute_form:
        return data.path or b"/"
    return b"%b://%b%b" % (data.scheme, _authority(data), data.path)


def says_close(headers: Headers) -> bool:
    """Whether a message's sender wants the connection closed after it."""
    value = headers.raw(b"connection")
    return value is not None and value != b"keep-alive" and b"close" in options(value)


def _for_proxy(fields: Fields, headers: Headers, authorization: bytes) -> Fields:
    """Fields for another proxy: with what lets us in, or with what a script has set for that."""
    given = [value for name, value in headers.fields if name.lower() == b"proxy-authorization"]
    values = given or ([authorization] if authorization else [])
    return (*fields, *((b"Proxy-Authorization", value) for value in values))


def _is_bodiless(status_code: int, method: bytes) -> bool:
    return method == b"HEAD" or status_code in (204, 304) or status_code < 200


def _of_bodiless(fields: Fields, status_code: int, method: bytes) -> Fields:
    """What a response without a body may say of one (RFC 9110 section 8.6, RFC 9112 section 6.1)."""
    if method != b"HEAD":
        fields = _without(fields, b"transfer-encoding")
    return _without(fields, b"content-length") if status_code == 204 or status_code < 200 else fields


def _with_length(fields: Fields, headers: Headers, length: int) -> Fields:
    """``fields`` with a Content-Length that is true, at the place of the one that was there."""
    digits = b"%d" % length
    if headers.raw(b"transfer-encoding") is not None:
        fields = _without(fields, b"transfer-encoding")
    announced = headers.raw(b"content-length")
    if announced == digits:
        return fields
    if announced is None:
        return (*fields, (b"Content-Length", digits))
    return tuple((name, digits if name.lower() == b"content-length" else value) for name, value in fields)


def _chunked(fields: Fields) -> Fields:
    fields = _without(fields, b"content-length")
    codings = [value.lower() for name, value in fields if name.lower() == b"transfer-encoding"]
    if codings == [b"chunked"]:
        return fields
    return (*_without(fields, b"transfer-encoding"), (b"Transfer-Encoding", b"chunked"))


def _without(fields: Fields, name: bytes) -> Fields:
    return tuple(pair for pair in fields if pair[0].lower() != name)


def _persistence(fields: Fields, request: RequestHead) -> Fields:
    """What a client has to be told about keeping the connection."""
    if not request.keep_alive:
        return (*fields, (b"Connection", b"close"))
    if request.version == b"HTTP/1.0":
        return (*fields, (b"Connection", b"keep-alive"))
    return fields


def _trailer_fields(trailers: Headers | None) -> Fields:
    return () if trailers is None else trailers.fields
