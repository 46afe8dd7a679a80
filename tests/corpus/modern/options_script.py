"""Options of many types."""
import typing
from collections.abc import Sequence
from typing import Optional

from mitmproxy import ctx
from mitmproxy import exceptions


class Configured:
    def load(self, loader):
        loader.add_option("add_text", str, "default", "What to add.")
        loader.add_option(name="add_it", typespec=bool, default=True, help="Whether to add it.")
        loader.add_option("add_count", int, 2, "How often.")
        loader.add_option("add_maybe", Optional[str], None, "Maybe.")
        loader.add_option("add_number", typing.Optional[int], None, "Maybe a number.")
        loader.add_option("add_many", Sequence[str], ["a", "b"], "Many.")
        loader.add_option("add_typed", typing.Sequence[str], [], "Many, too.")
        loader.add_option("add_choice", str, "one", "One of some.", choices=["one", "two"])

    def configure(self, updates):
        if "add_count" in updates and ctx.options.add_count < 0:
            raise exceptions.OptionsError("add_count must not be negative")

    def response(self, flow):
        o = ctx.options
        if o.add_it:
            flow.response.headers["x-added"] = (o.add_text + "|") * o.add_count
        flow.response.headers["x-others"] = repr((o.add_maybe, o.add_number, list(o.add_many), o.add_choice))


addons = [Configured()]
