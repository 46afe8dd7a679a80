"""``inject.…``: messages of our own in a connection that is open, as commands.

What relays the connection does it: ``flow.live`` takes the message, lets it go through the event like any other, and
sends it after those that came before. WebSocket messages are marked ``injected``.
"""

from __future__ import annotations

from typing import Any

from flowdump.exceptions import CommandError, ControlException
from flowdump.flow import Flow
from flowdump.runtime import commands


class Inject:
    """``to_client`` says which way a message goes: to the client, or to the server."""

    @commands.command("inject.websocket")
    def websocket(self, flow: Flow, to_client: bool, message: bytes, is_text: bool = True) -> None:
        """Send a WebSocket message, as text or as binary."""
        if getattr(flow, "websocket", None) is None:
            raise CommandError(f"flow {flow.id} is no WebSocket")
        if is_text:
            try:
                message.decode()
            except UnicodeDecodeError as error:
                raise CommandError(f"a text message has to be UTF-8: {error}") from None
        _inject(flow, "inject_websocket", to_client, message, is_text)

    @commands.command("inject.tcp")
    def tcp(self, flow: Flow, to_client: bool, message: bytes) -> None:
        """Send bytes over a relayed TCP connection."""
        if flow.type != "tcp":
            raise CommandError(f"flow {flow.id} is no TCP flow")
        _inject(flow, "inject_tcp", to_client, message)

    @commands.command("inject.udp")
    def udp(self, flow: Flow, to_client: bool, message: bytes) -> None:
        """Send a datagram between a client and a server."""
        if flow.type != "udp":
            raise CommandError(f"flow {flow.id} is no UDP flow")
        _inject(flow, "inject_udp", to_client, message)


def _inject(flow: Flow, how: str, *message: Any) -> None:
    inject = getattr(flow.live, how, None)
    if inject is None:
        raise CommandError(f"flow {flow.id} is not live: there is no connection to send to")
    try:
        inject(flow, *message)
    except ControlException as error:  # it has ended meanwhile
        raise CommandError(str(error)) from None
