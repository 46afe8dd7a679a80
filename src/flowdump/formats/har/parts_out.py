"""Parts of a HAR entry that need decisions: URLs, headers, cookies, queries and bodies, as JSON text."""

from __future__ import annotations

import binascii
import json
import re
from json.encoder import encode_basestring as quote
from typing import TYPE_CHECKING, Any

from flowdump.formats.har.values_in import UNPARSED, Fields, encode_body
from flowdump.http import content_coding, cookies, forms, urls

if TYPE_CHECKING:
    from flowdump.http.flow import RequestData

_MULTIPLEXED = (b"HTTP/2.0", b"HTTP/3")
_WEBSOCKET = {b"http": "ws", b"https": "wss"}
_PLAIN_HOST = re.compile(r"[a-z0-9_.-]{1,253}").fullmatch
_PLAIN_PATH = re.compile(rb"/[!-~]*").fullmatch
_NOT_VISIBLE = re.compile(rb"[^!-~]")

#: Bytes that no text of a single-byte charset or UTF-8 holds, and those that UTF-8 (or one of the former) may hold.
_CONTROLS = bytes([*range(9), *range(14, 32)])
_HIGH = bytes(range(127, 256))
_SAMPLE = 100

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def dumps(value: Any) -> str:
    """JSON without blanks. Raises ValueError for NaN, cycles and too deep a nesting, TypeError for what JSON lacks."""
    try:
        return _encode(value)
    except RecursionError:
        raise ValueError("nested too deeply") from None


# -- URLs -------------------------------------------------------------------------------------------------------------


def url_of(data: RequestData, names: dict[bytes, bytes], websocket: bool, own: dict[str, Any]) -> str:
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
        return f"https://{percent_encoded(authority, keep_host=True)}/"
    scheme = data.scheme.decode("latin-1")
    addressed = (data.authority if data.http_version in _MULTIPLEXED else b"") or names.get(b"host", b"")
    host, port = data.host, data.port
    if addressed:
        host, given = urls.parse_authority(addressed, check=False)
        port = given if given is not None else urls.default_port(scheme) or 443
    where = urls.hostport(scheme, host, port)
    path = "" if data.path == b"*" else _NOT_VISIBLE.sub(_percent, data.path).decode()
    shown = _WEBSOCKET.get(data.scheme, scheme) if websocket else scheme
    return f"{percent_encoded(shown)}://{percent_encoded(where, keep_host=True)}{path}"


def _add_differences(data: RequestData, names: dict[bytes, bytes], url: str, own: dict[str, Any]) -> None:
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


def percent_encoded(text: str, keep_host: bool = False) -> str:
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


def query_string(path: bytes) -> str:
    query = path.partition(b"#")[0].partition(b"?")[2].decode("utf-8", "surrogateescape")
    pairs = urls.decode_query(query)
    return _pairs([(_text(name), _text(value)) for name, value in pairs])


def _pairs(pairs: list[tuple[str, str]]) -> str:
    return ",".join([f'{{"name":{quote(name)},"value":{quote(value)}}}' for name, value in pairs])


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


def header_list(fields: Fields, own: dict[str, Any]) -> tuple[str, int]:
    """(the items of a ``headers`` list, their size on an HTTP/1 wire).

    Headers that are not UTF-8 are written as latin-1; their places go into ``own``, for the way back.
    """
    size = sum([len(name) + len(value) for name, value in fields]) + 4 * len(fields)
    try:
        return ",".join(
            [f'{{"name":{quote(name.decode())},"value":{quote(value.decode())}}}' for name, value in fields]
        ), size
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


def request_cookies(fields: Fields) -> str:
    return _pairs(
        [
            (name, value)
            for header, text in fields
            if header.lower() == b"cookie"
            for name, value in cookies.parse_cookie_header(text.decode("utf-8", "replace"))
        ]
    )


def response_cookies(fields: Fields, received: float) -> str:
    headers = [text.decode("utf-8", "replace") for name, text in fields if name.lower() == b"set-cookie"]
    return ",".join(
        [dumps(_cookie(cookie, received)) for header in headers for cookie in cookies.parse_set_cookie(header)]
    )


def _cookie(cookie: cookies.SetCookie, received: float) -> dict[str, Any]:
    """A cookie as HAR 1.2 has it, with only the attributes that it was given, and ``sameSite`` as Chrome adds it."""
    given = {name.lower(): value for name, value in cookie.attributes}
    made: dict[str, Any] = {"name": cookie.name, "value": cookie.value or ""}
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


def body_text(body: bytes, content_type: str) -> str:
    """``"text":...``, with ``,"encoding":"base64"`` where the body is not text that would come back byte for byte."""
    text = _as_text(body, content_type)
    if text is not None:
        return f'"text":{quote(text)}'
    return f'"text":"{binascii.b2a_base64(body, newline=False).decode()}","encoding":"base64"'


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


def post_data(body: bytes, names: dict[bytes, bytes]) -> str:
    """``,"postData":{...}`` for a body that is not empty, with the fields of forms as params."""
    content_type = names.get(b"content-type", b"").decode("utf-8", "replace")
    lower = content_type.lower()
    params = "[]"
    if "application/x-www-form-urlencoded" in lower:
        pairs = forms.decode_urlencoded(body)
        params = f"[{_pairs([(_text(name), _text(value)) for name, value in pairs])}]"
    elif "multipart/form-data" in lower:
        params = dumps(_multipart(content_type, body))
    return f',"postData":{{"mimeType":{quote(content_type)},{body_text(body, content_type)},"params":{params}}}'


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
