"""Certificates for single hosts: their names, their life, and what real tools say to them."""

from __future__ import annotations

import datetime
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.pki import Ca, certificate_pem, rsa_key, self_signed

from flowdump.certs import Cert
from flowdump.engine.tls.leaf import MAX_NAMES, Issuer, Leaf, ascii_name, chain_pem, names_of, organization_of

CA = Ca("root", days=(-300, 300))
ISSUER = Issuer(CA.certificate, CA.key)
DAY = datetime.timedelta(days=1)


def certificate(leaf: Leaf) -> x509.Certificate:
    return leaf.cert.to_cryptography()


def extension(leaf: Leaf, kind: type[x509.ExtensionType]) -> x509.Extension[x509.ExtensionType]:
    return certificate(leaf).extensions.get_extension_for_class(kind)


def openssl_verify(leaf: Leaf, root: x509.Certificate, folder: Path, *options: str) -> str:
    """What ``openssl verify -x509_strict`` has to say, "" if nothing."""
    (folder / "root.pem").write_bytes(certificate_pem(root))
    (folder / "leaf.pem").write_bytes(leaf.pem)
    arguments = ["-x509_strict", "-purpose", "sslserver", "-CAfile", "root.pem", "-untrusted", "leaf.pem", *options]
    command = ["openssl", "verify", *arguments, "leaf.pem"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=60, check=False)
    return "" if done.returncode == 0 else done.stderr + done.stdout


# names


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["example.com"], ["example.com"]),
        (["Example.COM."], ["example.com"]),
        (["example.com", "www.example.com", "example.com"], ["example.com", "www.example.com"]),
        (["*.example.com"], ["*.example.com"]),
        (["a_b.example"], ["a_b.example"]),
        (["localhost"], ["localhost"]),
        (["bücher.example", "xn--bcher-kva.example"], ["xn--bcher-kva.example"]),
        (["127.0.0.1"], ["127.0.0.1"]),
        (["::1", "[::1]", "0:0:0:0:0:0:0:1"], ["::1"]),
        (["fe80::1%eth0"], ["fe80::1"]),
        (["", "a b", "a..b", "-" * 64, "x" * 254, "*", "a.*.b", "\udc80", "ex\0ample", "a/b"], []),
        (["not valid!", "example.com"], ["example.com"]),
    ],
)
def test_names(names: list[str], expected: list[str]) -> None:
    leaf = ISSUER.sign(names)
    assert leaf.cert.altnames == expected
    assert leaf.cert.cn == (expected[0] if expected else "no usable host name")


def test_a_long_name_is_no_common_name(tmp_path: Path) -> None:
    name = f"{'a' * 63}.{'b' * 63}.example"
    leaf = ISSUER.sign([name])
    assert leaf.cert.subject == []
    assert leaf.cert.altnames == [name]
    assert extension(leaf, x509.SubjectAlternativeName).critical
    assert openssl_verify(leaf, CA.certificate, tmp_path, "-verify_hostname", name) == ""


def test_the_number_of_names_is_limited() -> None:
    leaf = ISSUER.sign(["asked.example", *(f"{n}.{'x' * 60}.example" for n in range(5000))])
    assert leaf.cert.altnames[0] == "asked.example"
    assert 300 < len(leaf.cert.altnames) < MAX_NAMES // 60
    assert len(leaf.pem) < 90_000


@pytest.mark.parametrize(
    ("organization", "kept"),
    [("Example Ltd.", True), ("Bücher & Söhne", True), ("x" * 65, False), ("", False), ("a\nb", False)],
)
def test_organization(organization: str, kept: bool) -> None:
    assert ISSUER.sign(["example.com"], organization).cert.organization == (organization if kept else None)


def test_names_of_a_certificate() -> None:
    origin = Cert.from_pem(CA.leaf("a.example", "*.b.example", "10.0.0.1", cn="c.example", org="Org").pem())
    assert names_of(origin) == ["c.example", "a.example", "*.b.example", "10.0.0.1"]
    assert organization_of(origin) == "Org"


@pytest.mark.parametrize(
    "pem",
    [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"],
    ids=["empty", "text", "asn1"],
)
def test_an_unreadable_certificate_has_no_names(pem: bytes) -> None:
    assert names_of(Cert.from_pem(pem)) == []
    assert organization_of(Cert.from_pem(pem)) is None


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=80), max_size=5), st.none() | st.text(max_size=80))
def test_any_names_make_a_certificate(names: list[str], organization: str | None) -> None:
    leaf = ISSUER.sign(names, organization)
    assert leaf.cert.altnames == list(dict.fromkeys(filter(None, map(ascii_name, names))))


# what is in it


