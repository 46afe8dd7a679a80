"""``mitmproxy.addons.asgiapp``: web applications inside the proxy."""

from flowdump.addons.asgiapp import ASGIApp, WSGIApp

__all__ = ["ASGIApp", "WSGIApp"]
