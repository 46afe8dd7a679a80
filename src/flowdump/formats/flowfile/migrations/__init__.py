"""Records of every released mitmproxy, brought up to version 21.

Each step is a small function with the version it leads to; a record goes through the steps above its own version. No
step trusts the shape of a record: released versions have written keys before their time, left some out, and written
null where a dict belongs, so every key is optional everywhere, and what depends on the shape rather than on the version
(addresses as dicts, a missing server) is put right before the steps begin. Defaults, conversions and everything that
can be seen from a value alone are left to `state.complete`, which every record goes through last; a step only renames
and derives.

Releases 0.4 to 0.10 stored something else altogether (migrations_legacy.py); releases 2.0 to 6.0 stored a WebSocket
apart from its handshake (migrations_websocket.py).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from flowdump.formats.flowfile.state import VERSION, StateError, complete
from flowdump.formats.flowfile.values import format_uuid

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowdump.formats.flowfile.migrations.websocket import Handshakes

    State = dict[str, Any]
    Version = tuple[int, int]

FIRST_MODERN: Final = (0, 11)
"""The first version with a tree like today's."""

_FIRST_INTEGER: Final = 4
_FIRST_WITH_IDS: Final = (5, 0)
_FIRST_WITHOUT_WEBSOCKET_FLOWS: Final = (12, 0)
_KNOWN: Final = frozenset([*((0, minor) for minor in range(4, 20)), *((major, 0) for major in range(1, VERSION + 1))])


class NewerVersionError(StateError):
    """A later mitmproxy than any that this flowdump knows wrote the record. `version` is its format version."""

    def __init__(self, version: int) -> None:
        super().__init__(
            f"flow format version {version} is newer than {VERSION}, the newest that this flowdump reads: "
            "please update flowdump"
        )
        self.version = version


class Migrator:
    """Migrates the records of one file, in their order. Remembers what later records of the same file refer to."""

    def __init__(self) -> None:
        self._salt = os.urandom(16)
        self._handshakes: Handshakes | None = None

    def migrate(self, record: object) -> State:
        """The current, complete state of one parsed record of any version; N records in, N flows out.

        `record` is a dict with text or bytes keys, or the bytes of a JSON record (releases 0.4 to 0.6); it may be
        changed. Raises `NewerVersionError` when only a newer flowdump can read it, else `StateError` when it is not a
        usable flow.
        """
        if isinstance(record, dict) and type(record.get("version")) is int and record["version"] == VERSION:
            return complete(record)
        if isinstance(record, bytes):
            from flowdump.formats.flowfile.migrations.legacy import parse_json

            record = parse_json(record)
        if not isinstance(record, dict):
            raise StateError("not a flow: the record is not a dict")
        state = _with_text_keys(record)
        version = read_version(state.get("version"))
        if version < FIRST_MODERN:
            from flowdump.formats.flowfile.migrations.legacy import convert

            return complete(convert(state))
        self._upgrade(state, version)
        if version >= _FIRST_WITHOUT_WEBSOCKET_FLOWS:
            return complete(state)
        return self._join_websocket(state)

    def _upgrade(self, state: State, version: Version) -> None:
        """Bring `state` to the shape of version 21, in place. WebSocket flows keep their own shape otherwise."""
        if version < (19, 0):
            # Addresses as dicts (up to 2.0) become lists, and a null server (0.11 to 0.13) one that was never
            # connected.
            if state.get("server_conn") is None:
                request = _part(state, "request")
                state["server_conn"] = {"address": _target(request.get("host"), request.get("port"))}
            for connection in _connections(state):
                for key in ("address", "source_address", "ip_address", "peer_address", "sockname", "peername"):
                    if isinstance(connection.get(key), dict):
                        connection[key] = connection[key].get("address")
        if version < _FIRST_WITH_IDS:
            self._name_connections(state)
        for reached, step in _STEPS:
            if version < reached:
                step(state)
        state["backup"] = self._migrate_backup(state.get("backup"), version)

    def _migrate_backup(self, backup: object, version: Version) -> State | None:
        """Migrates like its flow; one that cannot be used is dropped rather than the flow."""
        if not isinstance(backup, dict):
            return None
        state: State = {**_with_text_keys(backup), "backup": None}
        try:
            version = read_version(state["version"]) if "version" in state else version
            self._upgrade(state, version)
            return complete(state)
        except StateError:
            return None

    def _name_connections(self, state: State) -> None:
        """Ids for the connections of releases that had none: the same for the flows of one connection.

        They are derived from when and where the connection was made, with a random salt per file, so nothing has to be
        remembered however long the file is. Without those two facts the id is a random one.
        """
        for key, address_key in (("client_conn", "address"), ("server_conn", "source_address")):
            connection = _part(state, key)
            start, address = connection.get("timestamp_start"), connection.get(address_key)
            if start is not None and isinstance(address, list) and not connection.get("id"):
                connection["id"] = self._derive_id(f"{key} {start!r} {address!r}")

    def _derive_id(self, text: str) -> str:
        from hashlib import blake2b

        return format_uuid(blake2b(text.encode("utf-8", "replace"), digest_size=16, key=self._salt).digest())

    def _join_websocket(self, state: State) -> State:
        from flowdump.formats.flowfile.migrations import websocket

        if self._handshakes is None:
            self._handshakes = websocket.Handshakes()
        if state.get("type") != "websocket":
            flow = complete(state)
            self._handshakes.remember(flow)
            return flow
        nested = state.get("handshake_flow")
        handshake = self._handshakes.take(state)
        if isinstance(nested, dict):
            version = read_version(nested.get("version"))
            self._upgrade(nested, version)
            handshake = complete(websocket.mend_handshake(nested))
        return complete(websocket.join(state, handshake))


