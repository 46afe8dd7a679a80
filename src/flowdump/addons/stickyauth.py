"""``stickyauth``: an Authorization header that was seen once is added to later requests to the same host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdump import ctx

if TYPE_CHECKING:
    from flowdump.http.flow import HTTPFlow


class StickyAuth:
    """Takes part while the option ``stickyauth``, a filter of the requests that get the header, is set."""

    option = "stickyauth"

    def __init__(self) -> None:
        #: host -> the last Authorization header sent to it
        self.seen: dict[str, str] = {}

    def request(self, flow: HTTPFlow) -> None:
        matches = ctx.options.filter("stickyauth")
        if matches is None:
            return
        request = flow.request
        if "authorization" in request.headers:
            self.seen[request.host] = request.headers["authorization"]
        elif request.host in self.seen and matches(flow):
            request.headers["authorization"] = self.seen[request.host]
