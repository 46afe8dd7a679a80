"""``mitmproxy.coretypes``: multi-dicts and what has a state."""
