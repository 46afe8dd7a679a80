"""Takes arguments."""
import argparse
import sys


class Replacer:
    def __init__(self):
        parser = argparse.ArgumentParser()
        parser.add_argument("--host", default="none")
        self.args, _ = parser.parse_known_args(sys.argv[1:] if len(sys.argv) < 3 else [])

    def request(self, flow):
        flow.request.headers["x-arg"] = self.args.host


addons = [Replacer()]
