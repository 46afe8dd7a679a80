"""``mitmproxy.tools.main``: the headless program."""

from flowdump.compat.shims.dump_master import mitmdump

__all__ = ["mitmdump"]
