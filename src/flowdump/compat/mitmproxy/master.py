"""``mitmproxy.master``: the running program."""

from flowdump.master import Master

__all__ = ["Master"]
