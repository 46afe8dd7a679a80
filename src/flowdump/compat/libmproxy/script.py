"""``libmproxy.script``: the ``@concurrent`` decorator, and the context."""

from flowdump.scripting.concurrency import concurrent
from flowdump.scripting.older.first_generation import ScriptContext

__all__ = ["ScriptContext", "concurrent"]
