"""``mitmproxy.log``: the event log."""

from flowdump.compat.shims.log_handlers import MitmFormatter, MitmLogHandler
from flowdump.compat.shims.small import LogLevels, log_tier
from flowdump.runtime.log import ALERT, LogEntry
from flowdump.runtime.log import EventLog as Log

__all__ = ["ALERT", "Log", "LogEntry", "LogLevels", "MitmFormatter", "MitmLogHandler", "log_tier"]
