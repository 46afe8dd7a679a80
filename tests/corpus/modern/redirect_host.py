"""Sends the requests for one host to another one."""
from mitmproxy import http

HOSTS = {"example.com": "staging.example.net", "api.example.com": "127.0.0.1"}


def request(flow: http.HTTPFlow) -> None:
    # pretty_host takes the "Host" header of the request into account.
    if flow.request.pretty_host in HOSTS:
        flow.request.host = HOSTS[flow.request.pretty_host]
        if flow.request.host == "127.0.0.1":
            flow.request.port = 8000
            flow.request.scheme = "http"
