"""``script.run``: a script over some flows."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.scripting.inprocess import Bench
from tests.support.commands import commands
from tests.support.flows import http_flow, response

from flowdump.exceptions import CommandError

NOTES = """
    from flowdump import ctx
    from flowdump.exceptions import AddonHalt

    class Other:
        def request(self, flow):
            flow.metadata["seen"].append("other")

    addons = [Other()]

    def load(loader):
        raise AssertionError("it is not loaded")

    def configure(updated):
        assert "anticache" in updated

    {}def request(flow):
        flow.metadata.setdefault("seen", []).append("request")
        if flow.request.path == "/halt":
            raise AddonHalt

    def response(flow):
        flow.metadata["seen"].append("response")
        if flow.request.path == "/error":
            raise ValueError("own")
"""


def flows() -> list[Any]:
    return [http_flow(f"http://a.example/{name}", response(200)) for name in ("plain", "halt", "error")]


def seen(known: list[Any]) -> list[list[str]]:
    return [flow.metadata["seen"] for flow in known]


EXPECTED = [["request", "other", "response"], ["request", "response"], ["request", "other", "response"]]


def test_plain_handlers_have_run_at_once(bench: Bench) -> None:
    path, known, manager = bench.write("notes.py", NOTES.format("")), flows(), commands()
    assert manager.call("script.run", known, str(path)) is None
    assert seen(known) == EXPECTED
    assert "ValueError: own" in manager.master.log.said[-1]  # type: ignore[attr-defined]


def test_asynchronous_handlers_are_a_task(bench: Bench) -> None:
    path, known = bench.write("notes.py", NOTES.format("async ")), flows()

    async def scenario() -> None:
        await commands().call("script.run", known, str(path))

    asyncio.run(scenario())
    assert seen(known) == EXPECTED


def test_a_script_that_cannot_be_loaded_is_told(bench: Bench, tmp_path: Path) -> None:
    broken = bench.write("broken.py", "1 / 0")
    with pytest.raises(CommandError, match=r"broken\.py:1: loading failed: ZeroDivisionError"):
        commands().call("script.run", [], str(broken))
    with pytest.raises(CommandError, match="cannot read script"):
        commands().call("script.run", [], str(tmp_path / "a missing.py"))
