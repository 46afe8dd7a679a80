"""TLS as the options want it: the ``ssl.SSLContext`` for every connection, cached, and codecs made of them.

A context costs a millisecond or twenty (the system's list of authorities), so there is one per leaf and ALPN towards
clients, and one per ALPN and client certificate towards origins. Both kinds are bounded: clients choose what to offer.

*Resumption.* Towards clients OpenSSL does it alone, with tickets, as long as the context stays the same. Towards
origins sessions are kept beside their context, by address and name, and shared between clients. A session that led to
a failed handshake is dropped.

*Options.* ``TlsContexts`` checks them when it is made and when one changes, before anything is replaced: a wrong value
is an OptionsError, and the old contexts go on.
"""

from __future__ import annotations

import os
import re
import ssl
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from flowdump.engine.errors import TlsError
from flowdump.engine.tls.codec import Session, TlsCodec
from flowdump.exceptions import OptionsError
from flowdump.options.table import TLS_VERSIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from flowdump.engine.tls.leaf import Leaf
    from flowdump.options.store import Options

#: The options that are read here.
OPTIONS: Final = frozenset({
    "ciphers_client", "ciphers_server", "client_certs", "cert_passphrase", "request_client_cert", "ssl_insecure",
    "ssl_verify_upstream_trusted_ca", "ssl_verify_upstream_trusted_confdir", "tls_ecdh_curve_client",
    "tls_ecdh_curve_server", "tls_version_client_max", "tls_version_client_min", "tls_version_server_max",
    "tls_version_server_min",
})  # fmt: skip

#: Contexts towards clients (about 25 KB each) and towards origins (800 KB each), and sessions per context (some KB).
MAX_CLIENT_CONTEXTS: Final = 512
MAX_SERVER_CONTEXTS: Final = 16
MAX_SESSIONS: Final = 256

#: With a key log every context holds a file open.
MAX_CLIENT_CONTEXTS_LOGGING: Final = 64

#: The values of the ``tls_version_*`` options that are versions, lowest first, as the ssl module names them.
_VERSIONS: Final = {
    name: ssl.TLSVersion[name.replace("TLS", "TLSv").replace("SSL", "SSLv")]
    for name in TLS_VERSIONS
    if name != "UNBOUNDED"
}

#: SSL_OP_LEGACY_SERVER_CONNECT, which the ssl module has a name for from Python 3.12 on.
_LEGACY_SERVER_CONNECT: Final = 0x4

#: Names of files in a folder of client certificates; anything else, such as ``../x``, is no host name either.
_file_name = re.compile(r"[0-9A-Za-z_-]+(?:\.[0-9A-Za-z_-]+)*").fullmatch

Alpn = tuple[bytes, ...]
Address = tuple[str, int]
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class _Origins(NamedTuple):
    """A context towards origins and the sessions that can be resumed with it, by address and name."""

    context: ssl.SSLContext
    sessions: dict[tuple[Address, str], Session]


