"""``mitmproxy.flow``: what flows have in common; flow files too, for scripts of mitmproxy 0.17."""

from flowdump.compat.shims.flow_io import FlowReader, FlowWriter
from flowdump.flow import Error, Flow

__all__ = ["Error", "Flow", "FlowReader", "FlowWriter"]
