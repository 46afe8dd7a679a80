"""Answers from the script, without a server."""
import json

from mitmproxy import http


def request(flow: http.HTTPFlow) -> None:
    if flow.request.path.startswith("/api/"):
        flow.response = http.Response.make(
            200,
            json.dumps({"mocked": True, "path": flow.request.path}),
            {"Content-Type": "application/json", "X-Mock": "1"},
        )
    elif flow.request.method == "POST":
        flow.response = http.Response.make(403, b"not allowed")
    elif flow.request.pretty_url.endswith(".png"):
        flow.response = http.Response.make(
            302, b"", [(b"Location", b"https://example.com/other.png"), (b"X-A", b"1"), (b"X-A", b"2")]
        )
