"""``mitmproxy.utils``: small helpers that scripts borrow."""
