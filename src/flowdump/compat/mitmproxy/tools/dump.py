"""``mitmproxy.tools.dump``: the headless program inside another one."""

from flowdump.compat.shims.dump_master import DumpMaster

__all__ = ["DumpMaster"]
