"""Alt-Svc in reverse mode (RFC 7838): clients are not led past the proxy.

Alternatives point to the port that the client used; HTTP/3, which is not spoken here, is left out. The option
``keep_alt_svc_header`` keeps the header as it came.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowdump import ctx

if TYPE_CHECKING:
    from flowdump.http.flow import HTTPFlow

#: ``h2="host:443"; ma=86400`` (RFC 7838 section 3), the protocol in front of the first equals sign.
_ALTERNATIVE = re.compile(r'\s*([^=,;\s"]+)="([^"]*)"((?:\s*;\s*[^=,;\s]+=(?:"[^"]*"|[^,;"\s]*))*)\s*(?:,|$)')


class AltSvc:
    """Takes part where a mode is reverse."""

    option = "mode"

    def responseheaders(self, flow: HTTPFlow) -> None:
        response = flow.response
        if response is None or "alt-svc" not in response.headers or ctx.options.keep_alt_svc_header:
            return
        if str(flow.client_conn.proxy_mode).startswith("reverse:"):
            led = lead_here(response.headers["alt-svc"], flow.client_conn.sockname[1])
            if led:
                response.headers["alt-svc"] = led
            else:
                del response.headers["alt-svc"]


def lead_here(value: str, port: int) -> str:
    """The header with all alternatives at ``port`` of this host; empty when there are none left."""
    if value.strip() == "clear":
        return value
    kept = []
    for protocol, _, parameters in _ALTERNATIVE.findall(value):
        if not protocol.startswith(("h3", "hq", "quic")):
            kept.append(f'{protocol}=":{port}"{parameters}')
    return ", ".join(kept)
