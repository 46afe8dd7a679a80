"""``mitmproxy.net``: protocols, below flows."""
