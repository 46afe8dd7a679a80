"""The flows that tests of scripts get."""

from __future__ import annotations

from typing import Any

import pytest

from flowdump.exceptions import ControlException
from flowdump.flow import Flow
from flowdump.http import HTTPFlow, Response
from flowdump.test import tflow, tutils


def test_http() -> None:
    flow = tflow.tflow()
    assert (flow.request.method, flow.request.url, flow.request.content) == (
        "GET",
        "http://address:22/path",
        b"content",
    )
    assert (flow.response, flow.error, flow.websocket, flow.live) == (None, None, None, True)
    assert flow.client_conn.connected
    assert not flow.server_conn.connected
    assert tflow.tflow(client_conn=True, server_conn=True, req=True).request == flow.request
    answered = tflow.tflow(resp=True, err=True, ws=True, live=False)
    assert answered.response is not None
    assert (answered.response.status_code, answered.response.content) == (200, b"message")
    assert str(answered.error) == "error"
    assert answered.websocket is not None
    assert len(answered.websocket.messages) == 3
    assert not answered.live
    with pytest.raises(TypeError, match="wrong"):
        tflow.tflow(wrong=1)


def test_what_is_given_is_taken() -> None:
    asked, answer, error = tutils.treq(path=b"/other", method=b"PUT"), Response.make(404), tflow.terr("mine")
    client, server = tflow.tclient_conn(), tflow.tserver_conn()
    flow = tflow.tflow(client_conn=client, server_conn=server, req=asked, resp=answer, err=error)
    assert (flow.request, flow.response, flow.error) == (asked, answer, error)
    assert (flow.client_conn is client, flow.server_conn is server) == (True, True)
    assert flow.request.path == "/other"


def test_they_can_be_killed_once() -> None:
    flow = tflow.tflow()
    flow.kill()
    with pytest.raises(ControlException):
        flow.kill()
    with pytest.raises(ControlException):
        tflow.tflow(live=False).kill()


def test_websocket() -> None:
    flow = tflow.twebsocketflow(close_code=1001, close_reason="bye")
    assert flow.websocket is not None
    assert (flow.websocket.close_code, flow.websocket.close_reason) == (1001, "bye")
    assert [m.content for m in flow.websocket.messages] == [b"hello binary", b"hello text", b"it's me"]
    assert tflow.twebsocket(messages=False).messages == []


def test_messages_of_raw_flows() -> None:
    assert [m.content for m in tflow.ttcpflow().messages] == [b"hello", b"it's me"]
    assert tflow.tudpflow(messages=False).messages == []
    assert tflow.ttcpflow(err=True).error is not None


def test_dns() -> None:
    flow = tflow.tdnsflow(resp=True)
    assert flow.response is not None
    assert [str(record.data[0]) for record in flow.response.answers] == ["8", "8"]
    assert tflow.tdnsflow(req=tutils.tdnsreq(id=5)).request.id == 5


def test_every_kind_has_a_state_and_an_id_of_its_own() -> None:
    flows = tflow.tflows()
    assert {flow.type for flow in flows} == {"http", "tcp", "udp", "dns"}
    assert len({flow.id for flow in flows}) == len(flows)
    for flow in flows:
        assert Flow.from_state(flow.get_state()).get_state() == flow.get_state()


def test_a_flow_of_no_kind() -> None:
    flow = tflow.tdummyflow(err=True)
    assert not isinstance(flow, HTTPFlow)
    assert flow.get_state()["type"] == "dummy"
    flow.set_state(flow.get_state() | {"comment": "changed"})
    assert flow.comment == "changed"
    assert tflow.tdummyflow(client_conn=False).client_conn is None


def test_every_part_takes_over_a_state() -> None:
    websocket, raw, dns = tflow.twebsocket(), tflow.ttcpflow(), tflow.tdnsflow(resp=True)
    assert dns.response is not None
    parts: list[Any] = [websocket, websocket.messages[0], raw.messages[0], dns.request, dns.response.answers[0]]
    others: list[Any] = [
        tflow.twebsocket(messages=False), websocket.messages[1].copy(), raw.messages[1].copy(), dns.response.copy(),
        dns.response.answers[1].copy(),
    ]  # fmt: skip
    for part, other in zip([*parts, tflow.terr()], [*others, tflow.terr("x")], strict=True):
        assert other.get_state() != part.get_state()
        other.set_state(part.get_state())
        assert other.get_state() == part.get_state()
