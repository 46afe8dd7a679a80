"""``mitmproxy.tls``: the arguments of TLS events."""

from flowdump.compat.shims.tls_data import ClientHello
from flowdump.runtime.hook_data import ClientHelloData, TlsData

__all__ = ["ClientHello", "ClientHelloData", "TlsData"]
