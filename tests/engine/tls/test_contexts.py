"""Contexts as the options want them, and handshakes between the two sides of the proxy."""

from __future__ import annotations

import os
import ssl
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.pki import Ca, certificate_pem, rsa_key
from tests.support.tls import Pair, client_context, server_context

from flowdump.engine.errors import TlsError
from flowdump.engine.tls import contexts as tls_contexts
from flowdump.engine.tls.codec import TlsCodec
from flowdump.engine.tls.contexts import OPTIONS, TlsContexts
from flowdump.engine.tls.leaf import Issuer, Leaf
from flowdump.exceptions import OptionsError
from flowdump.options import Options

CA = Ca("root")
ISSUER = Issuer(CA.certificate, CA.key)
LEAF = ISSUER.sign(["example.com", "127.0.0.1", "::1"])
ADDRESS = ("192.0.2.1", 443)


@pytest.fixture(autouse=True)
def _no_key_log(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSLKEYLOGFILE", "MITMPROXY_SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def trusted(tmp_path: Path) -> str:
    return str(CA.write(tmp_path))


def made(**values: Any) -> TlsContexts:
    options = Options()
    options.update(**values)
    return TlsContexts(options)


def connect(contexts: TlsContexts, leaf: Leaf = LEAF, name: str = "example.com", alpn: tuple[bytes, ...] = ()) -> Pair:
    """A handshake of our client's side with our server's side."""
    return Pair(contexts.server_codec(name, ADDRESS, alpn), contexts.client_codec(leaf, alpn)).handshake()


# towards clients


def test_one_context_for_a_leaf_and_alpn() -> None:
    contexts, other = made(), ISSUER.sign(["other.example"])
    context = contexts.for_client(LEAF, (b"h2",))
    assert contexts.for_client(LEAF, (b"h2",)) is context
    assert contexts.for_client(LEAF) is not context
    assert contexts.for_client(other, (b"h2",)) is not context


def test_the_oldest_contexts_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_contexts, "MAX_CLIENT_CONTEXTS", 2)
    contexts = made()
    first, second = contexts.for_client(LEAF), contexts.for_client(LEAF, (b"a",))
    assert contexts.for_client(LEAF) is first
    contexts.for_client(LEAF, (b"b",))
    assert contexts.for_client(LEAF) is first
    assert contexts.for_client(LEAF, (b"a",)) is not second


def test_loading_leaves_without_files_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    pair = connect(made(ssl_insecure=True))
    assert pair.client.certificates[0] == LEAF.cert
    assert os.listdir(tmp_path) == []


def test_loading_leaves_leaves_no_descriptor_open() -> None:
    contexts = made()
    contexts.for_client(LEAF)
    before = sorted(os.listdir("/proc/self/fd"))
    contexts.for_client(LEAF, (b"h2",))
    assert sorted(os.listdir("/proc/self/fd")) == before


# towards origins


