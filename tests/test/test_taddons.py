"""A running flowdump for tests of scripts, and the test that the documentation of mitmproxy shows."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flowdump import ctx
from flowdump.addons import anticache
from flowdump.exceptions import AddonHalt, AddonManagerError, CommandError, OptionsError, ScriptError
from flowdump.options import Options
from flowdump.runtime import commands
from flowdump.scripting.script import Script
from flowdump.test import taddons, tflow


class TestAntiCache:
    """As in the documentation, with the lines that it lost (see decisions.md 17)."""

    def test_simple(self) -> None:
        sa = anticache.AntiCache()
        with taddons.context() as tctx:
            f = tflow.tflow(resp=True)
            f.request.headers["if-modified-since"] = "test"
            f.request.headers["if-none-match"] = "test"

            sa.request(f)
            assert "if-modified-since" in f.request.headers
            assert "if-none-match" in f.request.headers

            tctx.configure(sa, anticache=True)
            sa.request(f)
            assert "if-modified-since" not in f.request.headers
            assert "if-none-match" not in f.request.headers


class Limiter:
    """An addon with an option."""

    def __init__(self) -> None:
        self.heard: list[Any] = []

    def load(self, loader: Any) -> None:
        loader.add_option("limit", int, 5, "How many.")

    def configure(self, updated: set[str]) -> None:
        self.heard.append("limit" in updated and ctx.options.limit)
        if ctx.options.limit < 0:
            raise OptionsError("limit must not be negative")

    def request(self, flow: Any) -> None:
        self.heard.append("request")
        ctx.log.info(f"request {flow.request.path}")
        raise AddonHalt

    async def response(self, flow: Any) -> None:
        self.heard.append("response")

    def done(self) -> None:
        self.heard.append("done")


def test_options_and_configure() -> None:
    addon = Limiter()
    with taddons.context(addon) as tctx:
        assert addon.heard == [5]
        tctx.configure(addon, limit=7)
        assert (tctx.options.limit, addon.heard) == (7, [5, 7])
        tctx.configure(addon)
        assert addon.heard == [5, 7, False]
        with pytest.raises(OptionsError, match="negative"):
            tctx.configure(addon, limit=-1)
        assert tctx.options.limit == 7
        with pytest.raises(OptionsError, match="unknown"):
            tctx.configure(addon, nonsense=1)


def test_a_context_is_left_as_it_was_entered() -> None:
    before = vars(ctx).get("master")
    with taddons.context() as outer:
        with taddons.context(options=Options()) as inner:
            assert ctx.master is inner.master
            assert ctx.options is inner.options is inner.master.options
        assert ctx.master is outer.master
        assert ctx.log is outer.master.log
    assert vars(ctx).get("master") is before


def test_cycle_fires_the_events_of_a_flow() -> None:
    addon = Limiter()
    with taddons.context() as tctx:
        tctx.configure(addon)
        addon.heard.clear()
        asyncio.run(tctx.cycle(addon, tflow.tflow(resp=True)))
    assert addon.heard == ["request", "response"]


def test_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with taddons.context() as tctx:
        ctx.log.warn("careful")
        ctx.log("plain")
        assert tctx.master.has_log("care")
        assert tctx.master.has_log("care", "warn")
        assert not tctx.master.has_log("care", "info")
        assert [entry.level for entry in tctx.master.logs] == ["warn", "info"]
        assert "careful" in caplog.text
        asyncio.run(tctx.master.await_log("plain"))
        tctx.master.clear()
        with pytest.raises(TimeoutError):
            asyncio.run(tctx.master.await_log("plain", timeout=0.01))


def test_invoke() -> None:
    addon = Limiter()
    with taddons.context() as tctx:
        tctx.configure(addon)
        tctx.invoke(addon, "done")
        assert tctx.invoke(addon, "running") is None
    assert addon.heard[-1] == "done"


def test_addons_come_and_go() -> None:
    addon = Limiter()
    with taddons.context(addon) as tctx:
        addons = tctx.master.addons
        assert "limiter" in addons
        assert addon in addons
        assert addons.get("limiter") is addon
        with pytest.raises(AddonManagerError, match="limiter"):
            addons.add(Limiter())
        addons.remove(addon)
        assert addon.heard[-1] == "done"
        assert addon not in addons
        with pytest.raises(AddonManagerError, match="limiter"):
            addons.remove(addon)
        addons.add(addon)
        addons.clear()
        assert len(addons) == 0


def test_commands() -> None:
    @commands.command("add")
    def add(a: int, words: Sequence[str]) -> str:
        return f"{a + 1} {list(words)}"

    with taddons.context() as tctx:
        assert tctx.command(add, "4", "x,y") == "5 ['x', 'y']"
        with pytest.raises(CommandError):
            tctx.command(add, "four", "x")


SCRIPT = """
import sys

def load(loader):
    loader.add_option("shout", bool, False, "Whether.")

def configure(updated):
    heard.append(sys.argv[1:])

heard = []

def request(flow):
    flow.comment = "heard"
"""


def test_scripts(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    listed = tmp_path / "listed.py"
    listed.write_text("class A:\n    name = 'a'\naddons = [A()]\n")
    with taddons.context() as tctx:
        module = tctx.script(f"{path} one two")
        assert module.heard == [["one", "two"]]
        assert tctx.options.shout is False
        flow = tflow.tflow()
        module.request(flow)
        assert flow.comment == "heard"
        assert tctx.script(str(listed)).name == "a"
        with pytest.raises(ScriptError, match="cannot read"):
            tctx.script(str(tmp_path / "none.py"))


def test_a_script_that_adds_addons(tmp_path: Path) -> None:
    path = tmp_path / "script.py"
    path.write_text(
        "from flowdump import ctx\n\nclass B:\n    def request(self, flow):\n        1 / 0\n\n"
        "def load(loader):\n    ctx.master.addons.add(B())\n"
    )
    with taddons.context() as tctx:
        tctx.script(str(path))
        (handler,) = tctx.master.addons.table.request
        handler(tflow.tflow())
        assert tctx.master.has_log("ZeroDivisionError", "error")
        assert "b" in tctx.master.addons
        assert isinstance(tctx.master.addons.script_addons[0].script, Script)


def test_flows_are_loaded_by_hand() -> None:
    addon, shown = Limiter(), list[Any]()
    with taddons.context(addon) as tctx:
        addon.heard.clear()
        flow = tflow.tflow(resp=True)
        asyncio.run(tctx.master.load_flow(flow))
        tctx.master.on_flow = shown.append
        asyncio.run(tctx.master.load_flow(flow))
    assert addon.heard == ["request", "response"] * 2
    assert shown == [flow]


def test_addons_are_registered_and_booted_into() -> None:
    class Booting:
        def load(self, loader: Any) -> None:
            loader.boot_into(limiter)

    limiter = Limiter()
    with taddons.context() as tctx:
        booting = Booting()
        assert tctx.master.addons.register(booting) is booting
        assert "limiter" in tctx.master.addons
        update = SimpleNamespace(name="response", args=lambda: [tflow.tflow()])
        asyncio.run(tctx.master.addons.invoke_addon(limiter, update))
        assert limiter.heard[-1] == "response"
        done = SimpleNamespace(name="done", args=list)
        tctx.master.addons.invoke_addon_sync(limiter, done)
        asyncio.run(tctx.master.addons.invoke_addon(booting, done))
        assert limiter.heard[-1] == "done"
