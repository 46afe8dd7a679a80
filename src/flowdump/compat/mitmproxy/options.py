"""``mitmproxy.options``: every option."""

from flowdump.compat.shims.options import CONF_BASENAME, CONF_DIR, CONTENT_VIEW_LINES_CUTOFF, KEY_SIZE, Options

__all__ = ["CONF_BASENAME", "CONF_DIR", "CONTENT_VIEW_LINES_CUTOFF", "KEY_SIZE", "Options"]
