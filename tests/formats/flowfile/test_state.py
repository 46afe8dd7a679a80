"""Whole states: order and defaults, byte-stability of current files, and that nothing but StateError is ever raised."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.formats.flowfile import state, tnetstring
from flowdump.formats.flowfile.state import StateError, complete, complete_section

PLAIN = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-5, 70000),
        st.just(10**400),
        st.floats(),
        st.binary(max_size=5),
        st.text(max_size=5),
        st.just("a\ud800"),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.lists(inner, max_size=4).map(tuple),
        st.dictionaries(st.one_of(st.text(max_size=3), st.binary(max_size=2), st.integers()), inner, max_size=3),
    ),
    max_leaves=6,
)

MINIMAL: dict[str, dict[str, Any]] = {
    "http": {
        "type": "http",
        "request": {
            "host": "a.b",
            "port": 80,
            "method": b"GET",
            "scheme": b"http",
            "path": b"/",
            "timestamp_start": 5.0,
        },
    },
    "tcp": {"type": "tcp", "client_conn": {"timestamp_start": 5.0}},
    "udp": {"type": "udp", "client_conn": {"timestamp_start": 5.0}},
    "dns": {"type": "dns", "request": {}, "client_conn": {"timestamp_start": 5.0}},
}


def full(kind: str) -> dict[str, Any]:
    """A state with something in every part."""
    flow = complete(MINIMAL[kind])
    flow["error"] = {"timestamp": 9.0, "msg": "gone"}
    flow["metadata"] = {"a": [1, {"b": None}]}
    flow["server_conn"]["via"] = ["http", ["p", 3128]]
    flow["server_conn"]["address"] = ["a.b", 80]
    flow["client_conn"]["proxy_mode"] = "upstream:http://p:3128"
    if kind == "http":
        flow["request"]["headers"] = [[b"Host", b"a.b"]]
        flow["response"] = complete({**MINIMAL["http"], "response": {"status_code": 200, "trailers": []}})["response"]
        message = [1, True, b"hi", 6.0, False, False]
        flow["websocket"] = {
            "timestamp_end": 8.0,
            "close_reason": "",
            "close_code": 1000,
            "closed_by_client": None,
            "messages": [message],
        }
    elif kind == "dns":
        record = {"data": b"\x01\x02\x03\x04", "ttl": 60, "class_": 1, "type": 1, "name": "a.b"}
        flow["response"] = {**flow["request"], "answers": [record], "questions": [{"class_": 1, "type": 1, "name": ""}]}
    else:
        flow["messages"] = [[True, b"hi", 6.0]]
    flow["backup"] = {**copy.deepcopy(flow), "comment": "before"}
    return flow


CONNECTION_DEFAULTS = {
    "timestamp_tls_setup": None,
    "timestamp_end": None,
    "sni": None,
    "tls_version": None,
    "cipher_list": [],
    "cipher": None,
    "alpn_offers": [],
    "alpn": None,
    "certificate_list": [],
    "tls": False,
    "error": None,
}


def test_the_smallest_flow_gets_every_default_in_the_order_of_the_file() -> None:
    flow = complete(MINIMAL["http"])
    ids = flow["id"], flow["client_conn"]["id"], flow["server_conn"]["id"]
    assert len(set(ids)) == 3
    assert flow["request"] == {
        "path": b"/",
        "authority": b"",
        "scheme": b"http",
        "method": b"GET",
        "port": 80,
        "host": "a.b",
        "timestamp_end": None,
        "timestamp_start": 5.0,
        "trailers": None,
        "content": b"",
        "headers": [],
        "http_version": b"HTTP/1.1",
    }
    assert flow["client_conn"] == {
        **CONNECTION_DEFAULTS,
        "proxy_mode": "regular",
        "mitmcert": None,
        "timestamp_start": 5.0,
        "transport_protocol": "tcp",
        "id": ids[1],
        "sockname": ["", 0],
        "peername": ["", 0],
    }
    assert flow["server_conn"] == {
        **CONNECTION_DEFAULTS,
        "via": None,
        "timestamp_tcp_setup": None,
        "address": None,
        "timestamp_start": None,
        "transport_protocol": "tcp",
        "id": ids[2],
        "sockname": None,
        "peername": None,
    }
    rest = {key: value for key, value in flow.items() if key not in ("request", "client_conn", "server_conn", "id")}
    assert rest == {
        "websocket": None,
        "response": None,
        "backup": None,
        "timestamp_created": 5.0,
        "comment": "",
        "metadata": {},
        "marked": "",
        "is_replay": None,
        "intercepted": False,
        "error": None,
        "type": "http",
        "version": 21,
    }
    assert " ".join(flow) == (
        "websocket response request backup timestamp_created comment metadata marked is_replay intercepted "
        "server_conn client_conn error id type version"
    )
    assert " ".join(flow["client_conn"]) == (
        "proxy_mode mitmcert timestamp_tls_setup timestamp_end timestamp_start sni tls_version cipher_list cipher "
        "alpn_offers alpn certificate_list tls error transport_protocol id sockname peername"
    )
    assert " ".join(flow["server_conn"]) == (
        "via timestamp_tcp_setup address timestamp_tls_setup timestamp_end timestamp_start sni tls_version cipher_list "
        "cipher alpn_offers alpn certificate_list tls error transport_protocol id sockname peername"
    )


@pytest.mark.parametrize(("kind", "protocol"), [("http", "tcp"), ("tcp", "tcp"), ("udp", "udp"), ("dns", "udp")])
def test_each_type_has_its_transport_protocol_and_start(kind: str, protocol: str) -> None:
    flow = complete(MINIMAL[kind])
    assert flow["type"] == kind
    assert flow["client_conn"]["transport_protocol"] == flow["server_conn"]["transport_protocol"] == protocol
    assert flow["timestamp_created"] == flow["client_conn"]["timestamp_start"] == 5.0


def test_the_smallest_dns_flow() -> None:
    assert complete(MINIMAL["dns"])["request"] == {
        "timestamp": None,
        "additionals": [],
        "authorities": [],
        "answers": [],
        "questions": [],
        "response_code": 0,
        "reserved": 0,
        "recursion_available": False,
        "recursion_desired": False,
        "truncation": False,
        "authoritative_answer": False,
        "op_code": 0,
        "query": False,
        "id": 0,
    }


@pytest.mark.parametrize("kind", list(MINIMAL))
def test_a_complete_state_stays_as_it_is(kind: str) -> None:
    flow = full(kind)
    before = copy.deepcopy(flow)
    again = complete(flow)
    assert tnetstring.dumps(again) == tnetstring.dumps(complete(again))
    assert again == flow == before


def test_the_file_order_does_not_depend_on_the_order_given() -> None:
    flow = complete(full("http"))
    shuffled = {key: flow[key] for key in sorted(flow)}
    shuffled["request"] = {key: flow["request"][key] for key in sorted(flow["request"])}
    assert tnetstring.dumps(complete(shuffled)) == tnetstring.dumps(flow)


def test_unknown_keys_are_dropped() -> None:
    flow = full("http")
    before = copy.deepcopy(flow)
    for part in (flow, flow["request"], flow["response"], flow["client_conn"], flow["server_conn"], flow["websocket"]):
        part["surprise"] = 1
    assert complete(flow) == before


def put(flow: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    part: Any = flow
    *steps, last = path.split(".")
    for step in steps:
        part = part[int(step) if step.isdigit() else step]
    part[int(last) if last.isdigit() else last] = value
    return flow


@pytest.mark.parametrize(
    ("kind", "path", "value", "message"),
    [
        ("http", "request", None, "request: missing"),
        ("http", "request", [], "request: expected a dict, found a list"),
        ("http", "request.port", "80", "request.port: expected an integer, found text"),
        ("http", "request.host", None, "request.host: missing"),
        ("http", "request.headers", [[b"a"]], "request.headers.0: expected a name and a value"),
        ("http", "response.status_code", "200", "response.status_code: expected an integer, found text"),
        ("http", "response.content", "x", "response.content: expected bytes, found text"),
        ("http", "websocket.messages.0.2", 1, "websocket.messages.0: expected bytes, found an integer"),
        ("http", "client_conn", 5, "client_conn: expected a dict, found an integer"),
        ("http", "client_conn.peername", "x", "client_conn.peername: expected a list, found text"),
        ("http", "server_conn.tls", 1, "server_conn.tls: expected true or false, found an integer"),
        ("http", "error", "gone", "error: expected a dict, found text"),
        ("tcp", "messages", {}, "messages: expected a list, found a dict"),
        ("dns", "response.answers.0.type", None, "response.answers.0.type: missing"),
        ("dns", "request", None, "request: missing"),
        ("http", "type", "gopher", "type: unknown flow type 'gopher'"),
        ("http", "type", None, "type: unknown flow type None"),
        ("http", "type", [], "type: unknown flow type []"),
    ],
)
def test_unusable_states_are_refused_by_key(kind: str, path: str, value: object, message: str) -> None:
    with pytest.raises(StateError) as caught:
        complete(put(full(kind), path, value))
    text = str(caught.value)
    assert (
        text == message or text == f"{message.partition(':')[0]}{message.partition(':')[1]}{message.partition(':')[2]}"
    )


@pytest.mark.parametrize(
    ("path", "value", "stored"),
    [
        ("client_conn", None, None),
        ("client_conn.tls_version", "TLSv9", None),
        ("client_conn.mitmcert", b"no certificate", None),
        ("client_conn.certificate_list", [b"no certificate"], []),
        ("client_conn.transport_protocol", "sctp", "tcp"),
        ("server_conn.address", ["::1", 80, 0, 0], ["::1", 80]),
        ("server_conn.via", ["socks5", ["p", 1]], None),
        ("client_conn.proxy_mode", "osproxy:curl", "local:curl"),
        ("client_conn.proxy_mode", "upstream:http://u:p@p:3128", "upstream:http://p:3128"),
        ("metadata", None, {}),
        ("comment", "\udfff", "?"),
        ("comment", None, ""),
        ("marked", True, ":default:"),
        ("intercepted", None, False),
        ("is_replay", False, None),
        ("timestamp_created", None, 5.0),
        ("error", [], None),
        ("response", {}, None),
        ("websocket", [], None),
        ("backup", "none", None),
        ("backup.request", None, None),
        ("backup.comment", "\udfff", None),
        ("request.content", 0, None),
        ("request.timestamp_start", 5, 5),
        ("client_conn.timestamp_start", 5, 5.0),
        ("request.method", "GET", b"GET"),
    ],
)
def test_what_mitmproxy_would_refuse_is_replaced(path: str, value: object, stored: object) -> None:
    flow: Any = complete(put(full("http"), path, value))
    if path == "client_conn":
        assert flow["client_conn"]["peername"] == ["", 0]
    elif path == "backup.request":
        assert flow["backup"] is None
    elif path == "backup.comment":
        assert flow["backup"]["comment"] == "?"
    else:
        for step in path.split("."):
            flow = flow[step]
        assert flow == stored
        assert type(flow) is type(stored)


def test_a_mode_that_mitmproxy_does_not_know_takes_the_upstream_with_it() -> None:
    flow = complete(put(full("http"), "client_conn.proxy_mode", "upstream:socks5://u:p@p:1080"))
    assert flow["client_conn"]["proxy_mode"] == "regular"
    assert flow["server_conn"]["via"] is None
    assert complete(put(full("http"), "client_conn.proxy_mode", "regular"))["server_conn"]["via"] is not None


def test_tls_follows_from_its_setup_time_where_it_is_unknown() -> None:
    flow = full("http")
    del flow["client_conn"]["tls"], flow["server_conn"]["tls"]
    flow["client_conn"]["timestamp_tls_setup"] = 6.0
    done = complete(flow)
    assert (done["client_conn"]["tls"], done["server_conn"]["tls"]) == (True, False)


def test_content_that_is_absent_differs_from_content_that_was_not_recorded() -> None:
    flow = full("http")
    flow["request"]["content"] = None
    del flow["response"]["content"]
    done = complete(flow)
    assert (done["request"]["content"], done["response"]["content"]) == (None, b"")


def test_backups_are_completed_but_have_no_backup_themselves() -> None:
    flow = full("http")
    del flow["backup"]["marked"]
    flow["backup"]["backup"] = full("http")
    done = complete(flow)
    assert done["backup"]["marked"] == ""
    assert done["backup"]["backup"] is None
    assert done["backup"]["comment"] == "before"


def test_an_endless_chain_of_backups_ends() -> None:
    flow = full("http")
    flow["backup"] = flow
    assert complete(flow)["backup"]["backup"] is None


def test_sections_alone() -> None:
    client = complete(MINIMAL["http"])["client_conn"]
    assert complete_section("client_conn", dict(reversed(client.items()))) == client
    with pytest.raises(StateError, match=r"^server_conn\.address: expected a list"):
        complete_section("server_conn", {"address": 5})


def test_what_is_no_dict_is_no_flow() -> None:
    with pytest.raises(StateError, match="not a dict"):
        complete([])  # type: ignore[arg-type]


def outcome(value: Any) -> dict[str, Any] | StateError:
    """The completed state, or the error; any other exception is for the test to fail on."""
    try:
        return complete(value)
    except StateError as error:
        return error


@given(PLAIN)
@settings(deadline=None, max_examples=200)
def test_no_value_raises_anything_else(value: object) -> None:
    assert isinstance(outcome(value), StateError)


def spots(value: Any, path: str = "") -> list[str]:
    """The path of everything in a state, but for its type."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = []
    for key, item in items:
        here = f"{path}.{key}" if path else str(key)
        found += [here, *spots(item, here)] if here != "type" else []
    return found


