"""Plain, current HTTP records to flows; see :mod:`flowdump.formats.flowfile.plain_records`."""

from __future__ import annotations

import re
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from flowdump.connection import Client, Server
from flowdump.formats.flowfile.plain_records.connections import TIME, Unusual, connection_facts
from flowdump.http.flow import HTTPFlow, Request, RequestData, Response, ResponseData
from flowdump.http.headers import Headers

#: Bodies above this are not kept twice: the record is let go, and the flow is written anew.
MAX_KEPT_RECORD: Final = 1 << 20

#: Most header fields repeat from flow to flow. Those of up to this many bytes are looked up in a bounded memory.
MAX_KNOWN: Final = 200

_VERSION = rb"\]12:http_version;(?:8:(?=.{8},)|6:(?=.{6},))(HTTP/(?:\d\.\d|\d)),\}"
_TIMES = rb"13:timestamp_end;(?:0:~|" + TIME + rb")15:timestamp_start;" + TIME
_BODY = rb"8:trailers;0:~7:content;(?:(0:~)|(\d{1,12}):)"

# A record is matched in runs. Between them lies what only a length can step over: bodies, header lists, connections.
_RESPONSE = re.compile(
    rb"(\d{1,12}):9:websocket;0:~8:response;(?:0:~|(\d{1,12}):6:reason;(\d{1,12}):([^,]*),11:status_code;3:(\d{3})#"
    + _TIMES
    + _BODY
    + rb")"
).match
_REQUEST = re.compile(
    rb"(?:"
    + _VERSION
    + rb")?7:request;(\d{1,12}):4:path;(\d{1,12}):([^,]*),9:authority;(\d{1,12}):([^,]*),6:scheme;(\d{1,12}):([^,]*),"
    rb"6:method;(\d{1,12}):([^,]*),4:port;(\d{1,12}):(\d{1,5})#4:host;(\d{1,12}):([!-:<-~]*);" + _TIMES + _BODY
).match
_MIDDLE = re.compile(
    _VERSION
    + rb"6:backup;0:~17:timestamp_created;"
    + TIME
    + rb"7:comment;0:;8:metadata;0:\}6:marked;0:;9:is_replay;0:~"
    rb"11:intercepted;5:false!11:server_conn;(\d{1,12}):"
).match
_CLIENT = re.compile(rb"11:client_conn;(\d{1,12}):").match
_TAIL = re.compile(rb"5:error;0:~2:id;36:([0-9a-f-]{36});4:type;4:http;7:version;2:21#\}").fullmatch

_HEADERS = re.compile(rb",?7:headers;(\d{1,12}):").match
_PAIR = re.compile(rb"(\d{1,12}):(\d{1,12}):([^,]*),(\d{1,12}):(.*)", re.DOTALL).fullmatch


class _Lengths(dict[bytes, int]):
    """``b"4"`` -> 4: the lengths that occur from a table, the others by way of int()."""

    def __missing__(self, digits: bytes) -> int:
        return int(digits)


_LENGTHS: Final = _Lengths({b"%d" % n: n for n in range(1024)})
_length = _LENGTHS.__getitem__
_COMMA = b","[0]

response_facts = attrgetter(*ResponseData.FIELDS, "headers.fields")
request_facts = attrgetter(*RequestData.FIELDS, "headers.fields")


class Origin:
    """The record a flow was decoded from, and the facts of its parts at that time."""

    __slots__ = ("client", "created", "id", "marks", "record", "request", "response", "server")

    record: bytes
    #: Where in the record each part begins: response, request, middle with server, client, tail.
    marks: tuple[int, int, int, int, int]
    response: tuple[Any, ...] | None
    request: tuple[Any, ...]
    server: dict[str, Any]
    client: dict[str, Any]
    id: str
    created: float


def decode(record: bytes) -> HTTPFlow | None:
    """The flow of one whole record (length, payload and tag), None when the record is not of the plain shape."""
    try:
        return _decode(record)
    except Unusual:
        return None


def _decode(record: bytes) -> HTTPFlow:
    begin = _RESPONSE(record)
    if begin is None:
        raise Unusual
    response, at = _decode_response(record, begin)
    found = _REQUEST(record, at)
    if found is None:
        raise Unusual
    response_end = at
    if response is not None:
        response.http_version = found[1]
        response_end = found.end(1) + 2
        _check_size(begin[2], begin.end(2), response_end)
    request, at = _decode_request(record, found)
    middle = _MIDDLE(record, at)
    if middle is None:
        raise Unusual
    request.http_version = middle[1]
    request_end = middle.end(1) + 2
    _check_size(found[2], found.end(2), request_end)
    server_end = middle.end() + int(middle[3]) + 1
    client = _CLIENT(record, server_end)
    if client is None:
        raise Unusual
    client_end = client.end() + int(client[1]) + 1
    tail = _TAIL(record, client_end)
    if tail is None or (begin[2] is None) is not (found[1] is None):
        raise Unusual
    _check_size(begin[1], begin.end(1), len(record))
    origin = Origin()
    origin.record = record
    origin.marks = (begin.end(1) + 1, response_end, request_end, server_end, client_end)
    origin.response = response_facts(response) if response is not None else None
    origin.request = request_facts(request)
    origin.server = connection_facts(Server, record[middle.end() : server_end])
    origin.client = connection_facts(Client, record[client.end() : client_end])
    origin.id, origin.created = str(tail[1], "ascii"), float(middle[2][3:])
    return _flow(origin, response, request)


