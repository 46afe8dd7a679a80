"""Replace text in responses while they stream through the proxy, however large they are.

    flowdump -s "scripts/stream_replace.py html faketml"
    flowdump -s "scripts/stream_replace.py html faketml --form chunks --type ^text/"

SRC is plain text, found across the borders of pieces too; no more than its length is ever held back. Clients see the
beginning of a response before the origin has sent its end. For saved flows, and for regular expressions, there is
``replacer.py``.

Only responses whose content type matches ``--type`` are touched. What is compressed cannot be searched piece by piece,
so origins are asked not to compress; a response that is compressed nevertheless passes as it is, with a warning.

Two forms of streaming function exist, and ``--form`` chooses: ``pieces`` is an object that is called with each piece
and with ``b""`` at the end, ``chunks`` a generator over all pieces. The outcome is the same.
"""

import argparse
import re
from collections.abc import Iterable, Iterator

from flowdump import ctx, http

TYPES = "^text/|json|javascript|xml"


class Replacement:
    """The modern form: called with each piece, and with ``b""`` at the end; gives what goes out instead."""

    def __init__(self, src: bytes, dst: bytes) -> None:
        self.src = src
        self.dst = dst
        self.held = b""

    def __call__(self, piece: bytes) -> bytes:
        *before, rest = (self.held + piece).split(self.src)
        keep = overlap(rest, self.src) if piece else 0
        self.held = rest[len(rest) - keep :]
        return self.dst.join([*before, rest[: len(rest) - keep]])


def replaced(chunks: Iterable[bytes], src: bytes, dst: bytes) -> Iterator[bytes]:
    """The older form: a generator over all pieces."""
    held = b""
    for chunk in chunks:
        *before, rest = (held + chunk).split(src)
        keep = overlap(rest, src)
        held = rest[len(rest) - keep :]
        yield dst.join([*before, rest[: len(rest) - keep]])
    yield held


def overlap(text: bytes, src: bytes) -> int:
    """How many bytes at the end of ``text`` may be the beginning of ``src``."""
    return next((n for n in range(min(len(src) - 1, len(text)), 0, -1) if text.endswith(src[:n])), 0)


class StreamReplace:
    def __init__(self, src: str, dst: str, form: str, kind: re.Pattern[str]) -> None:
        self.src = src.encode()
        self.dst = dst.encode()
        self.form = form
        self.kind = kind

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        flow.request.headers["accept-encoding"] = "identity"

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        response = flow.response
        if response is None or not flow.live or not self.kind.search(response.headers.get("content-type", "")):
            return
        if response.headers.get("content-encoding", "identity") != "identity":
            ctx.log.warn(f"compressed, and so left as it is: {flow.request.pretty_url}")
        elif self.form == "pieces":
            response.stream = Replacement(self.src, self.dst)
        else:

            def modify(chunks: Iterable[bytes]) -> Iterator[bytes]:
                yield from replaced(chunks, self.src, self.dst)

            response.stream = modify


def pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text, re.IGNORECASE)
    except re.error as error:
        raise argparse.ArgumentTypeError(f"{error}: {text!r}") from None


def start() -> StreamReplace:
    parser = argparse.ArgumentParser(description="Replace text in responses while they stream.")
    parser.add_argument("src")
    parser.add_argument("dst")
    parser.add_argument("--form", choices=("pieces", "chunks"), default="pieces", help="which streaming function")
    parser.add_argument("--type", type=pattern, default=TYPES, help="only content types that match this regex")
    args = parser.parse_args()
    if not args.src:
        parser.error("there is nothing to look for: src is empty")
    return StreamReplace(args.src, args.dst, args.form, args.type)
