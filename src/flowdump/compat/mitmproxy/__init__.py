"""``mitmproxy``, as scripts import it."""
