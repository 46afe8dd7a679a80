"""``mitmproxy.contentviews.base``: what views of mitmproxy up to 11 were made of."""

from flowdump.compat.shims.contentviews import TViewLine, TViewResult, View, format_dict, format_pairs, format_text

__all__ = ["TViewLine", "TViewResult", "View", "format_dict", "format_pairs", "format_text"]
