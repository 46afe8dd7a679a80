"""Flows to plain, current HTTP records; see :mod:`flowdump.formats.httprecord`."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from flowdump.connection import Client
from flowdump.formats import state, state_values, tnetstring
from flowdump.formats.httprecord_read import MAX_KNOWN, Origin, Unusual, request_facts, response_facts
from flowdump.formats.stored_modes import storable_mode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from flowdump.connection import Server
    from flowdump.http import HTTPFlow, Request, RequestData, Response, ResponseData


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
        pieces[3] = _server_piece(flow.server_conn)
        changed = True
    else:
        pieces[2] = record[request_end:server_end]
    if flow.client_conn.__dict__ != origin.client:
        pieces[4] = _client_piece(flow.client_conn)
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
        _server_piece(flow.server_conn),
        _client_piece(flow.client_conn),
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
        % (
            _timestamp(flow.timestamp_created),
            len(comment),
            comment,
            len(marked),
            marked,
        )
    )


def _server_piece(server: Server) -> bytes:
    if server.via is not None:
        raise Unusual
    inner = b"3:via;0:~19:timestamp_tcp_setup;%b7:address;%b%b" % (
        _moment(server.timestamp_tcp_setup),
        b"0:~" if server.address is None else _address(server.address[:2]),
        _connection_part(server),
    )
    return b"11:server_conn;%d:%b}" % (len(inner), inner)


def _client_piece(client: Client) -> bytes:
    inner = b"10:proxy_mode;%b8:mitmcert;%b%b" % (
        _mode(client.proxy_mode),
        b"0:~" if client.mitmcert is None else _certificate(client.mitmcert.to_pem()),
        _connection_part(client),
    )
    return b"11:client_conn;%d:%b}" % (len(inner), inner)


def _connection_part(connection: Client | Server) -> bytes:
    """What closes both kinds of connection."""
    identifier = connection.id.encode()
    sockname, peername = connection.sockname, connection.peername
    if connection.tls is None:
        raise Unusual
    if type(connection) is Client and (sockname is None or peername is None or connection.timestamp_start is None):
        raise Unusual
    return (
        b"19:timestamp_tls_setup;%b13:timestamp_end;%b15:timestamp_start;%b%b2:id;%d:%b;8:sockname;%b8:peername;%b"
        % (
            _moment(connection.timestamp_tls_setup),
            _moment(connection.timestamp_end),
            _moment(connection.timestamp_start),
            _traits(
                connection.sni,
                connection.tls_version,
                tuple(connection.cipher_list),
                connection.cipher,
                tuple(connection.alpn_offers),
                connection.alpn,
                tuple([cert.to_pem() for cert in connection.certificate_list]),
                connection.tls,
                connection.error,
                connection.transport_protocol,
            ),
            len(identifier),
            identifier,
            b"0:~" if sockname is None else _address(sockname),
            b"0:~" if peername is None else _address(peername),
        )
    )


#: The keys of a connection whose values many connections share, in file order.
_TRAITS: Final = (
    "sni", "tls_version", "cipher_list", "cipher", "alpn_offers", "alpn", "certificate_list", "tls", "error",
    "transport_protocol",
)  # fmt: skip


@lru_cache(maxsize=512, typed=True)
def _traits(*values: Any) -> bytes:
    given = dict(zip(_TRAITS, values, strict=True))
    completed = state.complete_section("server_conn", given)
    encoded = tnetstring.dumps({key: completed[key] for key in _TRAITS})
    return encoded[encoded.index(b":") + 1 : -1]


@lru_cache(maxsize=512, typed=True)
def _address(address: tuple[Any, ...]) -> bytes:
    if tuple(map(type, address)) not in ((str, int), (str, int, int, int)):
        raise Unusual
    return tnetstring.dumps(address)


@lru_cache(maxsize=256)
def _certificate(pem: bytes) -> bytes:
    return tnetstring.dumps(state_values.canonical_pem(pem))


@lru_cache(maxsize=256)
def _mode(mode: str) -> bytes:
    stored = storable_mode(mode)
    if stored == "regular" != mode:
        raise Unusual  # the server's upstream has to go, too
    return tnetstring.dumps(stored)


def _moment(value: Any) -> bytes:
    """A time of a connection: a float or null."""
    if value is None:
        return b"0:~"
    if type(value) is not float:
        raise Unusual
    digits = repr(value).encode()
    return b"%d:%b^" % (len(digits), digits)


def _tail_piece(flow: HTTPFlow) -> bytes:
    error = flow.error
    identifier = flow.id.encode()
    return b"5:error;%b2:id;%d:%b;4:type;4:http;7:version;2:21#" % (
        b"0:~" if error is None else tnetstring.dumps({"timestamp": float(error.timestamp), "msg": error.msg}),
        len(identifier),
        identifier,
    )
