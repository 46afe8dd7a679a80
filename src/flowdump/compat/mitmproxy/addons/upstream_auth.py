"""``mitmproxy.addons.upstream_auth``: the option of that name."""

from flowdump.addons.upstream_auth import UpstreamAuth

__all__ = ["UpstreamAuth"]
