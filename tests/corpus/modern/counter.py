"""A class with state; logs through logging and leaves the number in the response."""
import logging


class Counter:
    def __init__(self):
        self.num = 0

    def request(self, flow):
        self.num = self.num + 1
        logging.info("We've seen %d flows" % self.num)
        flow.request.headers["x-count"] = str(self.num)


addons = [Counter()]