class TlsContexts:
    """Makes and keeps contexts. ``configure`` belongs to the subscribers of the options."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._keylog = os.environ.get("MITMPROXY_SSLKEYLOGFILE") or os.environ.get("SSLKEYLOGFILE") or None
        self._max_for_clients = MAX_CLIENT_CONTEXTS_LOGGING if self._keylog else MAX_CLIENT_CONTEXTS
        self._for_clients: dict[tuple[Leaf, Alpn], ssl.SSLContext] = {}
        self._for_servers: dict[tuple[Alpn, str | None], _Origins] = {}
        self.configure(set(OPTIONS))

    def configure(self, changed: set[str]) -> None:
        """Take over changed options. Raises OptionsError, and goes on with the contexts there are."""
        if not changed & OPTIONS:
            return
        # Contexts without a leaf, and without the system's authorities, are cheap; every option takes part in them.
        self._new_for_clients()
        self._new_for_servers(self._single_client_cert(), system_store=False)
        self._for_clients.clear()
        self._for_servers.clear()

    # -- towards clients -----------------------------------------------------------------------------------------

    def client_codec(self, leaf: Leaf, alpn: Alpn = ()) -> TlsCodec:
        """A codec that serves ``leaf`` to a client and agrees to one of ``alpn``, our order of preference."""
        return TlsCodec(self.for_client(leaf, alpn), server_side=True)

    def for_client(self, leaf: Leaf, alpn: Alpn = ()) -> ssl.SSLContext:
        """The context that serves ``leaf``: one object for the same arguments, so that clients can resume sessions."""
        context = self._for_clients.pop((leaf, alpn), None)
        if context is None:
            context = self._new_for_clients()
            load_leaf(context, leaf)
            _set_alpn(context, alpn)
        _remember(self._for_clients, (leaf, alpn), context, self._max_for_clients)
        return context

    def _new_for_clients(self) -> ssl.SSLContext:
        options = self._options
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.num_tickets = 1  # OpenSSL makes two with every handshake, and each takes its time
        self._set_strength(context, "client")
        if options.request_client_cert:
            # Ask clients for a certificate; they may go without. The ssl module can only ask while verifying.
            file, folder = options.ssl_verify_upstream_trusted_ca, options.ssl_verify_upstream_trusted_confdir
            if not (file or folder):
                raise OptionsError(
                    "option 'request_client_cert': certificates of clients can only be asked for against known "
                    "authorities; give them with the option ssl_verify_upstream_trusted_ca"
                )
            _load_trusted(context, file, folder)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    # -- towards origins -----------------------------------------------------------------------------------------

    def server_codec(self, name: str, address: Address, alpn: Alpn = ()) -> TlsCodec:
        """A codec that asks an origin for ``name`` (a host name or an IP address), offers ``alpn`` and verifies.

        Raises TlsError when ``name`` cannot be asked for, or its client certificate cannot be read.
        """
        context, sessions = self._origins(name, alpn)
        key = (address, name)
        try:
            return TlsCodec(
                context,
                server_side=False,
                server_hostname=name.removeprefix("[").removesuffix("]").removesuffix("."),
                session=sessions.get(key),
                on_session=lambda session: _keep(sessions, key, session),
            )
        except ValueError:
            raise TlsError(f"{name!r} is not a host name that TLS can ask for") from None

    def for_server(self, name: str, alpn: Alpn = ()) -> ssl.SSLContext:
        """The context for an origin: one object for the same ALPN and client certificate. Raises TlsError."""
        return self._origins(name, alpn).context

    def _origins(self, name: str, alpn: Alpn) -> _Origins:
        client_cert = self._client_cert(name)
        origins = self._for_servers.pop((alpn, client_cert), None)
        if origins is None:
            try:
                origins = _Origins(self._new_for_servers(client_cert), {})
            except OptionsError as error:
                raise TlsError(str(error)) from None
            _set_alpn(origins.context, alpn)
        _remember(self._for_servers, (alpn, client_cert), origins, MAX_SERVER_CONTEXTS)
        return origins

    def _new_for_servers(self, client_cert: str | None, system_store: bool = True) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.options |= ssl.OP_NO_RENEGOTIATION
        self._set_strength(context, "server")
        options = self._options
        file, folder = options.ssl_verify_upstream_trusted_ca, options.ssl_verify_upstream_trusted_confdir
        if file or folder:
            _load_trusted(context, file, folder)
        elif system_store and not options.ssl_insecure:
            context.load_default_certs()
        # Python 3.13 refuses authorities whose certificates are not quite as RFC 5280 says; browsers and curl do not.
        # An authority that is trusted may be an intermediate one (3.13's choice, here for all).
        context.verify_flags = context.verify_flags & ~ssl.VERIFY_X509_STRICT | ssl.VERIFY_X509_PARTIAL_CHAIN
        if options.ssl_insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.options |= _LEGACY_SERVER_CONNECT
        if client_cert is not None:
            _load_client_cert(context, client_cert, self._options.cert_passphrase)
        return context

    def _single_client_cert(self) -> str | None:
        """The client certificate for all origins, None where there is none or a folder with one per host."""
        given = self._options.client_certs
        if not given:
            return None
        path = os.path.expanduser(given)
        if not os.path.exists(path):
            raise OptionsError(f"option 'client_certs': {given} does not exist")
        return None if os.path.isdir(path) else path

    def _client_cert(self, name: str) -> str | None:
        """The file whose certificate is shown to the origin ``name``."""
        given: str | None = self._options.client_certs
        if not given:
            return None
        path = os.path.expanduser(given)
        if not os.path.isdir(path):
            return path
        name = name.removesuffix(".").lower()
        own = os.path.join(path, f"{name}.pem")
        return own if _file_name(name) and os.path.isfile(own) else None

    # -- both sides ----------------------------------------------------------------------------------------------

    def _set_strength(self, context: ssl.SSLContext, side: str) -> None:
        """Versions, ciphers, curve and key log; ``side`` is "client" or "server", as in the names of the options."""
        # Gives back the lowest version.
        available = [version for version in _VERSIONS.values() if getattr(ssl, f"HAS_{version.name}", False)]
        low, high = (getattr(self._options, f"tls_version_{side}_{end}") for end in ("min", "max"))
        wanted = [v for v in available if v >= _VERSIONS.get(low, v) and v <= _VERSIONS.get(high, v)]
        if not wanted:
            raise OptionsError(f"options 'tls_version_{side}_min' and 'tls_version_{side}_max' leave no TLS version")
        import warnings

        with warnings.catch_warnings():
            # Users who ask for TLS 1.0 and 1.1 know that they are old.
            warnings.simplefilter("ignore", DeprecationWarning)
            context.maximum_version = wanted[-1]
            context.minimum_version = wanted[0]
        lowest = wanted[0]
        ciphers = getattr(self._options, f"ciphers_{side}")
        if not ciphers and lowest < ssl.TLSVersion.TLSv1_2:
            ciphers = "DEFAULT:@SECLEVEL=0"  # OpenSSL 3 knows older versions at this level only
        if ciphers:
            _checked(f"ciphers_{side}", ciphers, lambda: context.set_ciphers(ciphers))
        curve = getattr(self._options, f"tls_ecdh_curve_{side}")
        if curve:
            _checked(f"tls_ecdh_curve_{side}", curve, lambda: context.set_ecdh_curve(curve))
        if self._keylog:
            try:
                context.keylog_filename = self._keylog
            except OSError as error:
                raise OptionsError(f"SSLKEYLOGFILE: cannot write {self._keylog}: {error.strerror or error}") from None


def load_leaf(context: ssl.SSLContext, leaf: Leaf) -> None:
    """Have a context present ``leaf``. Raises ssl.SSLError.

    OpenSSL's loader wants a path. On Linux that of a file in memory will do; elsewhere a temporary file of mode 0600
    has to exist for a moment.
    """
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        with open(os.memfd_create("leaf"), "wb", buffering=0) as fo:
            fo.write(leaf.pem)
            context.load_cert_chain(f"/proc/self/fd/{fo.fileno()}", password=_no_passphrase)
        return
    import tempfile

    descriptor, path = tempfile.mkstemp(suffix=".pem")
    try:
        with open(descriptor, "wb") as fo:
            fo.write(leaf.pem)
        context.load_cert_chain(path, password=_no_passphrase)
    finally:
        os.unlink(path)


def _no_passphrase() -> str:
    """Without an answer like this one, OpenSSL would ask for the passphrase at the terminal."""
    return ""


def _remember(cache: dict[_Key, _Value], key: _Key, value: _Value, limit: int) -> None:
    """Add as the newest; the oldest leaves when there are too many."""
    cache[key] = value
    if len(cache) > limit:
        del cache[next(iter(cache))]


def _keep(sessions: dict[tuple[Address, str], Session], key: tuple[Address, str], session: Session | None) -> None:
    sessions.pop(key, None)
    if session is not None:
        _remember(sessions, key, session, MAX_SESSIONS)


def _set_alpn(context: ssl.SSLContext, alpn: Alpn) -> None:
    """Names that are not ASCII (GREASE, RFC 8701) are left out: the ssl module cannot say them."""
    names = [name.decode("ascii") for name in alpn if name.isascii() and len(name) < 256]
    if names:
        context.set_alpn_protocols(names)


def _checked(name: str, value: str, apply: Callable[[], None]) -> None:
    try:
        apply()
    except (ssl.SSLError, ValueError):
        raise OptionsError(
            f"option {name!r}: the TLS library ({ssl.OPENSSL_VERSION}) does not know {value!r}"
        ) from None


def _load_trusted(context: ssl.SSLContext, file: str | None, folder: str | None) -> None:
    """The authorities of a PEM file, and of a folder with names as ``openssl rehash`` makes them."""
    name = "ssl_verify_upstream_trusted_ca" if file else "ssl_verify_upstream_trusted_confdir"
    if folder and not os.path.isdir(os.path.expanduser(folder)):
        raise OptionsError(f"option 'ssl_verify_upstream_trusted_confdir': {folder} is not a folder")
    paths = [os.path.expanduser(path) if path else None for path in (file, folder)]
    try:
        context.load_verify_locations(*paths)
    except ssl.SSLError:
        raise OptionsError(f"option {name!r}: {file or folder} holds no readable certificate") from None
    except OSError as error:
        raise OptionsError(f"option {name!r}: cannot read {file or folder}: {error.strerror or error}") from None


def _load_client_cert(context: ssl.SSLContext, path: str, passphrase: str | None) -> None:
    try:
        context.load_cert_chain(path, password=passphrase or _no_passphrase)
    except ssl.SSLError:
        raise OptionsError(
            f"option 'client_certs': {path} does not hold a certificate and its key"
            " (an encrypted key needs the option cert_passphrase)"
        ) from None
    except OSError as error:
        raise OptionsError(f"option 'client_certs': cannot read {path}: {error.strerror or error}") from None
