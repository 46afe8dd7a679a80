"""``mitmproxy.net.encoding``: content codings and charsets."""

from flowdump.compat.shims.encoding import decode, encode

__all__ = ["decode", "encode"]
