"""``proxyauth``: clients have to say who they are (RFC 7617, RFC 1929) before anything of theirs is forwarded.

::

    user:password                       one user
    any                                 accept and record any credentials
    @FILE                               an htpasswd file with bcrypt, SHA or apr1; it is read again when it changes
    ldap[s]:HOST[:PORT]:DN:PASSWORD:SUBTREE[?search_filter_key=KEY]
                                        DN finds the user (by cn, or KEY) below SUBTREE; the user's password has to bind

A proxy asks with 407; reverse and transparent modes, whose clients know of no proxy, ask with 401; SOCKS has its own
way. A CONNECT or a SOCKS handshake holds for all that comes over that connection. The credentials are taken out of the
request, and are in ``flow.metadata["proxyauth"]`` as ``(user, password)``.

Slow judges (bcrypt takes a good part of a second on purpose, LDAP is another machine) work in a thread, and what they
agreed to holds for ``REMEMBERED`` seconds.
"""

from __future__ import annotations

import asyncio
import binascii
import hashlib
import hmac
import os
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from flowdump import ctx
from flowdump.exceptions import OptionsError
from flowdump.http.flow import Response

if TYPE_CHECKING:
    from flowdump.http.flow import HTTPFlow
    from flowdump.runtime.hook_data import Socks5AuthData

REALM = "flowdump"

#: Seconds for which a slow judge is not asked again about the same user and password.
REMEMBERED = 60.0

#: Pairs that are remembered, as digests.
MAX_REMEMBERED = 4096

#: Modes whose clients know that they talk to a proxy.
_PROXIES = ("regular", "upstream")


class Judge(ABC):
    """Who knows users and passwords."""

    #: Whether it takes long enough to need a thread.
    slow = True

    @abstractmethod
    def knows(self, user: str, password: str) -> bool:
        """Whether that is a user with this password."""


class AnyUser(Judge):
    slow = False

    def knows(self, user: str, password: str) -> bool:
        return True


class One(Judge):
    """``user:password``."""

    slow = False

    def __init__(self, pair: str) -> None:
        self._pair = pair.encode("utf-8", "surrogateescape")

    def knows(self, user: str, password: str) -> bool:
        return hmac.compare_digest(f"{user}:{password}".encode("utf-8", "surrogateescape"), self._pair)


class Htpasswd(Judge):
    """The users of a file."""

    def __init__(self, path: str) -> None:
        if not path:
            raise OptionsError("option 'proxyauth': the path of an htpasswd file is expected after the @")
        self._path = os.path.expanduser(path)
        try:
            from passlib import apache
        except ImportError:
            raise OptionsError(
                "option 'proxyauth': htpasswd files need the package libpass: pip install 'flowdump[auth]'"
            ) from None
        schemes = [name for name in apache.htpasswd_context.schemes() if name != "plaintext"]
        try:
            self._file = apache.HtpasswdFile(self._path, context=apache.htpasswd_context.copy(schemes=schemes))
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "it is no htpasswd file"
            raise OptionsError(f"option 'proxyauth': cannot read {path!r}: {reason}") from None

    def knows(self, user: str, password: str) -> bool:
        if ":" in user:  # SOCKS has room for names that no line of the file can have
            return False
        try:
            self._file.load_if_changed()
            return bool(self._file.check_password(user, password))
        except OSError as error:
            ctx.log.warn(f"proxyauth: {self._path}: {error.strerror or error}")
        except ValueError:
            ctx.log.warn(f"proxyauth: {self._path}: the entry of {user!r} is plain text, or of an unknown form")
        return False


class Ldap(Judge):
    """The users of a directory. What is put into the filter is escaped (RFC 4515 section 3)."""

    def __init__(self, spec: str) -> None:
        try:
            import ldap3
        except ImportError:
            raise OptionsError(
                "option 'proxyauth': LDAP needs the package ldap3: pip install 'flowdump[auth]'"
            ) from None
        spec, _, key = spec.partition("?search_filter_key=")
        scheme, *parts = spec.split(":")
        port = int(parts.pop(1)) if len(parts) > 1 and parts[1].isdigit() else None
        if len(parts) < 4 or not all((parts[0], parts[1], parts[-1])):
            raise OptionsError(
                "option 'proxyauth': ldap[s]:HOST[:PORT]:DN:PASSWORD:SUBTREE[?search_filter_key=KEY] is expected"
            )
        self._ldap = ldap3
        self._server = ldap3.Server(parts[0], port=port, use_ssl=scheme == "ldaps", connect_timeout=10)
        self._dn, self._password, self._subtree = parts[1], ":".join(parts[2:-1]), parts[-1]
        self._key = key or "cn"

    def knows(self, user: str, password: str) -> bool:
        if not user or not password:  # a bind without a password succeeds, and means nothing (RFC 4513 section 5.1.2)
            return False
        from ldap3.core.exceptions import LDAPException
        from ldap3.utils.conv import escape_filter_chars

        try:
            finder = self._connection(self._dn, self._password)
            finder.search(self._subtree, f"({self._key}={escape_filter_chars(user)})")
            found = [entry["dn"] for entry in finder.response or () if entry.get("type") == "searchResEntry"]
            finder.unbind()
        except LDAPException as error:
            ctx.log.error(f"proxyauth: the directory cannot be asked: {error}")
            return False
        return len(found) == 1 and self._binds(found[0], password)

    def _binds(self, dn: str, password: str) -> bool:
        from ldap3.core.exceptions import LDAPException

        try:
            self._connection(dn, password).unbind()
        except LDAPException:
            return False
        return True

    def _connection(self, dn: str, password: str) -> Any:
        return self._ldap.Connection(self._server, dn, password, auto_bind=True, receive_timeout=10)


