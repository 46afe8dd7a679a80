"""What all flows have in common: identity, state, copies, undo, and control."""

from __future__ import annotations

import copy
import threading
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.flows import every_kind, http_flow, read_flows, record, response, tcp_flow, websocket_flow
from tests.support.states import BASES, mixtures, variants

from flowdump.connection import Client, Server
from flowdump.dns import DNSFlow
from flowdump.exceptions import ControlException
from flowdump.flow import Error, Flow, flow_class
from flowdump.http import HTTPFlow
from flowdump.tcp import TCPFlow
from flowdump.udp import UDPFlow

KINDS = {"http": HTTPFlow, "websocket": HTTPFlow, "tcp": TCPFlow, "udp": UDPFlow, "dns": DNSFlow}


def plain(value: Any) -> Any:
    """A state with lists for tuples, as it comes out of a file."""
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


# -- identity ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flow", every_kind())
def test_flows_are_themselves(flow: Any) -> None:
    twin = Flow.from_state(flow.get_state())
    assert {flow: 1}[flow] == 1
    assert flow == flow
    assert flow != twin
    assert twin not in {flow}
    flow.anything = 1
    assert flow.anything == 1
    assert type(flow.id) is str
    assert len(flow.id) == 36


def test_what_a_new_flow_is() -> None:
    flow = HTTPFlow(Client(), Server())
    facts = (flow.intercepted, flow.is_replay, flow.marked, flow.comment, flow.metadata, flow.error, flow.live)
    assert facts == (False, None, "", "", {}, None, False)
    assert (flow.response, flow.websocket, flow.type, flow.killable) == (None, None, "http", False)
    assert isinstance(flow.timestamp_created, float)
    assert flow.id != HTTPFlow(Client(), Server()).id


@pytest.mark.parametrize(("kind", "expected"), KINDS.items())
def test_flow_class(kind: str, expected: type) -> None:
    assert flow_class("http" if kind == "websocket" else kind) is expected
    with pytest.raises(ValueError, match="unknown flow type 'nope'"):
        flow_class("nope")


def test_a_flow_of_no_kind_has_no_state() -> None:
    flow = Flow(Client(), Server())
    flow.type = "http"  # type: ignore[misc]
    with pytest.raises(TypeError, match="Flow has no state"):
        flow.get_state()


# -- state -------------------------------------------------------------------------------------------------------


def test_the_order_of_a_state() -> None:
    assert list(http_flow().get_state()) == [
        *("version", "type", "id", "error", "client_conn", "server_conn", "intercepted", "is_replay", "marked"),
        *("metadata", "comment", "timestamp_created", "backup", "request", "response", "websocket"),
    ]


@pytest.mark.parametrize("kind", BASES)
def test_a_plain_state_comes_back(kind: str) -> None:
    state = BASES[kind]()
    flow = Flow.from_state(state)
    assert type(flow) is KINDS[kind]
    assert plain(flow.get_state()) == state
    assert flow.live is False


def test_every_legal_value_comes_back() -> None:
    for name, state in [*variants(), *mixtures(200, seed=7)]:
        backup = state["backup"]
        given = copy.deepcopy(state)
        again = plain(Flow.from_state(state).get_state())
        assert again | {"backup": None} == given | {"backup": None}, name
        assert again["backup"] in (None, backup), name
        assert state == given, name


@pytest.mark.parametrize("key", ["id", "error", "client_conn", "request", "metadata", "type"])
def test_a_missing_key(key: str) -> None:
    state = BASES["http"]()
    del state[key]
    with pytest.raises(KeyError, match=key):
        Flow.from_state(state)


def test_set_state_keeps_the_connections() -> None:
    flow, other = http_flow(), http_flow("https://other.example/")
    client, server = flow.client_conn, flow.server_conn
    flow.set_state(other.get_state())
    assert flow.client_conn is client
    assert flow.server_conn is server
    assert flow.server_conn.address == ("other.example", 443)
    assert flow.request.host == "other.example"


TEXTS = st.text(max_size=5)
BYTES = st.binary(max_size=5)
TIMES = st.floats(allow_nan=False)
PAIRS = st.lists(st.tuples(BYTES, BYTES), max_size=3).map(tuple)
ADDRESSES = st.tuples(TEXTS, st.integers(0, 65535))


