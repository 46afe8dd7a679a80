"""Flows into files by command."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from tests.support.commands import commands
from tests.support.flows import http_flow, read_flows, response, tcp_flow

from flowdump.exceptions import CommandError


def flows() -> list[Any]:
    return [http_flow("http://a.example/1", response(200, b"x")), tcp_flow(b"x"), http_flow("http://a.example/2")]


def test_flow_files(tmp_path: Path) -> None:
    target, known = tmp_path / "new" / "saved", flows()
    manager = commands()
    manager.call("save.file", known, str(target))
    manager.call("save.file", known[:1], f"+{target}")
    assert [flow.id for flow in read_flows(target)] == [flow.id for flow in [*known, known[0]]]
    manager.call("save.file", known[:1], str(target))
    assert len(read_flows(target)) == 1
    assert manager.master.log.said[-1] == f"alert: 1 flow written to {target}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["saved.har", "saved.zhar"])
def test_hars(tmp_path: Path, name: str) -> None:
    target, manager = tmp_path / name, commands()
    manager.call("save.har", flows(), str(target))
    data = target.read_bytes()
    entries = json.loads(zlib.decompress(data) if name.endswith(".zhar") else data)["log"]["entries"]
    assert [entry["request"]["url"] for entry in entries] == ["http://a.example/1", "http://a.example/2"]
    said = manager.master.log.said  # type: ignore[attr-defined]
    assert said[-1] == f"alert: 2 flows written to {target}, 1 flow left out: a HAR is for HTTP only"


@pytest.mark.parametrize("name", ["save.file", "save.har"])
def test_files_that_cannot_be_written_are_told(tmp_path: Path, name: str) -> None:
    with pytest.raises(CommandError, match=r"cannot write .*: Is a directory"):
        commands().call(name, flows(), str(tmp_path))
