"""The events of stored flows: their order, that each step is decided late, and that messages come one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.support.states import BASES

from flowdump.flow import Error, Flow
from flowdump.http import Response
from flowdump.runtime import event_sequence, hooks

HTTP = ["requestheaders", "request", "responseheaders", "response"]


def made(kind: str, **changes: Any) -> Any:
    return Flow.from_state(BASES[kind]() | changes)


def test_a_response_made_in_request_gets_its_events() -> None:
    flow, seen = made("http", response=None), []
    for name in event_sequence.events(flow):
        seen.append(name)
        if name == "request":
            flow.response = Response.make(200)
    assert seen == HTTP


def test_a_response_taken_away_in_requestheaders_gets_none() -> None:
    flow, seen = made("http"), []
    for name in event_sequence.events(flow):
        seen.append(name)
        flow.response = None
    assert seen == HTTP[:2]


def test_an_error_set_on_the_way_is_fired_last() -> None:
    flow, seen = made("http"), []
    for name in event_sequence.events(flow):
        seen.append(name)
        flow.error = Error("late")
    assert seen == [*HTTP, "error"]


def _holder(flow: Any) -> Any:
    return flow.websocket if flow.type == "http" else flow


@pytest.mark.parametrize(("kind", "count"), [("websocket", 3), ("tcp", 2), ("udp", 2)])
def test_messages_come_one_by_one(kind: str, count: int) -> None:
    flow = made(kind)
    before = list(_holder(flow).messages)
    assert len(before) == count
    lengths = [(name, len(_holder(flow).messages)) for name in event_sequence.events(flow) if not name.startswith("re")]
    assert lengths == [
        (f"{kind}_start", 0),
        *[(f"{kind}_message", i + 1) for i in range(count)],
        (f"{kind}_end", count),
    ]
    assert _holder(flow).messages == before


@pytest.mark.parametrize("kind", ["websocket", "tcp", "udp"])
@pytest.mark.parametrize("steps", [0, 1, 2])
def test_messages_survive_when_it_is_given_up(kind: str, steps: int) -> None:
    flow = made(kind)
    before = list(_holder(flow).messages)
    events = event_sequence.events(flow)
    while next(events) != f"{kind}_start":
        pass
    for _ in range(steps):
        next(events)
    events.close()  # type: ignore[attr-defined]
    assert _holder(flow).messages == before


def test_a_message_may_be_removed_or_added() -> None:
    flow = made("tcp")
    first, second = flow.messages
    for name in event_sequence.events(flow):
        if name == "tcp_message" and flow.messages[-1] is first:
            flow.messages.pop()
            flow.messages.append(second)
    assert flow.messages == [second, second]


def test_taking_the_websocket_away_ends_nothing_early() -> None:
    flow, seen = made("websocket"), []
    for name in event_sequence.events(flow):
        seen.append(name)
        if name == "websocket_start":
            flow.websocket = None
    assert seen == [*HTTP, "websocket_start", *["websocket_message"] * 3, "websocket_end"]


def test_a_raw_flow_ends_with_end_or_error() -> None:
    flow, seen = made("tcp"), []
    for name in event_sequence.events(flow):
        seen.append(name)
        if name == "tcp_start":
            flow.error = Error("late")
    assert seen == ["tcp_start", "tcp_message", "tcp_message", "tcp_error"]


def test_nothing_happens_before_it_is_asked_for() -> None:
    flow = made("tcp")
    before = flow.messages
    event_sequence.events(flow)
    assert flow.messages is before


#: Events that need a connection, or belong to the life of an addon.
NOT_OF_STORED_FLOWS = {
    "load", "configure", "running", "done", "update", "add_log", "client_connected", "client_disconnected",
    "server_connect", "server_connected", "server_connect_error", "server_disconnected", "http_connect",
    "tls_clienthello", "tls_start_client", "tls_start_server", "tls_established_client", "tls_established_server",
    "tls_failed_client", "tls_failed_server", "quic_start_client", "quic_start_server", "next_layer", "socks5_auth",
    "http_connect_upstream", "http_connected", "http_connect_error",
}  # fmt: skip

_HTTP = ["requestheaders", "request", "responseheaders", "response"]
_ERROR = {"msg": "gone", "timestamp": 1.0}

#: A flow, how it differs from the plain one of its type, and the events it goes through again.
SEQUENCES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("http", {}, _HTTP),
    ("http", {"response": None}, _HTTP[:2]),
    ("http", {"response": None, "error": _ERROR}, [*_HTTP[:2], "error"]),
    ("http", {"error": _ERROR}, [*_HTTP, "error"]),
    ("websocket", {}, [*_HTTP, "websocket_start", *["websocket_message"] * 3, "websocket_end"]),
    ("websocket", {"error": _ERROR}, [*_HTTP, "websocket_start", *["websocket_message"] * 3, "websocket_end", "error"]),
    ("tcp", {}, ["tcp_start", "tcp_message", "tcp_message", "tcp_end"]),
    ("tcp", {"messages": [], "error": _ERROR}, ["tcp_start", "tcp_error"]),
    ("udp", {}, ["udp_start", "udp_message", "udp_message", "udp_end"]),
    ("udp", {"messages": [], "error": _ERROR}, ["udp_start", "udp_error"]),
    ("dns", {}, ["dns_request", "dns_response"]),
    ("dns", {"response": None, "error": _ERROR}, ["dns_request", "dns_error"]),
]


@pytest.mark.parametrize(("kind", "changes", "expected"), SEQUENCES)
def test_stored_flows_fire_their_events(kind: str, changes: dict[str, Any], expected: list[str]) -> None:
    flow: Flow = Flow.from_state(BASES[kind]() | changes)
    assert list(event_sequence.events(flow)) == expected


def test_every_event_belongs_to_a_flow_or_is_known_not_to() -> None:
    fired = {name for _, _, names in SEQUENCES for name in names}
    assert fired | NOT_OF_STORED_FLOWS == set(hooks.EVENT_NAMES)
    assert not fired & NOT_OF_STORED_FLOWS


def test_a_handler_of_every_event_is_heard() -> None:
    def handler(*arguments: object) -> None:
        raise AssertionError(arguments)

    class Everything:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return handler

    table = hooks.HookTable([Everything()])
    assert all(table.handlers(name) == (handler,) for name in hooks.EVENT_NAMES)
    assert hooks.HookTable([object()]).handlers("request") == ()
    assert all(event.doc and isinstance(event.arguments, tuple) for event in hooks.EVENTS)
