"""The proxy's certificate authority: made on first use, kept in ``confdir``, asked for a certificate per host.

*Files.* ``flowdump-ca.pem`` holds key and certificate and is the truth; the others are made from it, for people:

=====================  ====================================================================================
flowdump-ca.pem        key and certificate, mode 0600
flowdump-ca.p12        the same as PKCS #12, mode 0600, with the passphrase of the key file if that has one
flowdump-ca-cert.pem   the certificate: Linux, curl ``--cacert``, most tools
flowdump-ca-cert.cer   the certificate as DER: Windows, Android
flowdump-ca-cert.p12   the certificate as PKCS #12: Windows
=====================  ====================================================================================

A folder with a ``mitmproxy-ca.pem`` and no ``flowdump-ca.pem`` is used as it is, so that clients which trust that
authority go on working. Two processes that start at once agree on one authority: the key file is written under another
name and *linked* into place, which fails for the second, who then reads what the first has written.

*Leaves* are cached by what was asked for. All of it is synchronous, so one name is never signed twice at the same time.
"""

from __future__ import annotations

import datetime
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    pkcs12,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from flowdump.certs import Cert
from flowdump.engine.tls.leaf import CAKey, Issuer, Leaf, chain_pem, names_of, organization_of
from flowdump.exceptions import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

NAME: Final = "flowdump"

#: Names of authorities in a confdir, the one that is made where there is none first.
KNOWN: Final = (NAME, "mitmproxy")

LIFETIME: Final = datetime.timedelta(days=3652)

#: Bits of an RSA key: OpenSSL verifies no larger ones (OPENSSL_RSA_MAX_MODULUS_BITS), and making one takes hours.
MAX_KEY_SIZE: Final = 16384

#: Clocks of clients may be behind; leaves are backdated too, and lie within the life of their authority.
BACKDATED: Final = datetime.timedelta(days=2)

#: Leaves that are remembered. One takes about 3 KB.
MAX_LEAVES: Final = 1024

#: Seconds before its end at which a remembered leaf is made anew.
RENEWAL: Final = 24 * 3600

_LeafKey = tuple[tuple[str, ...], str | None, Cert | None, tuple[Cert, ...]]


class Authority:
    """Signs a certificate for any host. Made by ``Authority.open``."""

    def __init__(self, path: str, certificates: Sequence[x509.Certificate], key: CAKey) -> None:
        self.path = path
        self._certificate = certificates[0]
        # A root that signed itself is at the client's already; anything between it and our leaves has to be sent.
        between = [c for c in certificates if c.subject != c.issuer]
        self._issuer = Issuer(self._certificate, key, b"".join(c.public_bytes(Encoding.PEM) for c in between))
        self._leaves: dict[_LeafKey, Leaf] = {}

    @classmethod
    def open(cls, confdir: str, *, key_size: int = 2048, passphrase: str | None = None) -> Authority:
        """The authority of a folder (``~`` allowed), made if there is none.

        ``key_size`` is of a newly made RSA key, ``passphrase`` opens the key file where it is encrypted. Raises
        UserError, naming the file and the way out.
        """
        folder = os.path.expanduser(confdir)
        path = next((p for p in (_key_file(folder, name) for name in KNOWN) if os.path.exists(p)), None)
        if path is None:
            path = _key_file(folder, NAME)
            _write_once(folder, path, _make(key_size))
        certificates, key, protection = _load(path, passphrase)
        authority = cls(path, certificates, key)
        if os.path.basename(path) == f"{NAME}-ca.pem":
            _write_exports(authority, key, protection)
        return authority

    # -- leaves --------------------------------------------------------------------------------------------------

    def leaf(
        self,
        names: Sequence[str],
        *,
        organization: str | None = None,
        upstream: Cert | None = None,
        chain: Sequence[Cert] = (),
    ) -> Leaf:
        """A certificate for ``names``, the one asked for first, and for those of the origin's certificate ``upstream``.

        ``organization`` is that of ``upstream`` where it is not given; ``chain`` is sent along behind the leaf. The
        same arguments give the same object until it is about to expire.
        """
        key = (tuple(names), organization, upstream, tuple(chain))
        leaf = self._leaves.pop(key, None)
        if leaf is None or leaf.expires < time.time() + RENEWAL:
            if upstream is not None:
                names = [*names, *names_of(upstream)]
                organization = organization or organization_of(upstream)
            leaf = self._issuer.sign(names, organization, chain_pem(chain))
        self._leaves[key] = leaf
        if len(self._leaves) > MAX_LEAVES:
            del self._leaves[next(iter(self._leaves))]
        return leaf

    # -- what people import --------------------------------------------------------------------------------------

    @property
    def cert(self) -> Cert:
        return Cert.from_pem(self.pem())

    @property
    def certificate_path(self) -> str:
        """Where the certificate lies as PEM: without the key, unless a folder that cannot be written has only both."""
        path = self.path.removesuffix(".pem") + "-cert.pem"
        return path if os.path.exists(path) else self.path

    def pem(self) -> bytes:
        return self._certificate.public_bytes(Encoding.PEM)

    def der(self) -> bytes:
        return self._certificate.public_bytes(Encoding.DER)

    def p12(self) -> bytes:
        """The certificate without the key as PKCS #12, without a password."""
        return pkcs12.serialize_key_and_certificates(NAME.encode(), None, self._certificate, None, NoEncryption())

    def __repr__(self) -> str:
        return f"Authority({self.path}, {len(self._leaves)} leaves)"


