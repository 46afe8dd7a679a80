"""Writes some flows to a file of its own."""
from mitmproxy import http
from mitmproxy import io


class Writer:
    def __init__(self, path: str) -> None:
        self.f = open(path, "wb")
        self.w = io.FlowWriter(self.f)

    def response(self, flow: http.HTTPFlow) -> None:
        if flow.response.status_code == 200:
            self.w.add(flow)

    def done(self):
        self.f.close()


class Reader:
    def done(self):
        with open("some.flows", "rb") as logfile:
            for f in io.FlowReader(logfile).stream():
                print(f.request.host, f.type)


addons = [Writer("some.flows"), Reader()]
