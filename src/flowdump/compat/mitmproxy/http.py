"""``mitmproxy.http``: requests, responses and HTTP flows."""

from flowdump.compat.shims.older_http import (
    HTTPRequest,
    HTTPResponse,
    decoded,
    make_connect_response,
    make_error_response,
)
from flowdump.http import Headers, HTTPFlow, Message, Request, RequestData, Response, ResponseData

__all__ = [
    "HTTPFlow",
    "HTTPRequest",
    "HTTPResponse",
    "Headers",
    "Message",
    "Request",
    "RequestData",
    "Response",
    "ResponseData",
    "decoded",
    "make_connect_response",
    "make_error_response",
]
