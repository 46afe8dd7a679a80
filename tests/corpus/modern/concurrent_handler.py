"""A handler in a thread."""
import time

from mitmproxy.script import concurrent


class Hooks:
    @concurrent
    def request(self, flow):
        time.sleep(0.001)
        flow.request.headers["x-thread"] = flow.request.host


addons = [Hooks()]
