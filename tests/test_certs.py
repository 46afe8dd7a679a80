"""Certificates: read when asked, with every fact that scripts look at."""

from __future__ import annotations

import datetime
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from flowdump.certs import Cert

EC_KEY = ec.generate_private_key(ec.SECP256R1())
ISSUER = x509.Name(
    [x509.NameAttribute(NameOID.COMMON_NAME, "CA"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Org")]
)


def certificate(
    subject: list[tuple[x509.ObjectIdentifier, str]], *extensions: x509.ExtensionType, key: object = EC_KEY
) -> Cert:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(oid, value) for oid, value in subject]))
        .issuer_name(ISSUER)
        .public_key(key.public_key())  # type: ignore[attr-defined]
        .serial_number(12345)
        .not_valid_before(datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC))
        .not_valid_after(datetime.datetime(2021, 1, 1, 12, 30, tzinfo=datetime.UTC))
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    signed = builder.sign(key, algorithm)  # type: ignore[arg-type]
    return Cert.from_pem(signed.public_bytes(Encoding.PEM))


NAMES = x509.SubjectAlternativeName(
    [
        x509.DNSName("example.com"),
        x509.DNSName("*.example.com"),
        x509.IPAddress(ip_address("::1")),
        x509.RFC822Name("a@b.c"),
        x509.UniformResourceIdentifier("http://x"),
        x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
    ]
)
LISTS = x509.CRLDistributionPoints(
    [x509.DistributionPoint([x509.UniformResourceIdentifier("http://crl/x")], None, None, None)]
)
LEAF = certificate(
    [(NameOID.COMMON_NAME, "example.com"), (NameOID.ORGANIZATION_NAME, "My Org"), (NameOID.COUNTRY_NAME, "DE")],
    NAMES,
    LISTS,
    x509.BasicConstraints(ca=False, path_length=None),
)
BARE = certificate([])


def test_names() -> None:
    assert LEAF.subject == [("CN", "example.com"), ("O", "My Org"), ("C", "DE")]
    assert LEAF.issuer == [("CN", "CA"), ("O", "Org")]
    assert (LEAF.cn, LEAF.organization) == ("example.com", "My Org")
    assert (BARE.cn, BARE.organization, BARE.subject, BARE.altnames) == (None, None, [], [])
    assert LEAF.altnames == ["example.com", "*.example.com", "::1", "a@b.c", "http://x"]
    assert [name.value for name in LEAF.altnames[1:3]] == ["*.example.com", ip_address("::1")]


def test_the_first_of_several_names_counts() -> None:
    assert certificate([(NameOID.COMMON_NAME, "a"), (NameOID.COMMON_NAME, "b")]).cn == "a"


def test_validity_and_serial() -> None:
    assert str(LEAF.notbefore) == "2020-01-01 00:00:00+00:00"
    assert str(LEAF.notafter) == "2021-01-01 12:30:00+00:00"
    assert LEAF.has_expired()
    assert LEAF.serial == 12345


def test_authorities() -> None:
    assert not LEAF.is_ca
    assert not BARE.is_ca
    assert certificate([], x509.BasicConstraints(ca=True, path_length=None)).is_ca
    assert LEAF.crl_distribution_points == ["http://crl/x"]
    assert BARE.crl_distribution_points == []


@pytest.mark.parametrize(
    ("key", "info"),
    [
        (EC_KEY, ("EC (secp256r1)", 256)),
        (rsa.generate_private_key(65537, 1024), ("RSA", 1024)),
        (dsa.generate_private_key(1024), ("DSA", 1024)),
        (ed25519.Ed25519PrivateKey.generate(), ("Ed25519", -1)),
    ],
)
def test_keys(key: object, info: tuple[str, int]) -> None:
    cert = certificate([], key=key)
    assert cert.keyinfo == info
    assert cert.public_key() == key.public_key()  # type: ignore[attr-defined]


def test_the_forms_of_a_certificate() -> None:
    pem, parsed = LEAF.to_pem(), LEAF.to_cryptography()
    assert pem.startswith(b"-----BEGIN CERTIFICATE-----\n")
    assert LEAF.fingerprint() == parsed.fingerprint(hashes.SHA256())
    forms = (Cert(pem), Cert(parsed), Cert.from_pem(pem), Cert.from_der(parsed.public_bytes(Encoding.DER)), LEAF.copy())
    for cert in (*forms, Cert.from_state(LEAF.get_state())):
        assert cert == LEAF
        assert hash(cert) == hash(LEAF)
        assert cert.cn == "example.com"
    assert LEAF != BARE
    assert pem != LEAF


def test_it_is_parsed_when_asked_and_once() -> None:
    damaged = Cert.from_pem(b"no certificate")
    assert damaged.to_pem() == b"no certificate"
    assert repr(damaged) == "<Cert(unreadable)>"
    for ask in (lambda: damaged.cn, lambda: damaged.altnames, damaged.to_cryptography, damaged.fingerprint):
        with pytest.raises(ValueError, match=r"."):
            ask()
    with pytest.raises(ValueError, match=r"."):
        Cert.from_der(b"no certificate")
    assert LEAF.to_cryptography() is LEAF.to_cryptography()


def test_repr_shows_the_names() -> None:
    assert repr(BARE) == "<Cert(cn=None, altnames=[])>"
    assert "cn='example.com', altnames=['example.com', '*.example.com'" in repr(LEAF)
