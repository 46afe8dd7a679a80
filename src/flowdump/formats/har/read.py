"""HTTP Archives (HAR 1.2, http://www.softwareishard.com/blog/har-12-spec/) as flows.

How it works. The entries come one by one from :mod:`flowdump.formats.har.json_array`; each becomes a flow with the
tolerance of :mod:`flowdump.formats.har.values_in`, because no two tools write the same HAR. Only an entry without a
request, or whose request has no URL, is skipped; whatever else is missing has a default.

What deserves to be known of the result:

* Headers stay as they were recorded, pseudo headers included. A Content-Encoding that the writer of the HAR has
  undone (any known one) is dropped, since the body is stored decoded, and a Content-Length that does not fit its body
  is corrected.
* Times follow the timings: ``startedDateTime`` + blocked + dns + connect + send is the end of the request, + wait the
  start of the response, + receive its end. A date without a time zone is taken for UTC.
* Status 0, which is what browsers write for a failed request, means no response but an error. ``_error`` beside a
  response is kept.
* ``ws:`` and ``wss:`` become ``http`` and ``https``, with ``flow.websocket`` set where the upgrade succeeded or
  messages were recorded.
* ``_flowdump`` is our own: what our export has no other place for (:mod:`flowdump.formats.har.extension`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from flowdump.exceptions import FlowFileError
from flowdump.flow import Error
from flowdump.formats.flowfile.reader import Problem
from flowdump.formats.har import json_array
from flowdump.formats.har.network_in import Moments, client, server
from flowdump.formats.har.values_in import (
    UNPARSED,
    as_dict,
    as_int,
    as_number,
    as_text,
    as_version,
    clean,
    header_fields,
    is_understood,
    method_bytes,
    request_body,
    response_body,
    to_bytes,
)
from flowdump.formats.har.websocket import websocket_data
from flowdump.http import urls
from flowdump.http.flow import HTTPFlow, Request, RequestData, Response, ResponseData
from flowdump.http.headers import Fields, Headers
from flowdump.http.status_codes import RESPONSES

#: For compressed HARs: what a few hundred kilobytes can expand to must not fill the memory of a small machine.
MAX_PACKED_ENTRY: Final = 1 << 28
#: URLs of what no host has served: ``data:``, ``blob:``, ``about:``, ``file:///``, ...
_HOSTLESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:(?!//[^/?#])").match
_HTTP = {b"ws": b"http", b"wss": b"https"}


class HarProblem(Problem):
    """A place in a HAR that was left out: byte offset, the reason in words, and ``entry``, the entry's place in
    ``log.entries`` from 0 on, None where it is no single entry.
    """

    entry: int | None

    def __new__(cls, offset: int, reason: str, index: int | None = None) -> HarProblem:
        problem = super().__new__(cls, offset, reason if index is None else f"entry {index}: {reason}")
        problem.entry = index
        return problem


class BadEntry(ValueError):
    """An entry that cannot be a flow; the text says why."""


class _Hostless(BadEntry):
    """An entry about something that did not come over the network. Skipping it is no damage."""


def read_har(
    chunks: Iterable[bytes],
    report: Callable[[Problem], None],
    notice: Callable[[HarProblem], None] | None = None,
    *,
    max_entry: int = json_array.MAX_ELEMENT,
) -> Iterator[HTTPFlow]:
    """The flows of a HAR, one by one, in the order of its entries.

    ``chunks`` are the bytes of the document (see ``inflate_chunks`` for compressed ones). ``report`` is told, as a
    HarProblem, of every damaged place, and of every entry that is skipped for it. ``notice`` is told of what is no
    damage: a skipped entry whose URL names no host, and (once) a date without a time zone or without sense.
    ``max_entry`` is the most characters that an entry may have; for compressed input MAX_PACKED_ENTRY is right.

    Raises FlowFileError when this is no HAR: no JSON object, or one without ``log.entries``. Nothing else, whatever
    the bytes.
    """
    said: set[str] = set()

    def once(reason: str) -> None:
        if notice is not None and reason not in said:
            said.add(reason)
            notice(HarProblem(entries.offset, reason, entries.index))

    def damage(index: int | None, offset: int, reason: str) -> None:
        report(HarProblem(offset, reason, index))

    entries = json_array.ArrayElements(chunks, ("log", "entries"), damage, max_element=max_entry)
    try:
        for entry in entries:
            try:
                flow = flow_from_entry(entry, once)
            except _Hostless as reason:
                if notice is not None:
                    notice(HarProblem(entries.offset, str(reason), entries.index))
            except BadEntry as reason:
                report(HarProblem(entries.offset, str(reason), entries.index))
            else:
                yield flow
    except json_array.JsonStreamError as error:
        raise FlowFileError(f"this is no HAR: {error}", offset=error.offset) from None


def inflate_chunks(chunks: Iterable[bytes], report: Callable[[Problem], None] | None = None) -> Iterator[bytes]:
    """The plain bytes of a compressed HAR (``.zhar``, zlib, gzip), in pieces of at most 256 KiB.

    Damage ends the bytes and is reported; the offset counts compressed bytes.
    """
    read = 0

    def counted() -> Iterator[bytes]:
        nonlocal read
        for chunk in chunks:
            read += len(chunk)
            yield chunk

    def damage(reason: str) -> None:
        if report is not None:
            report(HarProblem(read, reason))

    return json_array.inflate_chunks(counted(), damage)


# -- one entry --------------------------------------------------------------------------------------------------------


def flow_from_entry(entry: Any, notice: Callable[[str], None]) -> HTTPFlow:
    """The flow of one element of ``log.entries``, as ``json.loads`` gives it. Raises BadEntry."""
    if type(entry) is not dict:
        raise BadEntry("it is not an object")
    recorded = entry.get("request")
    if type(recorded) is not dict:
        raise BadEntry("it has no request" if recorded is None else "its request is not an object")
    response = as_dict(entry.get("response"))
    extra = as_dict(entry.get("_flowdump"))
    moments = Moments(entry, as_dict(extra.get("times")), notice)
    # The protocol of both messages; one that says nothing has that of the other.
    asked, answered = as_version(recorded.get("httpVersion")), as_version(response.get("httpVersion"))
    versions = asked or answered or b"HTTP/1.1", answered or asked or b"HTTP/1.1"
    websocket, request = _request(recorded, as_dict(extra.get("request")), versions[0], moments)
    flow = HTTPFlow(client(entry, request, moments), server(entry, request, moments))
    flow.request = Request.from_data(request)
    status = as_int(response.get("status"))
    if status is not None and 1 <= status <= 999:
        own = as_dict(extra.get("response"))
        version = versions[1]
        data = ResponseData()
        data.http_version = version
        data.timestamp_start, data.timestamp_end = moments.response_start, moments.response_end
        fields = header_fields(response.get("headers"), own.get("latin1"))
        names = {name.lower(): value for name, value in fields}
        content_type = names.get(b"content-type", b"").decode("utf-8", "surrogateescape")
        body = response_body(as_dict(response.get("content")), content_type)
        _set_message(data, fields, names, body, own)
        answer = data
        answer.status_code = status
        answer.reason = _reason(response.get("statusText"), status)
        flow.response = Response.from_data(answer)
    flow.error = _error(entry, flow, extra, moments)
    websocket = websocket or entry.get("_resourceType") == "websocket"
    flow.websocket = websocket_data(entry, extra.get("websocket"), flow, websocket)
    _set_remarks(flow, entry, extra)
    return flow


def _set_remarks(flow: HTTPFlow, entry: dict[str, Any], extra: dict[str, Any]) -> None:
    comment = entry.get("comment")
    if comment and type(comment) is str:
        flow.comment = clean(comment)
    if not extra:
        return
    flow.marked = clean(as_text(extra.get("marked")))
    flow.metadata = clean(as_dict(extra.get("metadata")))
    if extra.get("is_replay") in ("request", "response"):
        flow.is_replay = extra["is_replay"]


def _error(entry: dict[str, Any], flow: HTTPFlow, extra: dict[str, Any], moments: Moments) -> Error | None:
    response = entry.get("response")
    message = as_text(as_dict(response).get("_error")) or as_text(entry.get("_error"))
    timestamp = as_number(extra.get("error"))
    if not message and timestamp is None:
        if "error" in extra or flow.response is not None or type(response) is not dict:
            return None
        message = "no response was recorded"
    return Error(clean(message), moments.last if timestamp is None else timestamp)


# -- request and response ---------------------------------------------------------------------------------------------


def _request(
    recorded: dict[str, Any], own: dict[str, Any], version: bytes, moments: Moments
) -> tuple[bool, RequestData]:
    """(whether the URL says WebSocket, the request)."""
    data = RequestData()
    data.http_version = version
    data.method = method_bytes(recorded.get("method"))
    data.timestamp_start, data.timestamp_end = moments.start, moments.request_end
    scheme, data.host, data.port, data.path = _target(recorded.get("url"), own)
    data.scheme = _HTTP.get(scheme, scheme)
    data.authority = b""
    fields = header_fields(recorded.get("headers"), own.get("latin1"))
    names = {name.lower(): value for name, value in fields}
    body = b""
    post_data = recorded.get("postData")
    if type(post_data) is dict:
        body = request_body(post_data, names.get(b"content-type", b"").decode("utf-8", "surrogateescape"))
    _set_message(data, fields, names, body, own)
    if data.method.upper() == b"CONNECT":
        data.scheme = data.path = b""
        data.authority = urls.host_to_ascii(f"[{data.host}]" if ":" in data.host else data.host) + b":%d" % data.port
    elif version in (b"HTTP/2.0", b"HTTP/3") and b"host" not in names:
        data.authority = urls.authority_to_ascii(urls.hostport(data.scheme, data.host, data.port))
    if own:
        _set_own_target(data, own)
    return scheme in _HTTP, data


def _target(url: Any, own: dict[str, Any]) -> tuple[bytes, str, int, bytes]:
    if type(url) is not str:
        raise BadEntry("its request has no URL")
    try:
        return urls.parse(url if not url.startswith("//") else "http:" + url)
    except ValueError as error:
        if type(own.get("host")) is str:  # we exported it, and say below what it was
            return UNPARSED
        if _HOSTLESS(url.strip()):
            raise _Hostless(f"it is skipped, its URL names no host: {url[:60]}") from None
        raise BadEntry(str(error)) from None


def _set_own_target(data: RequestData, own: dict[str, Any]) -> None:
    """The facts of a request that its URL does not tell (see har_extra); bytes are written as latin-1."""
    host, port = own.get("host"), as_int(own.get("port"))
    if type(host) is str:
        data.host = clean(host)
    if port is not None and 0 <= port <= 65535:
        data.port = port
    for name in ("scheme", "path", "authority", "method"):
        value = own.get(name)
        if type(value) is str:
            setattr(
                data,
                name,
                to_bytes(value) if not (value.isascii() or max(value) <= "\xff") else value.encode("latin-1"),
            )


def _reason(text: Any, status: int) -> bytes:
    if type(text) is not str:
        return RESPONSES.get(status, "").encode()
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return to_bytes(text)


def _set_message(
    data: RequestData | ResponseData, fields: Fields, names: dict[bytes, bytes], body: bytes | None, own: dict[str, Any]
) -> None:
    """Body and headers of a message, made to fit each other."""
    if own and "content" in own:
        body = None
    data.content = body
    if body is not None:
        if b"content-encoding" in names and own.get("encoded") is not True:
            fields = _without_coding(fields)
        length = names.get(b"content-length")
        if length is not None and body and b"transfer-encoding" not in names and length != b"%d" % len(body):
            right = b"%d" % len(body)
            fields = tuple([(name, right if name.lower() == b"content-length" else value) for name, value in fields])
    data.headers = Headers.of(fields)
    data.trailers = None
    if own:
        version, trailers = own.get("http_version"), own.get("trailers")
        if type(version) is str:
            data.http_version = to_bytes(version)
        if type(trailers) is list:
            data.trailers = Headers(header_fields(trailers))


def _without_coding(fields: Fields) -> Fields:
    """Headers without Content-Encoding, where the body is not encoded any more."""
    codings = [value for name, value in fields if name.lower() == b"content-encoding"]
    if not is_understood(b",".join(codings).decode("latin-1")):
        return fields
    return tuple([pair for pair in fields if pair[0].lower() != b"content-encoding"])
