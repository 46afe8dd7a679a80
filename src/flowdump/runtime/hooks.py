"""Every event that flowdump fires, and the table of who listens.

``EVENTS`` is the list: name, arguments and, for the people who write scripts, when it happens and what may be changed.
A ``HookTable`` has one attribute per event holding a prepared tuple of callables. It is built when addons are added or
removed, so that at run time an event without handlers costs one attribute read: ``if table.request: …``.

Handlers may be plain functions, or return something awaitable; ``fire`` awaits it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdump.exceptions import AddonHalt

Handler = Callable[..., Awaitable[None] | None]


class Event(NamedTuple):
    """One event: its name, the names of its arguments, and what to tell the people who handle it."""

    name: str
    arguments: tuple[str, ...]
    doc: str


EVENTS = (
    # the life of an addon
    Event("load", ("loader",), "An addon is added. Declare options here with ``loader.add_option``."),
    Event("configure", ("updated",), "Options changed: a set of their names. Right after ``load`` it has all of them."),
    Event("running", (), "Everything is set up, and traffic can come."),
    Event("done", (), "The addon is removed, or flowdump ends: the last event an addon gets."),
    Event("update", ("flows",), "Flows changed: fired after each event of a flow, with a list."),
    Event("add_log", ("entry",), "Something was logged: ``entry.msg`` and ``entry.level``."),
    # connections
    Event("client_connected", ("client",), "A client connected."),
    Event("client_disconnected", ("client",), "A client's connection is closed."),
    Event(
        "server_connect", ("data",), "A connection to ``data.server`` is about to be made; its address may be changed."
    ),
    Event("server_connected", ("data",), "A connection to ``data.server`` was made."),
    Event(
        "server_connect_error",
        ("data",),
        "A connection to ``data.server`` could not be made; see ``data.server.error``.",
    ),
    Event("server_disconnected", ("data",), "A connection to a server is closed."),
    Event(
        "tls_clienthello",
        ("data",),
        "A TLS handshake begins: ``data.client_hello``. ``data.ignore_connection`` may be set.",
    ),
    Event("tls_start_client", ("data",), "The TLS handshake with a client is about to begin."),
    Event("tls_start_server", ("data",), "The TLS handshake with a server is about to begin."),
    Event("tls_established_client", ("data",), "The TLS handshake with a client succeeded: see ``data.conn``."),
    Event("tls_established_server", ("data",), "The TLS handshake with a server succeeded: see ``data.conn``."),
    Event("tls_failed_client", ("data",), "The TLS handshake with a client failed: see ``data.conn.error``."),
    Event("tls_failed_server", ("data",), "The TLS handshake with a server failed: see ``data.conn.error``."),
    Event(
        "quic_start_client", ("data",), "For scripts that handle QUIC: it does not happen here, as QUIC is not spoken."
    ),
    Event(
        "quic_start_server", ("data",), "For scripts that handle QUIC: it does not happen here, as QUIC is not spoken."
    ),
    Event(
        "next_layer",
        ("data",),
        "For scripts that change mitmproxy's protocol layers: it does not happen here, as there are none.",
    ),
    Event("socks5_auth", ("data",), "A client of SOCKS5 mode gave credentials; set ``data.valid`` to accept them."),
    # HTTP
    Event(
        "http_connect",
        ("flow",),
        "A client sent CONNECT. A response other than 2xx that is set here refuses the tunnel; host and port may "
        "be changed.",
    ),
    Event(
        "http_connect_upstream",
        ("flow",),
        "A CONNECT request is about to be sent to an upstream proxy; its headers may be changed.",
    ),
    Event("http_connected", ("flow",), "The answer to a client's CONNECT was 2xx: the tunnel is open."),
    Event("http_connect_error", ("flow",), "A client's CONNECT was refused; see ``flow.response``."),
    Event(
        "requestheaders",
        ("flow",),
        "The head of a request is there, its body is not. Decide here whether to stream it.",
    ),
    Event(
        "request", ("flow",), "The whole request is there. A response that is set here is sent instead of the origin's."
    ),
    Event(
        "responseheaders",
        ("flow",),
        "The head of a response is there, its body is not. Decide here whether to stream it.",
    ),
    Event("response", ("flow",), "The whole response is there."),
    Event("error", ("flow",), "The exchange failed: see ``flow.error``. It may come after a response."),
    # WebSocket
    Event("websocket_start", ("flow",), "A connection speaks WebSocket from now on."),
    Event(
        "websocket_message", ("flow",), "A message came: ``flow.websocket.messages[-1]``. It may be changed or dropped."
    ),
    Event("websocket_end", ("flow",), "The WebSocket is closed; see ``flow.websocket.close_code``."),
    # TCP, UDP, DNS
    Event("tcp_start", ("flow",), "A TCP connection is relayed as it is."),
    Event("tcp_message", ("flow",), "Bytes came: ``flow.messages[-1]``. They may be changed."),
    Event("tcp_end", ("flow",), "The relayed connection ended."),
    Event("tcp_error", ("flow",), "The relayed connection failed: see ``flow.error``."),
    Event("udp_start", ("flow",), "The first datagram between a client and a server."),
    Event(
        "udp_message",
        ("flow",),
        "A datagram came: ``flow.messages[-1]``. It may be changed, or dropped with ``drop()``.",
    ),
    Event("udp_end", ("flow",), "No more datagrams are expected."),
    Event("udp_error", ("flow",), "Relaying datagrams failed: see ``flow.error``."),
    Event("dns_request", ("flow",), "A DNS query came. A response that is set here is sent instead of the server's."),
    Event(
        "dns_response",
        ("flow",),
        "The answer to a DNS query came. It may be changed; where it is taken away, nothing is sent.",
    ),
    Event("dns_error", ("flow",), "A DNS query failed: see ``flow.error``."),
)

EVENT_NAMES = tuple(event.name for event in EVENTS)


class HookTable:
    """Who listens to what: one attribute per event, a tuple of handlers in the order of the addons."""

    __slots__ = EVENT_NAMES

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> tuple[Handler, ...]: ...

    def __init__(self, addons: Iterable[Any] = ()) -> None:
        listeners = list(addons)
        for name in EVENT_NAMES:
            setattr(self, name, tuple(h for h in (getattr(addon, name, None) for addon in listeners) if callable(h)))

    def handlers(self, name: str) -> tuple[Handler, ...]:
        """The handlers of an event by its name. Raises AttributeError for a name that is no event."""
        return getattr(self, name)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        heard = {name: len(self.handlers(name)) for name in EVENT_NAMES if self.handlers(name)}
        return f"HookTable({heard})"


async def fire(handlers: tuple[Handler, ...], *arguments: Any) -> None:
    """Call every handler in turn and wait for those that ask for it.

    AddonHalt ends the chain; other exceptions go out.
    """
    try:
        for handler in handlers:
            waiting = handler(*arguments)
            if waiting is not None and hasattr(waiting, "__await__"):
                await waiting
    except AddonHalt:
        return