def _flow(origin: Origin, response: ResponseData | None, request: RequestData) -> HTTPFlow:
    flow = HTTPFlow.__new__(HTTPFlow)
    facts = flow.__dict__
    facts["id"] = origin.id
    facts["request"] = Request.from_data(request)
    facts["response"] = Response.from_data(response) if response is not None else None
    facts["server_conn"] = _connect(Server, origin.server)
    facts["client_conn"] = _connect(Client, origin.client)
    facts["timestamp_created"] = origin.created
    facts["metadata"] = {}
    if len(origin.record) <= MAX_KEPT_RECORD:
        facts["_origin"] = origin
    return flow


def _check_size(said: bytes, digits_end: int, end: int) -> None:
    """A dict that ends, tag included, at ``end`` must be as large as the length in front of it said."""
    if int(said) != end - digits_end - 2:
        raise Unusual


def _decode_response(record: bytes, found: re.Match[bytes]) -> tuple[ResponseData | None, int]:
    """The response, but for its version, and the end of its headers."""
    _, size, reason_length, reason, status, ended, started, no_content, content_size = found.groups()
    if size is None:
        return None, found.end()
    if _length(reason_length) != len(reason):
        raise Unusual
    data = ResponseData()
    data.reason = reason
    data.status_code = int(status)
    data.timestamp_end = float(ended[3:]) if ended is not None else None
    data.timestamp_start = float(started[3:])
    return data, _decode_rest(data, record, found.end(), None if no_content else int(content_size))


def _decode_request(record: bytes, found: re.Match[bytes]) -> tuple[RequestData, int]:
    """The request, but for its version, and the end of its headers."""
    (_, _, path_length, path, authority_length, authority, scheme_length, scheme, method_length, method, port_length,
     port, host_length, host, ended, started, no_content, content_size) = found.groups()  # fmt: skip
    said = map(_length, (path_length, authority_length, scheme_length, method_length, port_length, host_length))
    if list(said) != list(map(len, (path, authority, scheme, method, port, host))):
        raise Unusual
    data = RequestData()
    data.path = path
    data.authority = authority
    data.scheme = scheme
    data.method = method
    data.port = int(port)
    data.host = str(host, "ascii")
    data.timestamp_end = float(ended[3:]) if ended is not None else None
    data.timestamp_start = float(started[3:])
    return data, _decode_rest(data, record, found.end(), None if no_content else int(content_size))


def _decode_rest(data: ResponseData | RequestData, record: bytes, start: int, size: int | None) -> int:
    """Content and headers; where the latter end."""
    data.trailers = None
    content_end = start
    if size is None:
        data.content = None
    else:
        content_end += size
        data.content = record[start:content_end]
    headers = _HEADERS(record, content_end)
    if headers is None or (size is None) is (record[content_end] == _COMMA):
        raise Unusual
    end = headers.end() + int(headers[1])
    blob = record[headers.end() : end]
    known = type(data) is RequestData and len(blob) <= 2048
    data.headers = Headers.of(_known_headers(blob) if known else _decode_headers(blob))
    return end


def _decode_headers(blob: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """The pairs of a header list. A value with ``,]`` inside is cut there, fits no length: the general path."""
    *pairs, rest = blob.split(b",]")
    if rest:
        raise Unusual
    return tuple([_known_pair(pair) if len(pair) <= MAX_KNOWN else _pair(pair) for pair in pairs])


#: A client sends the same header list with most requests on a connection; responses differ in dates and ids.
_known_headers = lru_cache(maxsize=256)(_decode_headers)


def _pair(pair: bytes) -> tuple[bytes, bytes]:
    """Name and value of ``LENGTH:LENGTH:NAME,LENGTH:VALUE``; raises Unusual unless all three lengths are right."""
    found = _PAIR(pair)
    if found is None:
        raise Unusual
    size, name_size, name, value_size, value = found.groups()
    if (
        _length(name_size) != len(name)
        or _length(value_size) != len(value)
        or _length(size) != len(pair) - len(size)  # the colon after it counts for the comma in front of the tag
    ):
        raise Unusual
    return name, value


_known_pair = lru_cache(maxsize=4096)(_pair)


def _connect(kind: Any, facts: dict[str, Any]) -> Any:
    connection = kind.__new__(kind)
    own = connection.__dict__
    own.update(facts)
    own["certificate_list"] = facts["certificate_list"].copy()
    own["alpn_offers"] = facts["alpn_offers"].copy()
    own["cipher_list"] = facts["cipher_list"].copy()
    return connection
