"""One flow as one entry of a HAR 1.2 document.

An entry is built as plain dictionaries, in the order in which the specification prints the members, and serialised
once (:mod:`flowdump.formats.har.json_text`). Times and connections are in
:mod:`flowdump.formats.har.times`, what HAR has no place for in :mod:`flowdump.formats.har.extension`.

Choices, where tools differ:

* ``content.size`` is the decoded size, ``bodySize`` the one on the wire, ``headersSize`` that of an HTTP/1 head (-1
  for HTTP/2 and 3, whose heads are compressed).
* ``time`` is connect + send + wait + receive; ``ssl`` is part of ``connect``, as the specification says. A
  connection's times are with the first entry that used it.
* Bodies that are not text, or that would not come back from text byte for byte, are base64 with ``"encoding":
  "base64"``, in ``postData`` too (a custom of HAR tools). ``postData`` is there whenever there is a body, for every
  method.
* A flow without a response has the status 0 and ``content`` as Chrome writes it for failed requests, ``_error`` tells
  why.
* No value is null, no number negative but the -1 that the specification allows, no string holds a lone surrogate.

A flow never fails to be exported: what a script has set to a value of the wrong type makes the entry poorer, not the
export fail.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from flowdump.formats.har import extension
from flowdump.formats.har.json_text import Json, entry_bytes
from flowdump.formats.har.times import Timings, iso_date, microseconds, network
from flowdump.formats.har.values_in import UNPARSED, encode_body
from flowdump.http import content_coding, cookies, forms, urls
from flowdump.http.headers import Fields

if TYPE_CHECKING:
    from flowdump.http.flow import HTTPFlow, Request, RequestData, Response

_MULTIPLEXED = (b"HTTP/2.0", b"HTTP/3")
_COMPRESSED_HEADS = (*_MULTIPLEXED, b"HTTP/2")
_WEBSOCKET = {b"http": "ws", b"https": "wss"}
_PLAIN_HOST = re.compile(r"[a-z0-9_.-]{1,253}").fullmatch
_PLAIN_PATH = re.compile(rb"/[!-~]*").fullmatch
_NOT_VISIBLE = re.compile(rb"[^!-~]")

#: Bytes that no text of a single-byte charset or UTF-8 holds.
_CONTROLS = bytes([*range(9), *range(14, 32)])
#: Bytes that text in UTF-8 or a single-byte charset may hold.
_HIGH = bytes(range(127, 256))
#: Bytes of a body that decide whether it is text.
_SAMPLE = 100


def entry_json(flow: HTTPFlow, *, opens_connection: bool = True) -> bytes:
    """The entry of a flow: one JSON object in UTF-8, without line ends. Never fails.

    ``opens_connection`` says whether the times of its server connection belong into this entry: they do for the first
    entry of a connection in a document.
    """
    try:
        return entry_bytes(_entry(flow, opens_connection))
    except Exception as error:  # a value of a wrong type can be anywhere in a flow and raise anything
        return entry_bytes(_poor_entry(flow, error))


def _entry(flow: HTTPFlow, opens_connection: bool) -> Json:
    extra: Json = {}
    timings = Timings(flow, opens_connection, extra)
    request = _request(flow, extra)
    response = _response(flow, extra)
    extension.add_remarks(flow, extra, timings.last)
    entry = {
        "startedDateTime": timings.started,
        "time": timings.time,
        "request": request,
        "response": response,
        "cache": {},
        "timings": timings.members,
        **network(flow),
    }
    if flow.websocket is not None:
        entry |= extension.websocket_members(flow.websocket, flow.response, extra)
    if flow.comment:
        entry["comment"] = str(flow.comment)
    if extra:
        entry["_flowdump"] = extra
    return entry


def _request(flow: HTTPFlow, extra: Json) -> Json:
    request = flow.request
    data = request.data
    fields = data.headers.fields
    own: Json = {}
    headers, head_size = _header_list(fields, own)
    names = {name.lower(): value for name, value in fields}
    url = _url_of(data, names, flow.websocket is not None, own)
    extension.add_message(data, own)
    body, _ = _body(request, names, own)
    if own:
        extra["request"] = own
    version = data.http_version
    head_size += len(data.method) + len(data.authority) + len(data.path) + len(version) + 6
    if data.authority and data.method != b"CONNECT":
        head_size += len(data.scheme) + 3
    made = {
        "method": request.method,
        "url": url,
        "httpVersion": _decoded(version),
        "cookies": _request_cookies(fields) if b"cookie" in names else [],
        "headers": headers,
        "queryString": _query_string(data.path) if b"?" in data.path else [],
        "headersSize": -1 if version in _COMPRESSED_HEADS else head_size,
        "bodySize": -1 if data.content is None else len(data.content),
    }
    if body:
        made["postData"] = _post_data(body, names)
    return made


def _no_response(error: str | None) -> Json:
    """A response that never came, as Chrome writes it and needs it: without size and mimeType it refuses the file."""
    made: Json = {
        "status": 0,
        "statusText": "",
        "httpVersion": "",
        "cookies": [],
        "headers": [],
        "content": {"size": 0, "mimeType": "x-unknown"},
        "redirectURL": "",
        "headersSize": -1,
        "bodySize": -1,
        "_transferSize": 0,
    }
    return made | {"_error": error} if error else made


def _response(flow: HTTPFlow, extra: Json) -> Json:
    message = getattr(flow.error, "msg", None)
    error = str(message) if message else None
    response = flow.response
    if response is None:
        return _no_response(error)
    data = response.data
    fields = data.headers.fields
    own: Json = {}
    headers, head_size = _header_list(fields, own)
    names = {name.lower(): value for name, value in fields}
    extension.add_message(data, own)
    content = _content(response, names, own)
    if own:
        extra["response"] = own
    version = data.http_version
    head_size += len(version) + len(data.reason) + 9
    made = {
        "status": max(int(data.status_code), 0),
        "statusText": response.reason,
        "httpVersion": _decoded(version),
        "cookies": _response_cookies(fields, data.timestamp_start) if b"set-cookie" in names else [],
        "headers": headers,
        "content": content,
        "redirectURL": _decoded(names.get(b"location", b"")),
        "headersSize": -1 if version in _COMPRESSED_HEADS else head_size,
        "bodySize": -1 if data.content is None else len(data.content),
    }
    if error:
        made["_error"] = error
    return made


def _content(response: Response, names: dict[bytes, bytes], own: Json) -> Json:
    body, wire_size = _body(response, names, own)
    mime_type = names.get(b"content-type", b"").decode("utf-8", "replace")
    if body is None:
        return {"size": 0, "mimeType": mime_type}
    made: Json = {"size": len(body)}
    if len(body) > wire_size:
        made["compression"] = len(body) - wire_size
    made["mimeType"] = mime_type
    return made | _body_text(body, mime_type)


def _body(message: Request | Response, names: dict[bytes, bytes], own: Json) -> tuple[bytes | None, int]:
    """(decoded body, its size on the wire). One that cannot be decoded stays as it is, and is remembered as such."""
    raw = message.data.content
    if not raw:
        return raw, 0
    if b"content-encoding" not in names:
        return raw, len(raw)
    try:
        return message.get_content(), len(raw)
    except ValueError:
        own["encoded"] = True
        return raw, len(raw)


def _decoded(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def _poor_entry(flow: Any, error: Exception) -> Json:
    """The entry of a flow in which a script has set values of wrong types: what can still be read of it."""
    data = getattr(getattr(flow, "request", None), "data", None)
    host, path = _percent_encoded(_shown(data, "host")), _percent_encoded(_shown(data, "path"))
    return {
        "startedDateTime": iso_date(microseconds(getattr(data, "timestamp_start", None)) or 0),
        "time": 0,
        "request": {
            "method": _shown(data, "method"),
            "url": f"http://{host}/{path.removeprefix('/')}",
            "httpVersion": "",
            "cookies": [],
            "headers": [],
            "queryString": [],
            "headersSize": -1,
            "bodySize": -1,
        },
        "response": _no_response(f"this flow could not be exported: {type(error).__name__}: {error}"[:500]),
        "cache": {},
        "timings": {"blocked": -1, "dns": -1, "connect": -1, "ssl": -1, "send": 0, "wait": 0, "receive": 0},
    }


def _shown(data: Any, name: str) -> str:
    value = getattr(data, name, "")
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


# -- URLs -------------------------------------------------------------------------------------------------------------


def _url_of(data: RequestData, names: dict[bytes, bytes], websocket: bool, own: Json) -> str:
    """The URL that the client asked for, with the host it addressed; always valid.

    What an import could not tell from the URL goes into ``own``. The usual request is recognised by comparing, the
    careful way parses.
    """
    scheme, host, method = data.scheme, data.host, data.method
    if scheme in _WEBSOCKET and _PLAIN_PATH(data.path) and _PLAIN_HOST(host) and "xn--" not in host:
        where = host if data.port == (443 if scheme == b"https" else 80) else f"{host}:{data.port}"
        if method != b"CONNECT" and method.isupper() and _addresses(data, names, where.encode()):
            return f"{_WEBSOCKET[scheme] if websocket else scheme.decode()}://{where}{data.path.decode()}"
    url = _built_url(data, names, websocket)
    _add_differences(data, names, url, own)
    return url


def _addresses(data: RequestData, names: dict[bytes, bytes], where: bytes) -> bool:
    """Whether the client addressed the host that the request goes to, in Host and in :authority."""
    if data.authority and data.authority != where and data.http_version in _MULTIPLEXED:
        return False
    return names.get(b"host", where) == where


def _built_url(data: RequestData, names: dict[bytes, bytes], websocket: bool) -> str:
    if data.method.upper() == b"CONNECT":
        authority = data.authority.decode("utf-8", "surrogateescape") or f"{data.host}:{data.port}"
        return f"https://{_percent_encoded(authority, keep_host=True)}/"
    scheme = data.scheme.decode("latin-1")
    addressed = (data.authority if data.http_version in _MULTIPLEXED else b"") or names.get(b"host", b"")
    host, port = data.host, data.port
    if addressed:
        host, given = urls.parse_authority(addressed, check=False)
        port = given if given is not None else urls.default_port(scheme) or 443
    where = urls.hostport(scheme, host, port)
    path = "" if data.path == b"*" else _NOT_VISIBLE.sub(_percent, data.path).decode()
    shown = _WEBSOCKET.get(data.scheme, scheme) if websocket else scheme
    return f"{_percent_encoded(shown)}://{_percent_encoded(where, keep_host=True)}{path}"


def _add_differences(data: RequestData, names: dict[bytes, bytes], url: str, own: Json) -> None:
    """Note every fact of the request that is another one after the URL has been parsed."""
    try:
        scheme, host, port, path = urls.parse(url)
    except ValueError:
        scheme, host, port, path = UNPARSED
        own["host"], own["port"] = data.host, data.port
    authority = b""
    if data.method.upper() == b"CONNECT":
        scheme = path = b""
        authority = f"[{host}]:{port}".encode() if ":" in host else b"%b:%d" % (urls.host_to_ascii(host), port)
    elif data.http_version in _MULTIPLEXED and b"host" not in names:
        authority = urls.authority_to_ascii(urls.hostport(scheme, host, port))
    if data.authority != authority:
        own["authority"] = data.authority.decode("latin-1")
    scheme = {b"ws": b"http", b"wss": b"https"}.get(scheme, scheme)
    if (host, port) != (data.host, data.port):
        own["host"], own["port"] = data.host, data.port
    for name, found in (("scheme", scheme), ("path", path), ("method", data.method.upper() or b"GET")):
        value = getattr(data, name)
        if value != found:
            own[name] = value.decode("latin-1")


def _percent_encoded(text: str, keep_host: bool = False) -> str:
    """Only visible ASCII: the rest percent-encoded, or for a host in its IDNA form where it has one."""
    if text.isascii():
        raw = text.encode()
    elif keep_host:
        try:
            raw = urls.authority_to_ascii(text)
        except ValueError:
            raw = text.encode("utf-8", "replace")
    else:
        raw = text.encode("utf-8", "replace")
    return _NOT_VISIBLE.sub(_percent, raw).decode()


def _percent(match: re.Match[bytes]) -> bytes:
    return b"%%%02X" % ord(match[0])


def _pairs(pairs: Iterable[tuple[str, str]]) -> list[Json]:
    return [{"name": name, "value": value} for name, value in pairs]


def _query_string(path: bytes) -> list[Json]:
    query = path.partition(b"#")[0].partition(b"?")[2].decode("utf-8", "surrogateescape")
    pairs = urls.decode_query(query)
    return _pairs([(_text(name), _text(value)) for name, value in pairs])


def _text(text: str) -> str:
    """Text without lone surrogates: their bytes stay percent-encoded."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return re.sub("[\ud800-\udfff]+", _percent_surrogates, text)
    return text


