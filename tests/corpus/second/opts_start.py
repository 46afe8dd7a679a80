"""mitmproxy 1 and 2 passed the options to start."""
import sys

path = None


def start(opts):
    global path
    path = sys.argv[1]


def request(flow):
    flow.request.headers["x-path"] = path
