"""``mitmproxy.exceptions``: what scripts catch and raise."""

from flowdump.exceptions import (
    AddonHalt,
    AddonManagerError,
    CommandError,
    ControlException,
    FlowReadException,
    OptionsError,
)
from flowdump.exceptions import ControlException as Kill
from flowdump.exceptions import FlowdumpError as MitmproxyException

__all__ = [
    "AddonHalt",
    "AddonManagerError",
    "CommandError",
    "ControlException",
    "FlowReadException",
    "Kill",
    "MitmproxyException",
    "OptionsError",
]
