"""``anticache``: requests lose the headers that let an origin answer 304 Not Modified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdump import ctx

if TYPE_CHECKING:
    from flowdump.http.flow import HTTPFlow


class AntiCache:
    """Takes part while the option ``anticache`` is set."""

    option = "anticache"

    def request(self, flow: HTTPFlow) -> None:
        if ctx.options.anticache:
            flow.request.anticache()
