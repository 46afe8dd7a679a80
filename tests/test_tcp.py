"""Raw flows, TCP and UDP: messages and their states."""

from __future__ import annotations

from typing import Any

import pytest

from flowdump.connection import Client, Server
from flowdump.tcp import TCPFlow, TCPMessage
from flowdump.udp import UDPFlow, UDPMessage

BOTH = pytest.mark.parametrize(("flow_kind", "message_kind"), [(TCPFlow, TCPMessage), (UDPFlow, UDPMessage)])


@BOTH
def test_messages(flow_kind: Any, message_kind: Any) -> None:
    m = message_kind(True, b"a", 5.0)
    assert (m.from_client, m.content, m.timestamp) == (True, b"a", 5.0)
    assert m.get_state() == (True, b"a", 5.0)
    assert str(m) == repr(m) == "-> b'a'"
    assert repr(message_kind(False, b"\xff")) == "<- b'\\xff'"
    assert message_kind(True, b"").timestamp > 1_700_000_000
    assert message_kind(True, b"", 0.0).timestamp == 0.0
    m.mine = 1
    assert m.mine == 1


@BOTH
def test_copies_of_messages(flow_kind: Any, message_kind: Any) -> None:
    m = message_kind(False, b"a", 5.0)
    for twin in (m.copy(), message_kind.from_state([False, b"a", 5.0])):
        assert type(twin) is message_kind
        assert twin.get_state() == m.get_state()
        assert twin != m
        twin.content = b"b"
    assert m.content == b"a"


@BOTH
def test_flows(flow_kind: Any, message_kind: Any) -> None:
    flow = flow_kind(Client(), Server())
    assert (flow.messages, flow.live, flow.error) == ([], False, None)
    flow.messages.append(message_kind(True, b"a", 5.0))
    assert repr(flow) == f"<{flow_kind.__name__} (1 messages)>"
    state = flow.get_state()
    assert (state["type"], state["messages"]) == (flow.type, [(True, b"a", 5.0)])
    twin = flow_kind.from_state(state)
    assert type(twin) is flow_kind
    assert type(twin.messages[0]) is message_kind
    assert flow_kind(Client(), Server(), True).killable


def test_types() -> None:
    assert (TCPFlow.type, UDPFlow.type) == ("tcp", "udp")
