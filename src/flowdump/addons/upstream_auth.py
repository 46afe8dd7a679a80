"""``upstream_auth`` in reverse mode: the server is told who we are with every request.

For an upstream proxy the engine does it, where the connection is made, so that the credentials are in no flow.
"""

from __future__ import annotations

import binascii
from typing import TYPE_CHECKING

from flowdump import ctx
from flowdump.exceptions import OptionsError

if TYPE_CHECKING:
    from flowdump.http.flow import HTTPFlow


class UpstreamAuth:
    """Takes part while the option ``upstream_auth`` is set."""

    option = "upstream_auth"

    def check(self) -> None:
        """Raises OptionsError where the option cannot be understood."""
        spec = ctx.options.upstream_auth
        if spec and not spec.partition(":")[1]:
            raise OptionsError("option 'upstream_auth': USER:PASSWORD is expected")

    def configure(self, updated: set[str]) -> None:
        if "upstream_auth" in updated:
            self.check()

    def requestheaders(self, flow: HTTPFlow) -> None:
        spec = ctx.options.upstream_auth
        if spec and str(flow.client_conn.proxy_mode).startswith("reverse:"):
            pair = binascii.b2a_base64(spec.encode("utf-8", "surrogateescape"), newline=False).decode()
            flow.request.headers["Authorization"] = f"Basic {pair}"
