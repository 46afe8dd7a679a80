"""Two TLS codecs joined in memory."""

from __future__ import annotations

import ssl
from typing import NamedTuple

from flowdump.engine.tls.codec import TlsCodec


class Pair(NamedTuple):
    client: TlsCodec
    server: TlsCodec

    def deliver(self, step: int = 0) -> bool:
        """Carry what is to be sent to the other end, ``step`` bytes at a time; False if there was nothing."""
        moved = False
        for sender, receiver in ((self.client, self.server), (self.server, self.client)):
            data = sender.outgoing()
            moved = moved or bool(data)
            for start in range(0, len(data), step or len(data) or 1):
                receiver.receive(data[start : start + (step or len(data))])
                if not receiver.established:
                    receiver.handshake()
        return moved

    def handshake(self, step: int = 0) -> Pair:
        """Shake hands. Raises ssl.SSLError of whichever end gave up first."""
        self.client.handshake()
        while self.deliver(step):
            pass
        assert self.client.established
        assert self.server.established
        assert self.client.read() == self.server.read() == b""  # takes in session tickets
        return self

    def fail(self) -> tuple[ssl.SSLError | None, ssl.SSLError | None]:
        """Shake hands until both have failed or nothing moves; the errors of client and server."""
        errors: list[ssl.SSLError | None] = [None, None]
        moved = True
        while moved:
            moved = False
            for own, other in ((0, 1), (1, 0)):
                if errors[own] is None:
                    errors[own] = _advance(self[own])
                data = self[own].outgoing()
                self[other].receive(data)
                moved = moved or bool(data)
        return errors[0], errors[1]


def _advance(codec: TlsCodec) -> ssl.SSLError | None:
    try:
        if codec.handshake():
            codec.read()
    except ssl.SSLError as error:
        return error
    return None


def server_context(pem: str, **versions: ssl.TLSVersion) -> ssl.SSLContext:
    """A context of the ssl module's own that serves the certificate and key in the file ``pem``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    for name, version in versions.items():
        setattr(context, name, version)
    return context


def client_context(authorities: str, **versions: ssl.TLSVersion) -> ssl.SSLContext:
    """A context of the ssl module's own that trusts the certificates in the file ``authorities``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authorities)
    for name, version in versions.items():
        setattr(context, name, version)
    return context
