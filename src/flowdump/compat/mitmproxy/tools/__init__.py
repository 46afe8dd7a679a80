"""``mitmproxy.tools``: the program itself; user interfaces there are none."""