def test_what_openssl_says(tmp_path: Path) -> None:
    leaf = ISSUER.sign(["example.com", "127.0.0.1", "::1"], "Org")
    for option, value in (("-verify_hostname", "example.com"), ("-verify_ip", "127.0.0.1"), ("-verify_ip", "::1")):
        assert openssl_verify(leaf, CA.certificate, tmp_path, option, value) == ""
    assert "ostname mismatch" in openssl_verify(leaf, CA.certificate, tmp_path, "-verify_hostname", "other.example")


@pytest.mark.parametrize("names", [["example.com"], ["127.0.0.1"], []])
def test_what_openssl_says_to_other_names(names: list[str], tmp_path: Path) -> None:
    assert openssl_verify(ISSUER.sign(names), CA.certificate, tmp_path) == ""


def test_contents() -> None:
    leaf = ISSUER.sign(["example.com"])
    parsed = certificate(leaf)
    parsed.verify_directly_issued_by(CA.certificate)
    assert leaf.cert.keyinfo == ("EC (secp256r1)", 256)
    assert parsed.signature_hash_algorithm is not None
    assert parsed.signature_hash_algorithm.name == "sha256"
    assert not leaf.cert.is_ca
    assert not extension(leaf, x509.SubjectAlternativeName).critical
    own = CA.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    authority = extension(leaf, x509.AuthorityKeyIdentifier).value
    assert isinstance(authority, x509.AuthorityKeyIdentifier)
    assert authority.key_identifier == own.digest
    public = parsed.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert extension(leaf, x509.SubjectKeyIdentifier).value == x509.SubjectKeyIdentifier.from_public_key(public)


def test_serials_are_random() -> None:
    serials = {certificate(ISSUER.sign(["example.com"])).serial_number for _ in range(20)}
    assert len(serials) == 20
    assert 140 < max(serials).bit_length() <= 159


def test_life() -> None:
    leaf = ISSUER.sign(["example.com"])
    now = datetime.datetime.now(datetime.UTC)
    assert leaf.cert.notafter - leaf.cert.notbefore < 200 * DAY
    assert now - 1.1 * DAY < leaf.cert.notbefore < now - 0.9 * DAY
    assert leaf.cert.notafter > now + 190 * DAY
    assert leaf.expires == leaf.cert.notafter.timestamp()


@pytest.mark.parametrize("days", [(0, 300), (-300, 20)], ids=["young", "old"])
def test_life_is_within_that_of_the_authority(days: tuple[int, int]) -> None:
    ca = Ca(days=days)
    leaf = Issuer(ca.certificate, ca.key).sign(["example.com"])
    assert ca.certificate.not_valid_before_utc <= leaf.cert.notbefore < leaf.cert.notafter
    assert leaf.cert.notafter <= ca.certificate.not_valid_after_utc


def test_an_authority_that_expired_meanwhile_signs_what_clients_refuse() -> None:
    ca = Ca(days=(-300, -10))
    leaf = Issuer(ca.certificate, ca.key).sign(["example.com"])
    assert leaf.cert.has_expired()


# authorities of other kinds


def test_an_rsa_authority(tmp_path: Path) -> None:
    ca = Ca(key=rsa_key())
    assert openssl_verify(Issuer(ca.certificate, ca.key).sign(["example.com"]), ca.certificate, tmp_path) == ""


def test_an_ed25519_authority() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    now = datetime.datetime.now(datetime.UTC)
    name = x509.Name([])
    authority = x509.CertificateBuilder(name, name, key.public_key(), 1, now - DAY, now + DAY).sign(key, None)
    leaf = Issuer(authority, key).sign(["example.com"])
    certificate(leaf).verify_directly_issued_by(authority)


def test_an_authority_without_key_identifier() -> None:
    old = self_signed("old")
    leaf = Issuer(old.certificate, old.key).sign(["example.com"])
    identifier = extension(leaf, x509.AuthorityKeyIdentifier).value
    assert identifier == x509.AuthorityKeyIdentifier.from_issuer_public_key(old.key.public_key())


def test_chains(tmp_path: Path) -> None:
    root = Ca("root")
    middle = Ca("middle", parent=root)
    extra = Cert.from_pem(certificate_pem(CA.certificate))
    chain = chain_pem([Cert.from_pem(certificate_pem(middle.certificate))])
    leaf = Issuer(middle.certificate, middle.key, chain).sign(["example.com"], chain=extra.to_pem())
    assert leaf.pem == leaf.cert.to_pem() + chain + extra.to_pem() + leaf.pem[leaf.pem.index(b"-----BEGIN PRIVATE") :]
    assert openssl_verify(leaf, root.certificate, tmp_path) == ""


def test_repr() -> None:
    assert repr(ISSUER.sign(["a.example", "b.example"])) == "Leaf(a.example, b.example)"
