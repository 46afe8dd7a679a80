"""``libmproxy``: the name of mitmproxy up to 0.15."""
