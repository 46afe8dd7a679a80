"""The state of a flow as version 21 of mitmproxy's file format has it, and how to make any dict into one.

One table per part of a flow lists every key in the order of the file: its plain types, and the function that takes
any other value (state_values.py). mitmproxy writes dicts back to front, so the order of the file is the reverse of the
order in which it builds them; keeping to it makes a load and save byte for byte the same.

`complete` is on the way of every flow in and out of a file. Its inner loop therefore does no more per key than one
lookup and one membership test; only values that are not already right cost a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flowdump.formats.flowfile import values as v
from flowdump.formats.flowfile.values import Context, StateError

if TYPE_CHECKING:
    from collections.abc import Callable

    Field = tuple[str, frozenset[type], Callable[[Any, Context], Any]]
    """A key, the types that are right as they are, and what to do with any other value."""

    Table = tuple[Field, ...]

__all__ = ["VERSION", "StateError", "complete", "complete_section"]

VERSION: Final = 21
"""The format version of mitmproxy 11.0.0 and later."""

_NONE: Final = type(None)
_ANY: Final[frozenset[type]] = frozenset()
"""No type is right without a look at the value."""
_BOOL: Final[frozenset[type]] = frozenset((bool,))
_INT: Final[frozenset[type]] = frozenset((int,))
_FLOAT: Final[frozenset[type]] = frozenset((float,))
_BYTES: Final[frozenset[type]] = frozenset((bytes,))
_NULL: Final[frozenset[type]] = frozenset((_NONE,))
_OPTIONAL_BOOL: Final[frozenset[type]] = frozenset((bool, _NONE))
_OPTIONAL_INT: Final[frozenset[type]] = frozenset((int, _NONE))
_OPTIONAL_BYTES: Final[frozenset[type]] = frozenset((bytes, _NONE))
_OPTIONAL_FLOAT: Final[frozenset[type]] = frozenset((float, _NONE))
_TIME: Final[frozenset[type]] = frozenset((float, int))
_OPTIONAL_TIME: Final[frozenset[type]] = frozenset((float, int, _NONE))


def _fill(table: Table, part: Any, context: Context) -> dict[str, Any]:
    """A dict with exactly the keys of `table`, in its order."""
    if not isinstance(part, dict):
        v.refuse("a dict", part)
    out: dict[str, Any] = {}
    get = part.get
    key = ""
    try:
        for key, right, convert in table:
            value = get(key)
            out[key] = value if type(value) in right else convert(value, context)
    except StateError as error:
        raise error.within(key) from None
    return out


def _fills(table: Table) -> Callable[[Any, Context], dict[str, Any]]:
    return lambda value, context: _fill(table, value, context)


def _fills_list(table: Table) -> Callable[[Any, Context], list[dict[str, Any]]]:
    def convert(value: Any, context: Context) -> list[dict[str, Any]]:
        return v.list_of(_fills(table), value, context)

    return convert


def _optional(convert: Callable[[Any, Context], Any]) -> Callable[[Any, Context], Any]:
    """Null, and what mitmproxy reads as null: empty lists, dicts and so on."""
    return lambda value, context: convert(value, context) if value else None


# connections

_CONNECTION: Final[Table] = (
    ("timestamp_tls_setup", _OPTIONAL_FLOAT, v.seconds),
    ("timestamp_end", _OPTIONAL_FLOAT, v.seconds),
    ("timestamp_start", _OPTIONAL_FLOAT, v.seconds),
    ("sni", _NULL, v.server_name),
    ("tls_version", _NULL, v.tls_version),
    ("cipher_list", _ANY, v.text_list),
    ("cipher", _NULL, v.text),
    ("alpn_offers", _ANY, v.octets_list),
    ("alpn", _OPTIONAL_BYTES, v.octets),
    ("certificate_list", _ANY, v.certificates),
    ("tls", _OPTIONAL_BOOL, v.flag),
    ("error", _NULL, v.text),
    ("transport_protocol", _ANY, v.transport_protocol),
    ("id", _ANY, v.identifier),
    ("sockname", _NULL, v.address_or_none),
    ("peername", _NULL, v.address_or_none),
)

_CLIENT_ONLY: Final[dict[str, Field]] = {
    "timestamp_start": ("timestamp_start", _FLOAT, v.seconds_or_start),
    "sockname": ("sockname", _ANY, v.address_or_blank),
    "peername": ("peername", _ANY, v.address_or_blank),
}

CLIENT: Final[Table] = (
    ("proxy_mode", _ANY, v.proxy_mode),
    ("mitmcert", _NULL, v.certificate),
    *(_CLIENT_ONLY.get(field[0], field) for field in _CONNECTION),
)

SERVER: Final[Table] = (
    ("via", _NULL, v.upstream_or_none),
    ("timestamp_tcp_setup", _OPTIONAL_FLOAT, v.seconds),
    ("address", _NULL, v.target_or_none),
    *_CONNECTION,
)


def _connection(table: Table) -> Callable[[Any, Context], dict[str, Any]]:
    def convert(value: Any, context: Context) -> dict[str, Any]:
        connection = _fill(table, {} if value is None else value, context)
        if connection["tls"] is None:
            connection["tls"] = connection["timestamp_tls_setup"] is not None
        return connection

    return convert


# http

_MESSAGE: Final[Table] = (
    ("timestamp_end", _OPTIONAL_TIME, v.seconds),
    ("timestamp_start", _TIME, v.time_or_start),
    ("trailers", _NULL, v.fields),
    ("content", _OPTIONAL_BYTES, v.body),
    ("headers", _ANY, v.fields),
    ("http_version", _BYTES, v.octets_or(b"HTTP/1.1")),
)

REQUEST: Final[Table] = (
    ("path", _BYTES, v.octets),
    ("authority", _BYTES, v.octets_or(b"")),
    ("scheme", _BYTES, v.octets),
    ("method", _BYTES, v.octets),
    ("port", _INT, v.integer),
    ("host", _ANY, v.host),
    *_MESSAGE,
)

RESPONSE: Final[Table] = (("reason", _BYTES, v.octets_or(b"")), ("status_code", _INT, v.integer), *_MESSAGE)

WEBSOCKET: Final[Table] = (
    ("timestamp_end", _OPTIONAL_FLOAT, v.seconds),
    ("close_reason", _NULL, v.text),
    ("close_code", _OPTIONAL_INT, v.integer),
    ("closed_by_client", _OPTIONAL_BOOL, v.flag_or_none),
    ("messages", _ANY, v.websocket_messages),
)


def _http_message(table: Table) -> Callable[[Any, Context], dict[str, Any]]:
    def convert(value: Any, context: Context) -> dict[str, Any]:
        if isinstance(value, dict) and "content" not in value:
            value = {**value, "content": b""}
        return _fill(table, value, context)

    return convert


# dns

QUESTION: Final[Table] = (("class_", _INT, v.integer_or(1)), ("type", _INT, v.integer), ("name", _ANY, v.text))

RECORD: Final[Table] = (("data", _BYTES, v.octets_or(b"")), ("ttl", _INT, v.integer_or(0)), *QUESTION)

DNS_MESSAGE: Final[Table] = (
    ("timestamp", _OPTIONAL_FLOAT, v.seconds),
    ("additionals", _ANY, _fills_list(RECORD)),
    ("authorities", _ANY, _fills_list(RECORD)),
    ("answers", _ANY, _fills_list(RECORD)),
    ("questions", _ANY, _fills_list(QUESTION)),
    ("response_code", _INT, v.integer_or(0)),
    ("reserved", _INT, v.integer_or(0)),
    ("recursion_available", _BOOL, v.flag),
    ("recursion_desired", _BOOL, v.flag),
    ("truncation", _BOOL, v.flag),
    ("authoritative_answer", _BOOL, v.flag),
    ("op_code", _INT, v.integer_or(0)),
    ("query", _BOOL, v.flag),
    ("id", _INT, v.integer_or(0)),
)

# flows

ERROR: Final[Table] = (("timestamp", _FLOAT, v.seconds_or_start), ("msg", _ANY, v.text_or_empty))


def _backup(value: Any, context: Context) -> dict[str, Any] | None:
    """The flow as it was before it was modified. A backup of a backup has no meaning, an unusable one is dropped."""
    if not isinstance(value, dict):
        return None
    try:
        return complete({**value, "backup": None})
    except StateError:
        return None


_FLOW: Final[Table] = (
    ("backup", _NULL, _backup),
    ("timestamp_created", _TIME, v.creation_time),
    ("comment", _ANY, v.text_or_empty),
    ("metadata", _ANY, v.metadata),
    ("marked", _ANY, v.marker),
    ("is_replay", _NULL, v.replayed_part),
    ("intercepted", _BOOL, v.any_flag),
    ("server_conn", _ANY, _connection(SERVER)),
    ("client_conn", _ANY, _connection(CLIENT)),
    ("error", _NULL, _optional(_fills(ERROR))),
    ("id", _ANY, v.identifier),
    ("type", _ANY, v.text),
    ("version", _ANY, lambda value, context: VERSION),
)

_STREAM: Final[Table] = (("messages", _ANY, v.stream_messages), *_FLOW)

FLOWS: Final[dict[str, Table]] = {
    "http": (
        ("websocket", _NULL, _optional(_fills(WEBSOCKET))),
        ("response", _NULL, _optional(_http_message(RESPONSE))),
        ("request", _ANY, _http_message(REQUEST)),
        *_FLOW,
    ),
    "tcp": _STREAM,
    "udp": _STREAM,
    "dns": (("response", _NULL, _optional(_fills(DNS_MESSAGE))), ("request", _ANY, _fills(DNS_MESSAGE)), *_FLOW),
}

_PROTOCOLS: Final = {"http": "tcp", "tcp": "tcp", "udp": "udp", "dns": "udp"}


def complete(state: dict[str, Any]) -> dict[str, Any]:
    """The state as a version 21 file holds it: exactly the right keys in file order, every value one that a released
    mitmproxy reads.

    `state` has the shape of version 21, though keys may be missing or unknown and values of related types. Missing ones
    get their defaults, unknown ones are dropped. `state` is not changed; the result may share lists with it. Raises
    `StateError`, and nothing else, when this is not a usable flow.
    """
    if not isinstance(state, dict):
        raise StateError("not a flow: the record is not a dict")
    kind = state.get("type")
    table = FLOWS.get(kind) if isinstance(kind, str) else None
    if table is None or kind is None:
        raise StateError(f"unknown flow type {kind!r:.60}", "type")
    out = _fill(table, state, Context(_start(state), _PROTOCOLS[kind]))
    if _mode_was_replaced(state.get("client_conn"), out["client_conn"]):
        out["server_conn"]["via"] = None
    return out


SECTIONS: Final[dict[str, Table]] = {"client_conn": CLIENT, "server_conn": SERVER}


def complete_section(section: str, values: dict[str, Any]) -> dict[str, Any]:
    """`complete` for one connection alone; `section` is ``client_conn`` or ``server_conn``. Raises `StateError`."""
    try:
        return _connection(SECTIONS[section])(values, Context(0.0, "tcp"))
    except StateError as error:
        raise error.within(section) from None


def _start(state: dict[str, Any]) -> float:
    """When the flow began, as far as it can be told: the request's start, the client's, the epoch."""
    for part in (state.get("request"), state.get("client_conn")):
        start = part.get("timestamp_start") if isinstance(part, dict) else None
        if type(start) is float or type(start) is int:
            return start
    return 0.0


def _mode_was_replaced(before: Any, after: dict[str, Any]) -> bool:
    """Whether the proxy mode was one that mitmproxy cannot parse; it could not make sense of the upstream either."""
    mode = before.get("proxy_mode") if isinstance(before, dict) else None
    return isinstance(mode, str) and mode != "regular" and after["proxy_mode"] == "regular"
