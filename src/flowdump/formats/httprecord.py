"""The named fast path of the flow file: plain, current HTTP records to flows and back.

A record of version 21 in mitmproxy's key order, without error, backup, metadata, marker, comment, trailers or WebSocket
messages is what nearly all of a modern flow file consists of. ``decode`` takes such a record apart with a handful of
anchored patterns that match whole runs of keys at once; every length in it is checked against what it counts, so that a
record it accepts is one that a full parse accepts, with the same values. It says None to anything else, which then
takes the general path (:mod:`flowdump.formats.flowfile`): parse, migrate, complete.

A flow decoded here remembers its record and what its parts looked like. ``encode`` compares and copies the parts that
nobody changed from the record, byte for byte; only a changed part is written anew. Flows from elsewhere have no record:
all their parts are written anew, still without the detour over a state dict. What ``encode`` is not sure about (a value
of an odd type) it leaves to the general path, too, by giving None.

Connections repeat: a client's keep-alive connection is stored with each of its flows. Decoded connections are therefore
kept in a small cache by their bytes. Figures: 27 us to decode a flow with ten headers each way and 4 us to write it
back unchanged, where a full parse and a full encode take 90 and 110.
"""

from __future__ import annotations

import re
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from flowdump.connection import Client, Server
from flowdump.formats import state, tnetstring
from flowdump.headers import Headers
from flowdump.http import HTTPFlow, Request, RequestData, Response, ResponseData

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Bodies above this are not kept twice: the record is let go, and the flow is written anew.
MAX_KEPT_RECORD: Final = 1 << 20

_FLOAT = rb"(\d+):(\d{1,10}\.\d{1,7})\^"
_HEAD = re.compile(rb"(\d+):9:websocket;0:~8:response;(?:0:~|(\d+):)").match
_RESPONSE = re.compile(
    rb"6:reason;(\d+):([^,]*),11:status_code;3:(\d{3})#13:timestamp_end;(?:0:~|" + _FLOAT + rb")15:timestamp_start;" +
    _FLOAT + rb"8:trailers;0:~7:content;(?:(0:~)|(\d+):)"
).match  # fmt: skip
_REQUEST = re.compile(
    rb"4:path;(\d+):([^,]*),9:authority;(\d+):([^,]*),6:scheme;(\d+):([^,]*),6:method;(\d+):([^,]*),4:port;(\d+):(\d{1,5})#"
    rb"4:host;(\d+):([!-:<-~]*);13:timestamp_end;(?:0:~|" + _FLOAT + rb")15:timestamp_start;" + _FLOAT +
    rb"8:trailers;0:~7:content;(?:(0:~)|(\d+):)"
).match  # fmt: skip
_HEADERS = re.compile(rb",?7:headers;(\d+):").match
_HEADER = re.compile(rb"(\d+):(\d+):([^,]*),(\d+):(.*?),\]", re.DOTALL).findall
_VERSION = re.compile(rb"\]12:http_version;(\d):(HTTP/[\d.]{1,3}),\}").match
_REQUEST_KEY = re.compile(rb"7:request;(\d+):").match
_MIDDLE = re.compile(
    rb"6:backup;0:~17:timestamp_created;" + _FLOAT + rb"7:comment;0:;8:metadata;0:\}6:marked;0:;9:is_replay;0:~"
    rb"11:intercepted;5:false!11:server_conn;(\d+):"
).match
_CLIENT = re.compile(rb"11:client_conn;(\d+):").match
_TAIL = re.compile(rb"5:error;0:~2:id;36:([0-9a-f-]{36});4:type;4:http;7:version;2:21#\}").fullmatch

#: ``"4"`` -> 4 for the lengths that occur; anything longer goes through int().
_LENGTHS: Final = {b"%d" % n: n for n in range(4096)}
_CLOSE, _COMMA = b"}"[0], b","[0]

_response_facts = attrgetter(*ResponseData.FIELDS, "headers.fields")
_request_facts = attrgetter(*RequestData.FIELDS, "headers.fields")


class Origin:
    """The record a flow was decoded from, and the facts of its parts at that time."""

    __slots__ = ("client", "created", "id", "marks", "record", "request", "response", "server")

    record: bytes
    #: Where in the record each part begins: response, request, middle, server, client, tail.
    marks: tuple[int, int, int, int, int, int]
    response: tuple[Any, ...] | None
    request: tuple[Any, ...]
    server: dict[str, Any]
    client: dict[str, Any]
    id: str
    created: float


class _Unusual(Exception):
    """The record or flow is not of the plain shape; the general path decides what it is."""


# -- reading -----------------------------------------------------------------------------------------------------


