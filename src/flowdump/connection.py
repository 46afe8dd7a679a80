"""The two ends of a flow: the client that talked to the proxy, and the server the proxy talked to.

Plain facts: addresses, TLS parameters, certificates and times (Unix seconds, float). Nothing here opens a socket.
"""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Callable
from enum import Flag
from typing import Any, ClassVar, Literal, Self

from flowdump.certs import Cert
from flowdump.proxy_mode import ProxyMode
from flowdump.server_spec import ServerSpec

Address = tuple[str, int] | tuple[str, int, int, int]
TransportProtocol = Literal["tcp", "udp"]

#: The values ``tls_version`` may have; a flow file with any other is refused by mitmproxy.
TLS_VERSIONS = frozenset(
    ("SSLv3", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", "DTLSv0.9", "DTLSv1", "DTLSv1.2", "QUICv1")
)


#: Random bytes for ids to come: asking the system for each id costs more than the rest of it.
_drawn: list[bytes] = []
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_drawn.clear)


def _draw() -> bytes:
    try:
        return _drawn.pop()
    except IndexError:
        block = os.urandom(2048)
        _drawn.extend(block[at : at + 16] for at in range(16, len(block), 16))
        return block[:16]


def new_id() -> str:
    """A random UUID (version 4, RFC 9562) as text; spares the import of :mod:`uuid`."""
    digits = _draw().hex()
    variant = "89ab"[int(digits[16], 16) & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


class ConnectionState(Flag):
    """Which directions of a live connection are open. Not kept in flow files: a loaded connection is closed."""

    CLOSED = 0
    CAN_READ = 1
    CAN_WRITE = 2
    OPEN = CAN_READ | CAN_WRITE


def _address(value: Any) -> Any:
    return None if value is None else tuple(value)


def _certificate(pem: bytes | None) -> Cert | None:
    return None if pem is None else Cert.from_pem(pem)


def _certificates(pems: list[bytes]) -> list[Cert]:
    return [Cert.from_pem(pem) for pem in pems]


def _via(value: Any) -> Any:
    return None if value is None else ServerSpec(value[0], tuple(value[1]))


class Connection:
    """What both ends have in common. Every attribute may be set by a script.

    Connections are equal when their ids are: flows of one connection that were read from a file have a copy each.
    """

    #: state key -> default, in the order of a state dict; the keys of the one side only come after.
    COMMON: ClassVar[dict[str, Any]] = {
        "peername": None,
        "sockname": None,
        "id": None,
        "transport_protocol": "tcp",
        "error": None,
        "tls": False,
        "certificate_list": (),
        "alpn": None,
        "alpn_offers": (),
        "cipher": None,
        "cipher_list": (),
        "tls_version": None,
        "sni": None,
        "timestamp_start": None,
        "timestamp_end": None,
        "timestamp_tls_setup": None,
    }
    EXTRA: ClassVar[dict[str, Any]] = {}
    KEYS: ClassVar[tuple[str, ...]] = tuple(COMMON)
    #: What becomes of values of a state dict that are no plain ones here.
    FROM_STATE: ClassVar[dict[str, Callable[[Any], Any]]] = {
        "peername": _address,
        "sockname": _address,
        "certificate_list": _certificates,
        "alpn_offers": list,
        "cipher_list": list,
    }

    peername: Address | None
    sockname: Address | None
    address: Address | None
    id: str
    transport_protocol: TransportProtocol
    error: str | None
    tls: bool
    certificate_list: list[Cert]
    alpn: bytes | None
    alpn_offers: list[bytes]
    cipher: str | None
    cipher_list: list[str]
    tls_version: str | None
    sni: str | None
    timestamp_start: float | None
    timestamp_end: float | None
    timestamp_tls_setup: float | None
    state: ConnectionState = ConnectionState.CLOSED

    def __init__(self, **facts: Any) -> None:
        """Facts by name; what is not given is unknown. Raises TypeError for a name that is no fact."""
        own = self.__dict__
        own.update(self.COMMON)
        own.update(self.EXTRA)
        unknown = [name for name in facts if name not in own and name != "state"]
        if unknown:
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}")
        own["certificate_list"], own["alpn_offers"], own["cipher_list"] = [], [], []
        own["id"] = new_id()
        own.update(facts)

    @property
    def connected(self) -> bool:
        return self.state is ConnectionState.OPEN

    @property
    def tls_established(self) -> bool:
        """Whether the TLS handshake was completed."""
        return self.timestamp_tls_setup is not None

    @property
    def alpn_proto_negotiated(self) -> bytes | None:
        """Deprecated name of ``alpn``, which mitmproxy still has, like the others below."""
        return self.alpn

    def get_state(self) -> dict[str, Any]:
        """The connection as plain values, keys in the order of a mitmproxy state dict."""
        facts = self.__dict__
        state = {key: facts[key] for key in self.KEYS}
        state["certificate_list"] = [cert.to_pem() for cert in self.certificate_list]
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Take over every fact of a state dict; keys it does not have stay as they are."""
        facts = self.__dict__
        facts.update(state)
        for key, convert in self.FROM_STATE.items():
            if key in state:
                facts[key] = convert(state[key])

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        connection = cls.__new__(cls)
        connection.set_state(state)
        return connection

    def copy(self) -> Self:
        """An independent connection with the same facts and a new id."""
        new = self.from_state(self.get_state())
        new.id = new_id()
        return new

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Connection) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def _facts(self) -> str:
        facts = [f"state={self.state.name.lower()}" if self.state.name else ""]
        if self.tls:
            facts.append(self.tls_version or "tls")
        if self.alpn:
            facts.append(f"alpn={self.alpn.decode('ascii', 'replace')}")
        return ", ".join(fact for fact in facts if fact)


class Client(Connection):
    """The connection from a client to the proxy."""

    EXTRA: ClassVar[dict[str, Any]] = {"mitmcert": None, "proxy_mode": "regular"}
    KEYS: ClassVar[tuple[str, ...]] = (*Connection.COMMON, *EXTRA)
    FROM_STATE: ClassVar[dict[str, Callable[[Any], Any]]] = Connection.FROM_STATE | {"mitmcert": _certificate}

    peername: Address
    sockname: Address
    timestamp_start: float
    mitmcert: Cert | None

    def __init__(self, **facts: Any) -> None:
        super().__init__(**({"peername": ("", 0), "sockname": ("", 0), "timestamp_start": time.time()} | facts))

    @property
    def proxy_mode(self) -> ProxyMode:
        """How the client came in, such as ``regular`` or ``reverse:https://example.com``: text that knows its parts."""
        return ProxyMode.of(self.__dict__["proxy_mode"])

    @proxy_mode.setter
    def proxy_mode(self, mode: str) -> None:
        self.__dict__["proxy_mode"] = str(mode)

    @property
    def address(self) -> Address:  # type: ignore[override]
        """Older name of ``peername``."""
        warnings.warn("Client.address is called Client.peername now.", DeprecationWarning, stacklevel=2)
        return self.peername

    @property
    def cipher_name(self) -> str | None:
        """Deprecated name of ``cipher``."""
        return self.cipher

    @property
    def clientcert(self) -> Cert | None:
        """Deprecated: the first of ``certificate_list``, None without any."""
        return self.certificate_list[0] if self.certificate_list else None

    def get_state(self) -> dict[str, Any]:
        state = super().get_state()
        state["mitmcert"] = self.mitmcert.to_pem() if self.mitmcert else None
        return state

    def __repr__(self) -> str:
        return f"Client({hostport(self.peername)}, {self._facts()})"


