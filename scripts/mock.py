"""Answer requests from files in a folder, so that no origin is needed.

    flowdump -s "scripts/mock.py answers"
    flowdump -s "scripts/mock.py answers --only"
    flowdump -r saved -s "scripts/mock.py answers" -w changed

For ``https://example.com/api/items?page=1`` these are tried, the first one that is a file is the answer:

    answers/example.com/api/items.GET.http      the whole answer, for this method only
    answers/example.com/api/items.http          the whole answer
    answers/example.com/api/items               the body; the name tells its type: .html, .json, .png
    answers/example.com/api/items.json

then the same with ``any`` instead of the host. A path that ends in ``/`` means ``index``, or ``index.html``. The
port is part of the folder's name if it is not the usual one: ``localhost:8000``. The query does not count.

A whole answer is written as on the wire, and the length is worked out::

    HTTP/1.1 401 Unauthorized
    Content-Type: application/json

    {"error": "who are you?"}

A request without a file goes to the origin; with ``--only`` it gets a 404. Files are read when they are asked for, so
they can be changed meanwhile. Nothing outside of the folder is ever read.
"""

import argparse
import mimetypes
import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from flowdump import ctx, http

STATUS_LINE = re.compile(rb"HTTP/[0-9.]+ ([1-5][0-9]{2})(?: ([^\r\n]*))?")
HEAD_END = re.compile(rb"\r?\n\r?\n")

#: The folder for every host.
ANY = "any"


class Mock:
    def __init__(self, folder: Path, only: bool) -> None:
        self.folder = folder.resolve()
        self.only = only

    def request(self, flow: http.HTTPFlow) -> None:
        if flow.response is not None and flow.live:  # another script was first
            return
        path = next((path for path in self.places(flow.request) if os.path.isfile(path)), None)
        if path is not None:
            flow.response = answer(path)
        elif self.only:
            flow.response = http.Response.make(404, "There is no answer for this.\n", {"content-type": "text/plain"})

    def places(self, request: http.Request) -> Iterator[Path]:
        """The files that may hold the answer, the best one first. None is outside of the folder."""
        usual = {"http": 80, "https": 443}.get(request.scheme)
        host = request.pretty_host if request.port == usual else f"{request.pretty_host}:{request.port}"
        path = unquote(re.split("[?#]", request.path)[0]).lstrip("/")
        path += "index" if not path or path.endswith("/") else ""
        method = request.method if request.method.isalpha() else "OTHER"
        for top in (host.lower(), ANY):
            for suffix in (f".{method}.http", ".http", "", ".json", ".html"):
                place = self.inside(top, path + suffix)
                if place is not None:
                    yield place

    def inside(self, top: str, path: str) -> Path | None:
        if "\0" in path or "/" in top or top in (".", ".."):
            return None
        place = (self.folder / top / path).resolve()
        return place if place.is_relative_to(self.folder) else None


def answer(path: Path) -> http.Response:
    try:
        data = path.read_bytes()
    except OSError as error:
        ctx.log.error(f"{path}: {error.strerror}")
        return http.Response.make(500, f"{path.name} cannot be read.\n", {"content-type": "text/plain"})
    if path.suffix == ".http":
        return whole(path, data)
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    return http.Response.make(200, data, {"content-type": kind})


def whole(path: Path, data: bytes) -> http.Response:
    """The answer that a file holds in full. One that is no answer is a 500, and an error in the log."""
    head, *body = HEAD_END.split(data.lstrip(b"\r\n"), maxsplit=1)
    first, *lines = head.splitlines()
    status = STATUS_LINE.fullmatch(first)
    fields = [line.partition(b":") for line in lines]
    if status is None or not all(colon for _, colon, _ in fields):
        ctx.log.error(f"{path}: not an answer: a status line is wanted, headers, an empty line, and the body")
        return http.Response.make(500, f"{path.name} is not an answer.\n", {"content-type": "text/plain"})
    headers = [(name.strip(), value.strip()) for name, _, value in fields if name.strip().lower() != b"content-length"]
    made = http.Response.make(int(status[1]), b"", headers)
    made.raw_content = body[0] if body else b""
    made.headers["content-length"] = str(len(made.raw_content))
    made.headers.pop("transfer-encoding", None)
    if status[2]:
        made.reason = status[2]
    return made


def start() -> Mock:
    parser = argparse.ArgumentParser(description="Answer requests from files in a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", action="store_true", help="a 404 for what has no file, not the origin's answer")
    args = parser.parse_args()
    if not args.folder.is_dir():
        parser.error(f"'{args.folder}' is not a folder")
    return Mock(args.folder, args.only)
