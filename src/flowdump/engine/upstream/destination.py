"""Where a connection goes: ``Destination``, and ``Via``, an upstream proxy on the way, with its credentials.

Plain values, below everything that connects. ``via_of_mode`` and ``via_of_server`` decide which upstream proxy is used:
the one of the mode, or the one that a script has set as ``server_conn.via``.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdump.connection import hostport
from flowdump.engine.errors import ConnectError
from flowdump.engine.listen.modes import Credentials
from flowdump.exceptions import OptionsError
from flowdump.server_spec import ServerSpec

if TYPE_CHECKING:
    from flowdump.connection import Server
    from flowdump.engine.listen.modes import Mode
    from flowdump.options.store import Options


class Via(NamedTuple):
    """An upstream proxy: ``scheme`` is http, https, socks5 (names are resolved here) or socks5h."""

    scheme: str
    host: str
    port: int
    credentials: Credentials | None = None

    @property
    def is_http(self) -> bool:
        return self.scheme in ("http", "https")

    @property
    def spec(self) -> ServerSpec:
        """As flows have it: without credentials."""
        return ServerSpec(self.scheme, (self.host, self.port))

    @property
    def authorization(self) -> bytes:
        """The value of Proxy-Authorization (RFC 7617), empty without credentials."""
        return basic(self.credentials) if self.credentials is not None and self.is_http else b""

    def __str__(self) -> str:
        return f"the upstream proxy {hostport((self.host, self.port))}"


SCHEMES = ("http", "https", "socks5", "socks5h")


def basic(credentials: Credentials) -> bytes:
    """``Basic …`` (RFC 7617 section 2), in UTF-8."""
    pair = f"{credentials.user}:{credentials.password}".encode("utf-8", "surrogateescape")
    return b"Basic " + binascii.b2a_base64(pair, newline=False)


def parse_credentials(text: str, option: str) -> Credentials:
    """``user:password``. Raises OptionsError."""
    user, colon, password = text.partition(":")
    if not colon:
        raise OptionsError(f"option {option!r}: USER:PASSWORD is expected")
    return Credentials(user, password)


def via_of_mode(mode: Mode, options: Options) -> Via | None:
    """The upstream proxy of a mode, with the credentials of the mode, else those of ``upstream_auth``."""
    if mode.kind != "upstream" or mode.target is None:
        return None
    credentials = mode.credentials
    if credentials is None and options.upstream_auth:
        credentials = parse_credentials(options.upstream_auth, "upstream_auth")
    return Via(*mode.target, credentials)


def via_of_server(server: Server, own: Via | None, options: Options) -> Via | None:
    """The proxy that ``server.via`` names, which a script may have set, with credentials.

    Those are ``server.via_auth`` if a script has set it, those of the mode if it is the mode's own proxy, and
    ``upstream_auth`` where the mode has no proxy of its own. Raises ConnectError for what is no proxy.
    """
    spec, given = server.via, server.via_auth
    if spec is None:
        return None
    try:
        scheme, (host, port) = spec
        if scheme not in SCHEMES or not isinstance(host, str) or not isinstance(port, int):
            raise ValueError(scheme)
    except (TypeError, ValueError):
        known = ", ".join(SCHEMES)
        raise ConnectError(f"server_conn.via is (SCHEME, (HOST, PORT)) with one of {known}, not {spec!r}") from None
    if given is not None:
        return Via(scheme, host, port, _given(given))
    if own is not None:
        return own if own[:3] == (scheme, host, port) else Via(scheme, host, port)
    text = options.upstream_auth
    return Via(scheme, host, port, parse_credentials(text, "upstream_auth") if text else None)


def _given(credentials: Any) -> Credentials | None:
    """What a script has set as ``via_auth``: ``"user:password"`` or a pair; empty for none."""
    if not credentials:
        return None
    if isinstance(credentials, str):
        user, colon, password = credentials.partition(":")
        if colon:
            return Credentials(user, password)
    elif isinstance(credentials, tuple | list) and len(credentials) == 2:
        return Credentials(str(credentials[0]), str(credentials[1]))
    raise ConnectError('server_conn.via_auth is "USER:PASSWORD" or a pair of these')


class Destination(NamedTuple):
    """A server to connect to, and the key of the connection pool.

    ``tls`` tells whether TLS is spoken with it, ``sni`` the server name of the handshake (None: the host). ``via`` is
    an upstream proxy, which gets requests in absolute form if ``absolute_form``, else a CONNECT for a tunnel. All
    parts belong to the key: a connection is never reused for another destination, proxy or user.
    """

    host: str
    port: int
    tls: bool
    sni: str | None = None
    via: Via | None = None
    absolute_form: bool = False
