"""Single values of a flow's state: what each kind of field accepts, and what becomes of anything else.

Every function here takes a value that is not simply right already (a wrong type, or null where null is not allowed;
a missing key reads as null) and the `Context` of its flow, and returns the value to use instead, or raises
`StateError`. Two rules tell which:

* A value of the wrong *type* that cannot be converted without guessing makes the record unusable: `StateError`.
* A value of the right type that a released mitmproxy would refuse, and with it the whole flow, is replaced by the
  neutral one: a connection that lost its TLS version is better than a lost flow. So is anything, whatever its type, in
  the fields that mitmproxy itself does not look at (comment, marker, metadata...).

What a released mitmproxy (12.2.3) accepts was found out by giving it files, one changed value at a time.
"""

from __future__ import annotations

import os
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, NoReturn

from flowdump.connection import TLS_VERSIONS
from flowdump.formats.flowfile.stored_modes import storable_mode

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_METADATA_DEPTH: Final = 195
"""How deep metadata may nest; leaves room for the levels around it below the 200 that tnetstring.py allows."""

VIA_SCHEMES: Final = frozenset(("http", "https", "http3", "tls", "dtls", "tcp", "udp", "dns", "quic"))

_OPCODES: Final = frozenset((0, 1, 2, 8, 9, 10))
_BINARY: Final = 2

_KINDS: Final[dict[type, str]] = {
    type(None): "nothing",
    bool: "true or false",
    int: "an integer",
    float: "a decimal number",
    str: "text",
    bytes: "bytes",
    list: "a list",
    tuple: "a list",
    dict: "a dict",
}


