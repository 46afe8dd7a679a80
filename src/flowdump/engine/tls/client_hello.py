"""The first message of a TLS client, read from raw bytes without taking part in the handshake.

The proxy has to know which name and which protocols a client asks for *before* it can answer: the name decides whether
the connection is touched at all, and which certificate is made; the protocols are offered to the origin first. OpenSSL
tells a server these things in a callback that cannot wait for a connection to an origin, hence this parser. It only
looks: the bytes stay in the buffer and go to OpenSSL afterwards, which has the last word on whether they are valid.

A ClientHello (RFC 8446 section 4.1.2; RFC 5246 section 7.4.1.2) may come in many TLS records, and these in many pieces.
Everything is bounds-checked, nothing is copied but what is kept, and the size is limited.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

#: Bytes of a ClientHello, records included, above which it is refused. Real ones take 0.2 to 2 KiB.
LIMIT: Final = 64 * 1024

#: Records a ClientHello may be spread over. One is usual, tools against censorship make some dozens; since every
#: arrival of bytes walks over them again, thousands of tiny ones would cost more than they should.
MAX_RECORDS: Final = 512

#: RFC 8446 section 5.1: the payload of a plaintext record.
MAX_RECORD: Final = 1 << 14

HANDSHAKE = 22
_CLIENT_HELLO = 1
_SERVER_NAME, _ALPN, _SUPPORTED_VERSIONS = 0, 16, 43

_two_numbers = struct.Struct(">HH").unpack_from

#: What can be a host name on the wire (RFC 6066 section 3: ASCII, A-labels); IP addresses should not be here, but are.
_host = re.compile(rb"[0-9A-Za-z._:-]{1,255}").fullmatch


class ClientHello(NamedTuple):
    """What a client offers. Numbers as registered with IANA, GREASE values (RFC 8701) included."""

    #: The host name asked for, as sent; None when there is none or it cannot be a host name.
    sni: str | None
    #: In the client's order of preference, such as ``[b"h2", b"http/1.1"]``.
    alpn_protocols: list[bytes]
    cipher_suites: list[int]
    #: ``(type, raw content)`` in the order sent.
    extensions: list[tuple[int, bytes]]
    #: TLS versions, such as 0x0304 for TLS 1.3: of the supported_versions extension, else the one in the message.
    versions: list[int]
    #: The handshake message without its header of four bytes.
    message: bytes
    #: Bytes of the input up to the end of the record in which the message ends.
    length: int

    def raw_bytes(self, wrap_in_record: bool = True) -> bytes:
        """The handshake message with its header, by default as one TLS record."""
        message = bytes([_CLIENT_HELLO]) + len(self.message).to_bytes(3, "big") + self.message
        header = b"\x16\x03\x01" + min(len(message), 0xFFFF).to_bytes(2, "big")
        return header + message if wrap_in_record else message


def parse(data: bytes | bytearray) -> ClientHello | None:
    """The ClientHello at the start of ``data``, None as long as more bytes are needed.

    Bytes after it are left alone. Raises ValueError when this cannot become a ClientHello any more.
    """
    handshake = bytearray()
    offset = 0
    for start, end in _records(data):
        handshake += data[start:end]
        offset = end
        if _is_complete(handshake):
            return _hello(bytes(handshake[4 : 4 + int.from_bytes(handshake[1:4], "big")]), offset)
    if len(data) - offset >= 6:
        # The type of the message can be seen before its record is whole.
        _is_complete(handshake or data[offset + 5 :])
    return None


def _records(data: bytes | bytearray) -> Iterator[tuple[int, int]]:
    """Start and end of the payload of each handshake record that is there as a whole."""
    start = 0
    for _ in range(MAX_RECORDS):
        if start >= len(data):
            return
        header = data[start : start + 5]
        if header[0] != HANDSHAKE or (len(header) > 1 and header[1] != 3):
            raise ValueError("not a TLS handshake record")
        if len(header) < 5:
            return
        length = int.from_bytes(header[3:], "big")
        if not 0 < length <= MAX_RECORD:
            raise ValueError(f"a TLS record of {length} bytes")
        if start + 5 + length > LIMIT:
            raise ValueError("the ClientHello is too large")
        if start + 5 + length > len(data):
            return
        yield start + 5, start + 5 + length
        start += 5 + length
    raise ValueError("the ClientHello is spread over too many records")


def _is_complete(handshake: bytes | bytearray) -> bool:
    if handshake[0] != _CLIENT_HELLO:
        raise ValueError("a TLS handshake that does not begin with a ClientHello")
    if len(handshake) < 4:
        return False
    length = int.from_bytes(handshake[1:4], "big")
    if length > LIMIT:
        raise ValueError("the ClientHello is too large")
    return len(handshake) >= 4 + length


class _Reader:
    """Takes numbers and length-prefixed vectors from the front of a byte string."""

    __slots__ = ("data", "offset")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    def take(self, n: int) -> bytes:
        end = self.offset + n
        if end > len(self.data):
            raise ValueError("the ClientHello is cut off")
        taken = self.data[self.offset : end]
        self.offset = end
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """What a length of ``size`` bytes announces."""
        return self.take(self.number(size))

    def __bool__(self) -> bool:
        return self.offset < len(self.data)


def _hello(message: bytes, length: int) -> ClientHello:
    reader = _Reader(message)
    legacy_version = reader.number(2)
    reader.take(32)  # random
    reader.vector(1)  # session id
    cipher_suites = _numbers(reader.vector(2))
    reader.vector(1)  # compression methods
    extensions = list(_extensions(reader.vector(2))) if reader else []
    if reader:
        raise ValueError("bytes after the end of the ClientHello")
    contents = dict(extensions)
    if len(contents) != len(extensions):
        # RFC 8446 section 4.2. Two names would make the name that is filtered another one than the name that is served.
        raise ValueError("an extension is there twice")
    versions = contents.get(_SUPPORTED_VERSIONS)
    return ClientHello(
        sni=_server_name(contents.get(_SERVER_NAME)),
        alpn_protocols=_protocols(contents.get(_ALPN)),
        cipher_suites=cipher_suites,
        extensions=extensions,
        versions=[legacy_version] if versions is None else _numbers(_whole_vector(versions, 1)),
        message=message,
        length=length,
    )


def _extensions(data: bytes) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start < len(data):
        if start + 4 > len(data):
            raise ValueError("an extension is cut off")
        kind, length = _two_numbers(data, start)
        start += 4 + length
        if start > len(data):
            raise ValueError("an extension is cut off")
        yield kind, data[start - length : start]


def _numbers(data: bytes) -> list[int]:
    if len(data) % 2:
        raise ValueError("a list of two-byte numbers of odd length")
    return list(struct.unpack(f">{len(data) // 2}H", data))


def _whole_vector(data: bytes, size: int) -> bytes:
    """The content of a vector that fills ``data``."""
    reader = _Reader(data)
    content = reader.vector(size)
    if reader:
        raise ValueError("bytes after the end of an extension")
    return content


def _server_name(data: bytes | None) -> str | None:
    """RFC 6066 section 3: a list of at most one name of type host_name (0)."""
    if data is None:
        return None
    reader = _Reader(_whole_vector(data, 2))
    names = []
    while reader:
        kind, name = reader.number(1), reader.vector(2)
        if kind == 0:
            names.append(name)
    if len(names) > 1:
        raise ValueError("more than one host name")
    return names[0].decode("ascii") if names and _host(names[0]) else None


def _protocols(data: bytes | None) -> list[bytes]:
    """RFC 7301 section 3.1."""
    if data is None:
        return []
    reader = _Reader(_whole_vector(data, 2))
    protocols = []
    while reader:
        protocols.append(reader.vector(1))
    if not all(protocols):
        raise ValueError("an empty protocol name")
    return protocols
