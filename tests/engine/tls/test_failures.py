"""Failed handshakes, told in words: real ones between two codecs, and what OpenSSL may say besides."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.pki import EXPIRED, FUTURE, Ca, Credentials, self_signed
from tests.support.tls import Pair, client_context, server_context

from flowdump.engine.errors import Peer
from flowdump.engine.tls.codec import TlsCodec
from flowdump.engine.tls.failures import describe_failure

V12, V13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
BOTH = pytest.mark.parametrize("version", [V12, V13])
CA = Ca("root")


def handshake(folder: Path, served: Credentials, name: str = "example.com", **versions: Any) -> tuple[str, str]:
    """A failing handshake: what the client says of the server, and the server of the client."""
    pem = served.write(folder / "server.pem")
    client = client_context(str(CA.write(folder)), **versions)
    return told(Pair(TlsCodec(client, False, name), TlsCodec(server_context(str(pem)), True)))


def told(pair: Pair) -> tuple[str, str]:
    ours, theirs = pair.fail()
    return describe_failure(ours, "server") if ours else "", describe_failure(theirs, "client") if theirs else ""


# certificates of origins


def below_an_unknown_root() -> Credentials:
    ca = Ca("else")
    return ca.leaf("example.com")._replace(chain=(ca.certificate,))


CERTIFICATES: dict[str, tuple[Callable[[], Credentials], str]] = {
    "expired": (lambda: CA.leaf("example.com", days=EXPIRED), "has expired"),
    "future": (lambda: CA.leaf("example.com", days=FUTURE), "is not valid yet (are the clocks right?)"),
    "host": (lambda: CA.leaf("other.example"), "is for another host name"),
    "self-signed": (lambda: self_signed("example.com"), "is self-signed"),
    "unknown": (lambda: Ca("else").leaf("example.com"), "is signed by an authority that is not known here"),
    "incomplete": (
        lambda: Ca("middle", parent=CA).leaf("example.com")._replace(chain=()),
        "is signed by an authority that is not known here",
    ),
    "root": (below_an_unknown_root, "is signed by an authority that is not trusted"),
}


@BOTH
@pytest.mark.parametrize("case", CERTIFICATES)
def test_certificates(tmp_path: Path, case: str, version: ssl.TLSVersion) -> None:
    make, words = CERTIFICATES[case]
    assert handshake(tmp_path, make(), maximum_version=version)[0] == f"the certificate of the server {words}"


def test_addresses(tmp_path: Path) -> None:
    said, _ = handshake(tmp_path, CA.leaf("10.0.0.1"), "10.0.0.2")
    assert said == "the certificate of the server is for another address"


def test_other_verification_results_keep_their_words() -> None:
    error = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED]")
    error.verify_code, error.verify_message = 999, "something new"
    assert describe_failure(error, "server") == "the certificate of the server is not valid: something new"


# clients


@BOTH
def test_a_client_that_does_not_trust_us(tmp_path: Path, version: ssl.TLSVersion) -> None:
    _, said = handshake(tmp_path, Ca("else").leaf("example.com"), maximum_version=version)
    assert said == "the client does not trust the certificate authority of the proxy"


def test_no_common_version(tmp_path: Path) -> None:
    server = server_context(str(CA.leaf("example.com").write(tmp_path / "server.pem")), minimum_version=V13)
    client = client_context(str(CA.write(tmp_path)), maximum_version=V12)
    assert told(Pair(TlsCodec(client, False, "example.com"), TlsCodec(server, True))) == (
        "the server and the proxy have no TLS version in common",
        "the client and the proxy have no TLS version in common",
    )


def test_no_common_cipher(tmp_path: Path) -> None:
    server = server_context(str(CA.leaf("example.com").write(tmp_path / "server.pem")), maximum_version=V12)
    server.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    client = client_context(str(CA.write(tmp_path)), maximum_version=V12)
    client.set_ciphers("ECDHE-ECDSA-CHACHA20-POLY1305")
    assert told(Pair(TlsCodec(client, False, "example.com"), TlsCodec(server, True))) == (
        "the server refused the TLS handshake: nothing it accepts was offered",
        "the client and the proxy have no cipher suite in common",
    )


@BOTH
@pytest.mark.parametrize("certificate", [None, "foreign"])
def test_servers_that_want_a_certificate(tmp_path: Path, version: ssl.TLSVersion, certificate: str | None) -> None:
    server = server_context(str(CA.leaf("example.com").write(tmp_path / "server.pem")))
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(str(CA.write(tmp_path)))
    client = client_context(str(CA.write(tmp_path)), maximum_version=version)
    if certificate:
        client.load_cert_chain(str(Ca("else").leaf(cn="me").write(tmp_path / "client.pem")))
    ours, theirs = told(Pair(TlsCodec(client, False, "example.com"), TlsCodec(server, True)))
    if certificate:
        assert ours == "the server did not accept the client certificate"
        assert theirs == "the certificate of the client is signed by an authority that is not known here"
    else:
        assert theirs == "the client sent no certificate"
        # TLS 1.2 has no alert for it.
        wanted = {
            V12: "the server refused the TLS handshake: nothing it accepts was offered",
            V13: "the server asks for a client certificate (option client_certs)",
        }
        assert ours == wanted[version]


@pytest.mark.parametrize(
    "data", [b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH\r\n"]
)
@pytest.mark.parametrize("server_side", [True, False])
def test_no_tls(tmp_path: Path, data: bytes, server_side: bool) -> None:
    served = server_context(str(CA.leaf("example.com").write(tmp_path / "server.pem")))
    client = client_context(str(CA.write(tmp_path)))
    codec = TlsCodec(served, True) if server_side else TlsCodec(client, False, "example.com")
    codec.handshake()
    codec.receive(data)
    with pytest.raises(ssl.SSLError) as caught:
        codec.handshake()
    peer: Peer = "client" if server_side else "server"
    assert describe_failure(caught.value, peer) == f"the {peer} does not speak TLS on this port"


def test_closed_early(tmp_path: Path) -> None:
    codec = TlsCodec(client_context(str(CA.write(tmp_path))), False, "example.com")
    codec.handshake()
    codec.receive_eof()
    with pytest.raises(ssl.SSLError) as caught:
        codec.handshake()
    words = "the {} closed the connection during the TLS handshake"
    assert describe_failure(caught.value, "server") == words.format("server")
    assert describe_failure(ConnectionResetError(104, "reset"), "client") == words.format("client")


# alerts

ALERTS = [
    (10, "unexpected message"),
    (40, "refused the TLS handshake: nothing it accepts was offered"),
    (42, "does not trust the certificate authority of the proxy"),
    (45, "holds the certificate for expired (are the clocks right?)"),
    (46, "does not trust the certificate authority of the proxy"),
    (47, "refused the TLS handshake"),
    (48, "does not trust the certificate authority of the proxy"),
    (49, "refused the TLS handshake"),
    (50, "could not read the TLS handshake"),
    (51, "could not verify a signature"),
    (70, "the client and the proxy have no TLS version in common"),
    (71, "the client and the proxy have no cipher suite in common"),
    (80, "had an internal error during the TLS handshake"),
    (112, "does not serve the host name that was asked for"),
    (120, "no application protocol (ALPN) in common"),
    (255, "TLS with the client failed"),
]


@pytest.mark.parametrize(("code", "words"), ALERTS)
def test_alerts_of_clients(tmp_path: Path, code: int, words: str) -> None:
    served = server_context(str(CA.leaf("example.com").write(tmp_path / "server.pem")))
    client = client_context(str(CA.write(tmp_path)))
    pair = Pair(TlsCodec(client, False, "example.com"), TlsCodec(served, True))
    pair.client.handshake()
    pair.deliver()
    pair.server.receive(b"\x15\x03\x03\x00\x02\x02" + bytes([code]))
    with pytest.raises(ssl.SSLError) as caught:
        pair.server.handshake()
    said = describe_failure(caught.value, "client")
    assert words in said
    assert "{" not in said
    assert said == said.strip()


def test_unknown_reasons_and_errors_keep_their_words() -> None:
    error = ssl.SSLError(1, "[SSL: BRAND_NEW] brand new (_ssl.c:1)")
    error.reason = "BRAND_NEW_{REASON}"
    assert describe_failure(error, "server") == "TLS with the server failed: brand new reason"
    assert (
        describe_failure(OSError(5, "Input/output error"), "client") == "TLS with the client failed: Input/output error"
    )
    assert describe_failure(ValueError("what {peer}"), "client") == "TLS with the client failed: what {peer}"
    assert describe_failure(ValueError(), "client") == "TLS with the client failed: ValueError"


def test_an_error_that_openssl_gave_no_reason_for_is_told_all_the_same() -> None:
    """The ssl module makes such errors when a connection is reset in the middle of a handshake."""
    assert "failed" in describe_failure(ssl.SSLError("unknown"), "client")
