"""Old records: every recorded file against what it should become, and each known quirk by hand."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.flows import ROOT
from tests.support.notation import restored

from flowdump.formats.flowfile import tnetstring
from flowdump.formats.flowfile.migrations import Migrator, NewerVersionError, read_version
from flowdump.formats.flowfile.state import StateError

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
DATA = ROOT.parent / "shared" / "data"
FILES = sorted(str(file.relative_to(DATA)) for file in DATA.glob("**/*.mitm"))


# every recorded file


def parse_all(data: bytes) -> list[Any]:
    records, offset = [], 0
    while offset < len(data):
        record, offset = tnetstring.parse(data, offset)
        records.append(record)
    return records


def differences(expected: Any, found: Any, path: str = "") -> list[str]:
    """What differs, types included: an int where a float is expected is a difference."""
    if expected == "<random-uuid>":
        return [] if isinstance(found, str) and UUID.fullmatch(found) else [f"{path}: {found!r} is no UUID"]
    if path == ".metadata.duplicated":
        return [] if isinstance(found, str) and found else [f"{path}: empty"]
    if type(expected) is not type(found):
        return [f"{path}: {expected!r} != {found!r}"]
    if isinstance(expected, dict):
        if expected.keys() != found.keys():
            return [f"{path}: keys {expected.keys() ^ found.keys()}"]
        return [line for key in expected for line in differences(expected[key], found[key], f"{path}.{key}")]
    if isinstance(expected, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [line for index, (a, b) in pairs for line in differences(a, b, f"{path}.{index}")]
    return [] if expected == found else [f"{path}: {expected!r} != {found!r}"]


def expectations(folder: Path, name: str) -> list[dict[str, Any] | None]:
    """The expected state per record, None where there is none on record."""
    for source in ("expected-recommended", "expected"):
        file = folder / source / f"{name.replace('/', '__')}.json"
        if file.exists():
            return [restored(row["state"]) if "state" in row else None for row in json.loads(file.read_text())]
    return []


@pytest.mark.parametrize("name", FILES)
def test_recorded_files(shared_data: Path, name: str) -> None:
    records = parse_all((shared_data / name).read_bytes())
    migrator = Migrator()
    flows = [migrator.migrate(record) for record in records]
    assert len(flows) == len(records) > 0
    expected = expectations(shared_data, name)
    if not expected:
        assert name.startswith("examples/")
        assert [tnetstring.dumps(flow) for flow in flows] == [tnetstring.dumps(record) for record in records]
        return
    assert len(expected) == len(flows)
    for want, flow in zip(expected, flows, strict=True):
        if want is None:
            assert name == "generated/factory-2.0.2.mitm"
            assert flow["websocket"]["messages"]
            continue
        if name in ("generated/factory-8.1.1.mitm", "generated/factory-9.0.1.mitm") and flow["type"] in ("udp", "dns"):
            want["client_conn"]["transport_protocol"] = want["server_conn"]["transport_protocol"] = "udp"
        assert differences(want, flow) == []
        assert tnetstring.loads(tnetstring.dumps(flow)) == flow


def test_there_are_recorded_files_of_every_age(shared_data: Path) -> None:
    assert len(FILES) >= 70
    assert len(list(shared_data.glob("**/*.mitm"))) == len(FILES)


# trees by hand


def record_0_11() -> dict[bytes, Any]:
    address = {b"address": [b"127.0.0.1", 5012], b"use_ipv6": False}
    return {
        b"version": [0, 11, 3],
        b"type": b"http",
        b"id": b"f1",
        b"error": {b"msg": b"gone", b"timestamp": 9.0},
        b"intercepted": False,
        b"client_conn": {
            b"ssl_established": True,
            b"clientcert": None,
            b"timestamp_start": 1.0,
            b"timestamp_end": None,
            b"timestamp_ssl_setup": 1.5,
            b"address": address,
        },
        b"server_conn": {
            b"ssl_established": False,
            b"source_address": address,
            b"address": {b"address": [b"a.b", 80], b"use_ipv6": False},
            b"timestamp_start": 2.0,
            b"timestamp_end": None,
            b"timestamp_tcp_setup": 2.5,
            b"timestamp_ssl_setup": None,
            b"sni": b"a.b",
            b"cert": None,
            b"state": [],
        },
        b"request": {
            b"is_replay": True,
            b"port": 80,
            b"scheme": b"http",
            b"method": b"GET",
            b"path": b"/",
            b"host": b"a.b",
            b"form_in": b"relative",
            b"form_out": b"relative",
            b"httpversion": [1, 0],
            b"headers": [[b"Host", b"a.b"]],
            b"content": b"",
            b"timestamp_start": 3.0,
            b"timestamp_end": 3.5,
        },
        b"response": {
            b"httpversion": [1, 1],
            b"code": 404,
            b"msg": b"Not Found",
            b"headers": [],
            b"content": b"no",
            b"timestamp_start": 4.0,
            b"timestamp_end": 4.5,
        },
    }


def connections_7() -> dict[str, Any]:
    common = {"alpn_proto_negotiated": b"h2", "cipher_name": "AES", "tls_established": True, "timestamp_end": None}
    return {
        "client_conn": {
            **common,
            "address": ["127.0.0.1", 5012],
            "clientcert": None,
            "id": "c1",
            "mitmcert": None,
            "sni": "a.b",
            "timestamp_start": 1.0,
            "timestamp_tls_setup": 1.5,
            "tls_extensions": None,
            "tls_version": "TLSv1.2",
        },
        "server_conn": {
            **common,
            "address": ["a.b", 443],
            "cert": None,
            "id": "s1",
            "ip_address": ["192.0.2.1", 443],
            "sni": "a.b",
            "source_address": ["192.0.2.9", 999],
            "timestamp_end": 8.0,
            "timestamp_start": 1.0,
            "timestamp_tcp_setup": 1.2,
            "timestamp_tls_setup": 1.4,
            "tls_version": "TLSv1.2",
            "via": None,
        },
    }


def record_7() -> dict[str, Any]:
    times = {"timestamp_start": 2.0, "timestamp_end": 3.0}
    common = {"headers": [], "content": b"", "http_version": b"HTTP/1.1", "is_replay": False, **times}
    return {
        **connections_7(),
        "version": 7,
        "type": "http",
        "id": "f1",
        "error": None,
        "intercepted": False,
        "marked": True,
        "metadata": {},
        "mode": "regular",
        "request": {
            **common,
            "method": b"GET",
            "scheme": b"https",
            "host": b"a.b",
            "port": 443,
            "path": b"/",
            "first_line_format": "absolute",
        },
        "response": {**common, "status_code": 200, "reason": b"OK"},
    }


def record_tcp(version: object) -> dict[str, Any]:
    """TCP flows of 0.18 to 6.0, none of which mitmproxy 12 reads."""
    return {
        **connections_7(),
        "version": version,
        "type": "tcp",
        "id": "t1",
        "error": None,
        "intercepted": False,
        "marked": False,
        "messages": [[True, b"hi", 5.0]],
    }


def migrate(record: object) -> dict[str, Any]:
    return Migrator().migrate(record)


def test_a_record_of_python_2() -> None:
    flow = migrate(record_0_11())
    assert (flow["id"], flow["type"], flow["error"]) == ("f1", "http", {"timestamp": 9.0, "msg": "gone"})
    assert flow["request"]["http_version"] == b"HTTP/1.0"
    assert flow["request"]["host"] == "a.b"
    assert flow["is_replay"] == "request"
    response = flow["response"]
    assert (response["status_code"], response["reason"], response["content"]) == (404, b"Not Found", b"no")
    assert flow["client_conn"]["peername"] == ["127.0.0.1", 5012]
    assert flow["client_conn"]["tls"] is True
    assert flow["client_conn"]["timestamp_tls_setup"] == 1.5
    assert flow["server_conn"]["sni"] == "a.b"
    assert flow["timestamp_created"] == 3.0


def test_a_record_of_version_7() -> None:
    flow = migrate(record_7())
    client, server = flow["client_conn"], flow["server_conn"]
    assert (client["alpn"], client["alpn_offers"], client["cipher"], client["cipher_list"]) == (
        b"h2",
        [b"h2"],
        "AES",
        ["AES"],
    )
    assert (client["sockname"], client["proxy_mode"]) == (["", 0], "regular")
    assert (server["peername"], server["sockname"]) == (["192.0.2.1", 443], ["192.0.2.9", 999])
    assert flow["marked"] == ":default:"
    assert flow["is_replay"] is None
    assert flow["request"]["authority"] == b""
    assert flow["request"]["trailers"] is flow["response"]["trailers"] is None
    assert flow["comment"] == ""


def test_connections_of_old_releases_keep_their_identity_within_a_file() -> None:
    migrator = Migrator()
    first, second = migrator.migrate(record_0_11()), migrator.migrate(record_0_11())
    other = record_0_11()
    other[b"client_conn"][b"timestamp_start"] = 1.25
    third = migrator.migrate(other)
    assert first["client_conn"]["id"] == second["client_conn"]["id"] != third["client_conn"]["id"]
    assert first["server_conn"]["id"] == second["server_conn"]["id"] == third["server_conn"]["id"]
    assert first["client_conn"]["id"] != first["server_conn"]["id"]
    assert migrate(record_0_11())["client_conn"]["id"] != first["client_conn"]["id"]
    assert UUID.fullmatch(first["client_conn"]["id"])


def test_later_connections_keep_their_ids() -> None:
    flow = migrate(record_7())
    assert (flow["client_conn"]["id"], flow["server_conn"]["id"]) == ("c1", "s1")


@pytest.mark.parametrize("address", [{}, {"address": None, "use_ipv6": False}, None])
def test_addresses_as_dicts_at_any_version(address: object) -> None:  # F1
    record = record_7()
    record["client_conn"]["address"] = address
    record["server_conn"]["address"] = {"address": ["a.b", 1], "use_ipv6": True}
    record["server_conn"]["ip_address"] = address
    flow = migrate(record)
    assert flow["client_conn"]["peername"] == ["", 0]
    assert flow["server_conn"]["address"] == ["a.b", 1]
    assert flow["server_conn"]["peername"] is None


@pytest.mark.parametrize("version", [[0, 18, 2], [1, 0, 0], [2, 0, 2], 5, 7, 8, 9, 10, 11, 13, 14])
def test_tcp_flows_of_every_version(version: object) -> None:  # F2
    flow = migrate(record_tcp(version))
    assert flow["messages"] == [[True, b"hi", 5.0]]
    assert not {"request", "response", "websocket", "mode"} & flow.keys()
    assert flow["timestamp_created"] == 1.0


@pytest.mark.parametrize(
    ("established", "setup", "tls"), [(True, None, True), (False, None, False), (None, 1.0, True), (None, None, False)]
)
def test_tls_that_is_null(established: object, setup: object, tls: bool) -> None:  # F3
    record = record_7()
    record["version"] = 10
    record["client_conn"].update(tls=None, tls_established=established, timestamp_tls_setup=setup)
    assert migrate(record)["client_conn"]["tls"] is tls


def test_flows_without_response() -> None:  # F4
    record = record_0_11()
    record[b"response"] = None
    assert migrate(record)["response"] is None


def test_a_source_address_that_is_null() -> None:  # F5
    migrator, flows = Migrator(), []
    for _ in range(2):
        record = record_0_11()
        record[b"server_conn"][b"source_address"] = None
        flows.append(migrator.migrate(record))
    assert flows[0]["server_conn"]["sockname"] is None
    assert flows[0]["server_conn"]["id"] != flows[1]["server_conn"]["id"]


def test_a_server_that_is_null() -> None:  # F6
    record = record_0_11()
    record[b"server_conn"] = None
    server = migrate(record)["server_conn"]
    assert server["address"] == ["a.b", 80]
    assert server["peername"] is server["timestamp_start"] is None


@pytest.mark.parametrize(
    ("version", "key"), [([0, 11], b"content"), ([0, 14], b"body"), ([0, 15], b"body"), ([0, 16], b"content")]
)
def test_bodies_that_were_not_stored(version: list[int], key: bytes) -> None:  # F7
    record = record_0_11()
    record[b"version"] = version
    del record[b"response"][b"content"]
    record[b"response"][key] = 0
    record[b"request"][b"content"] = 0
    record[b"response"][b"status_code"] = 200
    flow = migrate(record)
    assert flow["response"]["content"] is flow["request"]["content"] is None


def test_http_messages_without_a_start() -> None:  # F9
    record = record_7()
    record["request"].update(timestamp_start=None, timestamp_end=None)
    record["response"].update(timestamp_start=None, timestamp_end=None)
    flow = migrate(record)
    assert flow["request"]["timestamp_start"] == flow["response"]["timestamp_start"] == 1.0
    assert flow["request"]["timestamp_end"] is flow["response"]["timestamp_end"] is None
    record = record_7()
    record["response"].update(timestamp_start=None, timestamp_end=None)
    response = migrate(record)["response"]
    assert (response["timestamp_start"], response["timestamp_end"]) == (3.0, 4.0)


@pytest.mark.parametrize(
    ("mode", "stored"), [("osproxy:curl", "local:curl"), ("osproxy", "local"), ("hyperspace", "regular")]
)
def test_modes_of_their_time(mode: str, stored: str) -> None:  # F10
    record = {**record_7(), "version": 20}
    record["client_conn"]["proxy_mode"] = mode
    assert migrate(record)["client_conn"]["proxy_mode"] == stored


def test_backups_are_migrated_too() -> None:  # F11
    record = record_7()
    record["backup"] = {**record_7(), "marked": False}
    record["backup"]["request"]["path"] = b"/before"
    backup = migrate(record)["backup"]
    assert backup["request"]["path"] == b"/before"
    assert (backup["version"], backup["marked"], backup["backup"]) == (21, "", None)
    assert backup["client_conn"]["peername"] == ["127.0.0.1", 5012]
    assert backup["timestamp_created"] == 2.0


def test_backups_of_python_2_without_a_version() -> None:  # F11
    record = record_0_11()
    record[b"backup"] = record_0_11()
    del record[b"backup"][b"version"]
    flow = migrate(record)
    assert flow["backup"]["response"]["status_code"] == 404
    assert flow["backup"]["client_conn"]["id"] == flow["client_conn"]["id"]


@pytest.mark.parametrize("backup", [{}, {"version": 99}, {"version": 7, "type": "http"}, 5, "x"])
def test_backups_that_cannot_be_used_are_dropped(backup: object) -> None:  # F11
    assert migrate({**record_7(), "backup": backup})["backup"] is None


@pytest.mark.parametrize("version", [17, 18])
def test_datagram_flows_without_a_protocol(version: int) -> None:  # F12
    for kind in ("udp", "dns"):
        record = {**record_tcp(version), "type": kind, "request": {}}
        assert migrate(record)["client_conn"]["transport_protocol"] == "udp"
    record["client_conn"]["transport_protocol"] = "tcp"
    assert migrate(record)["client_conn"]["transport_protocol"] == "tcp"


def test_tls_versions() -> None:  # F13
    record = record_7()
    record["client_conn"]["tls_version"] = "SSLv2"
    record["server_conn"]["tls_version"] = "QUIC"
    flow = migrate(record)
    assert flow["client_conn"]["tls_version"] is None
    assert flow["server_conn"]["tls_version"] == "QUICv1"


def test_server_addresses_of_ipv6() -> None:  # F14
    record = record_7()
    record["server_conn"].update(address=["::1", 80, 0, 0], ip_address=["::1", 80, 0, 0])
    server = migrate(record)["server_conn"]
    assert server["address"] == ["::1", 80]
    assert server["peername"] == ["::1", 80, 0, 0]


def test_hosts_that_are_no_idna_names() -> None:  # F15
    record = record_7()
    record["request"]["host"] = b"xn--a\xff"
    assert migrate(record)["request"]["host"] == "xn--a\\xff"


def test_absolute_requests_lose_their_form() -> None:  # F16
    assert migrate(record_7())["request"]["authority"] == b""


def test_every_key_but_the_essential_ones_may_be_missing() -> None:  # F17
    record = record_7()
    for path in ("metadata", "mode", "marked", "error", "id", "server_conn"):
        del record[path]
    record["client_conn"] = {}
    for key in ("first_line_format", "is_replay", "headers", "timestamp_start", "timestamp_end", "http_version"):
        del record["request"][key]
    flow = migrate(record)
    assert flow["request"]["http_version"] == b"HTTP/1.1"
    assert flow["server_conn"]["address"] is not None
    assert UUID.fullmatch(flow["id"])


def test_certificates_that_cannot_be_read() -> None:  # F18
    record = record_7()
    record["client_conn"]["clientcert"] = b"no certificate"
    record["server_conn"]["cert"] = b"no certificate"
    flow = migrate(record)
    assert flow["client_conn"]["certificate_list"] == flow["server_conn"]["certificate_list"] == []


def test_a_server_name_that_is_true() -> None:
    record = {**record_7(), "version": 11}
    record["server_conn"]["sni"] = True
    assert migrate(record)["server_conn"]["sni"] == "a.b"


@pytest.mark.parametrize("version", [9, 10, 14, 18])
def test_the_upstream_of_versions_with_two_vias(version: int) -> None:
    record = {**record_7(), "version": version}
    record["server_conn"].update(via={"address": ["old", 1]}, via2=["http", ["p", 3128]])
    assert migrate(record)["server_conn"]["via"] == ["http", ["p", 3128]]


# versions


@pytest.mark.parametrize(
    ("value", "version"), [([0, 4], (0, 4)), ([0, 18, 3], (0, 18)), ([3, 0, 0], (3, 0)), (4, (4, 0)), (21, (21, 0))]
)
def test_versions_are_recognised(value: object, version: tuple[int, int]) -> None:
    assert read_version(value) == version


@pytest.mark.parametrize("value", [22, 99, [22, 0]])
def test_a_newer_version_says_to_update(value: object) -> None:
    with pytest.raises(NewerVersionError, match=r"version \d\d is newer than 21.*please update flowdump") as caught:
        migrate({**record_7(), "version": value})
    assert caught.value.version in (22, 99)


@pytest.mark.parametrize(
    "value", [None, True, 0, 3, -1, [0, 3], [0, 20], [2], [], ["0", "11"], "21", 2.0, {}, [0, True]]
)
def test_unknown_versions_are_refused(value: object) -> None:
    with pytest.raises(StateError, match="version") as caught:
        migrate({**record_7(), "version": value})
    assert not isinstance(caught.value, NewerVersionError)


@pytest.mark.parametrize("record", [None, 5, "x", [], {}, {"type": "http"}, {b"version": 5}, b"x", b"", b"{", b"[1]"])
def test_what_is_no_flow_is_refused(record: object) -> None:
    with pytest.raises(StateError):
        migrate(record)


def test_a_current_record_is_completed_only() -> None:
    current = migrate(record_7())
    current["server_conn"]["via"] = None
    assert migrate(copy.deepcopy(current)) == current


# anything at all

PLAIN = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.sampled_from([0, 1, 7, 18, 21, 10**400, 1.5, b"", b"x", b"xn--", "", "x", "http", "websocket", "a\ud800"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["address", "a", b"address", b"b", 1, "timestamp_start"]), inner, max_size=3),
    ),
    max_leaves=5,
)


def outcome(record: Any) -> dict[str, Any] | StateError:
    """The state, or the error; any other exception is for the test to fail on."""
    migrator = Migrator()
    try:
        migrator.migrate(copy.deepcopy(record))
        return migrator.migrate(record)
    except StateError as error:
        return error


@given(
    record=st.sampled_from([record_0_11, record_7]),
    version=st.one_of(st.integers(4, 22), st.integers(4, 20).map(lambda minor: [0, minor]), PLAIN),
    mutations=st.lists(
        st.tuples(st.integers(0, 50), st.integers(0, 50), st.sampled_from([True, False]), PLAIN), max_size=3
    ),
)
@settings(deadline=None, max_examples=800)
def test_no_mutation_of_an_old_record_raises_anything_else(record: Any, version: Any, mutations: list[Any]) -> None:
    flow = record()
    flow[b"version" if b"version" in flow else "version"] = version
    for at, inner, deep, value in mutations:
        key = list(flow)[at % len(flow)]
        if deep and isinstance(flow[key], dict) and flow[key]:
            part = flow[key]
            part[list(part)[inner % len(part)]] = value
        else:
            flow[key] = value
    done = outcome(flow)
    if not isinstance(done, StateError):
        assert tnetstring.loads(tnetstring.dumps(done))["version"] == 21
