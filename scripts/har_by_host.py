"""Write a HAR per host, all in one folder.

    flowdump -r saved -s "scripts/har_by_host.py hars"
    flowdump -q -r saved -s "scripts/har_by_host.py hars --compress" "~d example.com"
    flowdump -s "scripts/har_by_host.py hars"

``hars/example.com.har`` has the flows of ``example.com``, in the order in which they ended; ``--compress`` makes
``.zhar`` files, which flowdump reads as well. A port that is not the usual one is part of the name:
``example.com_8443.har``. Files of an earlier run are replaced. WebSocket flows are in it with their messages.

The files can be read at any moment, compressed ones when the run has ended. A host beyond the 200th goes to
``others.har``, as each file stays open.
"""

import argparse
import os
import re
from pathlib import Path
from typing import BinaryIO

from flowdump import ctx, flow, http
from flowdump.formats.har.write import HarWriter

#: How many files are open at most; systems allow 256 and more.
MOST = 200

USUAL_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class HarByHost:
    def __init__(self, folder: Path, compress: bool) -> None:
        self.folder = folder
        self.compress = compress
        self.files: dict[str, tuple[BinaryIO, HarWriter]] = {}
        self.unfinished: dict[flow.Flow, None] = {}

    def done(self) -> None:
        for each in list(self.unfinished):
            self.end(each)
        for file, writer in self.files.values():
            writer.close()
            file.close()
        counts = [writer.count for _, writer in self.files.values()]
        ctx.log.info(f"flows written to {self.folder}: {sum(counts)}, hosts: {len(counts)}")

    # -- which event begins a flow, and which ends it ----------------------------------------------------------------

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        # Saved flows come one at a time, so those before this one have ended, even without a response.
        for earlier in [each for each in self.unfinished if not each.live]:
            self.end(earlier)
        self.unfinished[flow] = None

    def response(self, flow: http.HTTPFlow) -> None:
        if flow.websocket is None:
            self.end(flow)

    def websocket_end(self, flow: http.HTTPFlow) -> None:
        self.end(flow)

    error = websocket_end

    def end(self, flow: flow.Flow) -> None:
        if flow in self.unfinished and isinstance(flow, http.HTTPFlow):
            del self.unfinished[flow]
            self.writer(file_name(flow.request)).add(flow)

    def writer(self, name: str) -> HarWriter:
        if name not in self.files and len(self.files) >= MOST:
            name = "others"
        if name not in self.files:
            path = self.folder / f"{name}{'.zhar' if self.compress else '.har'}"
            # Flows hold secrets: as all that flowdump writes, the file is its owner's only.
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            file = os.fdopen(fd, "wb", buffering=0)
            self.files[name] = file, HarWriter(file, in_place=not self.compress, compress=self.compress)
        return self.files[name][1]


def file_name(request: http.Request) -> str:
    """``https://Example.com:8443/`` -> ``example.com_8443``. No name leads out of the folder."""
    host = request.pretty_host.lower()
    usual = request.port == USUAL_PORTS.get(request.scheme)
    name = re.sub("[^a-z0-9.-]+", "_", host if usual else f"{host}:{request.port}").lstrip(".-")
    return name[:200] or "nameless"


def start() -> HarByHost:
    parser = argparse.ArgumentParser(description="Write a HAR per host.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--compress", action="store_true", help="write .zhar files")
    args = parser.parse_args()
    try:
        args.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"cannot make the folder '{args.folder}': {error.strerror}")
    return HarByHost(args.folder, args.compress)
