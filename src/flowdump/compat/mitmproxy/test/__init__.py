"""``mitmproxy.test``: helpers for tests of scripts."""
