"""``mitmproxy.master``: the running program."""

from flowdump.runtime.master import Master

__all__ = ["Master"]
