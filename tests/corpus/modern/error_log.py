"""What went wrong, and to whom."""
import json


class Errors:
    def __init__(self):
        self.seen = []

    def error(self, flow):
        self.seen.append({"url": flow.request.url, "error": flow.error.msg, "client": flow.client_conn.peername[0]})

    def done(self):
        print(json.dumps(self.seen))


addons = [Errors()]
