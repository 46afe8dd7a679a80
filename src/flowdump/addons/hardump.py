"""``hardump``: finished HTTP flows go into a HAR, on disk or to stdout."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from flowdump.formats.har.write import HarWriter

if TYPE_CHECKING:
    from flowdump.flow import Flow
    from flowdump.options.store import Options


class HarDump:
    """Writes HTTP flows that match ``save_stream_filter`` to the file ``hardump`` names; ``-`` is ``stdout``.

    A file on disk is a valid HAR at any moment. One whose name ends in ``.zhar``, and one that is no regular file (a
    named pipe, say), is complete once closed. Missing folders are made, new files have mode 0600.
    """

    def __init__(self, options: Options, stdout: BinaryIO, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._left_out = 0
        self._options = options
        self._stdout = stdout
        self._file: BinaryIO | None = None
        self._writer: HarWriter | None = None
        self.path = "stdout" if options.hardump == "-" else os.path.expanduser(options.hardump)

    def open(self) -> None:
        """Raises OSError when the file cannot be made."""
        if self._options.hardump == "-":
            self._writer = HarWriter(self._stdout)
            return
        self._file, self._writer = open_har(self.path)

    def add(self, flow: Flow) -> None:
        """Raises OSError when writing fails."""
        assert self._writer is not None
        matches = self._options.filter("save_stream_filter")
        if matches is None or matches(flow):
            self._left_out += not self._writer.add(flow)

    def close(self) -> None:
        """Complete the document. Raises OSError when writing fails."""
        if self._left_out:
            flows = "1 flow is" if self._left_out == 1 else f"{self._left_out} flows are"
            self._tell(f"{self.path}: {flows} not in the HAR, which is for HTTP only")
            self._left_out = 0
        try:
            if self._writer is not None:
                self._writer.close()
        finally:
            if self._file is not None:
                self._file.close()


def open_har(path: str) -> tuple[BinaryIO, HarWriter]:
    """Make a HAR: the file, which is the caller's to close, and what writes into it. Raises OSError."""
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    file = os.fdopen(fd, "wb", buffering=0)
    compress = path.endswith(".zhar")
    in_place = not compress and stat.S_ISREG(os.fstat(fd).st_mode)
    return file, HarWriter(file, in_place=in_place, compress=compress)
