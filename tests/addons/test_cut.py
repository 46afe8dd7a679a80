"""Cuts: which values paths have, and how they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.commands import commands
from tests.support.flows import http_flow, request, response, tcp_flow, websocket_flow

from flowdump.certs import Cert
from flowdump.exceptions import CommandError

PEM = b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"


def sample() -> Any:
    asked = request("POST", "https://a.example/x?y", b"\x00a", {"X-One": "1"})
    flow = http_flow(asked, response(404, "häß", {"Content-Type": "text/plain; charset=utf-8"}), error="late")
    flow.server_conn.certificate_list = [Cert(PEM), Cert(PEM)]
    flow.marked = ":x:"
    return flow


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("request.method", "POST"),
        ("request.url", "https://a.example/x?y"),
        ("request.content", b"\x00a"),
        ("request.header[x-one]", "1"),
        ("request.header[nope]", ""),
        ("response.status_code", "404"),
        ("response.text", "häß"),
        ("response.content", "häß".encode()),
        ("client_conn.peername.host", "127.0.0.1"),
        ("client_conn.peername.port", "50000"),
        ("server_conn.address.host", "a.example"),
        ("server_conn.tls_established", "false"),
        ("server_conn.certificate_list", (PEM * 2).decode()),
        ("request.timestamp_start", str(sample().request.timestamp_start)),
        ("error.msg", "late"),
        ("error", "late"),
        ("marked", ":x:"),
        ("websocket.close_code", ""),
        ("nope.nope", ""),
        ("request.get_text", ""),
        ("metadata", ""),
    ],
)
def test_paths_have_values(path: str, value: Any) -> None:
    assert commands().call("cut", [sample()], [path]) == [[value]]


def test_rows_and_columns() -> None:
    flows = [websocket_flow("a"), tcp_flow(b"x")]
    cuts = ["type", "websocket.close_code", "response.status_code"]
    assert commands().call("cut", flows, cuts) == [["http", "1000", "101"], ["tcp", "", ""]]


@pytest.mark.parametrize("path", ["_backup", "request.__class__", "request.data.__dict__"])
def test_private_names_are_refused(path: str) -> None:
    with pytest.raises(CommandError, match="is not for others to see"):
        commands().call("cut", [sample()], [path])


def test_an_undecodable_body_is_empty() -> None:
    flow = sample()
    flow.response.headers["content-encoding"] = "gzip"
    assert commands().call("cut", [flow], ["response.content"]) == [[""]]


def test_one_value_is_written_as_it_is(tmp_path: Path) -> None:
    target = tmp_path / "cut"
    for path in (target, f"+{target}"):
        commands().call("cut.save", [sample()], ["request.content"], str(path))
    assert target.read_bytes() == b"\x00a\n\x00a"


def test_several_are_csv(tmp_path: Path) -> None:
    target = tmp_path / "cut.csv"
    flow = sample()
    flow.request.content = b'a "b",\xff'
    commands().call("cut.save", [flow, tcp_flow(b"x")], ["request.content", "type"], str(target))
    assert target.read_bytes() == b'"a ""b"",\\xff",http\r\n,tcp\r\n'
    with pytest.raises(CommandError, match="cannot write"):
        commands().call("cut.save", [flow], ["type"], str(tmp_path))