def _key_file(folder: str, name: str) -> str:
    return os.path.join(folder, f"{name}-ca.pem")


# making one


def _make(key_size: int) -> bytes:
    """A new key and its certificate, as PEM."""
    try:
        if key_size > MAX_KEY_SIZE:
            raise ValueError(f"TLS libraries take {MAX_KEY_SIZE} at most")
        key = rsa.generate_private_key(65537, key_size)
    except ValueError as error:
        raise UserError(f"option 'key_size': cannot make an RSA key of {key_size} bits: {error}") from None
    name = x509.Name([x509.NameAttribute(oid, NAME) for oid in (NameOID.COMMON_NAME, NameOID.ORGANIZATION_NAME)])
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    public = key.public_key()
    certificate = (
        x509.CertificateBuilder(name, name, public, x509.random_serial_number(), now - BACKDATED, now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        # A stolen key can be used to pose as web sites, and as nothing else.
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .sign(key, hashes.SHA256())
    )
    text = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    return text + certificate.public_bytes(Encoding.PEM)


_SIGNS_CERTIFICATES: Final = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


# files


def _write_once(folder: str, path: str, data: bytes) -> None:
    """Put a new key file in place unless another process was faster."""
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        with _temporary(path, data, 0o600) as temporary:
            _link(temporary, path)
    except OSError as error:
        raise UserError(
            f"cannot write the certificate authority to {path}: {error.strerror or error}; "
            "choose another folder with the option confdir"
        ) from None


def _link(temporary: str, path: str) -> None:
    """Give a file its name, unless one of that name is there already."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        return
    except OSError:
        # A file system without hard links: a small chance remains that two processes make two authorities.
        os.replace(temporary, path)


@contextmanager
def _temporary(path: str, data: bytes, mode: int) -> Iterator[str]:
    """A new file beside ``path`` with ``data``, down to the disk; gone afterwards unless it was renamed."""
    temporary = f"{path}.{os.getpid()}-{os.urandom(4).hex()}"
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as fo:
            fo.write(data)
            fo.flush()
            os.fsync(fo.fileno())
        yield temporary
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def _write_exports(authority: Authority, key: CAKey, protection: KeySerializationEncryption) -> None:
    """The files for people, where one is missing or the authority is another one than before.

    ``protection`` is of the key: where its own file is encrypted, it lies nowhere else in the clear.
    """
    base = authority.path.removesuffix(".pem")
    names = [f"{base}-cert.pem", f"{base}-cert.cer", f"{base}-cert.p12", f"{base}.p12"]
    try:
        with open(names[0], "rb") as fo:
            if fo.read() == authority.pem() and all(map(os.path.exists, names)):
                return
    except FileNotFoundError:
        pass  # the usual case: the authority has just been made
    except OSError as error:
        raise UserError(f"cannot read {names[0]}: {error.strerror}") from None
    both = pkcs12.serialize_key_and_certificates(NAME.encode(), key, authority._certificate, None, protection)
    contents = (authority.pem(), authority.der(), authority.p12(), both)
    try:
        for path, data in zip(names, contents, strict=True):
            with _temporary(path, data, 0o600 if data is both else 0o644) as temporary:
                os.replace(temporary, path)
    except OSError:
        return  # a folder that cannot be written, with a key file in it: the proxy hands the certificate out itself


# reading one


def _load(path: str, passphrase: str | None) -> tuple[list[x509.Certificate], CAKey, KeySerializationEncryption]:
    """Certificates and key of an authority, and how the key is protected in its file. Raises UserError."""
    way_out = "delete the file to have a new authority made (clients then have to trust it anew)"
    try:
        with open(path, "rb") as fo:
            data = fo.read()
        certificates, key = read_key_and_certificates(data, passphrase)
        _check_authority(certificates[0], key)
    except OSError as error:
        raise UserError(
            f"cannot read the certificate authority {path}: {error.strerror or error}; "
            "mend its permissions, or choose another folder with the option confdir"
        ) from None
    except ValueError as error:
        raise UserError(f"the certificate authority {path} cannot be used: {error}; {way_out}") from None
    if passphrase and b"ENCRYPTED" in data:
        return certificates, key, BestAvailableEncryption(passphrase.encode())
    return certificates, key, NoEncryption()


def read_key_and_certificates(data: bytes, passphrase: str | None) -> tuple[list[x509.Certificate], CAKey]:
    """The key and the certificates of a PEM file, that of the key first. Raises ValueError in words."""
    try:
        certificates = x509.load_pem_x509_certificates(data)
    except ValueError:
        raise ValueError("it holds no readable certificate") from None
    key = _read_key(data, passphrase)
    if not isinstance(key, CAKey):
        raise ValueError("its key is of a kind that cannot sign certificates")
    own = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    matching = [
        c for c in certificates if c.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) == own
    ]
    if not matching:
        raise ValueError("its key belongs to another certificate")
    return matching[:1] + [c for c in certificates if c is not matching[0]], key


def _read_key(data: bytes, passphrase: str | None) -> PrivateKeyTypes:
    # The full check of an RSA key takes 35 ms at each start; _check_authority makes one signature instead.
    try:
        return load_pem_private_key(data, None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        if not passphrase:
            raise ValueError("its key is encrypted; give the passphrase with the option cert_passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("it holds no readable private key") from None
    try:
        return load_pem_private_key(data, passphrase.encode(), unsafe_skip_rsa_key_validation=True)
    except ValueError:
        raise ValueError("its key cannot be opened with the passphrase of the option cert_passphrase") from None


def _check_authority(certificate: x509.Certificate, key: CAKey) -> None:
    """Raises ValueError where leaves that it signs would be refused."""
    if not Cert.from_pem(certificate.public_bytes(Encoding.PEM)).is_ca:
        raise ValueError("its certificate is not one of a certificate authority")
    now = datetime.datetime.now(datetime.UTC)
    if now > certificate.not_valid_after_utc:
        raise ValueError(f"it has expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    if now < certificate.not_valid_before_utc:
        raise ValueError(f"it is not valid before {certificate.not_valid_before_utc:%Y-%m-%d} (is the clock right?)")
    try:
        Issuer(certificate, key).sign(["check.invalid"]).cert.to_cryptography().verify_directly_issued_by(certificate)
    except (InvalidSignature, TypeError, ValueError):
        raise ValueError("its key is damaged") from None
