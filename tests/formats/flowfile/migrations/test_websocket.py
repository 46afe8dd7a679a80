"""WebSocket flows of 2.0 to 6.0: how messages and handshake find each other."""

from __future__ import annotations

from typing import Any

import pytest

from flowdump.formats.flowfile.migrations import Migrator, websocket


def connections() -> dict[str, Any]:
    return {
        "client_conn": {"id": "c1", "address": ["127.0.0.1", 5012], "timestamp_start": 1.0},
        "server_conn": {"id": "s1", "address": ["a.b", 80], "timestamp_start": 1.5, "timestamp_end": 9.0},
    }


def handshake(version: object = 7, **changes: Any) -> dict[str, Any]:
    message = {"headers": [], "content": b"", "http_version": b"HTTP/1.1", "timestamp_start": 2.0, "timestamp_end": 3.0}
    flow = {
        **connections(),
        "version": version,
        "type": "http",
        "id": "h1",
        "error": None,
        "metadata": {"websocket": True},
        "request": {**message, "method": b"GET", "scheme": b"http", "host": b"a.b", "port": 80, "path": b"/ws"},
        "response": {**message, "status_code": 101, "reason": b"Switching Protocols"},
    }
    flow["server_conn"]["timestamp_end"] = None
    return {**flow, **changes}


def messages(version: object = 7, **changes: Any) -> dict[str, Any]:
    flow = {
        **connections(),
        "version": version,
        "type": "websocket",
        "id": "w1",
        "error": None,
        "marked": True,
        "metadata": {"websocket_handshake": "h1"},
        "messages": [[1, True, "h\u00e9llo", 5, False], [2, False, b"\x00\xff", 6, True]],
        "close_sender": "client",
        "close_code": 1000,
        "close_message": "OK",
        "close_reason": "bye",
    }
    return {**flow, **changes}


MESSAGES = [[1, True, "h\u00e9llo".encode(), 5, False, False], [2, False, b"\x00\xff", 6, True, False]]


def migrate(*records: dict[str, Any]) -> list[dict[str, Any]]:
    migrator = Migrator()
    return [migrator.migrate(record) for record in records]


@pytest.mark.parametrize("version", [[3, 0, 0], 5, 7, 8, 9, 10, 11])
def test_messages_join_a_copy_of_their_handshake(version: object) -> None:
    plain, joined = migrate(handshake(version), messages(version))
    assert plain["websocket"] is None
    assert plain["metadata"] == {"websocket": True}
    assert joined["websocket"] == {
        "messages": MESSAGES,
        "closed_by_client": True,
        "close_code": 1000,
        "close_reason": "bye",
        "timestamp_end": None,
    }
    assert joined["metadata"] == {"websocket": True, "duplicated": websocket.DUPLICATED}
    assert (joined["type"], joined["id"], joined["request"]["path"]) == ("http", "h1", b"/ws")
    assert joined["request"] is not plain["request"]


def test_the_status_is_enough_to_recognise_a_handshake() -> None:
    assert migrate(handshake(metadata={}), messages())[1]["request"]["path"] == b"/ws"


def test_other_flows_are_not_remembered() -> None:
    plain = handshake(metadata={})
    plain["response"]["status_code"] = 200
    assert migrate(plain, messages())[1]["request"]["host"] == "unknown"


def test_messages_without_a_handshake_get_a_stand_in() -> None:
    [flow] = migrate(messages(error={"msg": "lost", "timestamp": 7.0}))
    assert (flow["id"], flow["marked"], flow["response"]) == ("w1", ":default:", None)
    assert flow["metadata"] == {"duplicated": websocket.DUPLICATED}
    assert flow["request"] == {
        "path": b"/",
        "authority": b"",
        "scheme": b"http",
        "method": b"GET",
        "port": 80,
        "host": "unknown",
        "timestamp_end": 0,
        "timestamp_start": 0,
        "trailers": None,
        "content": None,
        "headers": [],
        "http_version": b"HTTP/1.1",
    }
    assert flow["websocket"]["timestamp_end"] == 9.0
    assert flow["client_conn"]["peername"] == ["127.0.0.1", 5012]
    assert flow["error"] == {"timestamp": 7.0, "msg": "lost"}


def test_a_handshake_is_given_out_once() -> None:
    flows = migrate(handshake(), messages(), messages(id="w2"))
    assert [flow["request"]["host"] for flow in flows] == ["a.b", "a.b", "unknown"]
    assert [flow["id"] for flow in flows] == ["h1", "h1", "w2"]


def test_handshakes_are_remembered_per_file() -> None:
    migrate(handshake())
    assert migrate(messages())[0]["request"]["host"] == "unknown"


def test_the_error_of_the_messages_is_kept() -> None:
    error = {"msg": "lost", "timestamp": 7.0}
    assert migrate(handshake(), messages(error=error))[1]["error"] == {"timestamp": 7.0, "msg": "lost"}


@pytest.mark.parametrize(("sender", "closed_by_client"), [("client", True), ("server", False), (None, None)])
def test_who_closed(sender: str | None, closed_by_client: bool | None) -> None:
    assert migrate(messages(close_sender=sender))[0]["websocket"]["closed_by_client"] is closed_by_client


def test_later_versions_have_no_websocket_flows() -> None:
    flow = migrate(handshake(12))[0]
    assert flow["websocket"] is None
    assert "duplicated" not in flow["metadata"]


def test_a_handshake_inside_the_websocket_flow() -> None:
    inner = handshake([2, 0, 2], id="inner", metadata={})
    inner["request"]["port"] = "80"
    record = messages([2, 0, 2], handshake_flow=inner, metadata={}, close_code="(status code missing)")
    record["messages"] = [message[:4] for message in record["messages"]]
    [flow] = migrate(record)
    assert (flow["id"], flow["request"]["port"], flow["request"]["path"]) == ("inner", 80, b"/ws")
    assert flow["websocket"]["close_code"] is None
    assert [message[2] for message in flow["websocket"]["messages"]] == ["h\u00e9llo".encode(), b"\x00\xff"]


def test_surrogates_in_old_text_messages_become_the_bytes_they_stand_for() -> None:
    record = messages()
    record["messages"] = [[1, True, "a\udcff", 5, False]]
    assert migrate(record)[0]["websocket"]["messages"][0][2] == b"a\xff"


def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "MAX_HANDSHAKES", 2)
    records = [handshake(id=f"h{number}") for number in range(1, 4)]
    wanted = [messages(metadata={"websocket_handshake": f"h{number}"}) for number in range(1, 4)]
    flows = migrate(*records, *wanted)[3:]
    assert [flow["request"]["host"] for flow in flows] == ["unknown", "a.b", "a.b"]
