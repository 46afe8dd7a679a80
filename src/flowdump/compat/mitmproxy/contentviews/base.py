"""``mitmproxy.contentviews.base``: what older views are made of."""

from flowdump.contentviews.custom import View, format_dict, format_pairs, format_text

__all__ = ["View", "format_dict", "format_pairs", "format_text"]
