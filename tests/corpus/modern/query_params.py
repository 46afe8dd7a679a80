"""Adds, changes and drops parameters of the query."""
from mitmproxy import http

TRACKING = ("utm_source", "utm_medium", "fbclid")


def request(flow: http.HTTPFlow) -> None:
    for name in TRACKING:
        if name in flow.request.query:
            del flow.request.query[name]
    if flow.request.query:
        flow.request.query["debug"] = "1"
    for name, value in flow.request.query.items(multi=True):
        print(name, value)
