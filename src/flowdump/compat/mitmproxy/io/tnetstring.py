"""``mitmproxy.io.tnetstring``: the notation of flow files."""

from flowdump.compat.shims.flow_io import dump, dumps, load, loads

__all__ = ["dump", "dumps", "load", "loads"]
