"""Injection: who may be sent to, and what relays the connection is told."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from tests.support.commands import commands
from tests.support.flows import http_flow, tcp_flow, udp_flow, websocket_flow
from tests.support.live import running
from tests.support.websocket import wires

from flowdump import ctx
from flowdump.addons.own_commands import own_commands
from flowdump.addons.view import FlowRegister
from flowdump.exceptions import CommandError, ControlException


class Relay:
    """Notes what it is asked to send."""

    def __init__(self) -> None:
        self.sent: list[Any] = []

    def inject_websocket(self, flow: Any, to_client: bool, content: bytes, is_text: bool) -> None:
        self.sent.append((flow, to_client, content, is_text))

    def inject_tcp(self, flow: Any, to_client: bool, content: bytes) -> None:
        self.sent.append((flow, to_client, content))

    inject_udp = inject_tcp


def test_messages_go_to_what_relays_the_flow() -> None:
    relay = Relay()
    websocket, tcp, udp = websocket_flow(live=relay), tcp_flow(live=relay), udp_flow(live=relay)
    manager = commands()
    manager.call("inject.websocket", websocket, True, b"hello")
    manager.call("inject.websocket", websocket, False, b"\xff", False)
    manager.call("inject.tcp", tcp, True, b"a")
    manager.call("inject.udp", udp, False, b"b")
    assert relay.sent == [
        (websocket, True, b"hello", True),
        (websocket, False, b"\xff", False),
        (tcp, True, b"a"),
        (udp, False, b"b"),
    ]


@pytest.mark.parametrize(
    ("name", "flow", "message", "says"),
    [
        ("inject.websocket", websocket_flow(), b"x", "is not live"),
        ("inject.websocket", http_flow(live=Relay()), b"x", "is no WebSocket"),
        ("inject.websocket", tcp_flow(live=Relay()), b"x", "is no WebSocket"),
        ("inject.websocket", websocket_flow(live=Relay()), b"\xff", "has to be UTF-8"),
        ("inject.websocket", websocket_flow(live=Relay()), "text", "message is of type bytes"),
        ("inject.tcp", tcp_flow(), b"x", "is not live"),
        ("inject.tcp", tcp_flow(live=True), b"x", "is not live"),
        ("inject.tcp", websocket_flow(live=Relay()), b"x", "is no TCP flow"),
        ("inject.udp", tcp_flow(live=Relay()), b"x", "is no UDP flow"),
    ],
)
def test_what_cannot_be_sent_is_told(name: str, flow: Any, message: Any, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        commands().call(name, flow, True, message)


def test_a_connection_that_has_ended_is_told() -> None:
    class Ended(Relay):
        def inject_tcp(self, *message: Any) -> None:
            raise ControlException("it has ended")

    with pytest.raises(CommandError, match="it has ended"):
        commands().call("inject.tcp", tcp_flow(live=Ended()), True, b"x")


async def test_a_script_injects_into_a_websocket() -> None:
    """From a handler, from a thread and by text, through a running proxy."""

    class Echo:
        def websocket_message(self, flow: Any) -> None:
            message = flow.websocket.messages[-1]
            if message.injected:
                return
            commands = ctx.master.commands
            commands.call("inject.websocket", flow, True, b"from a handler")
            call = lambda: commands.call_strings("inject.websocket", ["@all", "false", r"\xff", "false"])  # noqa: E731
            threading.Thread(target=call).start()

    async with running(Echo()) as proxy:
        register = FlowRegister()
        proxy.master.addons.builtins.append(register)
        proxy.master.addons.rebuild()
        proxy.master.own_commands = lambda: own_commands([register])
        proxy.master.find_loop()
        async with wires(proxy) as (client, server):
            client.send(0x81, b"go")
            assert await server.read() == (0x81, b"go")
            assert await client.read() == (0x81, b"from a handler")
            assert await server.read() == (0x82, b"\xff")
        await proxy.wait_for_flows()
        flow = proxy.flow
        with pytest.raises(CommandError, match=r"nothing can be injected|is not live"):
            ctx.master.commands.call("inject.websocket", flow, True, b"too late")
