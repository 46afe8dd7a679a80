"""The data of SVCB and HTTPS records (RFC 9460): where a service is to be found, and how it is spoken to."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Any, Final

from flowdump.dns.wire import MalformedMessage, name_text, pack_name, read_name

#: The parameters that have a name (RFC 9460 section 14.3.2), in mitmproxy's spelling.
PARAMS: Final = {0: "mandatory", 1: "alpn", 2: "no_default_alpn", 3: "port", 4: "ipv4hint", 5: "ech", 6: "ipv6hint"}
ALPN: Final = 1
ECH: Final = 5

_PARAM: Final = struct.Struct("!HH")


@dataclass
class HTTPSRecord:
    """Priority 0 makes ``target_name`` an alias; an empty target is the owner itself. ``params``: number -> bytes."""

    priority: int
    target_name: str
    params: dict[int, bytes] = field(default_factory=dict)

    def to_json(self) -> dict[str | int, Any]:
        """Plain values, parameters by name where they have one, their bytes escaped."""
        return {
            "target_name": self.target_name,
            "priority": self.priority,
            **{PARAMS.get(number, number): _escaped(value) for number, value in self.params.items()},
        }

    @classmethod
    def from_json(cls, data: dict[str | int, Any]) -> HTTPSRecord:
        """The opposite. Raises ValueError, KeyError."""
        numbers: dict[str | int, int] = {name: number for number, name in PARAMS.items()}
        params = {
            numbers[key] if key in numbers else int(key): _unescaped(value)
            for key, value in data.items()
            if key not in ("target_name", "priority")
        }
        return cls(data["priority"], data["target_name"], params)


def unpack(data: bytes) -> HTTPSRecord:
    """The data of a record as values. Raises MalformedMessage."""
    if len(data) < 2:
        raise MalformedMessage("a service record without a priority")
    name, at = read_name(data, 2, {})
    params: dict[int, bytes] = {}
    while at < len(data):
        if at + _PARAM.size > len(data):
            raise MalformedMessage("a parameter of a service record is cut off")
        number, length = _PARAM.unpack_from(data, at)
        at += _PARAM.size + length
        if at > len(data):
            raise MalformedMessage("a parameter of a service record is cut off")
        params[number] = data[at - length : at]
    return HTTPSRecord(int.from_bytes(data[:2], "big"), name_text(name), params)


def pack(record: HTTPSRecord) -> bytes:
    """The bytes of a record, parameters in their order here. Raises ValueError where a value does not fit."""
    try:
        params = b"".join(_PARAM.pack(number, len(value)) + value for number, value in record.params.items())
        return struct.pack("!H", record.priority) + pack_name(record.target_name) + params
    except struct.error as error:
        raise ValueError(f"a number of a service record does not fit its field: {error}") from None


def unpack_alpn(value: bytes) -> tuple[bytes, ...]:
    """The protocols of the parameter ``alpn``. Raises MalformedMessage."""
    protocols = []
    at = 0
    while at < len(value):
        end = at + 1 + value[at]
        if end > len(value):
            raise MalformedMessage("the protocols of a service record are cut off")
        protocols.append(value[at + 1 : end])
        at = end
    return tuple(protocols)


def pack_alpn(protocols: tuple[bytes, ...] | list[bytes]) -> bytes:
    """The value of the parameter ``alpn``. Raises ValueError for a protocol of more than 255 bytes."""
    return b"".join(bytes([len(protocol)]) + protocol for protocol in protocols)


def _escaped(value: bytes) -> str:
    return (
        value.decode("latin-1").replace("\\", "\\\\").encode("ascii", "backslashreplace").decode().translate(_CONTROLS)
    )


def _unescaped(text: str) -> bytes:
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")


_CONTROLS: Final = {n: repr(chr(n))[1:-1] for n in (*range(32), 127)}
