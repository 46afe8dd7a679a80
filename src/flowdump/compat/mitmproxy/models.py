"""``mitmproxy.models``: flows and messages, where mitmproxy 0.16 to 0.18 had them."""

from flowdump.compat.shims.older_http import (
    HTTPRequest,
    HTTPResponse,
    decoded,
    make_connect_response,
    make_error_response,
)
from flowdump.connection import Client as ClientConnection
from flowdump.connection import Server as ServerConnection
from flowdump.flow import Error, Flow
from flowdump.http import Headers, HTTPFlow
from flowdump.tcp import TCPFlow

__all__ = [
    "ClientConnection",
    "Error",
    "Flow",
    "HTTPFlow",
    "HTTPRequest",
    "HTTPResponse",
    "Headers",
    "ServerConnection",
    "TCPFlow",
    "decoded",
    "make_connect_response",
    "make_error_response",
]