SPOTS = [(kind, path) for kind in MINIMAL for path in spots({**full(kind), "backup": None})]


@given(st.sampled_from(SPOTS), PLAIN, st.sampled_from(SPOTS), PLAIN)
@settings(deadline=None, max_examples=700)
def test_no_mutation_raises_anything_else_and_what_comes_out_can_be_stored(
    first: tuple[str, str], value: object, second: tuple[str, str], other: object
) -> None:
    flow = put(full(first[0]), first[1], value)
    if second[0] == first[0] and not second[1].startswith(first[1]):
        flow = put(flow, second[1], other)
    done = outcome(flow)
    if not isinstance(done, StateError):
        stored = tnetstring.loads(tnetstring.dumps(done))
        assert complete(stored).keys() == done.keys()
        assert repr(complete(stored)) == repr(stored)


def test_current_files_come_out_byte_for_byte(shared_data: Path) -> None:
    files = [*shared_data.glob("examples/*.mitm"), *shared_data.glob("generated/*-12.2.3.mitm")]
    assert len(files) >= 8
    for file in files:
        data, offset = file.read_bytes(), 0
        while offset < len(data):
            record, end = tnetstring.parse(data, offset)
            assert tnetstring.dumps(complete(record)) == data[offset:end], file.name
            offset = end


def test_the_tables_have_as_many_keys_as_the_format() -> None:
    sizes = {kind: len(table) for kind, table in state.FLOWS.items()}
    assert sizes == {"http": 16, "tcp": 14, "udp": 14, "dns": 15}
    assert (len(state.CLIENT), len(state.SERVER)) == (18, 19)
