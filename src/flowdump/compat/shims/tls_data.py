"""The arguments of TLS events as tests make them: a ``ClientHello`` of bytes, a ``Context`` of a client and options."""

from __future__ import annotations

from typing import Any

from flowdump.compat.shims.alike import Alike
from flowdump.connection import Server
from flowdump.engine.tls import client_hello
from flowdump.runtime import hook_data

#: Handshake type and three bytes of length (RFC 8446 section 4); type, version and two bytes of length (section 5.1).
_HANDSHAKE, _RECORD = b"\x01", b"\x16\x03\x01"


class ClientHello(metaclass=Alike):
    """``ClientHello(raw)``: the handshake message without its header of four bytes."""

    @staticmethod
    def is_one(instance: Any) -> bool:
        return isinstance(instance, client_hello.ClientHello)

    @staticmethod
    def made(raw_client_hello: bytes, dtls: bool = False) -> client_hello.ClientHello:
        """Raises ValueError for what is none, and for one of DTLS, which flowdump does not read."""
        message = _HANDSHAKE + len(raw_client_hello).to_bytes(3, "big") + raw_client_hello
        step = client_hello.MAX_RECORD
        parts = [message[at : at + step] for at in range(0, len(message), step)]
        hello = None if dtls else client_hello.parse(b"".join(_RECORD + len(p).to_bytes(2, "big") + p for p in parts))
        if hello is None:
            raise ValueError("this is no ClientHello of TLS")
        return hello


class Context(metaclass=Alike):
    """``Context(client, options)``; the server is unknown at first, and may be set."""

    @staticmethod
    def is_one(instance: Any) -> bool:
        return isinstance(instance, hook_data.Context)

    @staticmethod
    def made(client: Any, options: Any = None) -> hook_data.Context:
        return hook_data.Context(client, Server(address=None))
