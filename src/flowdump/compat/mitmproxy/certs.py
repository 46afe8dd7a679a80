"""``mitmproxy.certs``: X.509 certificates."""

from flowdump.certs import Cert
from flowdump.certs import Cert as SSLCert

__all__ = ["Cert", "SSLCert"]
