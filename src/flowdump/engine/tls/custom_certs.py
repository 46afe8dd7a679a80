"""Certificates that people give for some hosts (option ``certs``), instead of those the authority makes.

``[DOMAIN=]PATH``: the file holds a certificate, its key and the rest of the chain, as PEM. A domain is a host name, a
wildcard (``*.example.com``) or ``*``, which is also what no domain means. A certificate serves the names it carries
itself as well, where no domain was given for them.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flowdump.exceptions import OptionsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from flowdump.engine.tls.leaf import Leaf


class GivenCerts:
    """The certificates of the option ``certs``, by host name."""

    def __init__(self, specs: Sequence[str] = (), passphrase: str | None = None) -> None:
        """Reads and checks every file. Raises OptionsError."""
        self._leaves: dict[str, Leaf] = {}
        own: dict[str, Leaf] = {}
        for spec in specs:
            domain, path = _split(spec)
            leaf = _load(spec, path, passphrase)
            self._leaves[domain] = leaf
            own.update((name, leaf) for name in _own_names(leaf))
        self._leaves = own | self._leaves

    def find(self, names: Iterable[str]) -> Leaf | None:
        """The certificate for the first of ``names`` that has one: the exact name, then wildcards, then ``*``."""
        if not self._leaves:
            return None
        candidates = [candidate for name in names for candidate in _candidates(name)]
        return next((self._leaves[name] for name in [*candidates, "*"] if name in self._leaves), None)

    def __bool__(self) -> bool:
        return bool(self._leaves)

    def __repr__(self) -> str:
        return f"GivenCerts({', '.join(self._leaves)})"


def _candidates(name: str) -> Iterator[str]:
    """``a.b.example`` -> ``a.b.example``, ``*.b.example``, ``*.example``."""
    from flowdump.engine.tls.leaf import ascii_name

    text = ascii_name(name)
    yield text
    while "." in text and ":" not in text and not text.rpartition(".")[2].isdigit():
        text = text.partition(".")[2]
        yield f"*.{text}"


def _split(spec: str) -> tuple[str, str]:
    from flowdump.engine.tls.leaf import ascii_name

    domain, equals, path = spec.partition("=")
    if not equals or (os.path.exists(os.path.expanduser(spec)) and not os.path.exists(os.path.expanduser(path))):
        return "*", spec
    name = domain if domain == "*" else ascii_name(domain)
    if not name:
        raise OptionsError(f"option 'certs': {spec!r}: {domain!r} is not a host name")
    return name, path


def _load(spec: str, path: str, passphrase: str | None) -> Leaf:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    from flowdump.certs import Cert
    from flowdump.engine.tls.authority import read_key_and_certificates
    from flowdump.engine.tls.leaf import Leaf

    try:
        with open(os.path.expanduser(path), "rb") as fo:
            certificates, key = read_key_and_certificates(fo.read(), passphrase)
        own, *chain = [certificate.public_bytes(Encoding.PEM) for certificate in certificates]
        text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        leaf = Leaf(Cert.from_pem(own), b"".join(chain), text)
        _check(leaf)
    except OSError as error:
        raise OptionsError(f"option 'certs': {spec!r}: cannot read {path}: {error.strerror or error}") from None
    except ValueError as error:
        raise OptionsError(f"option 'certs': {spec!r}: {path} cannot be used: {error}") from None
    return leaf


def _check(leaf: Leaf) -> None:
    """Whether OpenSSL takes it. Raises ValueError."""
    import ssl

    from flowdump.engine.tls.contexts import load_leaf

    try:
        load_leaf(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), leaf)
    except ssl.SSLError as error:
        raise ValueError(f"the TLS library refuses it ({getattr(error, 'reason', None) or error})") from None


def _own_names(leaf: Leaf) -> Iterator[str]:
    from flowdump.engine.tls.leaf import ascii_name, names_of

    return (name for name in map(ascii_name, names_of(leaf.cert)) if name)
