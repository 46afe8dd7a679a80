"""Flows to plain, current HTTP records; see :mod:`flowdump.formats.flowfile.plain_records`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flowdump.formats.flowfile import tnetstring
from flowdump.formats.flowfile.plain_records.connections import Unusual, client_piece, server_piece
from flowdump.formats.flowfile.plain_records.read import MAX_KNOWN, Origin, request_facts, response_facts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowdump.http.flow import HTTPFlow, Request, RequestData, Response, ResponseData


def encode(flow: HTTPFlow) -> bytes | None:
    """One whole record, None when the flow has a part that only the general path can write.

    A part that equals what was read is copied from the record.
    """
    origin: Origin | None = flow.__dict__.get("_origin")
    try:
        pieces = _pieces(flow) if origin is None else _changed_pieces(flow, origin)
    except (Unusual, TypeError, ValueError, AttributeError):
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
    facts = response_facts(response.data) if response is not None else None
    if facts != origin.response:
        pieces[0] = b"9:websocket;0:~" + _response_piece(response)
        changed = True
    if request_facts(request.data) != origin.request:
        pieces[1] = _request_piece(request)
        changed = True
    if flow.timestamp_created != origin.created or flow.server_conn.__dict__ != origin.server:
        pieces[2] = _middle_piece(flow)
        pieces[3] = server_piece(flow.server_conn)
        changed = True
    else:
        pieces[2] = record[request_end:server_end]
    if flow.client_conn.__dict__ != origin.client:
        pieces[4] = client_piece(flow.client_conn)
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
        raise Unusual
    return [
        b"9:websocket;" + websocket,
        _response_piece(flow.response),
        _request_piece(flow.request),
        _middle_piece(flow),
        server_piece(flow.server_conn),
        client_piece(flow.client_conn),
        _tail_piece(flow),
    ]


def _response_piece(response: Response | None) -> bytes:
    if response is None:
        return b"8:response;0:~"
    data = response.data
    if type(data.status_code) is not int:
        raise Unusual
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
        raise Unusual
    digits = b"%d" % value
    return b"%d:%b#" % (len(digits), digits)


def _timestamp(value: Any) -> bytes:
    if type(value) is not float:
        return _integer(value)
    digits = repr(value).encode()
    return b"%d:%b^" % (len(digits), digits)


def _middle_piece(flow: HTTPFlow) -> bytes:
    if flow._backup is not None or flow.intercepted or flow.metadata or flow.is_replay is not None:
        raise Unusual
    comment, marked = flow.comment.encode(), flow.marked.encode()
    return (
        b"6:backup;0:~17:timestamp_created;%b7:comment;%d:%b;8:metadata;0:}6:marked;%d:%b;9:is_replay;0:~11:intercepted;5:false!"
        % (_timestamp(flow.timestamp_created), len(comment), comment, len(marked), marked)
    )


def _tail_piece(flow: HTTPFlow) -> bytes:
    error = flow.error
    identifier = flow.id.encode()
    return b"5:error;%b2:id;%d:%b;4:type;4:http;7:version;2:21#" % (
        b"0:~" if error is None else tnetstring.dumps({"timestamp": float(error.timestamp), "msg": error.msg}),
        len(identifier),
        identifier,
    )
