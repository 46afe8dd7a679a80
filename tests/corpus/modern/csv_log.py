"""Writes a line per response into a file."""
import csv


class CsvLog:
    def __init__(self):
        self.file = open("log.csv", "w", newline="", encoding="utf-8")
        self.writer = csv.writer(self.file)
        self.writer.writerow(["method", "url", "status", "type", "size"])

    def response(self, flow):
        self.writer.writerow(
            [
                flow.request.method,
                flow.request.pretty_url,
                flow.response.status_code,
                flow.response.headers.get("content-type", "-"),
                len(flow.response.raw_content or b""),
            ]
        )

    def done(self):
        self.file.close()


addons = [CsvLog()]
