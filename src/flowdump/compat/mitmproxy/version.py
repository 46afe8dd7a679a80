"""``mitmproxy.version``: the release whose API this is, which is what scripts want to know."""

from flowdump.flow import STATE_VERSION as FLOW_FORMAT_VERSION

VERSION = "12.2.3"
MITMPROXY = f"mitmproxy {VERSION}"


def get_dev_version() -> str:
    """The version, and who is behind it."""
    from flowdump.version import __version__

    return f"{VERSION} (flowdump {__version__})"


__all__ = ["FLOW_FORMAT_VERSION", "MITMPROXY", "VERSION", "get_dev_version"]
