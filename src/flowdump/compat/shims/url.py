"""``mitmproxy.net.http.url.parse``, which gives the host as bytes."""

from __future__ import annotations

from flowdump.http import urls


def parse(url: str | bytes) -> tuple[bytes, bytes, int, bytes]:
    """Scheme, host, port and path. Raises ValueError for a URL without a host."""
    scheme, host, port, path = urls.parse(url)
    return scheme, urls.host_to_ascii(host), port, path
