"""A configuration folder that a real mitmproxy has made is used as it is."""

from __future__ import annotations

import socket
import ssl
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from tests.support.cli import wait_until
from tests.support.http1 import OK
from tests.support.interception import read_all
from tests.support.mitmproxy import Mitmproxy
from tests.support.pki import Ca
from tests.support.process import PATIENCE, Live, serve_once


@pytest.fixture(scope="module")
def confdir(mitmproxy: Mitmproxy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a mitmdump that ran once, as a proxy: only then it makes its authority."""
    folder = tmp_path_factory.mktemp("mitmproxy")
    command = [Path(mitmproxy.python).parent / "mitmdump", "--set", f"confdir={folder}", "--listen-host", "127.0.0.1"]
    process = subprocess.Popen([*command, "-p", "0"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: (folder / "mitmproxy-dhparam.pem").exists() and (folder / "mitmproxy-ca-cert.p12").exists())
    finally:
        process.terminate()
        process.wait()
    return folder


def test_clients_that_trust_mitmproxy_trust_flowdump(confdir: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in confdir.iterdir()}
    ca = Ca()
    trust = f"ssl_verify_upstream_trusted_ca={ca.write(tmp_path)}"
    port = serve_once(
        lambda connection: connection.sendall(OK), ca.leaf("localhost").server_context(tmp_path / "origin.pem")
    )
    client = ssl.create_default_context(cafile=str(confdir / "mitmproxy-ca-cert.pem"))
    with Live("--set", trust, confdir=confdir) as proxy:
        assert str(confdir / "mitmproxy-ca-cert.pem") in proxy.wait_for("listening")[0] + proxy.lines[0]
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE) as connection:
            connection.sendall(f"CONNECT localhost:{port} HTTP/1.1\r\n\r\n".encode())
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
            with client.wrap_socket(connection, server_hostname="localhost") as tls:
                tls.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                assert read_all(tls).endswith(b"\r\n\r\nhi")
        with socket.create_connection(("127.0.0.1", proxy.port), timeout=PATIENCE) as connection:
            connection.sendall(b"GET http://mitm.it/cert/pem HTTP/1.1\r\nHost: mitm.it\r\nConnection: close\r\n\r\n")
            given = x509.load_pem_x509_certificate(read_all(connection).partition(b"\r\n\r\n")[2])
        assert proxy.end() == 0
    assert given == x509.load_pem_x509_certificate(before["mitmproxy-ca-cert.pem"])
    assert {path.name: path.read_bytes() for path in confdir.iterdir()} == before
