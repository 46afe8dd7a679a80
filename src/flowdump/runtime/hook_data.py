"""The arguments of events that are about connections, plain data for handlers to read and change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from flowdump.connection import Client, Server


class ServerData(NamedTuple):
    """The argument of the server events."""

    server: Server
    client: Any


@dataclass
class Context:
    """The two connections that a TLS event is about."""

    client: Client
    server: Server


@dataclass
class ClientHelloData:
    """The argument of ``tls_clienthello``; the two switches may be set there."""

    context: Context
    client_hello: Any
    #: Do not intercept this connection: pass its bytes.
    ignore_connection: bool = False
    #: Finish the handshake with the origin before the one with the client, whatever the options say.
    establish_server_tls_first: bool = False


@dataclass
class TlsData:
    """The argument of the other TLS events: ``conn`` is the connection whose handshake it is."""

    conn: Any
    context: Context
    ssl_conn: Any = None

    @property
    def is_dtls(self) -> bool:
        return bool(self.conn.transport_protocol == "udp")

    @property
    def is_client(self) -> bool:
        return self.conn is self.context.client


@dataclass
class Socks5AuthData:
    """The argument of ``socks5_auth``: the addon that knows the user sets ``valid``."""

    client_conn: Any
    username: str
    password: str
    valid: bool = False
