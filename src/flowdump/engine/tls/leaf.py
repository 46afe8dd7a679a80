"""Certificates for single hosts, signed on the fly by the proxy's certificate authority.

A leaf says no more than a client needs: the names (subjectAltName; a common name too where it fits), what it is for
(serverAuth), and which key signed it. Its life stays below 200 days, which is what clients of public certificates
accept (CA/Browser Forum ballot SC-081: 200 days from March 2026 on), and within the life of the authority. All leaves
of a run share one P-256 key: making a key per host would be slower and no safer, since one process holds them all.
"""

from __future__ import annotations

import datetime
import ipaddress
import re
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from flowdump.certs import Cert

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

CAKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Clients' clocks may be behind ours.
BACKDATED: Final = datetime.timedelta(days=1)
LIFETIME: Final = datetime.timedelta(days=199)

#: RFC 5280 appendix A: ub-common-name, ub-organization-name.
MAX_SUBJECT: Final = 64

#: Characters of all names of one leaf. OpenSSL clients refuse certificate messages above 100 KB, and the names come
#: from strangers: an origin's certificate decides how many there are.
MAX_NAMES: Final = 32 * 1024

#: RFC 1034 section 3.5, with the underscore that is out there; at most one wildcard, as the whole first label.
_dns_name = re.compile(r"(?=.{1,253}\Z)(?:\*\.)?(?:[0-9A-Za-z_-]{1,63}\.)*[0-9A-Za-z_-]{1,63}").fullmatch


class Leaf:
    """A certificate with its key: all that a server needs to present itself.

    ``pem`` holds the certificate, the rest of its chain, and the key, for ``ssl.SSLContext.load_cert_chain``;
    ``expires`` is Unix time. Two leaves are equal only if they are the same object: cheap keys of caches.
    """

    __slots__ = ("cert", "expires", "pem")

    def __init__(self, cert: Cert, chain: bytes, key: bytes) -> None:
        self.cert = cert
        self.pem = cert.to_pem() + chain + key
        self.expires = cert.notafter.timestamp()

    def __repr__(self) -> str:
        return f"Leaf({', '.join(self.cert.altnames) or self.cert.cn})"


class Issuer:
    """Signs leaves. ``chain`` (PEM) is sent along with each: the certificates between the authority and its root."""

    def __init__(self, certificate: x509.Certificate, key: CAKey, chain: bytes = b"") -> None:
        self._key = key
        self._algorithm = (
            None if isinstance(key, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey) else hashes.SHA256()
        )
        self._name = certificate.subject
        self._not_before = certificate.not_valid_before_utc
        self._not_after = certificate.not_valid_after_utc
        self._chain = chain
        leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_pem = leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._leaf_public = leaf_key.public_key()
        self._extensions = self._common_extensions(certificate)

    def sign(self, names: Iterable[str], organization: str | None = None, chain: bytes = b"") -> Leaf:
        """A leaf for ``names``: host names (Unicode or A-labels, wildcards allowed) and IP addresses.

        What cannot be a name is left out. ``chain`` (PEM) is sent along besides our own.
        """
        usable = list(_usable(names))
        # Common name and organization as far as they fit. Both together may be absent: RFC 5280 section 4.1.2.6.
        name = str(usable[0]) if usable else "no usable host name"
        given = ((NameOID.COMMON_NAME, name), (NameOID.ORGANIZATION_NAME, organization or ""))
        subject = x509.Name([x509.NameAttribute(oid, text) for oid, text in given if _fits(text)])
        not_before, not_after = self._validity()
        builder = x509.CertificateBuilder(
            self._name, subject, self._leaf_public, x509.random_serial_number(), not_before, not_after
        )
        for extension, critical in self._extensions:
            builder = builder.add_extension(extension, critical)
        if usable:
            # RFC 5280 section 4.2.1.6: critical where the subject is empty.
            builder = builder.add_extension(
                x509.SubjectAlternativeName(map(_general_name, usable)), critical=not subject.rdns
            )
        certificate = builder.sign(self._key, self._algorithm)
        return Leaf(Cert.from_pem(certificate.public_bytes(Encoding.PEM)), self._chain + chain, self._leaf_pem)

    def _common_extensions(self, authority: x509.Certificate) -> list[tuple[x509.ExtensionType, bool]]:
        return [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (_SIGNS_HANDSHAKES, True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.SubjectKeyIdentifier.from_public_key(self._leaf_public), False),
            (_authority_key_identifier(authority), False),
        ]

    def _validity(self) -> tuple[datetime.datetime, datetime.datetime]:
        """From yesterday on, but never outside of the authority's own life."""
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        not_after = min(now - BACKDATED + LIFETIME, self._not_after)
        not_before = max(now - BACKDATED, self._not_before)
        return min(not_before, not_after - BACKDATED), not_after


_SIGNS_HANDSHAKES: Final = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def names_of(cert: Cert) -> list[str]:
    """The common name and the subject alternative names of a certificate; none where it cannot be read."""
    try:
        common = [cert.cn] if cert.cn else []
        return common + cert.altnames
    except (ValueError, *_UNREADABLE):
        return []


def organization_of(cert: Cert) -> str | None:
    """None also where it cannot be read."""
    try:
        return cert.organization
    except (ValueError, *_UNREADABLE):
        return None


#: What ``cryptography`` raises besides ValueError for certificates with extensions out of order.
_UNREADABLE: Final = (x509.DuplicateExtension, x509.UnsupportedGeneralNameType)


def ascii_name(name: str) -> str:
    """A host name as it is compared: lower case, A-labels, no final dot; an address in its canonical form.

    ``""`` where it is neither.
    """
    address = _address(name)
    if address is not None:
        return str(address)
    name = name.removesuffix(".").lower()
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return ""
    return name if _dns_name(name) else ""


def _usable(names: Iterable[str]) -> Iterator[str | Address]:
    seen = {""}
    size = 0
    for name in names:
        text = ascii_name(name)
        if text in seen:
            continue
        size += len(text)
        if size > MAX_NAMES:
            return
        seen.add(text)
        yield _address(text) or text


def _address(name: str) -> Address | None:
    """The IP address that a name is, brackets and zone left aside."""
    if not name[-1:].isalnum() and name[-1:] not in "]:":
        return None
    try:
        return ipaddress.ip_address(name.removeprefix("[").removesuffix("]").partition("%")[0])
    except ValueError:
        return None


def _general_name(name: str | Address) -> x509.GeneralName:
    return x509.DNSName(name) if isinstance(name, str) else x509.IPAddress(name)


def _fits(text: str) -> bool:
    return 0 < len(text) <= MAX_SUBJECT and text.isprintable() and len(text.encode(errors="replace")) <= MAX_SUBJECT


def _authority_key_identifier(authority: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """The very bytes of the authority's own identifier, however it was made."""
    try:
        own = authority.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(_public_key(authority))
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _public_key(certificate: x509.Certificate) -> rsa.RSAPublicKey:
    return certificate.public_key()  # type: ignore[return-value]  # of one of the kinds in CAKey, see authority.py


def chain_pem(certs: Sequence[Cert]) -> bytes:
    """Certificates one after another, as PEM."""
    return b"".join(cert.to_pem() for cert in certs)
