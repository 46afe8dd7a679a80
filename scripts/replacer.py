"""Replace one text by another in the bodies and headers of all responses.

    flowdump -r saved -s "scripts/replacer.py html faketml" -w changed

The first argument is a regular expression, the second may refer to its groups (``\\1``). Bodies are searched as the
origin meant them: compressed ones are unpacked, changed and packed again.
"""

import argparse
import os
import re

from flowdump import http


class Replacer:
    def __init__(self, src: str, dst: str) -> None:
        self.src = src
        self.dst = dst

    def response(self, flow: http.HTTPFlow) -> None:
        if flow.response is not None:
            flow.response.replace(self.src, self.dst)


def start() -> Replacer:
    parser = argparse.ArgumentParser(description="Replace text in responses.")
    parser.add_argument("src", help="a regular expression")
    parser.add_argument("dst", help="what stands in its place")
    args = parser.parse_args()
    try:
        re.sub(os.fsencode(args.src), os.fsencode(args.dst), b"")
    except (re.error, IndexError, ValueError) as error:
        parser.error(f"{error}: {args.src!r} -> {args.dst!r}")
    return Replacer(args.src, args.dst)
