"""Every event of HTTP by name, in order."""
import logging


class Events:
    def load(self, loader):
        print("load")

    def running(self):
        print("running")

    def requestheaders(self, flow):
        print("requestheaders", flow.request.path)

    def request(self, flow):
        print("request")

    def responseheaders(self, flow):
        print("responseheaders")

    def response(self, flow):
        print("response")

    def error(self, flow):
        print("error")

    def done(self):
        print("done")
        logging.warning("bye")


addons = [Events()]