def decode(record: bytes) -> HTTPFlow | None:
    """The flow of one whole record (length, payload and tag), None when the record is not of the plain shape."""
    try:
        return _decode(record)
    except _Unusual:
        return None


def _decode(record: bytes) -> HTTPFlow:
    head = _HEAD(record)
    if head is None:
        raise _Unusual
    response, response_end = None, head.end()
    if head[2] is not None:
        response_end = head.end() + int(head[2]) + 1
        response = _decode_response(record, head.end(), response_end)
    request_key = _REQUEST_KEY(record, response_end)
    if request_key is None:
        raise _Unusual
    request_end = request_key.end() + int(request_key[1]) + 1
    request = _decode_request(record, request_key.end(), request_end)
    middle = _MIDDLE(record, request_end)
    if middle is None:
        raise _Unusual
    server_end = middle.end() + int(middle[3]) + 1
    client_key = _CLIENT(record, server_end)
    if client_key is None:
        raise _Unusual
    client_end = client_key.end() + int(client_key[1]) + 1
    tail = _TAIL(record, client_end)
    if tail is None or int(head[1]) != len(record) - len(head[1]) - 2:
        raise _Unusual
    flow = HTTPFlow.__new__(HTTPFlow)
    facts = flow.__dict__
    facts["id"] = str(tail[1], "ascii")
    facts["request"] = Request.from_data(request)
    facts["response"] = Response.from_data(response) if response is not None else None
    server = _connection(Server, record[middle.end() : server_end])
    client = _connection(Client, record[client_key.end() : client_end])
    facts["server_conn"] = _connect(Server, server)
    facts["client_conn"] = _connect(Client, client)
    facts["timestamp_created"] = created = _number(middle[1], middle[2])
    facts["metadata"] = {}
    facts["websocket"] = facts["error"] = None
    if len(record) <= MAX_KEPT_RECORD:
        origin = Origin()
        origin.record = record
        origin.marks = (
            head.start(1) + len(head[1]) + 1,
            response_end,
            request_end,
            middle.end(),
            server_end,
            client_end,
        )
        origin.response = _response_facts(response) if response is not None else None
        origin.request = _request_facts(request)
        origin.server, origin.client = server, client
        origin.id, origin.created = facts["id"], created
        facts["_origin"] = origin
    return flow


def _number(length: bytes, digits: bytes) -> float:
    if _LENGTHS.get(length) != len(digits):
        raise _Unusual
    return float(digits)


def _checked(length: bytes, value: bytes) -> bytes:
    if _LENGTHS.get(length) != len(value):
        raise _Unusual
    return value


def _decode_response(record: bytes, start: int, end: int) -> ResponseData:
    found = _RESPONSE(record, start)
    if found is None:
        raise _Unusual
    reason_length, reason, status, end_length, end_digits, start_length, start_digits, no_content, size = found.groups()
    data = ResponseData()
    data.reason = _checked(reason_length, reason)
    data.status_code = int(status)
    data.timestamp_end = _number(end_length, end_digits) if end_digits is not None else None
    data.timestamp_start = _number(start_length, start_digits)
    _decode_rest(data, record, found.end(), end, None if no_content else int(size))
    return data


def _decode_request(record: bytes, start: int, end: int) -> RequestData:
    found = _REQUEST(record, start)
    if found is None:
        raise _Unusual
    facts = found.groups()
    (path_length, path, authority_length, authority, scheme_length, scheme, method_length, method, port_length, port,
     host_length, host, end_length, end_digits, start_length, start_digits, no_content, size) = facts  # fmt: skip
    data = RequestData()
    data.path = _checked(path_length, path)
    data.authority = _checked(authority_length, authority)
    data.scheme = _checked(scheme_length, scheme)
    data.method = _checked(method_length, method)
    data.port = int(_checked(port_length, port))
    data.host = str(_checked(host_length, host), "ascii")
    data.timestamp_end = _number(end_length, end_digits) if end_digits is not None else None
    data.timestamp_start = _number(start_length, start_digits)
    _decode_rest(data, record, found.end(), end, None if no_content else int(size))
    return data


def _decode_rest(data: ResponseData | RequestData, record: bytes, start: int, end: int, size: int | None) -> None:
    """Content, headers and version, which close both kinds of message."""
    data.trailers = None
    if size is None:
        data.content, content_end = None, start
    else:
        content_end = start + size
        if content_end >= end or record[content_end] != _COMMA:
            raise _Unusual
        data.content = record[start:content_end]
    headers = _HEADERS(record, content_end)
    if headers is None or (size is None) == (record[content_end] == _COMMA):
        raise _Unusual
    headers_end = headers.end() + int(headers[1])
    data.headers = _decode_headers(record[headers.end() : headers_end])
    version = _VERSION(record, headers_end)
    if version is None or version.end() != end:
        raise _Unusual
    data.http_version = _checked(version[1], version[2])


