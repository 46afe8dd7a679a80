"""The versions that the façade reports: scripts compare them, so they are those of the releases whose API it serves."""

from __future__ import annotations

from flowdump.version import __version__

VERSION = "12.2.3"
MITMPROXY = f"mitmproxy {VERSION}"

#: ``libmproxy.version``.
LIBMPROXY = {"IVERSION": (0, 15), "VERSION": "0.15", "NAME": "mitmproxy", "NAMEVERSION": "mitmproxy 0.15"}
#: ``netlib.version``.
NETLIB = {"IVERSION": (0, 17), "VERSION": "0.17"}


def get_dev_version() -> str:
    """The version of the API, followed by that of flowdump."""
    return f"{VERSION} (flowdump {__version__})"
