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

#: Most header fields repeat from flow to flow. Those of up to this many bytes are looked up in a bounded memory.
MAX_KNOWN: Final = 200

#: A time with its length, as time.time() gives them; others take the general path. ``float(group[3:])`` is its value.
_TIME = rb"(" + b"|".join(rb"%d:\d{10}\.\d{%d}" % (11 + n, n) for n in (6, 7, 5, 4, 3, 2, 1)) + rb")\^"
_VERSION = rb"\]12:http_version;(?:8:(?=.{8},)|6:(?=.{6},))(HTTP/(?:\d\.\d|\d)),\}"
_TIMES = rb"13:timestamp_end;(?:0:~|" + _TIME + rb")15:timestamp_start;" + _TIME
_BODY = rb"8:trailers;0:~7:content;(?:(0:~)|(\d+):)"

# A record is matched in runs. Between them lies what only a length can step over: bodies, header lists, connections.
_RESPONSE = re.compile(
    rb"(\d+):9:websocket;0:~8:response;(?:0:~|(\d+):6:reason;(\d+):([^,]*),11:status_code;3:(\d{3})#"
    + _TIMES
    + _BODY
    + rb")"
).match
_REQUEST = re.compile(
    rb"(?:" + _VERSION + rb")?7:request;(\d+):4:path;(\d+):([^,]*),9:authority;(\d+):([^,]*),6:scheme;(\d+):([^,]*),"
    rb"6:method;(\d+):([^,]*),4:port;(\d+):(\d{1,5})#4:host;(\d+):([!-:<-~]*);" + _TIMES + _BODY
).match
_MIDDLE = re.compile(
    _VERSION
    + rb"6:backup;0:~17:timestamp_created;"
    + _TIME
    + rb"7:comment;0:;8:metadata;0:\}6:marked;0:;9:is_replay;0:~"
    rb"11:intercepted;5:false!11:server_conn;(\d+):"
).match
_CLIENT = re.compile(rb"11:client_conn;(\d+):").match
_TAIL = re.compile(rb"5:error;0:~2:id;36:([0-9a-f-]{36});4:type;4:http;7:version;2:21#\}").fullmatch

_HEADERS = re.compile(rb",?7:headers;(\d+):").match
_PAIR = re.compile(rb"(\d+):(\d+):([^,]*),(\d+):(.*)", re.DOTALL).fullmatch


class _Lengths(dict[bytes, int]):
    """``b"4"`` -> 4: the lengths that occur from a table, the others by way of int()."""

    def __missing__(self, digits: bytes) -> int:
        return int(digits)


_LENGTHS: Final = _Lengths({b"%d" % n: n for n in range(1024)})
_length = _LENGTHS.__getitem__
_COMMA = b","[0]

_response_facts = attrgetter(*ResponseData.FIELDS, "headers.fields")
_request_facts = attrgetter(*RequestData.FIELDS, "headers.fields")


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
    begin = _RESPONSE(record)
    if begin is None:
        raise _Unusual
    response, at = _decode_response(record, begin)
    found = _REQUEST(record, at)
    if found is None:
        raise _Unusual
    response_end = at
    if response is not None:
        response.http_version = found[1]
        response_end = found.end(1) + 2
        _check_size(begin[2], begin.end(2), response_end)
    request, at = _decode_request(record, found)
    middle = _MIDDLE(record, at)
    if middle is None:
        raise _Unusual
    request.http_version = middle[1]
    request_end = middle.end(1) + 2
    _check_size(found[2], found.end(2), request_end)
    server_end = middle.end() + int(middle[3]) + 1
    client = _CLIENT(record, server_end)
    if client is None:
        raise _Unusual
    client_end = client.end() + int(client[1]) + 1
    tail = _TAIL(record, client_end)
    if tail is None or (begin[2] is None) is not (found[1] is None):
        raise _Unusual
    _check_size(begin[1], begin.end(1), len(record))
    origin = Origin()
    origin.record = record
    origin.marks = (begin.end(1) + 1, response_end, request_end, server_end, client_end)
    origin.response = _response_facts(response) if response is not None else None
    origin.request = _request_facts(request)
    origin.server = _connection(Server, record[middle.end() : server_end])
    origin.client = _connection(Client, record[client.end() : client_end])
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
        raise _Unusual


def _decode_response(record: bytes, found: re.Match[bytes]) -> tuple[ResponseData | None, int]:
    """The response, but for its version, and the end of its headers."""
    _, size, reason_length, reason, status, ended, started, no_content, content_size = found.groups()
    if size is None:
        return None, found.end()
    if _length(reason_length) != len(reason):
        raise _Unusual
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
        raise _Unusual
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
        raise _Unusual
    end = headers.end() + int(headers[1])
    data.headers = _decode_headers(record[headers.end() : end])
    return end


def _decode_headers(blob: bytes) -> Headers:
    """The pairs of a header list. A value with ``,]`` inside is cut there, fits no length: the general path."""
    *pairs, rest = blob.split(b",]")
    if rest:
        raise _Unusual
    headers = Headers.__new__(Headers)
    headers.fields = tuple([_known_pair(pair) if len(pair) <= MAX_KNOWN else _pair(pair) for pair in pairs])
    return headers


def _pair(pair: bytes) -> tuple[bytes, bytes]:
    """Name and value of ``LENGTH:LENGTH:NAME,LENGTH:VALUE``; raises _Unusual unless all three lengths are right."""
    found = _PAIR(pair)
    if found is None:
        raise _Unusual
    size, name_size, name, value_size, value = found.groups()
    if (
        _length(name_size) != len(name)
        or _length(value_size) != len(value)
        or _length(size) != len(pair) - len(size)  # the colon behind it counts for the comma in front of the tag
    ):
        raise _Unusual
    return name, value


_known_pair = lru_cache(maxsize=4096)(_pair)


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
    begin, response_end, request_end, server_end, client_end = origin.marks
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
    headers = b"".join(map(_header, data.headers.fields))
    trailers = b"0:~"
    if data.trailers is not None:
        pairs = b"".join(map(_header, data.trailers.fields))
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


def _header(pair: tuple[bytes, bytes]) -> bytes:
    return _known_header(pair) if len(pair[1]) <= MAX_KNOWN else _new_header(pair)


def _new_header(pair: tuple[bytes, bytes]) -> bytes:
    name, value = pair
    both = b"%d:%b,%d:%b," % (len(name), name, len(value), value)
    return b"%d:%b]" % (len(both), both)


_known_header = lru_cache(maxsize=2048)(_new_header)


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