def read_version(value: object) -> Version:
    """The version as a pair. Up to 3.0 it was a list of which the first two numbers count, an integer since."""
    if type(value) is int and value >= _FIRST_INTEGER:
        version = (value, 0)
    elif isinstance(value, list) and len(value) >= 2 and type(value[0]) is type(value[1]) is int:
        version = (value[0], value[1])
    else:
        raise StateError("missing" if value is None else f"unknown flow format version {value!r:.40}", "version")
    if version > (VERSION, 0):
        raise NewerVersionError(version[0])
    if version not in _KNOWN:
        raise StateError(f"unknown flow format version {value!r:.40}", "version")
    return version


def _with_text_keys(record: dict[Any, Any]) -> State:
    """The record with text for keys, as Python 3 writes it. Releases on Python 2 (up to 0.18) wrote bytes."""
    if not any(isinstance(key, bytes) for key in record):
        return record
    state: State = _decode_keys(record)
    for flow in (state, _part(state, "backup")):
        if isinstance(flow.get("type"), bytes):
            flow["type"] = flow["type"].decode("utf-8", "backslashreplace")
    return state


def _decode_keys(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {
        key.decode("utf-8", "backslashreplace") if isinstance(key, bytes) else key: _decode_keys(item)
        for key, item in value.items()
    }


# what is put right by shape


def _part(state: State, key: str) -> State:
    """A part of the state to read from and to change; a dict that belongs to nothing where there is no such part."""
    part = state.get(key)
    return part if isinstance(part, dict) else {}


def _messages(state: State) -> list[State]:
    return [_part(state, "request"), _part(state, "response")]


def _connections(state: State) -> list[State]:
    return [_part(state, "client_conn"), _part(state, "server_conn")]


def _rename(part: State, old: str, new: str) -> None:
    if old in part:
        part[new] = part.pop(old)


def _target(host: object, port: object) -> list[object] | None:
    return [host, port] if isinstance(host, (str, bytes)) and type(port) is int else None


# the steps, named for what they bring


def _http_names(state: State) -> None:
    """0.14: names of today in requests and responses, but for bodies and reasons."""
    for message in _messages(state):
        version = message.get("httpversion")
        if isinstance(version, list) and len(version) == 2:
            message["http_version"] = f"HTTP/{version[0]!s:.9}.{version[1]!s:.9}".encode("ascii", "replace")
    _rename(_part(state, "response"), "code", "status_code")


def _bodies_and_reasons(state: State) -> None:
    """0.16"""
    for message in _messages(state):
        _rename(message, "body", "content")
    _rename(_part(state, "response"), "msg", "reason")


def _server_ip(state: State) -> None:
    """0.18"""
    _rename(_part(state, "server_conn"), "peer_address", "ip_address")


def _tls_names(state: State) -> None:
    """6: SSL is called TLS."""
    for connection in _connections(state):
        _rename(connection, "ssl_established", "tls_established")
        _rename(connection, "timestamp_ssl_setup", "timestamp_tls_setup")


def _replayed(state: State) -> None:
    """9: which part was replayed is a fact of the flow."""
    request, response = _messages(state)
    replayed = "request" if request.get("is_replay") else "response" if response.get("is_replay") else None
    state["is_replay"] = replayed


def _tls_facts(state: State) -> None:
    """10: lists of certificates, ciphers and protocols."""
    for connection, key in zip(_connections(state), ("clientcert", "cert"), strict=True):
        for old, new in (
            (key, "certificate_list"),
            ("alpn_proto_negotiated", "alpn_offers"),
            ("cipher_name", "cipher_list"),
        ):
            value = connection.get(old)
            connection[new] = [value] if value else []
        connection["tls"] = connection.get("tls_established")


def _alpn_and_sni(state: State) -> None:
    """11"""
    for connection in _connections(state):
        _rename(connection, "alpn_proto_negotiated", "alpn")
        if isinstance(connection.get("sni"), bytes):
            connection["sni"] = connection["sni"].decode("ascii", "backslashreplace")


def _response_times(state: State) -> None:
    """14: responses must have a start. What is known is when the request ended."""
    request, response = _messages(state)
    end = request.get("timestamp_end")
    if response.get("timestamp_start") is None and isinstance(end, (int, float)):
        response["timestamp_start"] = end
        response["timestamp_end"] = end + 1


def _creation_time(state: State) -> None:
    """16"""
    source = _part(state, "request" if isinstance(state.get("request"), dict) else "client_conn")
    created = source.get("timestamp_start")
    state["timestamp_created"] = 0.0 if created is None else created


def _connection_names(state: State) -> None:
    """19: names of today in connections."""
    client, server = _connections(state)
    _rename(client, "address", "peername")
    _rename(server, "ip_address", "peername")
    _rename(server, "source_address", "sockname")
    server["via"] = server.pop("via2", None)
    for connection in (client, server):
        _rename(connection, "cipher_name", "cipher")
        if connection.get("tls") is None:
            established = connection.get("tls_established")
            connection["tls"] = bool(established) or connection.get("timestamp_tls_setup") is not None
    if client.get("timestamp_start") is None:
        client["timestamp_start"] = 0.0
    if server.get("sni") is True:
        address = server.get("address")
        server["sni"] = address[0] if isinstance(address, (list, tuple)) and address else None


def _quic_version(state: State) -> None:
    """21"""
    for connection in _connections(state):
        if connection.get("tls_version") == "QUIC":
            connection["tls_version"] = "QUICv1"


_STEPS: Final[tuple[tuple[Version, Callable[[State], None]], ...]] = (
    ((0, 14), _http_names),
    ((0, 16), _bodies_and_reasons),
    ((0, 18), _server_ip),
    ((6, 0), _tls_names),
    ((9, 0), _replayed),
    ((10, 0), _tls_facts),
    ((11, 0), _alpn_and_sni),
    ((14, 0), _response_times),
    ((16, 0), _creation_time),
    ((19, 0), _connection_names),
    ((21, 0), _quic_version),
)
