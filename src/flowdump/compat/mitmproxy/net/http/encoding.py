"""``mitmproxy.net.http.encoding``: content codings and charsets, where they were up to mitmproxy 6."""

from flowdump.compat.shims.encoding import decode, encode

__all__ = ["decode", "encode"]
