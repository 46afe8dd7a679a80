"""From the values of a HAR entry to those of the model: numbers, dates, versions, headers, bodies.

HARs come from a dozen tools and from strangers, so any value may be of any type. Each function here takes every value
that JSON can hold and gives a value of the right type, or the default; none raises.
"""

from __future__ import annotations

import binascii
import re
from functools import lru_cache
from typing import Any

from flowdump.http import content_coding
from flowdump.http.headers import Fields

#: (scheme, host, port, path) of a URL of our own export that cannot be parsed: a script has set the host to nonsense.
UNPARSED = (b"http", "", 80, b"/")

#: Larger amounts are no times in milliseconds, no ports and no status codes; they would only overflow somewhere.
_LARGEST = 1e15
#: As much of a text is searched for what a document says of its own charset; charsets.infer_charset looks at as much.
_SNIFFED = 65536

#: More of a Content-Type is not searched for a boundary, which has 70 characters at most (RFC 2046 section 5.1.1).
_LONGEST_TYPE = 1000

#: Content codings that mean "this text is decoded", because a tool that could not undo them could not have made text.
_CODINGS = frozenset(("gzip", "x-gzip", "deflate", "br", "zstd", "identity", "none", ""))

_VERSIONS = {
    "http/0.9": b"HTTP/0.9",
    "http/1.0": b"HTTP/1.0",
    "http/1.1": b"HTTP/1.1",
    "http/2": b"HTTP/2.0",
    "http/2.0": b"HTTP/2.0",
    "http/3": b"HTTP/3",
    "http/3.0": b"HTTP/3",
    "h2": b"HTTP/2.0",
    "h2c": b"HTTP/2.0",
    "h3": b"HTTP/3",
}

# -- plain values -----------------------------------------------------------------------------------------------------


def as_dict(value: Any) -> dict[str, Any]:
    return value if type(value) is dict else {}


def as_text(value: Any, default: str = "") -> str:
    return value if type(value) is str else default


def as_number(value: Any) -> float | None:
    """A finite number of a sensible size, None for anything else (booleans, numbers in quotes, NaN)."""
    if (type(value) is float or type(value) is int) and -_LARGEST < value < _LARGEST:
        return float(value)
    return None


def as_int(value: Any) -> int | None:
    """A whole number, also when it is written as 200.0 or in quotes."""
    if type(value) is str and re.fullmatch("-?[0-9]{1,9}", value):
        return int(value)
    number = as_number(value)
    return int(number) if number is not None and number == int(number) else None


def to_bytes(text: str) -> bytes:
    """UTF-8; lone surrogates become the bytes they stand for, or their three-byte form where they stand for none."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def clean(value: Any) -> Any:
    """The same text, or the same tree, with each lone surrogate replaced by ``?``: flow files hold UTF-8."""
    if type(value) is str:
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if type(value) is list:
        return [clean(item) for item in value]
    return {clean(key): clean(item) for key, item in value.items()} if type(value) is dict else value


# -- dates ------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _datetime() -> Any:
    """``datetime``, imported when the first HAR is read."""
    import datetime

    return datetime.datetime, datetime.UTC


def as_timestamp(value: Any) -> tuple[float | None, bool]:
    """(Unix seconds or None, whether the date said its time zone).

    ISO 8601 in the many spellings that Python reads; without a zone it is taken for UTC. Numbers are Unix seconds or
    milliseconds.
    """
    if type(value) is not str:
        number = as_number(value)
        return (number / 1000 if number is not None and number > 1e11 else number), True
    parse, utc = _datetime()
    try:
        moment = parse.fromisoformat(value)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=utc).timestamp(), False
        return moment.timestamp(), True
    except (ValueError, OverflowError):
        return None, True


# -- start lines ------------------------------------------------------------------------------------------------------


def as_version(value: Any) -> bytes:
    """A protocol as HAR writers spell it -> ``HTTP/1.1`` and the like; ``b""`` for what says nothing (``""``, null)."""
    if type(value) is not str:
        return b""
    text = value.lower()
    known = _VERSIONS.get(text)
    if known is not None or not text:
        return known or b""
    if text.startswith(("h3-", "http/3", "quic", "http/2+quic")):
        return b"HTTP/3"
    return b"HTTP/2.0" if text.startswith("http/2") else b""


def method_bytes(value: Any) -> bytes:
    return to_bytes(value) if type(value) is str and value else b"GET"


# -- headers ----------------------------------------------------------------------------------------------------------


def header_fields(value: Any, latin1: Any = None) -> Fields:
    """Header pairs as bytes, order, case and repetition kept; items that are no header are left out.

    Items are ``{"name": ..., "value": ...}`` or, as Slack writes them, ``[name, value]``. ``latin1`` lists the places
    of those that are to become latin-1 (see har_write).
    """
    try:
        # The usual list. An odd item raises one of these, and the items are looked at one by one.
        pairs = tuple([(item["name"].encode(), item["value"].encode()) for item in value])
    except (TypeError, KeyError, AttributeError, UnicodeEncodeError):
        return _odd_fields(value, latin1)
    return _odd_fields(value, latin1) if latin1 else pairs


def _odd_fields(value: Any, latin1: Any) -> Fields:
    if type(value) is dict:  # {"Host": "a"}: not HAR, but what some scripts write
        value = [[name, text] for name, text in value.items()]
    if type(value) is not list:
        return ()
    places = latin1 if type(latin1) is list else ()
    pairs = [_header(item, "latin-1" if place in places else "utf-8") for place, item in enumerate(value)]
    return tuple([pair for pair in pairs if pair is not None])


def _header(item: Any, charset: str) -> tuple[bytes, bytes] | None:
    if type(item) is dict:
        name, value = item.get("name"), item.get("value")
    elif type(item) is list and len(item) >= 2:
        name, value = item[0], item[1]
    else:
        return None
    if type(value) in (int, float):
        value = str(value)
    if type(name) is not str or not (value is None or type(value) is str):
        return None
    try:
        return name.encode(charset), (value or "").encode(charset)
    except UnicodeEncodeError:
        return to_bytes(name), to_bytes(value or "")


def is_understood(content_encoding: str) -> bool:
    """Whether a Content-Encoding lists only codings that the writer of the HAR has undone."""
    return content_encoding in _CODINGS or all(
        name.strip(" \t").lower() in _CODINGS for name in content_encoding.split(",")
    )


# -- bodies -----------------------------------------------------------------------------------------------------------


def from_base64(text: str) -> bytes:
    """Base64 with foreign characters skipped and padding mended; a last character that cannot be is dropped."""
    data = to_bytes(text)
    try:
        return binascii.a2b_base64(data)
    except binascii.Error:
        digits = re.sub(rb"[^A-Za-z0-9+/]", b"", data)
        if len(digits) % 4 == 1:
            digits = digits[:-1]
        return binascii.a2b_base64(digits + b"=" * (-len(digits) % 4))


def encode_body(text: str, content_type: str) -> bytes:
    """The bytes of a body's text, in the charset from which ``Message.get_text`` would read it; else in UTF-8."""
    charset = content_coding.infer_charset(content_type, text[:_SNIFFED].encode("utf-8", "replace"))
    return (charset != "utf-8-sig" and _encoded(text, charset)) or to_bytes(text)  # the mark is in the text already


