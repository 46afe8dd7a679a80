"""``mitmproxy.test.taddons``: a running program for tests of addons."""

from flowdump.test.taddons import RecordingMaster, context

__all__ = ["RecordingMaster", "context"]