def judge(spec: str) -> Judge:
    """Who judges according to the option. Raises OptionsError."""
    if spec == "any":
        return AnyUser()
    if spec.startswith("@"):
        return Htpasswd(spec[1:])
    if spec.startswith(("ldap:", "ldaps:")):
        return Ldap(spec)
    if ":" not in spec:
        raise OptionsError(
            "option 'proxyauth': USER:PASSWORD, any, @HTPASSWD-FILE, or ldap[s]:… is expected (see the documentation)"
        )
    return One(spec)


class ProxyAuth:
    """Takes part while the option ``proxyauth`` is set."""

    option = "proxyauth"
    #: Comes before scripts: no handler can let a stranger in by ending the chain.
    guards = True

    def __init__(self) -> None:
        self._spec = ""
        self._judge: Judge = AnyUser()
        #: Who a connection belongs to, once a CONNECT or a SOCKS handshake has told.
        self._known: WeakKeyDictionary[Any, tuple[str, str]] = WeakKeyDictionary()
        self._agreed: dict[bytes, float] = {}
        self._salt = os.urandom(16)

    def check(self) -> None:
        """Take over the option as it is now. Raises OptionsError."""
        spec = ctx.options.proxyauth or ""
        if spec and spec != self._spec:
            self._judge, self._spec = judge(spec), spec
            self._agreed.clear()

    def configure(self, updated: set[str]) -> None:
        if "proxyauth" in updated:
            self.check()

    # -- events --------------------------------------------------------------------------------------------------

    async def http_connect(self, flow: HTTPFlow) -> None:
        if ctx.options.proxyauth and await self._authenticate(flow):
            self._known[flow.client_conn] = flow.metadata["proxyauth"]

    async def requestheaders(self, flow: HTTPFlow) -> None:
        if not ctx.options.proxyauth or flow.is_replay:
            return
        known = self._known.get(flow.client_conn)
        if known is not None:
            flow.metadata["proxyauth"] = known
        else:
            await self._authenticate(flow)

    async def socks5_auth(self, data: Socks5AuthData) -> None:
        if ctx.options.proxyauth and await self._agrees(data.username, data.password):
            data.valid = True
            self._known[data.client_conn] = data.username, data.password

    # -- judging -------------------------------------------------------------------------------------------------

    async def _authenticate(self, flow: HTTPFlow) -> bool:
        """Whether a request may go on; if not, its answer asks for credentials."""
        proxy = str(flow.client_conn.proxy_mode).partition(":")[0].partition("@")[0] in _PROXIES
        field = "proxy-authorization" if proxy else "authorization"
        pair = parse_basic(flow.request.headers.get(field, ""))
        if pair is not None and await self._agrees(*pair):
            flow.metadata["proxyauth"] = pair
            del flow.request.headers[field]
            return True
        status, challenge = (407, "Proxy-Authenticate") if proxy else (401, "WWW-Authenticate")
        flow.response = Response.make(status, b"", {challenge: f'Basic realm="{REALM}"', "Content-Type": "text/plain"})
        return False

    async def _agrees(self, user: str, password: str) -> bool:
        try:
            self.check()
        except OptionsError as error:  # it was set while we run
            ctx.log.error(str(error))
            return False
        judge = self._judge
        if not judge.slow:
            return judge.knows(user, password)
        pair = f"{user}\0{password}".encode("utf-8", "surrogateescape")
        digest = hashlib.blake2b(pair, key=self._salt, digest_size=32).digest()
        now = time.monotonic()
        if self._agreed.get(digest, 0.0) > now:
            return True
        agreed = await asyncio.to_thread(judge.knows, user, password)
        if agreed:
            if len(self._agreed) >= MAX_REMEMBERED:
                del self._agreed[next(iter(self._agreed))]
            self._agreed[digest] = now + REMEMBERED
        return agreed


def parse_basic(value: str) -> tuple[str, str] | None:
    """User name and password of a Basic authorization (RFC 7617 section 2), None for anything else."""
    scheme, _, encoded = value.strip().partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        pair = binascii.a2b_base64(encoded.strip().encode("ascii"), strict_mode=True).decode("utf-8", "surrogateescape")
    except (ValueError, binascii.Error):
        return None
    user, colon, password = pair.partition(":")
    return (user, password) if colon else None
