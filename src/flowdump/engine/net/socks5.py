"""SOCKS version 5 (RFC 1928) with user name and password (RFC 1929), on both sides.

``accept`` faces a client: it says where the client wants to go. ``connect`` asks another proxy. Messages are parsed
from the front of the buffer by pure functions that return how many bytes they took, or None until there are enough;
what comes after the last one belongs to the tunnel.

The server side knows CONNECT only; BIND and UDP ASSOCIATE get the reply that says so. A client is told that it is
connected before its server is: a failure after that is reported in the protocol that the client speaks
inside, as with an HTTP CONNECT.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdump.engine.errors import ConnectError, PeerClosed, ProtocolError
from flowdump.engine.http1.framing import shown
from flowdump.http.urls import host_to_ascii, host_to_unicode, parse_authority

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from flowdump.engine.listen.modes import Credentials
    from flowdump.engine.net.stream import Stream

VERSION = 5
_NO_AUTHENTICATION, _PASSWORD, _NO_METHOD = 0, 2, 0xFF
_CONNECT = 1
_IPV4, _NAME, _IPV6 = 1, 3, 4
_COMMANDS = {2: "BIND", 3: "UDP ASSOCIATE"}

#: Replies (RFC 1928 section 6).
SUCCEEDED, FAILED, COMMAND_NOT_SUPPORTED, ADDRESS_NOT_SUPPORTED = 0, 1, 7, 8
_REPLIES = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "the network is unreachable",
    4: "the host is unreachable",
    5: "connection refused",
    6: "the time to live expired",
    7: "it does not know CONNECT",
    8: "it does not know that kind of address",
}

#: Seconds for the whole handshake of a client.
HANDSHAKE_TIME = 60.0


# -- messages ---------------------------------------------------------------------------------------------------------


class Request(NamedTuple):
    """What a client asks for: ``host`` is None for an address of an unknown kind."""

    command: int
    host: str | None
    port: int


def parse_greeting(data: bytes | bytearray) -> tuple[bytes, int] | None:
    """The methods a client offers, and the bytes taken. Raises ValueError for what is no greeting."""
    if data[:1] not in (b"", b"\5"):
        raise ValueError(f"SOCKS version {data[0]} is not 5")
    if len(data) < 2 or len(data) < 2 + data[1]:
        return None
    return bytes(data[2 : 2 + data[1]]), 2 + data[1]


def parse_password(data: bytes | bytearray) -> tuple[str, str, int] | None:
    """User name, password, and the bytes taken. Raises ValueError."""
    if data[:1] not in (b"", b"\1"):
        raise ValueError(f"version {data[0]} of the user name and password is not 1")
    if len(data) < 2 or len(data) < 3 + data[1]:
        return None
    split = 2 + data[1]
    end = split + 1 + data[split]
    if len(data) < end:
        return None
    user, password = bytes(data[2:split]), bytes(data[split + 1 : end])
    return user.decode("utf-8", "surrogateescape"), password.decode("utf-8", "surrogateescape"), end


def parse_request(data: bytes | bytearray) -> tuple[Request, int] | None:
    """What is asked for, and the bytes taken; replies have the same form. Raises ValueError."""
    if data[:1] not in (b"", b"\5"):
        raise ValueError(f"SOCKS version {data[0]} is not 5")
    if len(data) < 5:
        return None
    command, kind = data[1], data[3]
    if kind not in (_IPV4, _NAME, _IPV6):
        return Request(command, None, 0), len(data)
    size = {_IPV4: 4, _IPV6: 16}.get(kind, data[4] + 1)
    end = 4 + size + 2
    if len(data) < end:
        return None
    (port,) = struct.unpack_from("!H", data, 4 + size)
    raw = bytes(data[4 : 4 + size])
    return Request(command, _host(raw[1:]) if kind == _NAME else str(ipaddress.ip_address(raw)), port), end


def _host(name: bytes) -> str:
    """A name, checked: it will be shown, matched and resolved. Raises ValueError."""
    host, port = parse_authority(b"[%b]" % name if b":" in name else name, check=True)
    if not host or port is not None:
        raise ValueError(f"{shown(name)} is no host name")
    return host_to_unicode(host.encode("utf-8"))


def packed(host: str) -> bytes | None:
    """The kind and the bytes of an IP address, None for a name."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return bytes([_IPV4 if address.version == 4 else _IPV6]) + address.packed


def reply(code: int) -> bytes:
    """A reply with a zero address, because the server is not connected yet."""
    return bytes([VERSION, code, 0, _IPV4]) + bytes(6)


# -- the server's side ------------------------------------------------------------------------------------------------


