"""Prints what passes, as most scripts do at first."""
from mitmproxy import http


def request(flow: http.HTTPFlow) -> None:
    print(flow.request.method, flow.request.pretty_url)


def response(flow: http.HTTPFlow) -> None:
    print(flow.response.status_code, flow.response.reason, flow.request.url, len(flow.response.content or b""))
