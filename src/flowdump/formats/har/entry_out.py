"""One flow as one entry of a HAR 1.2 document.

How it works. JSON is put together by hand: a fixed frame per part, filled with strings that json's own C function has
quoted. That is half the time of building dictionaries and encoding them, and it keeps the keys in the order in which
the specification prints them. What needs decisions is elsewhere: bodies, cookies and URLs in
:mod:`flowdump.formats.har.parts_out`, times and connections in :mod:`flowdump.formats.har.network_out`, and what HAR
has no place for in :mod:`flowdump.formats.har.extension`.

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

from json.encoder import encode_basestring as quote
from typing import TYPE_CHECKING, Any

from flowdump.formats.har import extension
from flowdump.formats.har.network_out import Timings, iso_date, microseconds, network
from flowdump.formats.har.parts_out import (
    body_text,
    dumps,
    header_list,
    percent_encoded,
    post_data,
    query_string,
    request_cookies,
    response_cookies,
    url_of,
)

if TYPE_CHECKING:
    from flowdump.http.flow import HTTPFlow, Request, Response

_COMPRESSED_HEADS = (b"HTTP/2.0", b"HTTP/3", b"HTTP/2")
#: A response that never came, as Chrome writes it and needs it: without size and mimeType it refuses the whole file.
_NO_RESPONSE = (
    '{"status":0,"statusText":"","httpVersion":"","cookies":[],"headers":[],"content":{"size":0,"mimeType":"x-unknown"},'
    '"redirectURL":"","headersSize":-1,"bodySize":-1,"_transferSize":0%s}'
)
_POOR_ENTRY = (
    '{"startedDateTime":"%s","time":0,"request":{"method":%s,"url":%s,"httpVersion":"","cookies":[],"headers":[],'
    '"queryString":[],"headersSize":-1,"bodySize":-1},"response":%s,"cache":{},'
    '"timings":{"blocked":-1,"dns":-1,"connect":-1,"ssl":-1,"send":0,"wait":0,"receive":0}}'
)
_EMPTY = '""'


def entry_json(flow: HTTPFlow, *, opens_connection: bool = True) -> bytes:
    """The entry of a flow: one JSON object in UTF-8, without line ends. Never fails.

    ``opens_connection`` says whether the times of its server connection belong into this entry: they do for the first
    entry of a connection in a document.
    """
    try:
        extra: dict[str, Any] = {}
        timings = Timings(flow, opens_connection, extra)
        request = _request(flow, extra)
        response = _response(flow, extra)
        extension.add_remarks(flow, extra, timings.last)
        tail = network(flow)
        if flow.websocket is not None:
            tail += extension.websocket_members(flow.websocket, flow.response, extra)
        if flow.comment:
            tail += f',"comment":{quote(str(flow.comment))}'
        if extra:
            tail += f',"_flowdump":{dumps(extra)}'
        text = (
            f'{{"startedDateTime":"{timings.started}","time":{timings.time},"request":{request},"response":{response},'
            f'"cache":{{}},"timings":{timings.json}{tail}}}'
        )
    except Exception as error:  # a value of a wrong type can be anywhere in a flow and raise anything
        text = _poor_entry(flow, error)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _request(flow: HTTPFlow, extra: dict[str, Any]) -> str:
    request = flow.request
    data = request.data
    fields = data.headers.fields
    own: dict[str, Any] = {}
    headers, head_size = header_list(fields, own)
    names = {name.lower(): value for name, value in fields}
    url = url_of(data, names, flow.websocket is not None, own)
    extension.add_message(data, own)
    body, _ = _body(request, names, own)
    if own:
        extra["request"] = own
    version = data.http_version
    head_size += len(data.method) + len(data.authority) + len(data.path) + len(version) + 6
    if data.authority and data.method != b"CONNECT":
        head_size += len(data.scheme) + 3
    return (
        f'{{"method":{quote(request.method)},"url":{quote(url)},"httpVersion":{_decoded(version)},'
        f'"cookies":[{request_cookies(fields) if b"cookie" in names else ""}],"headers":[{headers}],'
        f'"queryString":[{query_string(data.path) if b"?" in data.path else ""}],'
        f'"headersSize":{-1 if version in _COMPRESSED_HEADS else head_size},'
        f'"bodySize":{-1 if data.content is None else len(data.content)}'
        f"{post_data(body, names) if body else ''}}}"
    )


def _response(flow: HTTPFlow, extra: dict[str, Any]) -> str:
    message = getattr(flow.error, "msg", None)
    error = f',"_error":{quote(str(message))}' if message else ""
    response = flow.response
    if response is None:
        return _NO_RESPONSE % error
    data = response.data
    fields = data.headers.fields
    own: dict[str, Any] = {}
    headers, head_size = header_list(fields, own)
    names = {name.lower(): value for name, value in fields}
    extension.add_message(data, own)
    content = _content(response, names, own)
    if own:
        extra["response"] = own
    version = data.http_version
    head_size += len(version) + len(data.reason) + 9
    cookies = response_cookies(fields, data.timestamp_start) if b"set-cookie" in names else ""
    return (
        f'{{"status":{max(data.status_code, 0):d},"statusText":{quote(response.reason)},'
        f'"httpVersion":{_decoded(version)},"cookies":[{cookies}],"headers":[{headers}],"content":{content},'
        f'"redirectURL":{_decoded(names[b"location"]) if b"location" in names else _EMPTY},'
        f'"headersSize":{-1 if version in _COMPRESSED_HEADS else head_size},'
        f'"bodySize":{-1 if data.content is None else len(data.content)}{error}}}'
    )


def _content(response: Response, names: dict[bytes, bytes], own: dict[str, Any]) -> str:
    body, wire_size = _body(response, names, own)
    mime_type = names.get(b"content-type", b"").decode("utf-8", "replace")
    if body is None:
        return f'{{"size":0,"mimeType":{quote(mime_type)}}}'
    saved = len(body) - wire_size
    compression = f'"compression":{saved},' if saved > 0 else ""
    return f'{{"size":{len(body)},{compression}"mimeType":{quote(mime_type)},{body_text(body, mime_type)}}}'


def _body(message: Request | Response, names: dict[bytes, bytes], own: dict[str, Any]) -> tuple[bytes | None, int]:
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
    """Bytes of a head as JSON."""
    try:
        return quote(value.decode())
    except UnicodeDecodeError:
        return quote(value.decode("latin-1"))


def _poor_entry(flow: Any, error: Exception) -> str:
    """What can be said of a flow that a script has bent out of shape."""
    data = getattr(getattr(flow, "request", None), "data", None)
    host, path = percent_encoded(_shown(data, "host")), percent_encoded(_shown(data, "path"))
    reason = f"this flow could not be exported: {type(error).__name__}: {error}"[:500]
    return _POOR_ENTRY % (
        iso_date(microseconds(getattr(data, "timestamp_start", None)) or 0),
        quote(_shown(data, "method")),
        quote(f"http://{host}/{path.removeprefix('/')}"),
        _NO_RESPONSE % f',"_error":{quote(reason)}',
    )


def _shown(data: Any, name: str) -> str:
    value = getattr(data, name, "")
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