def _percent_surrogates(match: re.Match[str]) -> str:
    try:
        return _NOT_VISIBLE.sub(_percent, match[0].encode("utf-8", "surrogateescape")).decode()
    except UnicodeEncodeError:
        return "\N{REPLACEMENT CHARACTER}" * len(match[0])


# -- headers and cookies ----------------------------------------------------------------------------------------------


def _header_list(fields: Fields, own: Json) -> tuple[list[Json], int]:
    """(the ``headers`` list, the size of the fields on an HTTP/1 wire).

    Headers that are not UTF-8 are written as latin-1; their places go into ``own``, for the way back.
    """
    size = sum([len(name) + len(value) for name, value in fields]) + 4 * len(fields)
    try:
        return [{"name": name.decode(), "value": value.decode()} for name, value in fields], size
    except UnicodeDecodeError:
        own["latin1"] = [place for place, pair in enumerate(fields) if not _is_utf8(pair)]
    charsets = ["latin-1" if place in own["latin1"] else "utf-8" for place in range(len(fields))]
    texts = [(name.decode(how), value.decode(how)) for (name, value), how in zip(fields, charsets, strict=True)]
    return _pairs(texts), size


def _is_utf8(pair: tuple[bytes, bytes]) -> bool:
    try:
        return all(part.decode() is not None for part in pair)
    except UnicodeDecodeError:
        return False


