"""``mitmproxy.tls.ClientHello`` and ``mitmproxy.proxy.context.Context``, with the constructors that tests call."""

from __future__ import annotations

from typing import Any

from flowdump.compat.shims.virtual_class import VirtualClass
from flowdump.connection import Server
from flowdump.engine.tls import client_hello
from flowdump.runtime import hook_data

#: Handshake type and three bytes of length (RFC 8446 section 4); type, version and two bytes of length (section 5.1).
_HANDSHAKE, _RECORD = b"\x01", b"\x16\x03\x01"


class ClientHello(metaclass=VirtualClass):
    """``ClientHello(raw)``: the handshake message without its header of four bytes."""

    @staticmethod
    def recognises(instance: Any) -> bool:
        return isinstance(instance, client_hello.ClientHello)

    @staticmethod
    def construct(raw_client_hello: bytes, dtls: bool = False) -> client_hello.ClientHello:
        """Raises ValueError for an invalid message, and for DTLS, which flowdump does not parse."""
        message = _HANDSHAKE + len(raw_client_hello).to_bytes(3, "big") + raw_client_hello
        step = client_hello.MAX_RECORD
        parts = [message[at : at + step] for at in range(0, len(message), step)]
        hello = None if dtls else client_hello.parse(b"".join(_RECORD + len(p).to_bytes(2, "big") + p for p in parts))
        if hello is None:
            raise ValueError("this is no ClientHello of TLS")
        return hello


class Context(metaclass=VirtualClass):
    """``Context(client, options)``; the server has no address until one is set."""

    @staticmethod
    def recognises(instance: Any) -> bool:
        return isinstance(instance, hook_data.Context)

    @staticmethod
    def construct(client: Any, options: Any = None) -> hook_data.Context:
        return hook_data.Context(client, Server(address=None))
