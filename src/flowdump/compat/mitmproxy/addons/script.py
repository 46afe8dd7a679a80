"""``mitmproxy.addons.script``: a script as an addon of a test."""

from flowdump.scripting.script import Script

__all__ = ["Script"]