def maybe(strategy: Any) -> Any:
    return st.none() | strategy


_CONNECTION = {
    "peername": ADDRESSES,
    "sockname": ADDRESSES,
    "id": TEXTS,
    "transport_protocol": st.sampled_from(["tcp", "udp"]),
    "error": maybe(TEXTS),
    "tls": st.booleans(),
    "certificate_list": st.lists(BYTES, max_size=2),
    "alpn": maybe(BYTES),
    "alpn_offers": st.lists(BYTES, max_size=2),
    "cipher": maybe(TEXTS),
    "cipher_list": st.lists(TEXTS, max_size=2),
    "tls_version": maybe(st.sampled_from(["TLSv1.2", "TLSv1.3"])),
    "sni": maybe(TEXTS),
    "timestamp_start": TIMES,
    "timestamp_end": maybe(TIMES),
    "timestamp_tls_setup": maybe(TIMES),
}
_SERVER = {
    "peername": maybe(ADDRESSES),
    "sockname": maybe(ADDRESSES),
    "address": maybe(ADDRESSES),
    "timestamp_start": maybe(TIMES),
    "timestamp_tcp_setup": maybe(TIMES),
    "via": maybe(st.tuples(st.sampled_from(["http", "https"]), ADDRESSES)),
}
_CLIENT = {"mitmcert": maybe(BYTES), "proxy_mode": TEXTS}
_MESSAGE = {
    "http_version": BYTES,
    "headers": PAIRS,
    "content": maybe(BYTES),
    "trailers": maybe(PAIRS),
    "timestamp_start": TIMES,
    "timestamp_end": maybe(TIMES),
}
_REQUEST = {"host": TEXTS, "port": st.integers(0, 65535)} | dict.fromkeys(
    ("method", "scheme", "authority", "path"), BYTES
)
_WEBSOCKET = {
    "messages": st.lists(
        st.tuples(st.integers(1, 2), st.booleans(), BYTES, TIMES, st.booleans(), st.booleans()), max_size=2
    ),
    "closed_by_client": maybe(st.booleans()),
    "close_code": maybe(st.integers(1000, 4999)),
    "close_reason": maybe(TEXTS),
    "timestamp_end": maybe(TIMES),
}
_RECORD = {"name": TEXTS, "type": st.integers(0, 65535), "class_": st.integers(0, 65535)}
_RECORDS = st.lists(st.fixed_dictionaries(_RECORD | {"ttl": st.integers(0, 99), "data": BYTES}), max_size=2)
_DNS = st.fixed_dictionaries(
    dict.fromkeys(("id", "op_code", "reserved", "response_code"), st.integers(0, 15))
    | dict.fromkeys(("authoritative_answer", "truncation", "recursion_desired", "recursion_available"), st.booleans())
    | dict.fromkeys(("answers", "authorities", "additionals"), _RECORDS)
    | {
        "timestamp": maybe(TIMES),
        "query": st.booleans(),
        "questions": st.lists(st.fixed_dictionaries(_RECORD), max_size=2),
    }
)
_RAW = {"messages": st.lists(st.tuples(st.booleans(), BYTES, TIMES), max_size=3)}
_PARTS: dict[str, dict[str, Any]] = {
    "http": {
        "request": st.fixed_dictionaries(_MESSAGE | _REQUEST),
        "response": maybe(st.fixed_dictionaries(_MESSAGE | {"status_code": st.integers(0, 999), "reason": BYTES})),
        "websocket": maybe(st.fixed_dictionaries(_WEBSOCKET)),
    },
    "tcp": _RAW,
    "udp": _RAW,
    "dns": {"request": _DNS, "response": maybe(_DNS)},
}


def states(kind: str) -> Any:
    common = {
        "version": st.just(21),
        "type": st.just(kind),
        "id": TEXTS,
        "error": maybe(st.fixed_dictionaries({"msg": TEXTS, "timestamp": TIMES})),
        "client_conn": st.fixed_dictionaries(_CONNECTION | _CLIENT),
        "server_conn": st.fixed_dictionaries(_CONNECTION | _SERVER),
        "intercepted": st.booleans(),
        "is_replay": st.sampled_from([None, "request", "response"]),
        "marked": TEXTS,
        "metadata": st.dictionaries(TEXTS, TEXTS | st.integers(), max_size=2),
        "comment": TEXTS,
        "timestamp_created": TIMES,
        "backup": st.none(),
    }
    return st.fixed_dictionaries(common | _PARTS[kind])


