"""What comes back when an export of ours is imported: everything that matters, of ordinary and of strange flows."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.support import har, states

from flowdump.formats.har.read import flow_from_entry, read_har
from flowdump.formats.har.values_in import is_understood
from flowdump.formats.har.write import HarWriter, entry_json
from flowdump.http import HTTPFlow, Request, Response

#: Dates are written in whole microseconds, and moments in Unix seconds have steps of a quarter of one.
STEP = 2e-6

#: Whole documents take minutes to shrink; a failing flow shows up in the tests of single flows as well.
WITHOUT_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)


def again(flow: HTTPFlow) -> HTTPFlow:
    entry = har.strict_loads(entry_json(flow))
    har.check_entry(entry)
    return flow_from_entry(entry, lambda reason: pytest.fail(reason))


def decoded(message: Request | Response) -> tuple[bytes | None, bool]:
    """(the body as an import keeps it, whether its coding could be undone)."""
    try:
        return message.get_content(), True
    except ValueError:
        return message.raw_content, False


def expected_fields(message: Request | Response) -> list[tuple[bytes, bytes]]:
    body, undone = decoded(message)
    fields = list(message.headers.fields)
    if body is not None and undone and is_understood(message.headers.get("content-encoding", "")):
        fields = [field for field in fields if field[0].lower() != b"content-encoding"]
    length = b"%d" % len(body or b"")
    return [(name, length if name.lower() == b"content-length" and body else value) for name, value in fields]


def assert_close(found: float | None, wanted: float | None) -> None:
    if wanted is None or found is None:
        assert found == wanted
    else:
        assert abs(found - wanted) <= STEP


def assert_same_message(found: Any, wanted: Any) -> None:
    assert found.data.http_version == wanted.data.http_version
    assert list(found.headers.fields) == expected_fields(wanted)
    assert found.raw_content == decoded(wanted)[0]
    assert found.trailers == wanted.trailers
    assert_close(found.timestamp_start, wanted.timestamp_start)
    assert_close(found.timestamp_end, wanted.timestamp_end)


def assert_same_request(found: Request, wanted: Request) -> None:
    assert_same_message(found, wanted)
    facts = ("method", "scheme", "host", "port", "path")
    assert [getattr(found.data, name) for name in facts] == [getattr(wanted.data, name) for name in facts]
    assert found.url == wanted.url
    assert found.pretty_url == wanted.pretty_url


def assert_same_websocket(found: Any, wanted: Any) -> None:
    assert [m.get_state()[:3] + m.get_state()[4:] for m in found.messages] == [
        m.get_state()[:3] + m.get_state()[4:] for m in wanted.messages
    ]
    for message, other in zip(found.messages, wanted.messages, strict=True):
        assert_close(message.timestamp, other.timestamp)
    names = ("closed_by_client", "close_code", "close_reason")
    assert [getattr(found, name) for name in names] == [getattr(wanted, name) for name in names]
    assert_close(found.timestamp_end, wanted.timestamp_end)


def assert_same_server(found: Any, wanted: Any) -> None:
    assert found.peername == wanted.peername
    assert found.id == wanted.id
    assert found.tls_version == wanted.tls_version
    if wanted.timestamp_tcp_setup is not None:
        assert_close(found.timestamp_start, wanted.timestamp_start)
        assert_close(found.timestamp_tcp_setup, wanted.timestamp_tcp_setup)
        assert_close(found.timestamp_tls_setup, wanted.timestamp_tls_setup)


def assert_same(found: HTTPFlow, wanted: HTTPFlow) -> None:
    assert_same_request(found.request, wanted.request)
    assert (found.response is None) == (wanted.response is None)
    if found.response is not None and wanted.response is not None:
        assert found.response.status_code == wanted.response.status_code
        assert found.response.data.reason == wanted.response.data.reason
        assert_same_message(found.response, wanted.response)
    assert (found.error is None) == (wanted.error is None)
    if found.error is not None and wanted.error is not None:
        assert found.error.msg == wanted.error.msg
        assert_close(found.error.timestamp, wanted.error.timestamp)
    assert (found.websocket is None) == (wanted.websocket is None)
    if wanted.websocket is not None:
        assert_same_websocket(found.websocket, wanted.websocket)
    names = ("comment", "marked", "metadata", "is_replay")
    assert [getattr(found, name) for name in names] == [getattr(wanted, name) for name in names]


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(har.flows())
def test_every_flow_comes_back(flow: HTTPFlow) -> None:
    found = again(flow)
    assert_same(found, flow)
    assert_same_server(found.server_conn, flow.server_conn)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(har.flows())
def test_a_second_round_changes_nothing_more(flow: HTTPFlow) -> None:
    once = again(flow)
    twice = again(once)
    assert_same(twice, once)


def test_an_ordinary_flow_needs_nothing_of_our_own() -> None:
    entry = json.loads(entry_json(har.make_flow()))
    assert "_flowdump" not in entry
    assert_same(again(har.make_flow()), har.make_flow())


def test_every_legal_value_of_a_flow_can_be_exported() -> None:
    checked = 0
    for name, state in [*states.variants(), *states.mixtures(200)]:
        if state["type"] != "http":
            continue
        flow: HTTPFlow = HTTPFlow.from_state(state)
        entry = har.strict_loads(entry_json(flow))
        har.check_entry(entry)
        assert "could not be exported" not in entry["response"].get("_error", ""), name
        assert flow_from_entry(entry, lambda reason: None).request.method == flow.request.method, name
        checked += 1
    assert checked > 100


@settings(deadline=None, max_examples=25, phases=WITHOUT_SHRINKING)
@given(st.lists(har.flows(), max_size=6), st.integers(1, 3000))
def test_documents_come_back_in_order_whatever_the_chunks(flows: list[HTTPFlow], size: int) -> None:
    out = io.BytesIO()
    writer = HarWriter(out)
    assert all(writer.add(flow) for flow in flows)
    writer.close()
    data = out.getvalue()
    har.check_document(har.strict_loads(data))
    chunks = [data[start : start + size] for start in range(0, len(data), size)]
    found = list(read_har(chunks, lambda problem: pytest.fail(str(problem))))
    assert [flow.request.url for flow in found] == [flow.request.url for flow in flows]
    for again_read, flow in zip(found, flows, strict=True):
        assert_same(again_read, flow)
