from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.flows import every_kind, http_flow, read_flows, response, run_flowdump, script, write_flows


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [((), "newheader", "foo"), (("x-seen",), "x-seen", "foo"), (("x-seen", "by flowdump"), "x-seen", "by flowdump")],
)
def test_header_is_added(tmp_path: Path, arguments: tuple[str, ...], name: str, value: str) -> None:
    saved = write_flows(tmp_path / "saved", [http_flow(answer=response(200, b"body", {"a": "b"}))])
    run_flowdump("-r", saved, "-s", script("add_header.py", *arguments), "-w", "changed", cwd=tmp_path, check=True)
    (flow,) = read_flows(tmp_path / "changed")
    assert flow.response.headers.fields == ((b"a", b"b"), (b"content-length", b"4"), (name.encode(), value.encode()))


def test_header_that_is_there_is_replaced_in_its_place(tmp_path: Path) -> None:
    saved = write_flows(tmp_path / "saved", [http_flow(answer=response(headers=[("NewHeader", "old"), ("a", "b")]))])
    run_flowdump("-r", saved, "-s", script("add_header.py"), "-w", "changed", cwd=tmp_path, check=True)
    (flow,) = read_flows(tmp_path / "changed")
    assert flow.response.headers.get_all("newheader") == ["foo"]
    assert len(flow.response.headers.fields) == 3


def test_flows_of_every_kind_pass(tmp_path: Path) -> None:
    flows = every_kind()
    saved = write_flows(tmp_path / "saved", flows)
    run_flowdump("-q", "-r", saved, "-s", script("add_header.py"), "-w", "changed", cwd=tmp_path, check=True)
    changed = read_flows(tmp_path / "changed")
    assert [flow.id for flow in changed] == [flow.id for flow in flows]
    with_header = [
        flow.id for flow in changed if flow.type == "http" and "newheader" in getattr(flow.response, "headers", ())
    ]
    assert with_header == [flow.id for flow in flows if flow.type == "http" and flow.response is not None]


def test_response_that_another_script_took_away(tmp_path: Path) -> None:
    (tmp_path / "drop.py").write_text("def responseheaders(flow):\n    flow.response = None\n")
    saved = write_flows(tmp_path / "saved", [http_flow(answer=response())])
    scripts = ["-s", "drop.py", "-s", script("add_header.py"), "-s", script("replacer.py", "a", "b")]
    done = run_flowdump("-r", saved, *scripts, cwd=tmp_path, check=True)
    assert "(no response)" in done.stdout
