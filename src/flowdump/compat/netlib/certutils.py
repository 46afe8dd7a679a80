"""``netlib.certutils``: X.509 certificates."""

from flowdump.certs import Cert as SSLCert

__all__ = ["SSLCert"]
