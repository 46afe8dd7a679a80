"""What is in the data of DNS records, for people, and the form of texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdump.dns import svcb, wire
from flowdump.dns.wire import MalformedMessage

if TYPE_CHECKING:
    from collections.abc import Callable


def shown(kind: int, data: bytes) -> str:
    """The data of a record of that type: addresses, names and texts in their usual form, hex for anything else."""
    try:
        return _SHOWN.get(kind, bytes.hex)(data)
    except ValueError:
        return data.hex()


def _address(data: bytes) -> str:
    import ipaddress

    return str(ipaddress.ip_address(data))


def _shown_name(data: bytes) -> str:
    return _shown_names(data)


def _shown_names(data: bytes, count: int = 1) -> str:
    """So many names, the root as a dot. Raises ValueError."""
    names, at = [], 0
    for _ in range(count):
        name, at = wire.read_name(data, at, {})
        names.append(wire.name_text(name) or ".")
    return " ".join(names)


def _numbers(data: bytes, *sizes: int) -> str:
    """Numbers of so many bytes each. Raises ValueError where the data is shorter."""
    if len(data) < sum(sizes):
        raise ValueError(f"{len(data)} bytes are no record of this type")
    shown, at = [], 0
    for size in sizes:
        shown.append(str(int.from_bytes(data[at : at + size], "big")))
        at += size
    return " ".join(shown)


def _soa(data: bytes) -> str:
    """RFC 1035 section 3.3.13."""
    return f"{_shown_names(data, 2)} {_numbers(data[-20:], 4, 4, 4, 4, 4)}"


def strings(data: bytes) -> list[bytes]:
    """The character strings (RFC 1035 section 3.3) of the data; MalformedMessage where the last one is cut off."""
    strings, at = [], 0
    while at < len(data):
        end = at + 1 + data[at]
        if end > len(data):
            raise MalformedMessage("a text is cut off")
        strings.append(data[at + 1 : end])
        at = end
    return strings


def pack_text(text: str) -> bytes:
    raw = text.encode("utf-8", "surrogateescape")
    pieces = [raw[i : i + 255] for i in range(0, len(raw), 255)] or [b""]
    return b"".join(bytes([len(piece)]) + piece for piece in pieces)


def _texts(data: bytes) -> str:
    return " ".join('"' + piece.decode("utf-8", "backslashreplace") + '"' for piece in strings(data))


def _service(data: bytes) -> str:
    """Priority, target and parameters of an SVCB or HTTPS record."""
    record = svcb.unpack(data)
    shown = [f"{name}={value}" for name, value in list(record.to_json().items())[2:]]
    alpn = record.params.get(svcb.ALPN)
    if alpn is not None:
        protocols = b",".join(svcb.unpack_alpn(alpn)).decode("ascii", "backslashreplace")
        shown = [f"alpn={protocols}" if param.startswith("alpn=") else param for param in shown]
    return " ".join([str(record.priority), record.target_name or ".", *shown])


_SHOWN: dict[int, Callable[[bytes], str]] = {
    1: _address,
    28: _address,
    2: _shown_name,
    5: _shown_name,
    6: _soa,
    12: _shown_name,
    39: _shown_name,
    15: lambda data: f"{_numbers(data, 2)} {_shown_name(data[2:])}",
    16: _texts,
    33: lambda data: f"{_numbers(data, 2, 2, 2)} {_shown_name(data[6:])}",
    64: _service,
    65: _service,
}