def test_origins_are_verified(trusted: str) -> None:
    contexts = made(ssl_verify_upstream_trusted_ca=trusted)
    for name in ("example.com", "Example.com.", "127.0.0.1", "::1", "[::1]"):
        assert connect(contexts, name=name).client.established
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(contexts, name="other.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(contexts, name="127.0.0.2")
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(made())


def test_the_systems_authorities_are_known(monkeypatch: pytest.MonkeyPatch, trusted: str) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", trusted)
    assert connect(made()).client.established


def test_given_authorities_replace_those_of_the_system(
    monkeypatch: pytest.MonkeyPatch, trusted: str, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", trusted)
    other = str(Ca("other").write(tmp_path))
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(made(ssl_verify_upstream_trusted_ca=other))


def test_a_folder_of_authorities(tmp_path: Path) -> None:
    import subprocess

    (tmp_path / "root.pem").write_bytes(certificate_pem(CA.certificate))
    subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, timeout=60)
    assert connect(made(ssl_verify_upstream_trusted_confdir=str(tmp_path))).client.established


def test_an_intermediate_authority_may_be_trusted(tmp_path: Path) -> None:
    middle = Ca("middle", parent=CA)
    leaf = Issuer(middle.certificate, middle.key).sign(["example.com"])
    assert connect(made(ssl_verify_upstream_trusted_ca=str(middle.write(tmp_path))), leaf).client.established


def test_authorities_that_are_not_quite_right_are_known(tmp_path: Path) -> None:
    """Without key identifiers and without a key usage, as some company's are."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "old")])
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, rsa_key().public_key(), 1, now - day, now + day)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=False)
    root = builder.sign(rsa_key(), hashes.SHA256())
    (tmp_path / "old.pem").write_bytes(certificate_pem(root))
    contexts = made(ssl_verify_upstream_trusted_ca=str(tmp_path / "old.pem"))
    assert connect(contexts, Issuer(root, rsa_key()).sign(["example.com"])).client.established


def test_insecure_takes_anything() -> None:
    contexts = made(ssl_insecure=True)
    pair = connect(contexts, name="other.example")
    assert pair.client.certificates == (LEAF.cert,)


@pytest.mark.parametrize("name", ["", "x" * 300, ".example", "a\0b", "a" * 64 + ".example"])
def test_names_that_cannot_be_asked_for(name: str) -> None:
    with pytest.raises(TlsError, match="not a host name"):
        made().server_codec(name, ADDRESS)


def test_one_context_for_an_alpn() -> None:
    contexts = made()
    context = contexts.for_server("a.example", (b"h2",))
    assert contexts.for_server("b.example", (b"h2",)) is context
    assert contexts.for_server("a.example") is not context
    for number in range(tls_contexts.MAX_SERVER_CONTEXTS):
        contexts.for_server("a.example", (b"%d" % number,))
    assert contexts.for_server("a.example", (b"h2",)) is not context


@pytest.mark.parametrize(
    ("offered", "served", "chosen"),
    [
        ((b"h2", b"http/1.1"), (b"http/1.1",), b"http/1.1"),
        ((b"http/1.1", b"h2"), (b"h2", b"http/1.1"), b"h2"),
        ((b"\x8a\x8a", b"h2"), (b"h2",), b"h2"),
        ((b"\xff",), (b"h2",), None),
        ((), (b"h2",), None),
        ((b"mqtt",), (), None),
    ],
)
def test_alpn(offered: tuple[bytes, ...], served: tuple[bytes, ...], chosen: bytes | None) -> None:
    contexts = made(ssl_insecure=True)
    pair = Pair(contexts.server_codec("example.com", ADDRESS, offered), contexts.client_codec(LEAF, served)).handshake()
    assert pair.client.alpn == pair.server.alpn == chosen


# sessions


@pytest.mark.parametrize("highest", ["TLS1_2", "TLS1_3"])
def test_sessions_are_resumed(trusted: str, highest: str) -> None:
    contexts = made(ssl_verify_upstream_trusted_ca=trusted, tls_version_server_max=highest)
    assert [connect(contexts).client.resumed for _ in range(4)] == [False, True, True, True]
    pair = connect(contexts)
    assert pair.server.resumed
    assert pair.client.certificates == (LEAF.cert,)


def test_sessions_belong_to_address_name_and_alpn() -> None:
    contexts = made(ssl_insecure=True)
    connect(contexts)
    served = contexts.client_codec
    others = [
        contexts.server_codec("example.com", ("192.0.2.2", 443)),
        contexts.server_codec("example.com", ("192.0.2.1", 444)),
        contexts.server_codec("www.example.com", ADDRESS),
        contexts.server_codec("example.com", ADDRESS, (b"h2",)),
    ]
    assert [Pair(codec, served(LEAF)).handshake().client.resumed for codec in others] == [False] * 4
    assert connect(contexts).client.resumed


def test_a_session_that_failed_is_dropped() -> None:
    contexts = made(ssl_insecure=True)
    connect(contexts)
    codec = contexts.server_codec("example.com", ADDRESS)
    codec.handshake()
    codec.receive(b"\x15\x03\x03\x00\x02\x02\x28")
    with pytest.raises(ssl.SSLError):
        codec.handshake()
    assert not connect(contexts).client.resumed


def test_the_oldest_sessions_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tls_contexts, "MAX_SESSIONS", 2)
    contexts = made(ssl_insecure=True)
    for name in ("a.example", "b.example", "c.example"):
        connect(contexts, name=name)
    assert connect(contexts, name="c.example").client.resumed
    assert connect(contexts, name="b.example").client.resumed
    assert not connect(contexts, name="a.example").client.resumed


# versions, ciphers, curves


@pytest.mark.parametrize(
    ("low", "high", "version"),
    [
        ("TLS1_2", "UNBOUNDED", "TLSv1.3"),
        ("TLS1_2", "TLS1_2", "TLSv1.2"),
        ("TLS1_3", "TLS1_3", "TLSv1.3"),
        ("UNBOUNDED", "UNBOUNDED", "TLSv1.3"),
        ("SSL3", "TLS1_1", "TLSv1.1"),
        ("TLS1", "TLS1", "TLSv1"),
    ],
)
@pytest.mark.parametrize("side", ["client", "server"])
def test_versions(low: str, high: str, version: str, side: str) -> None:
    strict = made(ssl_insecure=True, **{f"tls_version_{side}_min": low, f"tls_version_{side}_max": high})
    loose = made(ssl_insecure=True, tls_version_client_min="UNBOUNDED", tls_version_server_min="UNBOUNDED")
    server = (strict if side == "client" else loose).client_codec(LEAF)
    client = (strict if side == "server" else loose).server_codec("example.com", ADDRESS)
    assert Pair(client, server).handshake().client.version == version


def test_older_versions_are_refused_by_default(trusted: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old = client_context(trusted, minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1_1)
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    ours, theirs = Pair(TlsCodec(old, False, "example.com"), made().client_codec(LEAF)).fail()
    assert ours is not None
    assert theirs is not None
    assert theirs.reason == "UNSUPPORTED_PROTOCOL"


def test_ciphers() -> None:
    suite = "ECDHE-ECDSA-CHACHA20-POLY1305"
    for side, other in (("client", "server"), ("server", "client")):
        contexts = made(ssl_insecure=True, **{f"ciphers_{side}": suite, f"tls_version_{other}_max": "TLS1_2"})
        assert connect(contexts).server.cipher == suite


@pytest.mark.parametrize("side", ["client", "server"])
def test_curves(side: str) -> None:
    other = "server" if side == "client" else "client"
    names = {f"tls_ecdh_curve_{side}": "secp384r1"}
    assert connect(made(ssl_insecure=True, **names)).client.established
    with pytest.raises(ssl.SSLError):
        connect(made(ssl_insecure=True, **names, **{f"tls_ecdh_curve_{other}": "prime256v1"}))


# key log


@pytest.mark.parametrize("name", ["SSLKEYLOGFILE", "MITMPROXY_SSLKEYLOGFILE"])
def test_key_log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    monkeypatch.setenv(name, str(tmp_path / "keys"))
    connect(made(ssl_insecure=True))
    text = (tmp_path / "keys").read_text()
    assert text.count("CLIENT_TRAFFIC_SECRET_0 ") == 2
    secrets = {line.split()[2] for line in text.splitlines() if line.startswith("CLIENT_TRAFFIC_SECRET_0 ")}
    assert len(secrets) == 1, "both ends logged the same connection"


def test_a_key_log_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path))
    with pytest.raises(OptionsError, match=r"SSLKEYLOGFILE: cannot write .*: Is a directory"):
        made()


# client certificates


def asking_server(tmp_path: Path, trusted: str) -> ssl.SSLContext:
    context = server_context(str(CA.leaf("example.com").write(tmp_path / "server.pem")))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(trusted)
    return context


def shown(contexts: TlsContexts, server: ssl.SSLContext, name: str = "example.com") -> str | None:
    """The common name of the certificate that our client's side shows."""
    pair = Pair(contexts.server_codec(name, ADDRESS), TlsCodec(server, True)).handshake()
    return pair.server.certificates[0].cn


@pytest.mark.parametrize("passphrase", [None, "secret"])
def test_one_client_certificate_for_all(tmp_path: Path, trusted: str, passphrase: str | None) -> None:
    path = CA.leaf(cn="me").write(tmp_path / "me.pem", passphrase)
    contexts = made(client_certs=str(path), cert_passphrase=passphrase, ssl_insecure=True)
    assert shown(contexts, asking_server(tmp_path, trusted)) == "me"
    assert shown(contexts, asking_server(tmp_path, trusted), "10.0.0.1") == "me"


def test_a_folder_of_client_certificates(tmp_path: Path, trusted: str) -> None:
    folder = tmp_path / "certs"
    (folder / "below").mkdir(parents=True)
    CA.leaf(cn="me at example").write(folder / "example.com.pem")
    for secret in (tmp_path / "outside.pem", folder / "below" / "inside.pem"):
        CA.leaf(cn="not for others").write(secret)
    contexts, server = made(client_certs=str(folder), ssl_insecure=True), asking_server(tmp_path, trusted)
    assert shown(contexts, server) == shown(contexts, server, "EXAMPLE.com.") == "me at example"
    assert contexts.for_server("example.com") is not contexts.for_server("other.example")
    for name in ("../outside", "below/inside", f"{tmp_path}/outside", "other.example"):
        assert contexts.for_server(name) is contexts.for_server("other.example")


def test_a_broken_certificate_in_a_folder_fails_that_connection(tmp_path: Path) -> None:
    (tmp_path / "example.com.pem").write_text("garbage")
    contexts = made(client_certs=str(tmp_path))
    with pytest.raises(TlsError, match=r"example.com.pem does not hold a certificate and its key"):
        contexts.server_codec("example.com", ADDRESS)
    assert contexts.server_codec("other.example", ADDRESS)


def test_asking_clients_for_a_certificate(tmp_path: Path, trusted: str) -> None:
    contexts = made(request_client_cert=True, ssl_verify_upstream_trusted_ca=trusted)
    client = client_context(trusted)
    assert (
        Pair(TlsCodec(client, False, "example.com"), contexts.client_codec(LEAF)).handshake().server.certificates == ()
    )
    client.load_cert_chain(str(CA.leaf(cn="me").write(tmp_path / "me.pem")))
    pair = Pair(TlsCodec(client, False, "example.com"), contexts.client_codec(LEAF)).handshake()
    assert pair.server.certificates[0].cn == "me"


# options


@pytest.fixture
def files(tmp_path: Path) -> Callable[[str], str]:
    (tmp_path / "garbage").write_text("garbage")
    CA.write(tmp_path).rename(tmp_path / "root")
    CA.leaf(cn="me").write(tmp_path / "encrypted", "secret")
    return lambda text: text.replace("@", f"{tmp_path}/")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tls_version_client_min": "TLS1_3", "tls_version_client_max": "TLS1_2"}, "leave no TLS version"),
        ({"tls_version_server_max": "SSL3"}, "'tls_version_server_max' leave no TLS version"),
        ({"ciphers_client": "no such cipher"}, r"'ciphers_client': the TLS library \(OpenSSL .*does not know"),
        ({"ciphers_server": "x"}, "'ciphers_server'"),
        ({"tls_ecdh_curve_client": "x"}, "'tls_ecdh_curve_client'"),
        ({"tls_ecdh_curve_server": "a\0b"}, "'tls_ecdh_curve_server'"),
        ({"ssl_verify_upstream_trusted_ca": "@absent"}, "'ssl_verify_upstream_trusted_ca': cannot read .*No such file"),
        ({"ssl_verify_upstream_trusted_ca": "@garbage"}, "holds no readable certificate"),
        ({"ssl_verify_upstream_trusted_confdir": "@absent"}, "is not a folder"),
        ({"client_certs": "@absent"}, "'client_certs': .*absent does not exist"),
        ({"client_certs": "@garbage"}, "does not hold a certificate and its key"),
        ({"client_certs": "@root"}, "does not hold a certificate and its key"),
        ({"client_certs": "@encrypted"}, "cert_passphrase"),
        ({"client_certs": "@encrypted", "cert_passphrase": "wrong"}, "cert_passphrase"),
        ({"request_client_cert": True}, r"'request_client_cert': .*ssl_verify_upstream_trusted_ca"),
    ],
)
def test_wrong_options(values: dict[str, Any], message: str, files: Callable[[str], str]) -> None:
    given = {name: files(value) if isinstance(value, str) else value for name, value in values.items()}
    with pytest.raises(OptionsError, match=message):
        made(**given)


def test_options_may_change(trusted: str) -> None:
    options = Options()
    contexts = TlsContexts(options)
    options.subscribe(contexts.configure)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(contexts)
    options.update(ssl_verify_upstream_trusted_ca=trusted)
    assert connect(contexts).client.established
    context = contexts.for_client(LEAF)
    options.update(showhost=True)
    assert contexts.for_client(LEAF) is context
    assert connect(contexts).client.resumed
    with pytest.raises(OptionsError):
        options.update(ciphers_client="no such cipher")
    assert options.ciphers_client is None
    assert contexts.for_client(LEAF) is context
    options.update(ssl_verify_upstream_trusted_ca=None)
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(contexts)


def test_every_tls_option_is_read() -> None:
    names = {spec.name for spec in Options().specs()}
    expected = {name for name in names if name.startswith(("tls_version", "tls_ecdh", "ciphers_", "ssl_"))}
    assert expected | {"client_certs", "cert_passphrase", "request_client_cert"} == OPTIONS