@pytest.mark.parametrize("kind", _PARTS)
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_any_state_comes_back(kind: str, data: st.DataObject) -> None:
    state = data.draw(states(kind))
    flow = Flow.from_state(state)
    assert flow.get_state() == state
    assert flow.copy().get_state() | {"id": state["id"]} == state
    flow.backup()
    assert flow.get_state() == state
    flow.comment += "!"
    assert flow.get_state() == state | {"comment": flow.comment, "backup": state}
    flow.revert()
    assert flow.get_state() == state


# -- copies ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("flow", every_kind())
def test_copies_are_equal_but_for_the_id(flow: Any) -> None:
    flow.live = True
    twin = flow.copy()
    assert type(twin) is type(flow)
    assert twin.id != flow.id
    assert twin.live is False
    assert twin.get_state() | {"id": flow.id} == flow.get_state()
    assert twin.client_conn is not flow.client_conn
    assert twin.client_conn == flow.client_conn


def test_copies_share_nothing() -> None:
    flow = websocket_flow("a", error="lost")
    flow.metadata["list"] = [1]
    twin = flow.copy()
    twin.request.headers["x"] = "1"
    twin.websocket.messages[0].content = b"changed"
    twin.error.msg = "changed"
    twin.metadata["list"].append(2)
    assert "x" not in flow.request.headers
    assert flow.websocket.messages[0].content == b"a"
    assert flow.error.msg == "lost"
    assert flow.metadata == {"list": [1]}


def test_what_cannot_be_copied_is_shared() -> None:
    flow, lock = http_flow(), threading.Lock()
    flow.metadata |= {"lock": lock, "list": [1]}
    twin = flow.copy()
    assert twin.metadata["lock"] is lock
    assert twin.metadata["list"] is not flow.metadata["list"]


def test_copies_of_the_copy_module() -> None:
    flow = http_flow()
    assert copy.copy(flow).request is flow.request
    assert copy.deepcopy(flow).request is not flow.request
    assert copy.deepcopy(flow).request == flow.request


# -- undo --------------------------------------------------------------------------------------------------------


def test_backup_and_revert() -> None:
    flow = http_flow()
    assert not flow.modified()
    flow.backup()
    assert not flow.modified()
    flow.request.path = "/new"
    assert flow.modified()
    flow.revert()
    assert not flow.modified()
    assert flow.request.path == "/"
    flow.revert()
    assert flow.request.path == "/"


def test_the_first_backup_stays_unless_forced() -> None:
    flow = http_flow()
    flow.backup()
    flow.request.path = "/1"
    flow.backup()
    flow.revert()
    assert flow.request.path == "/"
    flow.backup()
    flow.request.path = "/1"
    flow.backup(force=True)
    flow.request.path = "/2"
    flow.revert()
    assert flow.request.path == "/1"


@pytest.mark.parametrize(
    ("change", "look"),
    [
        (lambda f: setattr(f, "response", None), lambda f: f.response.content),
        (lambda f: f.response.headers.clear(), lambda f: f.response.headers.fields),
        (lambda f: setattr(f, "error", Error("x")), lambda f: f.error),
        (lambda f: setattr(f, "comment", "x"), lambda f: f.comment),
        (lambda f: setattr(f, "marked", ":x:"), lambda f: f.marked),
        (lambda f: setattr(f, "is_replay", "request"), lambda f: f.is_replay),
        (lambda f: f.metadata.__setitem__("a", 1), lambda f: f.metadata),
        (lambda f: f.metadata["list"].append(2), lambda f: f.metadata["list"]),
        (lambda f: setattr(f.client_conn, "sni", "x"), lambda f: f.client_conn.sni),
        (lambda f: setattr(f.server_conn, "address", ("x", 1)), lambda f: f.server_conn.address),
        (lambda f: f.intercept(), lambda f: f.intercepted),
    ],
)
def test_any_change_is_seen_and_taken_back(change: Any, look: Any) -> None:
    flow = http_flow(answer=response(200, b"x"))
    flow.metadata["list"] = [1]
    before = copy.deepcopy(look(flow))
    flow.backup()
    change(flow)
    assert flow.modified()
    flow.revert()
    assert look(flow) == before


