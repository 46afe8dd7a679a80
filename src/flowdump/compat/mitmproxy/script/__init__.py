"""``mitmproxy.script``: the ``@concurrent`` decorator, under the same name as the module that it is in."""

import importlib

# First, so that a later import of the module does not put it into the place of the function.
importlib.import_module(f"{__name__}.concurrent")

from flowdump.scripting.concurrency import concurrent  # noqa: E402

__all__ = ["concurrent"]
