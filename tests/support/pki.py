"""A small public key infrastructure for tests: authorities, and certificates with every fault that matters.

Nothing here uses flowdump's own authority, so that the two can be tested against each other::

    ca = Ca()
    trusted = ca.write(tmp_path)                                    the root, for clients
    origin = ca.leaf("example.com").write(tmp_path / "origin.pem")  certificate and key, for servers
    ca.leaf("example.com", days=(-30, -1))                          expired
    ca.leaf("other.example")                                        the wrong host
    self_signed("example.com")                                      signed by itself
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

#: Validity in days from now: (from, until).
VALID = (-1, 30)
EXPIRED = (-30, -1)
FUTURE = (10, 30)


@cache
def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    """The n-th RSA key of this run: making one takes long."""
    return rsa.generate_private_key(65537, 2048)


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


class Credentials(NamedTuple):
    """A certificate, its key, and the certificates between it and the root."""

    certificate: x509.Certificate
    key: Key
    chain: tuple[x509.Certificate, ...] = ()

    def pem(self, passphrase: str | None = None) -> bytes:
        """The key, encrypted if there is a passphrase, then the certificate, then the chain."""
        return key_pem(self.key, passphrase) + b"".join(map(certificate_pem, (self.certificate, *self.chain)))

    def write(self, path: Path, passphrase: str | None = None) -> Path:
        path.write_bytes(self.pem(passphrase))
        return path

    def server_context(self, path: Path) -> ssl.SSLContext:
        """A context that serves this; ``path`` is where the file may go."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.write(path))
        return context


class Ca:
    """An authority: a root, or one below ``parent``."""

    def __init__(
        self,
        name: str = "test authority",
        *,
        key: Key | None = None,
        days: tuple[int, int] = (-2, 90),
        parent: Ca | None = None,
    ) -> None:
        self.key = key or ec_key()
        self.parent = parent
        self.certificate: x509.Certificate
        builder = _builder(name, self.key, days, parent.certificate if parent else None)
        extensions = (
            (x509.BasicConstraints(ca=True, path_length=None), True),
            (_usage(signs_certificates=True), True),
            (x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), False),
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical)
        if parent:
            builder = builder.add_extension(_authority_key_identifier(parent.key), critical=False)
        self.certificate = builder.sign(parent.key if parent else self.key, hashes.SHA256())

    def leaf(
        self, *names: str, key: Key | None = None, days: tuple[int, int] = VALID, cn: str | None = None, org: str = ""
    ) -> Credentials:
        """A server's or client's certificate for host names and addresses; ``cn`` is the first name by default."""
        key = key or ec_key()
        builder = _builder(cn if cn is not None else names[0], key, days, self.certificate, org)
        builder = _with_names(builder, names).add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
        )
        builder = builder.add_extension(_authority_key_identifier(self.key), critical=False)
        return Credentials(builder.sign(self.key, hashes.SHA256()), key, self._chain())

    def _chain(self) -> tuple[x509.Certificate, ...]:
        return (self.certificate, *self.parent._chain()) if self.parent else ()

    @property
    def credentials(self) -> Credentials:
        return Credentials(self.certificate, self.key)

    def write(self, folder: Path) -> Path:
        """The certificate alone, as PEM."""
        path = folder / f"authority-{self.certificate.serial_number:x}.pem"
        path.write_bytes(certificate_pem(self.certificate))
        return path


def self_signed(*names: str, key: Key | None = None, days: tuple[int, int] = VALID) -> Credentials:
    key = key or ec_key()
    builder = _with_names(_builder(names[0], key, days, None), names)
    return Credentials(builder.sign(key, hashes.SHA256()), key)


def certificate_pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)


def key_pem(key: Key, passphrase: str | None = None) -> bytes:
    encryption: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        encryption = BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


def _builder(
    name: str, key: Key, days: tuple[int, int], issuer: x509.Certificate | None, org: str = ""
) -> x509.CertificateBuilder:
    attributes = ((NameOID.COMMON_NAME, name), (NameOID.ORGANIZATION_NAME, org))
    subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in attributes if text])
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    start, end = (now + datetime.timedelta(days=n) for n in days)
    serial = x509.random_serial_number()
    return x509.CertificateBuilder(issuer.subject if issuer else subject, subject, key.public_key(), serial, start, end)


def _with_names(builder: x509.CertificateBuilder, names: tuple[str, ...]) -> x509.CertificateBuilder:
    if not names:
        return builder
    return builder.add_extension(x509.SubjectAlternativeName(map(_general_name, names)), critical=False)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _authority_key_identifier(key: Key) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