class StateError(ValueError):
    """The record is not a usable flow. `path` names the key (``request.port``), `reason` says what is wrong with it."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}" if self.path else self.reason

    def within(self, step: str) -> StateError:
        """The same error, seen from one level further out."""
        self.path = f"{step}.{self.path}" if self.path else step
        return self


class Context:
    """What the fields of one flow need to know of each other.

    `start` is when the flow began (Unix seconds), for times that are unknown; `protocol` is ``tcp`` or ``udp``.
    """

    __slots__ = ("protocol", "start")

    def __init__(self, start: float, protocol: str) -> None:
        self.start = start
        self.protocol = protocol


def refuse(expected: str, value: object) -> NoReturn:
    if value is None:
        raise StateError("missing")
    raise StateError(f"expected {expected}, found {_KINDS.get(type(value), type(value).__name__)}")


def format_uuid(raw: bytes) -> str:
    """Sixteen random bytes as the text of a version 4 UUID (RFC 9562 section 5.4)."""
    digits = bytearray(raw)
    digits[6] = digits[6] & 0x0F | 0x40
    digits[8] = digits[8] & 0x3F | 0x80
    text = digits.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


# text


def clean_text(value: str) -> str:
    """The text without lone surrogates, which no UTF-8 file can hold: they become question marks."""
    if value.isascii():
        return value
    return value.encode("utf-8", "replace").decode("utf-8")


def text(value: Any, context: Context) -> str:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return refuse("text", value)


def text_or_empty(value: Any, context: Context) -> str:
    return text(value, context) if isinstance(value, (str, bytes)) else ""


def identifier(value: Any, context: Context) -> str:
    """Flow and connection ids; a new one where there is none."""
    return text(value, context) if isinstance(value, (str, bytes)) else format_uuid(os.urandom(16))


def marker(value: Any, context: Context) -> str:
    return ":default:" if value is True else text_or_empty(value, context)


def replayed_part(value: Any, context: Context) -> str | None:
    return value if isinstance(value, str) and value in ("request", "response") else None


def text_list(value: Any, context: Context) -> list[str]:
    return list_of(text, value, context)


def host(value: Any, context: Context) -> str:
    """The destination host of a request. Up to format 8 it was written as bytes in IDNA encoding."""
    return _decode_idna(value) if isinstance(value, bytes) else text(value, context)


def _decode_idna(value: bytes) -> str:
    if b"xn--" in value.lower():
        try:
            return value.decode("idna")
        except UnicodeError:
            pass  # what is no IDNA name after all is kept as it was written
    return value.decode("ascii", "backslashreplace")


# numbers, times, flags


def flag(value: Any, context: Context) -> bool:
    return False if value is None else refuse("true or false", value)


def flag_or_none(value: Any, context: Context) -> bool:
    return refuse("true or false", value)


def any_flag(value: Any, context: Context) -> bool:
    return bool(value)


def integer(value: Any, context: Context) -> int:
    """A whole number, or a number of another type that is one."""
    if isinstance(value, (int, float)) and value == value // 1:
        return int(value)
    return refuse("an integer", value)


def integer_or(default: int) -> Callable[[Any, Context], int]:
    def convert(value: Any, context: Context) -> int:
        return default if value is None else integer(value, context)

    return convert


def seconds(value: Any, context: Context) -> float:
    """A time that is always written as a float."""
    try:
        return float(value) if isinstance(value, (int, float)) else refuse("a number", value)
    except OverflowError:
        raise StateError("number too large for a time") from None


def seconds_or_start(value: Any, context: Context) -> float:
    return seconds(context.start if value is None else value, context)


def time_or_start(value: Any, context: Context) -> float:
    """A time that may be written as an int as well: old files do so, and such files stay as they are."""
    return context.start if value is None else seconds(value, context)


def creation_time(value: Any, context: Context) -> float:
    return context.start


# bytes


def encode_text(value: str) -> bytes:
    return clean_text(value).encode() if _has_high_surrogates(value) else value.encode("utf-8", "surrogateescape")


def _has_high_surrogates(value: str) -> bool:
    """Whether there are lone surrogates that do not stand for bytes."""
    try:
        value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return True
    return False


def octets(value: Any, context: Context) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    return encode_text(value) if isinstance(value, str) else refuse("bytes", value)


def octets_or(default: bytes) -> Callable[[Any, Context], bytes]:
    def convert(value: Any, context: Context) -> bytes:
        return default if value is None else octets(value, context)

    return convert


def octets_list(value: Any, context: Context) -> list[bytes]:
    return list_of(octets, value, context)


def body(value: Any, context: Context) -> bytes | None:
    """The raw body. Releases 0.9 to 0.16 wrote the integer 0 for a body that was not stored."""
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    return None if type(value) is int and value == 0 else refuse("bytes", value)


def fields(value: Any, context: Context) -> list[list[bytes]]:
    """Header fields: a list of two-item lists of bytes."""
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        refuse("a list", value)
    # The usual case is checked by C code alone: three passes, no call per field.
    if (
        type(value) is list
        and set(map(type, value)) <= {list}
        and set(map(len, value)) <= {2}
        and set(map(type, chain.from_iterable(value))) <= {bytes}
    ):
        return value
    return list_of(_field, value, context)


def _field(value: Any, context: Context) -> list[bytes]:
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        raise StateError("expected a name and a value")
    return [octets(value[0], context), octets(value[1], context)]


def list_of(convert: Callable[[Any, Context], Any], value: Any, context: Context) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, (list, tuple)):
        refuse("a list", value)
    items = []
    for index, item in enumerate(value):
        try:
            items.append(convert(item, context))
        except StateError as error:
            raise error.within(str(index)) from None
    return items


# connections


def address_or_none(value: Any, context: Context) -> list[str | int] | None:
    """``[host, port]``, for IPv6 with flow information and scope after it; null when unknown."""
    if value is None:
        return None
    if not isinstance(value, (list, tuple)):
        refuse("a list", value)
    if len(value) < 2:
        return None
    try:
        return [text(value[0], context), *(integer(item, context) for item in value[1:4])]
    except StateError:
        raise StateError("expected a host and a port") from None


def address_or_blank(value: Any, context: Context) -> list[str | int]:
    return address_or_none(value, context) or ["", 0]


def target_or_none(value: Any, context: Context) -> list[str | int] | None:
    """An address that must have exactly two items."""
    address = address_or_none(value, context)
    return address and address[:2]


def upstream_or_none(value: Any, context: Context) -> list[Any] | None:
    """``[scheme, [host, port]]`` of an upstream proxy; null where a released mitmproxy would not know the scheme."""
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        return None
    scheme, address = text_or_empty(value[0], context), value[1]
    if scheme not in VIA_SCHEMES or not isinstance(address, (list, tuple)):
        return None
    target = target_or_none(address, context)
    return target and [scheme, target]


def tls_version(value: Any, context: Context) -> str | None:
    version = text_or_empty(value, context)
    return version if version in TLS_VERSIONS else None


def server_name(value: Any, context: Context) -> str | None:
    """SNI. Formats 11 to 18 have ``true`` in places; the migration has put a name there where it knows one."""
    return None if isinstance(value, bool) else text(value, context)


def transport_protocol(value: Any, context: Context) -> str:
    protocol = text_or_empty(value, context)
    return protocol if protocol in ("tcp", "udp") else context.protocol


def proxy_mode(value: Any, context: Context) -> str:
    return storable_mode(text_or_empty(value, context))


def certificate(value: Any, context: Context) -> bytes | None:
    return None if value is None else canonical_pem(octets(value, context))


def certificates(value: Any, context: Context) -> list[bytes]:
    """Certificates that can be parsed, each in canonical PEM; the others are dropped."""
    if type(value) is list and not value:
        return value
    return [pem for pem in map(canonical_pem, octets_list(value, context)) if pem is not None]


@lru_cache(maxsize=512)
def canonical_pem(pem: bytes) -> bytes | None:
    """The first certificate in `pem` as mitmproxy writes it (64 columns, LF, nothing around it); None if unreadable."""
    import warnings

    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about details of certificates that are long since recorded
        try:
            return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.PEM)
        except Exception:  # the library lists no exceptions, and has several for malformed certificates
            return None


# messages


def stream_messages(value: Any, context: Context) -> list[list[Any]]:
    """TCP and UDP messages: lists of from_client, content, timestamp."""
    return _messages(_stream_message, _STREAM_SHAPES, value, context)


def websocket_messages(value: Any, context: Context) -> list[list[Any]]:
    """WebSocket messages: lists of type, from_client, content, timestamp, dropped, injected."""
    return _messages(_websocket_message, _WEBSOCKET_SHAPES, value, context)


_STREAM_SHAPES: Final = frozenset(((bool, bytes, float), (bool, bytes, int)))
_WEBSOCKET_SHAPES: Final = frozenset(((int, bool, bytes, float, bool, bool), (int, bool, bytes, int, bool, bool)))


def _messages(
    convert: Callable[[Any, Context], list[Any]], shapes: frozenset[tuple[type, ...]], value: Any, context: Context
) -> list[list[Any]]:
    def message(item: Any, context: Context) -> list[Any]:
        if type(item) is list and tuple(map(type, item)) in shapes and (len(item) == 3 or item[0] in _OPCODES):
            return item
        return convert(item, context)

    return list_of(message, value, context)


def _stream_message(item: Any, context: Context) -> list[Any]:
    if not isinstance(item, (list, tuple)) or not 2 <= len(item) <= 3:
        raise StateError("expected a list of two or three items")
    from_client, content, timestamp = (*item, None)[:3]
    return [any_flag(from_client, context), octets_or(b"")(content, context), message_time(timestamp, context)]


def _websocket_message(item: Any, context: Context) -> list[Any]:
    if not isinstance(item, (list, tuple)) or not 3 <= len(item) <= 6:
        raise StateError("expected a list of three to six items")
    opcode, from_client, content, timestamp, dropped, injected = (*item, None, None, None)[:6]
    kind = integer(opcode, context)
    return [
        kind if kind in _OPCODES else _BINARY,
        any_flag(from_client, context),
        octets_or(b"")(content, context),
        message_time(timestamp, context),
        any_flag(dropped, context),
        any_flag(injected, context),
    ]


def message_time(value: Any, context: Context) -> float:
    return value if type(value) in (int, float) else time_or_start(value, context)


# metadata


def metadata(value: Any, context: Context) -> dict[Any, Any]:
    """Free-form values. They stay as they are, but for lone surrogates and tuples; what is not a dict is dropped."""
    return clean_tree(value, 0) if isinstance(value, dict) and value else {}


def clean_tree(value: Any, depth: int) -> Any:
    if depth > MAX_METADATA_DEPTH:
        raise StateError("nested too deeply")
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, dict):
        return {
            clean_text(key) if isinstance(key, str) else key: clean_tree(item, depth + 1) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [clean_tree(item, depth + 1) for item in value]
    return value
