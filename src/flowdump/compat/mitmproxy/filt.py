"""``mitmproxy.filt``: filter expressions, as the module was called up to mitmproxy 0.18."""

from flowdump.filters import match, parse

__all__ = ["match", "parse"]