def _encoded(text: str, charset: str) -> bytes | None:
    try:
        return content_coding.text_encode(text, charset)
    except ValueError:  # the text does not fit, or the charset is unknown
        return None


def response_body(content: dict[str, Any], content_type: str) -> bytes | None:
    """The decoded body of ``response.content``; None where it says null, which is: there was one, but not here."""
    text = content.get("text", "")
    if type(text) is not str:
        return None if text is None else b""
    if not text:
        return b""
    how = content.get("encoding")
    if type(how) is str and how:
        if how.lower() == "base64":
            return from_base64(text)
        return _encoded(text, how) or encode_body(text, content_type)
    return encode_body(text, content_type)


def request_body(post_data: dict[str, Any], content_type: str) -> bytes:
    """The body of ``request.postData``: its text, or what its params were made from."""
    text = post_data.get("text")
    if type(text) is str and text:
        if as_text(post_data.get("encoding")).lower() == "base64":
            return from_base64(text)
        return encode_body(text, content_type or as_text(post_data.get("mimeType")))
    params = post_data.get("params")
    if type(params) is list and params:
        return _from_params(params, content_type or as_text(post_data.get("mimeType")))
    return b""


def _from_params(params: list[Any], content_type: str) -> bytes:
    items = [item for item in params if type(item) is dict and type(item.get("name")) is str]
    boundary = re.search(r'(?i)multipart/form-data.*?;\s*boundary="?([^";]+)', content_type[:_LONGEST_TYPE])
    if boundary:
        return b"".join([_part(item, to_bytes(boundary[1])) for item in items]) + b"--%b--\r\n" % to_bytes(boundary[1])
    from flowdump.http import urls

    pairs = [(item["name"], as_text(item.get("value"))) for item in items]
    try:
        return urls.encode_query(pairs).encode()
    except ValueError:
        return urls.encode_query([(_mended(name), _mended(value)) for name, value in pairs]).encode()


def _mended(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def _part(item: dict[str, Any], boundary: bytes) -> bytes:
    """One part of a multipart/form-data body (RFC 7578 section 4.2)."""
    lines = [b"--%b" % boundary, b'Content-Disposition: form-data; name="%b"' % _quotable(item["name"])]
    if type(item.get("fileName")) is str:
        lines[1] += b'; filename="%b"' % _quotable(item["fileName"])
    if type(item.get("contentType")) is str:
        lines.append(b"Content-Type: " + to_bytes(re.sub("[\r\n]", " ", item["contentType"])))
    return b"\r\n".join([*lines, b"", to_bytes(as_text(item.get("value"))), b""])


def _quotable(text: str) -> bytes:
    """As browsers escape names (WHATWG HTML 4.10.21.8)."""
    return to_bytes(text).replace(b"\r", b"%0D").replace(b"\n", b"%0A").replace(b'"', b"%22")
