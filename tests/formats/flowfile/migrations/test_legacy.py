"""Records of 0.4 to 0.10, the ones that no later mitmproxy reads."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.formats.flowfile.migrations import Migrator
from flowdump.formats.flowfile.state import StateError


def json_record(**changes: Any) -> bytes:
    record = {
        "version": [0, 5],
        "backup": None,
        "error": None,
        "request": {
            "client_conn": ["10.0.0.1", 22],
            "host": "a.b",
            "port": 80,
            "scheme": "http",
            "method": "GET",
            "path": "/\u00e9",
            "headers": [["Host", "a.b"]],
            "content": base64.encodebytes(b"ask" * 40).decode(),
            "timestamp": 5.5,
        },
        "response": {
            "code": 200,
            "msg": "OK",
            "headers": [],
            "content": base64.encodebytes(b"\x00\xff").decode(),
            "timestamp": 6.5,
        },
    }
    return json.dumps({**record, **changes}).encode()


def record_0_10(**changes: Any) -> dict[bytes, Any]:
    request = {
        b"client_conn": {b"address": [b"10.0.0.1", 22], b"requestcount": 1, b"error": b"reset"},
        b"httpversion": [1, 0],
        b"host": b"a.b",
        b"port": 443,
        b"scheme": b"https",
        b"method": b"GET",
        b"path": b"/",
        b"headers": [[b"Host", b"a.b"]],
        b"content": b"",
        b"ip": b"192.0.2.1",
        b"timestamp_start": 5.0,
        b"timestamp_end": 5.25,
        b"tcp_setup_timestamp": 5.5,
        b"ssl_setup_timestamp": 5.75,
    }
    response = {
        b"httpversion": [1, 1],
        b"code": 200,
        b"msg": b"OK",
        b"headers": [],
        b"content": 0,
        b"cert": None,
        b"timestamp_start": 6.0,
        b"timestamp_end": 6.5,
    }
    request.update({key.encode(): value for key, value in changes.items()})
    return {b"version": [0, 10, 1], b"error": None, b"request": request, b"response": response}


def migrate(record: object) -> dict[str, Any]:
    return Migrator().migrate(record)


def test_json_records() -> None:
    flow = migrate(json_record())
    assert (flow["type"], flow["version"], flow["websocket"], flow["timestamp_created"]) == ("http", 21, None, 5.5)
    request, response = flow["request"], flow["response"]
    assert (request["host"], request["path"], request["http_version"]) == ("a.b", "/\u00e9".encode(), b"HTTP/1.1")
    assert request["content"] == b"ask" * 40
    assert request["headers"] == [[b"Host", b"a.b"]]
    assert request["timestamp_start"] == request["timestamp_end"] == 5.5
    assert (response["status_code"], response["reason"], response["content"]) == (200, b"OK", b"\x00\xff")
    assert flow["client_conn"]["peername"] == ["10.0.0.1", 22]
    assert flow["client_conn"]["timestamp_start"] == 5.5
    assert flow["server_conn"]["address"] == ["a.b", 80]
    assert flow["server_conn"]["timestamp_start"] is None


def test_flows_without_response_or_client() -> None:
    record = json.loads(json_record(response=None, error={"msg": "gone", "timestamp": 7}))
    record["request"]["client_conn"] = None
    flow = migrate(json.dumps(record).encode())
    assert flow["response"] is None
    assert flow["error"] == {"timestamp": 7.0, "msg": "gone"}
    assert flow["client_conn"]["peername"] == ["", 0]


def test_backups_of_json_records() -> None:
    backup = json.loads(json_record())
    backup["request"]["path"] = "/before"
    backup["request"]["content"] = backup["response"]["content"] = ""
    assert migrate(json_record(backup=backup))["backup"]["request"]["path"] == b"/before"
    backup["request"]["content"] = "a"
    assert migrate(json_record(backup=backup))["backup"] is None
    backup["backup"] = backup["request"] = {}
    assert migrate(json_record(backup=backup))["backup"] is None
    assert migrate(json_record(backup=5))["backup"] is None


def test_records_of_0_10() -> None:
    flow = migrate(record_0_10())
    client, server = flow["client_conn"], flow["server_conn"]
    assert (client["peername"], client["error"], client["tls"]) == (["10.0.0.1", 22], "reset", True)
    assert (server["peername"], server["address"], server["tls"]) == (["192.0.2.1", 443], ["a.b", 443], True)
    times = server["timestamp_start"], server["timestamp_tcp_setup"], server["timestamp_tls_setup"]
    assert times == (5.25, 5.5, 5.75)
    assert flow["request"]["http_version"] == b"HTTP/1.0"
    assert flow["response"]["content"] is None
    assert flow["timestamp_created"] == 5.0


def test_a_reused_connection_has_no_setup_times() -> None:
    server = migrate(record_0_10(ip=None, tcp_setup_timestamp=None, ssl_setup_timestamp=None))["server_conn"]
    assert server["timestamp_start"] is server["timestamp_tcp_setup"] is server["peername"] is None


def test_certificates_in_der() -> None:
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    day = datetime.datetime(2012, 1, 1, tzinfo=datetime.UTC)
    name = x509.Name([])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, day, day + datetime.timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    record = record_0_10()
    record[b"response"][b"der_cert"] = certificate.public_bytes(serialization.Encoding.DER)
    pem = certificate.public_bytes(serialization.Encoding.PEM)
    assert migrate(record)["server_conn"]["certificate_list"] == [pem]


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (b"{", "neither a dict nor JSON"),
        (b'{"a":' * 100000, "neither a dict nor JSON"),
        (b"\xef\xbb\xbf{}", "not a dict"),
        (json_record(request=None), "request: missing"),
        (json_record(request={"content": "a"}), "request.content: expected a body in base64"),
        (json_record(version=[0, 3]), "version: unknown flow format version"),
        (json_record(response={"code": "200"}), "response.status_code: expected an integer, found text"),
        ({b"version": [0, 7]}, "request: missing"),
        (record_0_10(port=b"443"), "request.port: expected an integer, found bytes|a host and a port"),
    ],
)
def test_unusable_records(record: object, message: str) -> None:
    with pytest.raises(StateError, match=message):
        migrate(record)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 2**70), st.floats(), st.text(max_size=4)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)
KEYS = ["client_conn", "host", "port", "scheme", "path", "headers", "content", "timestamp", "httpversion", "ip"]


def try_to_migrate(record: bytes) -> dict[str, Any] | StateError:
    """The state, or the error; any other exception is for the test to fail on."""
    try:
        return migrate(record)
    except StateError as error:
        return error


@given(st.sampled_from(["backup", "error", "request", "response"]), st.sampled_from([*KEYS, "code", "msg"]), JSON, JSON)
@settings(deadline=None, max_examples=300)
def test_no_json_raises_anything_else(part: str, key: str, inner: Any, outer: Any) -> None:
    record = json.loads(json_record())
    record[part] = {**record[part], key: inner} if isinstance(record[part], dict) else outer
    outcome = try_to_migrate(json.dumps(record).encode())
    assert isinstance(outcome, StateError) or outcome["version"] == 21
