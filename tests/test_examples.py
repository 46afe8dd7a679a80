from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.flows import EXAMPLES, environment, read_flows, run_flowdump

SAMPLE = EXAMPLES / "sample.flows"


def _made(folder: Path) -> Path:
    target = folder / "made.flows"
    command = [sys.executable, os.fspath(EXAMPLES / "make_sample.py"), os.fspath(target)]
    subprocess.run(command, check=True, env=environment(), timeout=60)
    return target


def _facts(flow: Any) -> dict[str, Any]:
    """The state of a flow with decoded bodies: compressed ones differ between versions of zlib and brotli."""
    for message in (flow.request, flow.response) if flow.type == "http" else ():
        if message is not None and "content-encoding" in message.headers:
            message.raw_content = message.content
            message.headers["content-length"] = "any"
    return flow.get_state()  # type: ignore[no-any-return]


def test_sample_is_what_its_program_makes(tmp_path: Path) -> None:
    made = [_facts(flow) for flow in read_flows(_made(tmp_path))]
    assert made == [_facts(flow) for flow in read_flows(SAMPLE)]


def test_sample_is_small_and_passes_through_untouched(tmp_path: Path) -> None:
    run_flowdump("-q", "-r", SAMPLE, "-w", "copy", cwd=tmp_path, check=True)
    assert (tmp_path / "copy").read_bytes() == SAMPLE.read_bytes()
    assert SAMPLE.stat().st_size < 40_000


def test_sample_has_flows_of_many_kinds() -> None:
    flows = read_flows(SAMPLE)
    pages = [flow for flow in flows if flow.type == "http"]
    answers = [flow.response for flow in pages if flow.response]
    assert 8 <= len(flows) <= 12
    assert {flow.type for flow in flows} == {"http", "dns"}
    assert {answer.status_code for answer in answers} == {101, 200, 301, 303, 404}
    assert {answer.headers.get("content-encoding") for answer in answers} == {None, "gzip", "br"}
    assert {flow.request.http_version for flow in pages} == {"HTTP/1.1", "HTTP/2.0"}
    assert [flow.error is not None for flow in pages].count(True) == 1
    assert [flow.websocket is not None for flow in pages].count(True) == 1
    assert "/seeds.html" in answers[1].text


def test_sample_names_example_hosts_only() -> None:
    hosts = {flow.request.host for flow in read_flows(SAMPLE) if flow.type == "http"}
    assert all(host.endswith(("example.com", "example.org", "example.net")) for host in hosts)
