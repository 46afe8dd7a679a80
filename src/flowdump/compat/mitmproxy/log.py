"""``mitmproxy.log``: the event log."""

from flowdump.log import ALERT, LogEntry
from flowdump.log import EventLog as Log

__all__ = ["ALERT", "Log", "LogEntry"]
