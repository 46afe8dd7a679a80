"""Keeps things on the flow between events."""
from mitmproxy import http


def request(flow: http.HTTPFlow):
    flow.metadata["host"] = flow.request.pretty_host
    flow.metadata["numbers"] = [1, 2.5, None, True]
    flow.my_start = flow.request.timestamp_start


def response(flow: http.HTTPFlow):
    flow.comment = f"{flow.metadata['host']} {flow.response.timestamp_end - flow.my_start:.3f}"
    flow.marked = ":default:"
