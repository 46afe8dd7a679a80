"""The display and the small addons on flows that a test makes, without a process or files."""

from __future__ import annotations

import io
from collections.abc import Iterable
from typing import Any

from flowdump import ctx
from flowdump.addons.dumper import Dumper
from flowdump.options import Options
from flowdump.runtime.event_sequence import events
from flowdump.runtime.hooks import HookTable


def shown(*flows: Any, detail: int = 1, colour: bool = False, **values: Any) -> str:
    """What the display prints of flows, under these options."""
    options = Options()
    options.update(flow_detail=detail, **values)
    out = io.StringIO()
    dumper = Dumper(options, out, colour)
    for flow in flows:
        dumper.add(flow)
    dumper.close()
    return out.getvalue()


def replayed(addons: Iterable[Any], *flows: Any, **values: Any) -> None:
    """Let flows go through their events again, with these addons and options."""
    ctx.options = Options()
    ctx.options.update(**values)
    table = HookTable(addons)
    for flow in flows:
        for name in events(flow):
            for handler in table.handlers(name):
                assert handler(flow) is None
