"""``mitmproxy.io.io``: flow files, by the module that they are in."""

from flowdump.compat.shims.flow_io import FilteredFlowWriter, FlowReader, FlowWriter, read_flows_from_paths

__all__ = ["FilteredFlowWriter", "FlowReader", "FlowWriter", "read_flows_from_paths"]