def _decode_headers(blob: bytes) -> Headers:
    """The pairs of a header list.

    The pattern finds pairs by their punctuation; that the lengths agree with what it found is checked afterwards for
    all of them at once. A value with ``,]`` inside splits wrongly, fails that check and takes the general path.
    """
    headers = Headers.__new__(Headers)
    if not blob:
        headers.fields = ()
        return headers
    found = _HEADER(blob)
    if not found:
        raise _Unusual
    outer, name_lengths, names, value_lengths, values = zip(*found, strict=True)
    name_sizes, value_sizes = list(map(len, names)), list(map(len, values))
    length = _length
    try:
        if list(map(length, name_lengths)) != name_sizes or list(map(length, value_lengths)) != value_sizes:
            raise _Unusual
    except KeyError:
        if list(map(int, name_lengths)) != name_sizes or list(map(int, value_lengths)) != value_sizes:
            raise _Unusual from None
    inner = [
        a + b + len(c) + len(d) + 4
        for a, b, c, d in zip(name_sizes, value_sizes, name_lengths, value_lengths, strict=True)
    ]
    if list(map(int, outer)) != inner or sum(inner) + sum(map(len, outer)) + 2 * len(outer) != len(blob):
        raise _Unusual
    headers.fields = tuple(zip(names, values, strict=True))
    return headers


_length = _LENGTHS.__getitem__


@lru_cache(maxsize=1024)
def _connection(kind: type[Client] | type[Server], part: bytes) -> dict[str, Any]:
    """The attributes of a connection stored as ``part`` (payload and tag).

    Raises _Unusual unless they are complete and sound.
    """
    if part[-1:] != b"}":
        raise _Unusual
    try:
        values = tnetstring.loads(b"%d:%b" % (len(part) - 1, part))
    except ValueError:
        raise _Unusual from None
    section = "client_conn" if kind is Client else "server_conn"
    if not state.is_complete(section, values):
        raise _Unusual
    connection = kind.from_state(values)
    return dict(connection.__dict__)


def _connect(kind: Any, facts: dict[str, Any]) -> Any:
    connection = kind.__new__(kind)
    own = connection.__dict__
    own.update(facts)
    own["certificate_list"] = facts["certificate_list"].copy()
    own["alpn_offers"] = facts["alpn_offers"].copy()
    own["cipher_list"] = facts["cipher_list"].copy()
    return connection


# -- writing -----------------------------------------------------------------------------------------------------


def encode(flow: HTTPFlow) -> bytes | None:
    """One whole record, None when the flow has a part that only the general path can write.

    A part that equals what was read is copied from the record.
    """
    origin: Origin | None = flow.__dict__.get("_origin")
    try:
        pieces = _pieces(flow) if origin is None else _changed_pieces(flow, origin)
    except (_Unusual, TypeError, ValueError, AttributeError):
        return None
    if pieces is None:
        assert origin is not None
        return origin.record
    return b"%d:%b}" % (sum(map(len, pieces)), b"".join(pieces))


def _changed_pieces(flow: HTTPFlow, origin: Origin) -> Iterable[bytes] | None:
    """The pieces of the record, None when nothing changed."""
    if not _is_plain(flow):
        return _pieces(flow)
    record = origin.record
    begin, response_end, request_end, _, server_end, client_end = origin.marks
    # Where "11:server_conn;" begins does not matter: the middle part runs up to the connection's length.
    changed = False
    response, request = flow.response, flow.request
    pieces = [record[begin:response_end], record[response_end:request_end], b"", b"", b"", b""]
    facts = _response_facts(response.data) if response is not None else None
    if facts != origin.response:
        pieces[0] = b"9:websocket;0:~" + _response_piece(response)
        changed = True
    if _request_facts(request.data) != origin.request:
        pieces[1] = _request_piece(request)
        changed = True
    if flow.timestamp_created != origin.created or flow.server_conn.__dict__ != origin.server:
        pieces[2] = _middle_piece(flow)
        pieces[3] = _connection_piece(b"11:server_conn;", flow.server_conn)
        changed = True
    else:
        pieces[2] = record[request_end:server_end]
    if flow.client_conn.__dict__ != origin.client:
        pieces[4] = _connection_piece(b"11:client_conn;", flow.client_conn)
        changed = True
    else:
        pieces[4] = record[server_end:client_end]
    if flow.id != origin.id:
        pieces[5] = _tail_piece(flow)
        changed = True
    else:
        pieces[5] = record[client_end:-1]
    return pieces if changed else None


