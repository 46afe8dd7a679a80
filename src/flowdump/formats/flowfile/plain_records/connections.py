"""Connections as they stand in a plain HTTP record; see :mod:`flowdump.formats.flowfile.plain_records`.

Most of what a connection holds is shared by many: TLS parameters, certificates, addresses. Those parts are encoded
once, by way of :mod:`flowdump.formats.flowfile.state`, and kept in small bounded memories; times and ids are written
each time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from flowdump.certs import Cert
from flowdump.connection import Client, Server
from flowdump.formats.flowfile import state, tnetstring
from flowdump.formats.flowfile import values as state_values
from flowdump.formats.flowfile.stored_modes import storable_mode


class Unusual(Exception):
    """The record or flow is not of the plain shape; the general path decides what it is."""


#: A time with its length, as time.time() gives them; others take the general path. ``float(group[3:])`` is its value.
TIME: Final = rb"(" + b"|".join(rb"%d:\d{10}\.\d{%d}" % (11 + n, n) for n in (6, 7, 5, 4, 3, 2, 1)) + rb")\^"
_MOMENT = rb"(?:0:~|" + TIME + rb")"
_PLACE = rb"(0:~|\d{1,3}:[^\]]*\])"
_MOMENTS = rb"19:timestamp_tls_setup;" + _MOMENT + rb"13:timestamp_end;" + _MOMENT + rb"15:timestamp_start;" + _MOMENT
_SERVER_HEAD = re.compile(rb"3:via;0:~19:timestamp_tcp_setup;" + _MOMENT + rb"7:address;" + _PLACE + _MOMENTS).fullmatch
_CLIENT_HEAD = re.compile(rb"10:proxy_mode;7:regular;8:mitmcert;(0:~|\d{1,5}:[^,]*,)" + _MOMENTS).fullmatch
_TAIL = re.compile(rb"2:id;36:([0-9a-f-]{36});8:sockname;" + _PLACE + rb"8:peername;" + _PLACE + rb"\}").fullmatch
_LAST_TRAIT: Final = b"18:transport_protocol;3:tcp;"


@lru_cache(maxsize=256)
def connection_facts(kind: type[Client] | type[Server], part: bytes) -> dict[str, Any]:
    """The attributes of a connection stored as ``part`` (payload and tag).

    Raises Unusual unless ``part`` is just what would be written for them.
    """
    facts = _plain_facts(kind, part)
    return _general_facts(kind, part) if facts is None else facts


def _plain_facts(kind: type[Client] | type[Server], part: bytes) -> dict[str, Any] | None:
    """The facts of a connection whose shared parts are known; None when it is not of that shape."""
    begin = part.find(b"3:sni;")
    end = part.find(_LAST_TRAIT, begin) + len(_LAST_TRAIT)
    head = (_CLIENT_HEAD if kind is Client else _SERVER_HEAD)(part[:begin])
    tail = _TAIL(part[end:])
    if head is None or tail is None:
        return None
    facts = dict(_known_traits(part[begin:end]))
    *own, tls_setup, ended, started = head.groups()
    facts["id"] = str(tail[1], "ascii")
    facts["sockname"], facts["peername"] = _known_address(tail[2]), _known_address(tail[3])
    facts["timestamp_tls_setup"] = None if tls_setup is None else float(tls_setup[3:])
    facts["timestamp_end"] = None if ended is None else float(ended[3:])
    facts["timestamp_start"] = None if started is None else float(started[3:])
    if kind is Server:
        facts["via"] = None
        facts["timestamp_tcp_setup"] = None if own[0] is None else float(own[0][3:])
        facts["address"] = _known_address(own[1])
        if facts["address"] is not None and len(facts["address"]) != 2:
            return None
        return facts
    facts["proxy_mode"] = "regular"
    facts["mitmcert"] = _known_certificate(own[0])
    return None if None in (facts["sockname"], facts["peername"], facts["timestamp_start"]) else facts


def _general_facts(kind: type[Client] | type[Server], part: bytes) -> dict[str, Any]:
    record = b"%d:%b" % (len(part) - 1, part)
    try:
        connection = kind.from_state(tnetstring.loads(record))
        written = _PIECES[kind](connection)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Unusual from None
    if written[15:] != record:
        raise Unusual
    return dict(connection.__dict__)


@lru_cache(maxsize=256)
def _known_traits(chunk: bytes) -> dict[str, Any]:
    """The values of ``_TRAITS`` as attributes. Raises Unusual unless they are stored as they would be written."""
    try:
        values = tnetstring.loads(b"%d:%b}" % (len(chunk), chunk))
        given = [tuple(value) if isinstance(value, list) else value for value in map(values.__getitem__, _TRAITS)]
        if len(values) != len(_TRAITS) or _traits(*given) != chunk:
            raise Unusual
    except (ValueError, TypeError, KeyError, AttributeError):
        raise Unusual from None
    values["certificate_list"] = [Cert.from_pem(pem) for pem in values["certificate_list"]]
    return values  # type: ignore[no-any-return]


@lru_cache(maxsize=512)
def _known_address(chunk: bytes) -> tuple[Any, ...] | None:
    try:
        address = tnetstring.loads(chunk)
        if address is None:
            return None
        if tnetstring.dumps(address) != chunk or not _is_address(tuple(address)):
            raise Unusual
    except (ValueError, TypeError):
        raise Unusual from None
    return tuple(address)


@lru_cache(maxsize=256)
def _known_certificate(chunk: bytes) -> Cert | None:
    if chunk == b"0:~":
        return None
    try:
        pem = tnetstring.loads(chunk)
        if _certificate(pem) != chunk:
            raise Unusual
    except ValueError:
        raise Unusual from None
    return Cert.from_pem(pem)


def _is_address(address: tuple[Any, ...]) -> bool:
    return tuple(map(type, address)) in ((str, int), (str, int, int, int))


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
    if not _is_address(address):
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
