"""``mitmproxy.flowfilter``: filter expressions."""

from flowdump.filters import TFilter, match, parse

__all__ = ["TFilter", "match", "parse"]