def _request_cookies(fields: Fields) -> list[Json]:
    return _pairs(
        [
            (name, value)
            for header, text in fields
            if header.lower() == b"cookie"
            for name, value in cookies.parse_cookie_header(text.decode("utf-8", "replace"))
        ]
    )


def _response_cookies(fields: Fields, received: float) -> list[Json]:
    headers = [text.decode("utf-8", "replace") for name, text in fields if name.lower() == b"set-cookie"]
    return [_cookie(cookie, received) for header in headers for cookie in cookies.parse_set_cookie(header)]


def _cookie(cookie: cookies.SetCookie, received: float) -> Json:
    """A cookie as HAR 1.2 has it, with only the attributes that it was given, and ``sameSite`` as Chrome adds it."""
    given = {name.lower(): value for name, value in cookie.attributes}
    made: Json = {"name": cookie.name, "value": cookie.value or ""}
    for name in ("path", "domain"):
        if given.get(name):
            made[name] = given[name]
    expires = cookies.expires_iso8601(cookie.attributes, received)
    if expires is not None:
        made["expires"] = expires
    made["httpOnly"], made["secure"] = "httponly" in given, "secure" in given
    if given.get("samesite"):
        made["sameSite"] = given["samesite"]
    return made


# -- bodies -----------------------------------------------------------------------------------------------------------


