"""``mitmproxy.script``: the ``@concurrent`` decorator."""

from flowdump.scripting.concurrency import concurrent

__all__ = ["concurrent"]
