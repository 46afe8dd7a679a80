"""``from flowdump import ctx``: the running flowdump, for scripts.

``ctx.options`` are the options, ``ctx.log`` is the event log, ``ctx.master`` the running program. They exist while a
script runs, and are the only module-level state of flowdump; the engine never looks here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowdump.options.store import Options
    from flowdump.runtime.log import EventLog
    from flowdump.runtime.master import Master

    master: Master
    options: Options
    log: EventLog


def __getattr__(name: str) -> None:
    if name in ("master", "options", "log"):
        raise AttributeError(f"ctx.{name} exists only while flowdump runs")
    raise AttributeError(f"module 'flowdump.ctx' has no attribute {name!r}")
