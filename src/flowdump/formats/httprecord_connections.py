"""Connections as they stand in a plain HTTP record; see :mod:`flowdump.formats.httprecord`.

Most of what a connection holds is shared by many: TLS parameters, certificates, addresses. Those parts are encoded
once, by way of :mod:`flowdump.formats.state`, and kept in small bounded memories; times and ids are written each time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from flowdump.connection import Client, Server
from flowdump.formats import state, state_values, tnetstring
from flowdump.formats.stored_modes import storable_mode


class Unusual(Exception):
    """The record or flow is not of the plain shape; the general path decides what it is."""


@lru_cache(maxsize=256)
def connection_facts(kind: type[Client] | type[Server], part: bytes) -> dict[str, Any]:
    """The attributes of a connection stored as ``part`` (payload and tag).

    Raises Unusual unless ``part`` is just what would be written for them.
    """
    record = b"%d:%b" % (len(part) - 1, part)
    try:
        connection = kind.from_state(tnetstring.loads(record))
        written = _PIECES[kind](connection)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Unusual from None
    if written[15:] != record:
        raise Unusual
    return dict(connection.__dict__)


def server_piece(server: Server) -> bytes:
    inner = b"3:via;%b19:timestamp_tcp_setup;%b7:address;%b%b" % (
        b"0:~" if server.via is None else _upstream(server.via),
        _moment(server.timestamp_tcp_setup),
        b"0:~" if server.address is None else _address(server.address[:2]),
        _connection_part(server),
    )
    return b"11:server_conn;%d:%b}" % (len(inner), inner)


def client_piece(client: Client) -> bytes:
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


@lru_cache(maxsize=256, typed=True)
def _upstream(via: tuple[Any, ...]) -> bytes:
    return tnetstring.dumps(state.complete_section("server_conn", {"via": via})["via"])


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


_PIECES: Final[dict[type, Callable[[Any], bytes]]] = {Client: client_piece, Server: server_piece}