def _is_plain(flow: HTTPFlow) -> bool:
    """Whether the flow still has nothing that the plain record shape lacks."""
    return (
        flow.websocket is None
        and flow.error is None
        and not flow.metadata
        and flow.comment == ""
        and flow.marked == ""
        and flow.is_replay is None
        and flow.intercepted is False
        and flow._backup is None
    )


def _pieces(flow: HTTPFlow) -> list[bytes]:
    """A record written wholly anew."""
    websocket = b"0:~"
    if flow.websocket is not None:
        raise _Unusual
    return [
        b"9:websocket;" + websocket,
        _response_piece(flow.response),
        _request_piece(flow.request),
        _middle_piece(flow),
        _connection_piece(b"11:server_conn;", flow.server_conn),
        _connection_piece(b"11:client_conn;", flow.client_conn),
        _tail_piece(flow),
    ]


def _response_piece(response: Response | None) -> bytes:
    if response is None:
        return b"8:response;0:~"
    data = response.data
    if type(data.status_code) is not int:
        raise _Unusual
    inner = b"6:reason;%d:%b,11:status_code;%b%b" % (
        len(data.reason),
        data.reason,
        _integer(data.status_code),
        _message_piece(data),
    )
    return b"8:response;%d:%b}" % (len(inner), inner)


def _request_piece(request: Request) -> bytes:
    data = request.data
    host = data.host.encode()
    inner = b"4:path;%d:%b,9:authority;%d:%b,6:scheme;%d:%b,6:method;%d:%b,4:port;%b4:host;%d:%b;%b" % (
        len(data.path),
        data.path,
        len(data.authority),
        data.authority,
        len(data.scheme),
        data.scheme,
        len(data.method),
        data.method,
        _integer(data.port),
        len(host),
        host,
        _message_piece(data),
    )
    return b"7:request;%d:%b}" % (len(inner), inner)


def _message_piece(data: ResponseData | RequestData) -> bytes:
    """What closes both kinds of message: times, trailers, content, headers, version."""
    content = data.content
    headers = b"".join([_header(name, value) for name, value in data.headers.fields])
    trailers = b"0:~"
    if data.trailers is not None:
        pairs = b"".join([_header(name, value) for name, value in data.trailers.fields])
        trailers = b"%d:%b]" % (len(pairs), pairs)
    return (
        b"13:timestamp_end;%b15:timestamp_start;%b8:trailers;%b7:content;%b7:headers;%d:%b]12:http_version;%d:%b,"
        % (
            b"0:~" if data.timestamp_end is None else _timestamp(data.timestamp_end),
            _timestamp(data.timestamp_start),
            trailers,
            b"0:~" if content is None else b"%d:%b," % (len(content), content),
            len(headers),
            headers,
            len(data.http_version),
            data.http_version,
        )
    )


def _header(name: bytes, value: bytes) -> bytes:
    pair = b"%d:%b,%d:%b," % (len(name), name, len(value), value)
    return b"%d:%b]" % (len(pair), pair)


def _integer(value: Any) -> bytes:
    if type(value) is not int:
        raise _Unusual
    digits = b"%d" % value
    return b"%d:%b#" % (len(digits), digits)


def _timestamp(value: Any) -> bytes:
    if type(value) is not float:
        return _integer(value)
    digits = repr(value).encode()
    return b"%d:%b^" % (len(digits), digits)


def _middle_piece(flow: HTTPFlow) -> bytes:
    if flow._backup is not None or flow.intercepted or type(flow.metadata) is not dict:
        raise _Unusual
    comment, marked = flow.comment.encode(), flow.marked.encode()
    return (
        b"6:backup;0:~17:timestamp_created;%b7:comment;%d:%b;8:metadata;%b6:marked;%d:%b;9:is_replay;%b11:intercepted;5:false!"
        % (
            _timestamp(flow.timestamp_created),
            len(comment),
            comment,
            tnetstring.dumps(flow.metadata) if flow.metadata else b"0:}",
            len(marked),
            marked,
            b"0:~" if flow.is_replay is None else tnetstring.dumps(flow.is_replay),
        )
    )


def _connection_piece(key: bytes, connection: Client | Server) -> bytes:
    section = "client_conn" if type(connection) is Client else "server_conn"
    values = connection.get_state()
    return key + tnetstring.dumps(state.complete_section(section, values))


def _tail_piece(flow: HTTPFlow) -> bytes:
    error = flow.error
    identifier = flow.id.encode()
    return b"5:error;%b2:id;%d:%b;4:type;4:http;7:version;2:21#" % (
        b"0:~" if error is None else tnetstring.dumps({"timestamp": float(error.timestamp), "msg": error.msg}),
        len(identifier),
        identifier,
    )
