"""``libmproxy.version``: the last release of that name."""

IVERSION = (0, 15)
VERSION = "0.15"
NAME = "mitmproxy"
NAMEVERSION = f"{NAME} {VERSION}"
