"""``-w``: finished flows go into a native flow file, or to stdout."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, BinaryIO

from flowdump.formats.flowfile.reader import FlowFile, FlowWriter

if TYPE_CHECKING:
    from flowdump.flow import Flow
    from flowdump.options.store import Options


class Save:
    """Writes flows that match ``save_stream_filter`` to ``save_stream_file``; ``-`` is ``stdout``, a binary stream."""

    def __init__(self, options: Options, stdout: BinaryIO, warn: Callable[[str], None]) -> None:
        self._options = options
        self._warn = warn
        self._warned = False
        self.flows_written = 0
        path = options.save_stream_file
        self._stream = FlowWriter(stdout, self._unsaved) if path == "-" else None
        self._file = FlowFile(path, self._unsaved)

    @property
    def path(self) -> str:
        return "stdout" if self._stream else self._file.path

    def open(self) -> None:
        """Raises OSError when the file cannot be made."""
        if self._stream is None:
            self._file.open()

    def add(self, flow: Flow) -> None:
        """Raises OSError when writing fails, FlowFileError when the flow cannot be stored."""
        matches = self._options.filter("save_stream_filter")
        if matches is None or matches(flow):
            (self._stream or self._file).add(flow)
            self.flows_written += 1

    def close(self) -> None:
        self._file.close()

    def _unsaved(self, keys: str) -> None:
        if not self._warned:
            self._warned = True
            self._warn(f"flow.metadata holds values that a flow file cannot: {keys} (said once; they are left out)")
