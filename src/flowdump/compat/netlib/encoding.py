"""``netlib.encoding``: content codings."""

from flowdump.compat.shims.encoding import decode, encode

__all__ = ["decode", "encode"]