class Server(Connection):
    """The connection from the proxy to an origin (or to the next proxy, see ``via``).

    ``address`` is what was asked for, ``peername`` the address that was reached; both None until known. ``via`` is
    ``ServerSpec(scheme, (host, port))`` of the upstream proxy; a script may set it before the request goes out, and
    with it ``via_auth``, ``"user:password"`` for that proxy, which is never stored.
    """

    EXTRA: ClassVar[dict[str, Any]] = {"address": None, "timestamp_tcp_setup": None, "via": None}
    KEYS: ClassVar[tuple[str, ...]] = (*Connection.COMMON, *EXTRA)
    FROM_STATE: ClassVar[dict[str, Callable[[Any], Any]]] = Connection.FROM_STATE | {"address": _address, "via": _via}

    timestamp_tcp_setup: float | None
    via: tuple[str, tuple[str, int]] | None
    via_auth: str | tuple[str, str] | None = None

    @property
    def cert(self) -> Cert | None:
        """Deprecated: the first of ``certificate_list``, None without any."""
        return self.certificate_list[0] if self.certificate_list else None

    @property
    def ip_address(self) -> Address | None:
        """Deprecated name of ``peername``."""
        return self.peername

    def __repr__(self) -> str:
        where = hostport(self.address) if self.address else "<no address>"
        return f"Server({where}, {self._facts()})"


def hostport(address: Address) -> str:
    """``("::1", 80)`` -> ``"[::1]:80"``."""
    host = address[0]
    return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"