def _body_text(body: bytes, content_type: str) -> Json:
    """``text``, with ``encoding`` base64 where the body is not text that would come back byte for byte."""
    text = _as_text(body, content_type)
    if text is not None:
        return {"text": text}
    return {"text": binascii.b2a_base64(body, newline=False).decode(), "encoding": "base64"}


def _as_text(body: bytes, content_type: str) -> str | None:
    if mostly_binary(body):
        return None
    charset = content_coding.infer_charset(content_type, body).lower()
    try:
        if charset in ("utf-8", "utf8", "utf-8-sig"):
            return body.decode()
        text = content_coding.text_decode(body, charset)
        # Only latin-1 for want of anything better needs no proof: each byte is a character.
        certain = charset == "latin-1" or (encode_body(text, content_type) == body and _text(text) == text)
        return text if certain else None
    except ValueError:
        return None


def mostly_binary(body: bytes) -> bool:
    """Whether a body looks like no text, judged by its first hundred bytes.

    Text has more than 70 % ASCII, or, beside at most 5 % of control characters, is valid UTF-8 (so Chinese is text).
    """
    sample = body[:_SAMPLE]
    if not sample:
        return False
    controls = len(sample) - len(sample.translate(None, _CONTROLS))
    high = len(sample) - len(sample.translate(None, _HIGH))
    if len(sample) - controls - high > 0.7 * len(sample):
        return False
    return controls >= 0.05 * len(sample) or not _begins_with_utf8(body)


def _begins_with_utf8(body: bytes) -> bool:
    """The sample may end inside of a character, which has four bytes at most."""
    for end in range(_SAMPLE, _SAMPLE + 4):
        try:
            body[:end].decode()
        except UnicodeDecodeError:
            continue
        return True
    return False


def _post_data(body: bytes, names: dict[bytes, bytes]) -> Json:
    """``postData`` of a body that is not empty, with the fields of forms as params."""
    content_type = names.get(b"content-type", b"").decode("utf-8", "replace")
    lower = content_type.lower()
    params: list[Any] = []
    if "application/x-www-form-urlencoded" in lower:
        params = _pairs([(_text(name), _text(value)) for name, value in forms.decode_urlencoded(body)])
    elif "multipart/form-data" in lower:
        params = _multipart(content_type, body)
    return {"mimeType": content_type, **_body_text(body, content_type), "params": params}


def _multipart(content_type: str, body: bytes) -> list[dict[str, str]]:
    try:
        parts = forms.parts(content_type, body)
    except ValueError:
        return []
    return [_param(part) for part in parts if part.name is not None]


def _param(part: forms.Part) -> dict[str, str]:
    """A field with its value, a file with its name and type: its content is in the text already."""
    param = {"name": _text(part.name or "")}
    if part.filename is None:
        param["value"] = _text(part.content.decode("utf-8", "surrogateescape"))
    else:
        param["fileName"] = _text(part.filename)
    if part.content_type:
        param["contentType"] = _text(part.content_type)
    return param
