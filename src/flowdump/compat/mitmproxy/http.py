"""``mitmproxy.http``: requests, responses and HTTP flows."""

from flowdump.http import Headers, HTTPFlow, Message, Request, Response

__all__ = ["HTTPFlow", "Headers", "Message", "Request", "Response"]