async def accept(stream: Stream, check: Callable[[str, str], Awaitable[bool]] | None) -> tuple[str, int]:
    """Where the client wants to go, after a handshake that succeeded. ``check`` judges user name and password.

    Raises ProtocolError when it does not come to that (the client has its answer by then), PeerClosed, TimedOut.
    """
    stream.deadline = asyncio.get_running_loop().time() + HANDSHAKE_TIME
    try:
        try:
            await _authenticate(stream, check)
            request = await _read_request(stream)
        except ValueError as error:
            raise ProtocolError(f"SOCKS: {error}", status=400) from None
        if request.command != _CONNECT:
            stream.write(reply(COMMAND_NOT_SUPPORTED))
            name = _COMMANDS.get(request.command, f"command {request.command}")
            raise ProtocolError(f"SOCKS: {name} is not supported, CONNECT is", status=501)
        if request.host is None:
            stream.write(reply(ADDRESS_NOT_SUPPORTED))
            raise ProtocolError("SOCKS: an unknown kind of address", status=400)
        if not request.port:
            stream.write(reply(FAILED))
            raise ProtocolError("SOCKS: there is no port 0", status=400)
        stream.write(reply(SUCCEEDED))
        return request.host, request.port
    finally:
        stream.deadline = None


async def _authenticate(stream: Stream, check: Callable[[str, str], Awaitable[bool]] | None) -> None:
    methods = await _read(stream, parse_greeting)
    method = _PASSWORD if check is not None else _NO_AUTHENTICATION
    if method not in methods:
        stream.write(bytes([VERSION, _NO_METHOD]))
        wanted = "user name and password" if check is not None else "no authentication"
        raise ProtocolError(f"SOCKS: the client does not offer {wanted}", status=407)
    stream.write(bytes([VERSION, method]))
    if check is None:
        return
    while (found := parse_password(stream.buffer)) is None:
        await _more(stream)
    user, password, size = found
    stream.take(size)
    valid = await check(user, password)
    stream.write(b"\1\0" if valid else b"\1\1")
    if not valid:
        raise ProtocolError("SOCKS: wrong user name or password", status=407)


async def _read_request(stream: Stream) -> Any:
    """The address that the client asks for. Raises ValueError for an invalid request, which the client is told."""
    try:
        return await _read(stream, parse_request)
    except ValueError:
        stream.write(reply(FAILED))
        raise


async def _read(stream: Stream, parse: Callable[[bytearray], tuple[Any, int] | None]) -> Any:
    while (found := parse(stream.buffer)) is None:
        await _more(stream)
    stream.take(found[1])
    return found[0]


async def _more(stream: Stream) -> None:
    if not await stream.more():
        raise PeerClosed(f"the {stream.peer} closed the connection during the SOCKS handshake", stream.peer)


# -- the client's side ------------------------------------------------------------------------------------------------


async def connect(stream: Stream, address: tuple[str, int], scheme: str, credentials: Credentials | None) -> None:
    """Ask the proxy at the other end of ``stream`` to connect to ``address``; with ``socks5h`` it resolves the name.

    Raises ConnectError in words, PeerClosed.
    """
    # Kind, address and port as they go into a request.
    host, port = address
    place = packed(host)
    if place is None and scheme == "socks5":
        place = packed(await _resolve(host, port))
    if place is None:
        name = host_to_ascii(host)
        if not 0 < len(name) < 256:
            raise ConnectError(f"{shown(name)} is too long for SOCKS")
        place = bytes([_NAME, len(name)]) + name
    target = place + struct.pack("!H", port)
    try:
        await _introduce(stream, credentials)
        stream.write(bytes([VERSION, _CONNECT, 0]) + target)
        answer = await _read(stream, parse_request)
    except ValueError as error:
        raise ConnectError(f"it does not speak SOCKS 5: {error}") from None
    if answer.command != SUCCEEDED:
        raise ConnectError(_REPLIES.get(answer.command, f"refused with code {answer.command}"))


async def _resolve(host: str, port: int) -> str:
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConnectError(f"cannot resolve {host}: {getattr(error, 'strerror', None) or error}") from None
    return str(found[0][4][0])


async def _introduce(stream: Stream, credentials: Credentials | None) -> None:
    """Agree on a method, and pass the credentials if the proxy wants them. Raises ConnectError, ValueError."""
    stream.write(b"\5\1\0" if credentials is None else b"\5\2\0\2")
    while len(stream.buffer) < 2:
        await _more(stream)
    version, method = stream.take(2)
    if version != VERSION:
        raise ValueError(f"version {version} is not 5")
    if method == _NO_AUTHENTICATION:
        return
    if method != _PASSWORD or credentials is None:
        asks = "it asks for credentials, see upstream_auth" if credentials is None else "it knows no user names"
        raise ConnectError(asks)
    user, password = (text.encode("utf-8", "surrogateescape") for text in credentials)
    if not 0 < len(user) < 256 or not len(password) < 256:
        raise ConnectError("user name or password are too long for SOCKS")
    stream.write(bytes([1, len(user)]) + user + bytes([len(password)]) + password)
    while len(stream.buffer) < 2:
        await _more(stream)
    if stream.take(2)[1] != 0:
        raise ConnectError("it refused the credentials")
