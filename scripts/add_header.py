"""Add a header to every response.

    flowdump -r saved -s scripts/add_header.py -w changed
    flowdump -r saved -s "scripts/add_header.py x-seen 'by flowdump'" -w changed

Without arguments the header is ``newheader: foo``. A header that is there already gets the new value.
"""

import argparse

from flowdump import http


class AddHeader:
    def __init__(self, name: str, value: str) -> None:
        self.name = name
        self.value = value

    def response(self, flow: http.HTTPFlow) -> None:
        if flow.response is not None:
            flow.response.headers[self.name] = self.value


def start() -> AddHeader:
    parser = argparse.ArgumentParser(description="Add a header to every response.")
    parser.add_argument("name", nargs="?", default="newheader")
    parser.add_argument("value", nargs="?", default="foo")
    args = parser.parse_args()
    return AddHeader(args.name, args.value)
