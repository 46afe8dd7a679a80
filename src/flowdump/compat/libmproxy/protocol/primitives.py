"""``libmproxy.protocol.primitives``: flows, and what kills them."""

from flowdump.compat.shims.older_http import KILL
from flowdump.flow import Error, Flow

__all__ = ["KILL", "Error", "Flow"]
