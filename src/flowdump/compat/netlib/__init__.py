"""``netlib``: the network code of mitmproxy up to 0.17, a package of its own then."""
