"""What goes wrong between peers, and what becomes of it.

::

    FlowdumpError
    ├── ProtocolError           a peer sent what cannot be understood or is refused; knows the status to answer with
    │   └── ScriptFailed        a script set what cannot be sent, or its code failed in the middle of a body
    ├── ConnectionFailure       a connection could not be made, or ended early
    │   ├── ConnectError        no connection to an origin
    │   ├── TlsError            a TLS handshake failed
    │   ├── PeerClosed          a peer went away in the middle of something
    │   └── TimedOut            a peer took too long
    └── Killed                  a script gave the flow up

Which peer misbehaved decides whether the client is told 400 or 502. Engine code raises where it finds out;
``exchange.py`` answers in one place.
"""

from __future__ import annotations

from typing import Literal

from flowdump.exceptions import FlowdumpError

Peer = Literal["client", "server"]


class ProtocolError(FlowdumpError):
    """``peer`` broke the protocol; ``status`` is what the client is answered, if it still can be."""

    def __init__(self, message: str, *, status: int, peer: Peer = "client") -> None:
        super().__init__(message)
        self.status = status
        self.peer = peer


class ScriptFailed(ProtocolError):
    """A script left something that cannot be sent, or what it set as ``stream`` raised: ``__cause__`` then.

    Neither peer is to blame; the client is answered 502, and the script's author is told.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, status=502, peer="server")


class ConnectionFailure(FlowdumpError):
    """A connection could not be made or kept. The client is answered ``status``.

    ``code`` is the HTTP/2 error code that came with it, if any; it is passed on where the other side speaks HTTP/2.
    """

    status = 502
    code: int | None = None
    #: Whether the peer certainly has not begun to work on what it was sent: that may be sent again.
    unprocessed = False

    def __init__(self, message: str, peer: Peer = "server") -> None:
        super().__init__(message)
        self.peer = peer


class ConnectError(ConnectionFailure):
    """No connection to the origin: its name does not resolve, it refuses, or connecting to it is not allowed."""


class TlsError(ConnectionFailure):
    """The TLS handshake with ``peer`` failed; the text says why in words."""


class PeerClosed(ConnectionFailure):
    """``peer`` closed its connection, or reset a stream, in the middle of something."""

    def __init__(self, message: str, peer: Peer = "server", *, code: int | None = None, unprocessed: bool = False):
        super().__init__(message, peer)
        self.code = code
        self.unprocessed = unprocessed


class TimedOut(ConnectionFailure):
    """``peer`` did not answer in time."""

    status = 504


class Killed(FlowdumpError):
    """A script killed the flow: the client's connection is closed without an answer."""
