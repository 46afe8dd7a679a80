"""``libmproxy.exceptions``: what scripts catch."""

from flowdump.exceptions import (
    ControlException,
    FlowReadException,
)
from flowdump.exceptions import (
    FlowdumpError as ProxyException,
)
from flowdump.exceptions import (
    ScriptError as ScriptException,
)

__all__ = ["ControlException", "FlowReadException", "ProxyException", "ScriptException"]
