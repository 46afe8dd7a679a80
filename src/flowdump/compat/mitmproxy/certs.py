"""``mitmproxy.certs``: X.509 certificates."""

from flowdump.certs import Cert

__all__ = ["Cert"]
