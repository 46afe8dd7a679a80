"""A read-only view of an X.509 certificate, as scripts see it in ``server_conn.certificate_list``.

Flow files carry certificates as PEM text. Most runs never look inside one, so a ``Cert`` keeps its PEM and parses it
when asked.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes


class AltName(str):
    """A name that a certificate is for, as text; ``value`` for scripts that know the objects of :mod:`cryptography`."""

    __slots__ = ("value",)
    #: The same text, or an address of :mod:`ipaddress`.
    value: Any

    @classmethod
    def of(cls, value: Any) -> AltName:
        name = cls(value)
        name.value = value
        return name


class Cert:
    """An X.509 certificate (RFC 5280)."""

    def __init__(self, certificate: bytes | x509.Certificate) -> None:
        """From PEM, or from a certificate of the ``cryptography`` package."""
        if not isinstance(certificate, bytes):
            from cryptography.hazmat.primitives.serialization import Encoding

            certificate = certificate.public_bytes(Encoding.PEM)
        self._pem = certificate

    @classmethod
    def from_pem(cls, pem: bytes) -> Cert:
        """From one complete PEM text.

        It is parsed on first use, which raises ValueError when it is not a certificate.
        """
        return cls(pem)

    from_state = from_pem

    @classmethod
    def from_der(cls, der: bytes) -> Cert:
        """From DER. Raises ValueError when it is not a certificate."""
        from cryptography import x509

        return cls(x509.load_der_x509_certificate(der))

    def to_pem(self) -> bytes:
        return self._pem

    get_state = to_pem

    def copy(self) -> Cert:
        return Cert(self._pem)

    def to_cryptography(self) -> x509.Certificate:
        """The certificate as the ``cryptography`` package sees it. Raises ValueError when the PEM is damaged."""
        return self._x509

    @cached_property
    def _x509(self) -> x509.Certificate:
        from cryptography import x509

        return x509.load_pem_x509_certificate(self._pem)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Cert) and self._pem == other._pem

    def __hash__(self) -> int:
        return hash(self._pem)

    def __repr__(self) -> str:
        try:
            return f"<Cert(cn={self.cn!r}, altnames={self.altnames!r})>"
        except ValueError:
            return "<Cert(unreadable)>"

    # -- names ---------------------------------------------------------------------------------------------------

    @property
    def subject(self) -> list[tuple[str, str]]:
        """``[("CN", "example.com"), …]`` in the order of the certificate."""
        return _name_pairs(self._x509.subject)

    @property
    def issuer(self) -> list[tuple[str, str]]:
        return _name_pairs(self._x509.issuer)

    @property
    def cn(self) -> str | None:
        """The common name, None where there is none."""
        return dict(reversed(self.subject)).get("CN")

    @property
    def organization(self) -> str | None:
        return dict(reversed(self.subject)).get("O")

    @property
    def altnames(self) -> list[AltName]:
        """The names in the subjectAltName extension (DNS, IP, mail and URI) as text, in their order."""
        from cryptography import x509

        certificate = self._x509
        try:
            names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (x509.ExtensionNotFound, ValueError):  # not there, or an extension that cannot be parsed
            return []
        plain = x509.DNSName | x509.IPAddress | x509.RFC822Name | x509.UniformResourceIdentifier
        return [AltName.of(name.value) for name in names if isinstance(name, plain)]

    # -- validity and keys ---------------------------------------------------------------------------------------

    @property
    def notbefore(self) -> datetime.datetime:
        return self._x509.not_valid_before_utc

    @property
    def notafter(self) -> datetime.datetime:
        return self._x509.not_valid_after_utc

    def has_expired(self) -> bool:
        import datetime

        return datetime.datetime.now(datetime.UTC) > self.notafter

    @property
    def serial(self) -> int:
        return self._x509.serial_number

    @property
    def is_ca(self) -> bool:
        from cryptography import x509

        try:
            return self._x509.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            return False

    def public_key(self) -> CertificatePublicKeyTypes:
        """The public key as the ``cryptography`` package sees it."""
        return self._x509.public_key()

    @property
    def crl_distribution_points(self) -> list[str]:
        """The URLs of revocation lists (RFC 5280 section 4.2.1.13)."""
        from cryptography import x509

        try:
            points = self._x509.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
        except x509.ExtensionNotFound:
            return []
        names = [name for point in points for name in point.full_name or ()]
        return [name.value for name in names if isinstance(name, x509.UniformResourceIdentifier)]

    @property
    def keyinfo(self) -> tuple[str, int]:
        """Kind and size in bits of the public key:

        ``("RSA", 2048)``, ``("EC (secp256r1)", 256)``; size -1 where unknown.
        """
        from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

        key = self._x509.public_key()
        if isinstance(key, rsa.RSAPublicKey):
            return "RSA", key.key_size
        if isinstance(key, dsa.DSAPublicKey):
            return "DSA", key.key_size
        if isinstance(key, ec.EllipticCurvePublicKey):
            return f"EC ({key.curve.name})", key.key_size
        return type(key).__name__.replace("PublicKey", ""), -1

    def fingerprint(self) -> bytes:
        """SHA-256 of the DER form."""
        from cryptography.hazmat.primitives import hashes

        return self._x509.fingerprint(hashes.SHA256())


def _name_pairs(name: x509.Name) -> list[tuple[str, str]]:
    return [
        (
            attribute.rfc4514_attribute_name,
            attribute.value if isinstance(attribute.value, str) else repr(attribute.value),
        )
        for attribute in name
    ]
