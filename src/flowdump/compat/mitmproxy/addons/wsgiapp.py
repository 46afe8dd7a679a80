"""``mitmproxy.addons.wsgiapp``: web applications inside the proxy, where they were up to mitmproxy 5."""

from flowdump.addons.asgiapp import WSGIApp

__all__ = ["WSGIApp"]
