"""Certificates that clients show: ours to origins that ask for one, and those of the proxy's own clients."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.asynchronous import run
from tests.support.events import Events
from tests.support.http1 import OK
from tests.support.interception import Authorities, trusting, visit
from tests.support.live import origin, running
from tests.support.pki import EXPIRED, Ca

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def demanding(pki: Authorities, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
    """An origin, example.com, that serves nobody without a certificate of our authority."""
    context = pki.serve("example.com", "www.example.com")
    context.maximum_version = version
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(str(pki.ca.write(pki.folder)))
    return context


def common_name(writer: asyncio.StreamWriter) -> str:
    subject = (writer.get_extra_info("peercert") or {}).get("subject", ())
    return next((value for part in subject for name, value in part if name == "commonName"), "nobody")


async def greet(reader: Any, writer: asyncio.StreamWriter) -> None:
    """Answers with the name in the client's certificate."""
    name = common_name(writer).encode()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(name) + name)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("passphrase", [None, "secret"])
async def test_one_certificate_for_every_origin(
    pki: Authorities, version: ssl.TLSVersion, passphrase: str | None
) -> None:
    path = pki.ca.leaf("me").write(pki.folder / "me.pem", passphrase)

    options = {"client_certs": str(path), "cert_passphrase": passphrase, **pki.trust}
    async with origin(greet, ssl=demanding(pki, version)) as server, running(**options) as proxy:
        assert (await visit(proxy, server.port)).reply.endswith(b"\r\n\r\nme")
        assert (await visit(proxy, server.port, "www.example.com")).reply.endswith(b"\r\n\r\nme")


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_folder_has_one_for_each_host(pki: Authorities, version: ssl.TLSVersion) -> None:
    folder = pki.folder / "mine"
    folder.mkdir()
    for name in ("example.com", "www.example.com"):
        pki.ca.leaf(f"me at {name}").write(folder / f"{name}.pem")

    options = {"client_certs": str(folder), **pki.trust}
    async with origin(greet, ssl=demanding(pki, version)) as server, running(**options) as proxy:
        for name in ("example.com", "www.example.com"):
            assert (await visit(proxy, server.port, name)).reply.endswith(b"\r\n\r\nme at " + name.encode())


@contextlib.contextmanager
def refusing(context: ssl.SSLContext) -> Iterator[int]:
    """The port of a server that says why it refuses a handshake; asyncio's only hangs up."""

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as tls:
                    with contextlib.suppress(ssl.SSLError):
                        tls.do_handshake()
                    tls.shutdown(socket.SHUT_WR)
                    while tls.recv(1000):
                        continue

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


FAULTS = {
    "none": "the server asks for a client certificate (option client_certs)",
    "expired": "the server did not accept the client certificate",
    "stranger": "the server did not accept the client certificate",
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_certificate_that_the_origin_refuses_is_a_502_with_the_reason(
    pki: Authorities, version: ssl.TLSVersion, fault: str
) -> None:
    options: dict[str, Any] = dict(pki.trust)
    if fault == "expired":
        options["client_certs"] = str(pki.ca.leaf("me", days=EXPIRED).write(pki.folder / "me.pem"))
    elif fault == "stranger":
        options["client_certs"] = str(Ca("stranger").leaf("me").write(pki.folder / "me.pem"))

    async def scenario() -> None:
        events = Events()
        async with running(events, **options) as proxy:
            seen = await visit(proxy, port)
            assert seen.reply.startswith(b"HTTP/1.1 502 ")
            assert proxy.flow.error is not None
            expected = FAULTS[fault]
            if fault == "none" and version is ssl.TLSVersion.TLSv1_2:  # its alert says no more
                expected = "the server refused the TLS handshake: nothing it accepts was offered"
            assert expected in proxy.flow.error.msg
            assert expected.encode() in seen.reply
            assert events.names.count("error") == 1

    with refusing(demanding(pki, version)) as port:
        run(scenario())


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shown", [True, False])
async def test_clients_may_be_asked_for_a_certificate(pki: Authorities, version: ssl.TLSVersion, shown: bool) -> None:
    context = trusting(maximum_version=version)
    own = pki.ca.leaf("somebody")
    if shown:
        context.load_cert_chain(own.write(pki.folder / "somebody.pem"))

    events = Events()
    options = {"request_client_cert": True, **pki.trust}
    async with origin(OK, ssl=pki.serve("example.com")) as server, running(events, **options) as proxy:
        assert (await visit(proxy, server.port, context=context)).reply.endswith(b"hi")
        client = events["tls_established_client"].conn
        assert [cert.serial for cert in client.certificate_list] == [own.certificate.serial_number] * shown
        assert proxy.flow.client_conn.certificate_list == client.certificate_list


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_client_s_certificate_from_a_stranger_is_refused_in_words(
    pki: Authorities, version: ssl.TLSVersion
) -> None:
    context = trusting(maximum_version=version)
    context.load_cert_chain(Ca("stranger").leaf("somebody").write(pki.folder / "somebody.pem"))

    events = Events()
    options = {"request_client_cert": True, **pki.trust}
    async with origin(OK, ssl=pki.serve("example.com")) as server, running(events, **options) as proxy:
        with pytest.raises(ssl.SSLError):
            await visit(proxy, server.port, context=context)
        await events.wait_for("client_disconnected")
        words = "the certificate of the client is signed by an authority that is not known here"
        assert events["tls_failed_client"].conn.error == words
        assert any(words in line for line in proxy.log)
        assert server.received == b""
