"""``mitmproxy.net.dns``: the numbers of DNS by their names."""
