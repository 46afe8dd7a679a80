"""``libmproxy.filt``: filter expressions."""

from flowdump.filters import match, parse

__all__ = ["match", "parse"]
