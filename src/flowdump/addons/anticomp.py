"""``anticomp``: requests ask for responses without content coding."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdump import ctx

if TYPE_CHECKING:
    from flowdump.http.flow import HTTPFlow


class AntiComp:
    """Takes part while the option ``anticomp`` is set."""

    option = "anticomp"

    def request(self, flow: HTTPFlow) -> None:
        if ctx.options.anticomp:
            flow.request.anticomp()
