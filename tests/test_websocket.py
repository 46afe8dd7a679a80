"""WebSocket messages and how a connection was closed."""

from __future__ import annotations

from typing import Any

import pytest

from flowdump.websocket import BINARY, TEXT, WebSocketData, WebSocketMessage


def test_a_text_message() -> None:
    m = WebSocketMessage(TEXT, True, "grün".encode(), 5.0)
    assert (m.type, m.is_text, m.from_client, m.content, m.timestamp) == (1, True, True, "grün".encode(), 5.0)
    assert (m.text, m.dropped, m.injected) == ("grün", False, False)
    assert (str(m), repr(m)) == ("grün", repr("grün".encode()))
    m.text = "ä\udcff"
    assert m.content == b"\xc3\xa4\xff"
    assert m.text == "ä\udcff"


def test_a_binary_message_has_no_text() -> None:
    m = WebSocketMessage(BINARY, False, b"\xff")
    assert not m.is_text
    assert str(m) == repr(m) == "b'\\xff'"
    with pytest.raises(AttributeError, match="binary"):
        m.text  # noqa: B018
    with pytest.raises(AttributeError, match="binary"):
        m.text = "x"
    assert m.content == b"\xff"


@pytest.mark.parametrize("what", ["drop", "kill"])
def test_dropping(what: str) -> None:
    m = WebSocketMessage(TEXT, True, b"a")
    getattr(m, what)()
    assert m.dropped
    assert m.content == b"a"


def test_times() -> None:
    assert WebSocketMessage(TEXT, True, b"").timestamp > 1_700_000_000
    assert WebSocketMessage(TEXT, True, b"", 0.0).timestamp == 0.0


def test_message_state() -> None:
    m = WebSocketMessage(BINARY, False, b"a", 3.0, True, True)
    assert m.get_state() == (2, False, b"a", 3.0, True, True)
    again = WebSocketMessage.from_state(list(m.get_state()))
    assert again.get_state() == m.get_state()
    assert again != m
    twin = m.copy()
    twin.content = b"b"
    assert m.content == b"a"


def test_any_attribute_may_be_set() -> None:
    m: Any = WebSocketMessage(TEXT, True, b"a")
    m.mine = 1
    assert m.mine == 1


def test_data() -> None:
    d = WebSocketData()
    assert d.get_state() == {
        "messages": [],
        "closed_by_client": None,
        "close_code": None,
        "close_reason": None,
        "timestamp_end": None,
    }
    assert repr(d) == "<WebSocketData (0 messages)>"
    assert WebSocketData().messages is not d.messages


def test_data_state_and_copy() -> None:
    messages = [WebSocketMessage(TEXT, True, b"a", 1.0)]
    d = WebSocketData(messages, closed_by_client=False, close_code=1000, close_reason="bye", timestamp_end=2.0)
    assert d.get_state() == {
        "messages": [(1, True, b"a", 1.0, False, False)],
        "closed_by_client": False,
        "close_code": 1000,
        "close_reason": "bye",
        "timestamp_end": 2.0,
    }
    for twin in (d.copy(), WebSocketData.from_state(d.get_state())):
        assert twin.get_state() == d.get_state()
        twin.messages[0].content = b"changed"
        twin.messages.clear()
    assert d.messages[0].content == b"a"
    d.messages.append(messages[0])
    assert len(messages) == 1
