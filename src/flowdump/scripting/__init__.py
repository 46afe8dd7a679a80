"""Scripts: loading them with their arguments, calling their handlers, reporting their errors.

``from flowdump.scripting import concurrent`` is for scripts, too.
"""

from flowdump.scripting.concurrency import concurrent

__all__ = ["concurrent"]
