"""Addons that a script adds by hand, at its start and while it runs; test_reload.py has more."""

from __future__ import annotations

from tests.scripting.inprocess import Bench
from tests.support.flows import http_flow

ADDING = """
from mitmproxy import ctx

class Early:
    def __init__(self, word="early"):
        self.name = self.word = word

    def configure(self, updated):
        self.options = len(updated)

    def request(self, flow):
        flow.comment += f"{self.word} {self.options > 50}, "

def load(loader):
    ctx.master.addons.add(Early())

def running():
    ctx.master.addons.add(Early("later"))

def request(flow):
    flow.comment += "module, "
    if "early" in ctx.master.addons and flow.request.path == "/last":
        ctx.master.addons.remove(ctx.master.addons.get("early"))
"""


def test_addons_are_added_and_removed(bench: Bench) -> None:
    done = bench(ADDING, [http_flow(f"https://example.com/{name}") for name in ("first", "last", "after")])
    assert (done.code, done.log) == (0, "")
    words = [flow.comment for flow in done.flows or []]
    assert words[0] == words[1] == "early True, module, later True, "
    assert words[2] == "module, later True, "


def test_booting_into_an_addon(bench: Bench) -> None:
    """As in mitmproxy 2 to 5."""
    done = bench(
        """
        class Rewriter:
            def request(self, flow):
                flow.comment = "booted"

        def load(l):
            l.boot_into(Rewriter())
        """
    )
    assert (done.code, done.log, done.flow.comment) == (0, "", "booted")


def test_what_an_added_addon_raises_is_the_script_s_error(bench: Bench) -> None:
    done = bench(
        """
        from mitmproxy import ctx

        class Broken:
            def request(self, flow):
                1 / 0

        def running():
            ctx.master.addons.add(Broken())
        """
    )
    assert done.code == 4
    assert "error in request of script" in done.log


def test_a_name_that_is_taken(bench: Bench) -> None:
    done = bench(
        """
        from mitmproxy import ctx, exceptions

        class Twice:
            pass

        def running():
            ctx.master.addons.add(Twice())
            try:
                ctx.master.addons.add(Twice())
            except exceptions.AddonManagerError as error:
                print(error)
                ctx.log.warn(str(error))
        """
    )
    assert (done.code, done.log) == (0, "there is an addon 'twice' already\n")
