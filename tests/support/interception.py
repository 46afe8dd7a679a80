"""TLS with a proxy in the middle: clients that trust it, origins that it trusts, and what each of them sees."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any, NamedTuple

from cryptography import x509
from tests.support.asynchronous import PATIENCE
from tests.support.live import Running, shared_confdir
from tests.support.pki import Ca, Credentials

from flowdump.engine.tls.authority import Authority

GET = b"GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n"


class Authorities(NamedTuple):
    """An authority, and the option that makes the proxy trust it."""

    ca: Ca
    folder: Path

    @property
    def trust(self) -> dict[str, Any]:
        return {"ssl_verify_upstream_trusted_ca": str(self.ca.write(self.folder))}

    def serve(self, *names: str, **facts: Any) -> ssl.SSLContext:
        return self.context(self.ca.leaf(*names, **facts))

    def context(self, credentials: Credentials) -> ssl.SSLContext:
        return credentials.server_context(self.folder / f"{credentials.certificate.serial_number:x}.pem")


def trusting(**settings: Any) -> ssl.SSLContext:
    """A client that trusts the proxy's authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(Authority.open(str(shared_confdir())).certificate_path)
    for name, value in settings.items():
        setattr(context, name, value)
    return context


def with_alpn(*protocols: str) -> ssl.SSLContext:
    """A client that trusts the proxy's authority and offers these protocols."""
    context = trusting()
    context.set_alpn_protocols(list(protocols))
    return context


def knock(proxy: Running, target: str) -> socket.socket:
    """A connection through CONNECT."""
    connection = socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE)
    connection.sendall(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        piece = connection.recv(1)
        assert piece, head
        head += piece
    assert head.startswith(b"HTTP/1.1 200 "), head
    return connection


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


class Visit(NamedTuple):
    """What a client saw: everything that it read, and what was agreed on."""

    reply: bytes
    certificate: x509.Certificate
    tls: ssl.SSLSocket


async def visit(
    proxy: Running,
    port: int,
    name: str | None = "example.com",
    context: ssl.SSLContext | None = None,
    session: ssl.SSLSession | None = None,
) -> Visit:
    """GET / over TLS, in a thread, from a client that asks for ``name`` at 127.0.0.1."""
    used = context or trusting(check_hostname=name is not None)

    def browse() -> Visit:
        with (
            knock(proxy, f"127.0.0.1:{port}") as connection,
            used.wrap_socket(connection, server_hostname=name, session=session) as tls,
        ):
            tls.sendall(GET)
            reply = read_all(tls)
            shown = tls.getpeercert(binary_form=True)
            assert shown
            return Visit(reply, x509.load_der_x509_certificate(shown), tls)

    return await asyncio.to_thread(browse)


def names_of(certificate: x509.Certificate) -> set[str]:
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in extension}