def test_messages_are_taken_back() -> None:
    for flow in (tcp_flow(b"a"), websocket_flow("a")):
        flow.backup()
        _messages(flow)[0].content = b"b"
        assert flow.modified()
        flow.revert()
        assert _messages(flow)[0].content == b"a"


def _messages(flow: Any) -> Any:
    return flow.websocket.messages if flow.type == "http" else flow.messages


def test_the_backup_is_part_of_the_state_while_it_differs() -> None:
    flow = http_flow()
    flow.backup()
    assert flow.get_state()["backup"] is None
    flow.request.path = "/new"
    backup = flow.get_state()["backup"]
    assert backup["request"]["path"] == b"/"
    assert backup["backup"] is None
    twin = Flow.from_state(flow.get_state())
    assert twin.modified()
    twin.revert()
    assert twin.request.path == "/"


@pytest.mark.parametrize("flow", every_kind())
def test_a_backup_goes_through_a_file(flow: Any) -> None:
    flow.backup()
    flow.comment = "changed"
    (twin,) = read_flows(record(flow))
    assert twin.modified()
    twin.comment = flow.get_state()["backup"]["comment"]
    assert not twin.modified()
    twin.comment = "changed"
    twin.revert()
    assert twin.comment == ""


def test_a_copy_can_be_reverted_and_stays_a_copy() -> None:
    flow = http_flow()
    flow.metadata["list"] = [1]
    flow.backup()
    flow.request.path = "/new"
    twin = flow.copy()
    identity = twin.id
    assert twin.modified()
    twin.revert()
    twin.metadata["list"].append(2)
    assert (twin.request.path, twin.id) == ("/", identity)
    flow.revert()
    assert flow.metadata == {"list": [1]}


# -- control -----------------------------------------------------------------------------------------------------


class Live:
    """What relays a flow, as far as a flow knows."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def kill(self, flow: Any) -> None:
        self.told.append(("kill", flow))

    def intercept(self, flow: Any) -> None:
        self.told.append(("intercept", flow))

    def resume(self, flow: Any) -> None:
        self.told.append(("resume", flow))


def test_a_saved_flow_cannot_be_killed() -> None:
    for flow in every_kind():
        assert not flow.killable
        error = flow.error
        with pytest.raises(ControlException, match="not killable"):
            flow.kill()
        assert flow.error is error


@pytest.mark.parametrize("live", [True, Live()])
def test_a_live_flow_is_killed_once(live: Any) -> None:
    flow = http_flow(live=live)
    assert flow.killable
    flow.intercept()
    flow.kill()
    assert (flow.error.msg, flow.intercepted, flow.killable, flow.live) == ("Connection killed.", False, False, False)
    with pytest.raises(ControlException):
        flow.kill()
    if live is not True:
        assert live.told == [("intercept", flow), ("kill", flow)]


def test_killable_in_spite_of_another_error() -> None:
    assert http_flow(live=True, error="other").killable
    assert not http_flow(live=True, error=Error.KILLED_MESSAGE).killable


@pytest.mark.parametrize("live", [False, True, Live()])
def test_intercept_and_resume(live: Any) -> None:
    flow = http_flow(live=live)
    flow.resume()
    assert not flow.intercepted
    flow.intercept()
    flow.intercept()
    assert flow.intercepted
    flow.resume()
    flow.resume()
    assert not flow.intercepted
    if isinstance(live, Live):
        assert [what for what, _ in live.told] == ["intercept", "resume"]


# -- errors ------------------------------------------------------------------------------------------------------


def test_errors() -> None:
    error = Error("bad", 5.0)
    assert (str(error), repr(error), error.get_state()) == ("bad", "bad", {"msg": "bad", "timestamp": 5.0})
    assert error == error.copy() == Error.from_state({"msg": "bad", "timestamp": 5.0})
    assert error.copy() is not error
    assert error != Error("bad", 6.0)
    assert error != "bad"
    assert Error("x", 0).timestamp == 0
    assert Error("x").timestamp > 1_700_000_000


def test_when_a_flow_began() -> None:
    assert tcp_flow().timestamp_start == tcp_flow().client_conn.timestamp_start
    flow = http_flow()
    flow.request.timestamp_start = 5.0
    assert flow.timestamp_start == 5.0
