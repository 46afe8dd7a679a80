"""Commands that change flows: what becomes of them, and who hears of it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.commands import commands
from tests.support.flows import http_flow, request, response, tcp_flow

from flowdump.exceptions import CommandError


def sample() -> Any:
    return http_flow(request("GET", "http://a.example/x", b"body"), response(200, b"hello"))


def test_marks_and_comments() -> None:
    manager, flows = commands(), [sample(), tcp_flow(b"x", marked=":star:")]
    manager.call("flow.mark.toggle", flows)
    assert [flow.marked for flow in flows] == [":default:", ""]
    manager.call("flow.mark", flows, ":x:")
    assert [flow.marked for flow in flows] == [":x:", ":x:"]
    manager.call("flow.comment", flows, "seen")
    assert [flow.comment for flow in flows] == ["seen", "seen"]
    with pytest.raises(CommandError, match="marker is of type marker"):
        manager.call("flow.mark", flows, "nothing of the kind")


def test_bodies_are_encoded_and_decoded() -> None:
    manager, flow = commands(), sample()
    other = [flow, tcp_flow(b"x"), http_flow()]
    for coding in manager.call("flow.encode.options"):
        manager.call("flow.encode", other, "response", coding)
        assert flow.response.headers["content-encoding"] == coding
        assert flow.response.raw_content != b"hello" == flow.response.content
        manager.call("flow.decode", other, "response")
        assert flow.response.raw_content == b"hello"
    manager.call("flow.encode.toggle", other, "request")
    assert flow.request.headers["content-encoding"] == "deflate"
    manager.call("flow.encode", other, "request", "gzip")
    assert flow.request.headers["content-encoding"] == "deflate"
    manager.call("flow.encode.toggle", other, "request")
    assert "content-encoding" not in flow.request.headers
    manager.call("flow.revert", other)
    assert flow.get_state() == sample().get_state() | {
        name: flow.get_state()[name] for name in ("id", "client_conn", "server_conn")
    }


@pytest.mark.parametrize(
    ("attribute", "value", "result"),
    [
        ("method", "put", ("PUT", "http://a.example/x", 200, "OK")),
        ("url", "https://b.example:1/y", ("GET", "https://b.example:1/y", 200, "OK")),
        ("host", "b.example", ("GET", "http://b.example/x", 200, "OK")),
        ("port", "81", ("GET", "http://a.example:81/x", 200, "OK")),
        ("path", "/y", ("GET", "http://a.example/y", 200, "OK")),
        ("status_code", "404", ("GET", "http://a.example/x", 404, "Not Found")),
        ("reason", "Fine", ("GET", "http://a.example/x", 200, "Fine")),
    ],
)
def test_attributes_are_set(attribute: str, value: str, result: tuple[Any, ...]) -> None:
    manager, flow = commands(), sample()
    assert attribute in manager.call("flow.set.options")
    manager.call("flow.set", [flow, tcp_flow(b"x")], attribute, value)
    assert (flow.request.method, flow.request.url, flow.response.status_code, flow.response.reason) == result
    assert flow.modified()


@pytest.mark.parametrize(
    ("attribute", "value", "says"),
    [
        ("url", "nowhere", "no URL"),
        ("status_code", "ok", "no status code"),
        ("status_code", "99", "no status code"),
        ("port", "65536", "no port"),
        ("nope", "x", "attr is of type choice"),
    ],
)
def test_values_that_cannot_be_set_are_told(attribute: str, value: str, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        commands().call("flow.set", [sample()], attribute, value)


def test_flows_are_killed_and_resumed() -> None:
    told: list[Any] = []

    class Live:
        def kill(self, flow: Any) -> None:
            told.append("kill")

        def resume(self, flow: Any) -> None:
            told.append("resume")

    manager, live, held = commands(), http_flow(live=Live()), http_flow(live=Live())
    held.intercepted = True
    manager.call("flow.kill", [live, sample()])
    manager.call("flow.resume", [held, sample()])
    assert told == ["kill", "resume"]
    assert live.error is not None
    assert live.error.msg == "Connection killed."


def test_who_listens_hears_of_it() -> None:
    heard: list[Any] = []

    class Listener:
        def update(self, flows: Any) -> None:
            heard.append(list(flows))

    manager, flow = commands(Listener()), sample()
    manager.call("flow.comment", [flow], "x")
    manager.call("flow.kill", [flow])  # it is not live: nothing happens
    assert heard == [[flow]]
