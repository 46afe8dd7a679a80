"""Write flows as an HTTP Archive (HAR 1.2), one by one as they come.

The document is ``{"log":{"version":"1.2","creator":{...},"pages":[],"entries":[``, then one compact entry per line,
then ``]}}`` on a line of its own: a line can be found with grep and taken out with sed, and neither indentation nor
blanks cost space or time. ``pages`` is there because Firefox insists on it. Entries come in the order in which flows
are added.

A HAR is only valid with its closing brackets, and a capture may be killed at any moment. So there are three ways to
write one:

* in place, to a file: the closing brackets are there from the start, and each flow is a single write at their place:
  the entry and new brackets. Whenever the process dies, the file is valid, or it lacks its last entry and our own
  reader salvages the rest. When a write fails (disk full), the file is put back to what it was.
* as a stream, to a pipe: entries follow each other, and ``close`` writes the brackets.
* compressed (``.zhar``: a zlib stream, RFC 1950), also as a stream. It can be read once it was closed.

Memory does not grow with the number of flows: of the connections whose times have been written, the 10,000 most
recent are remembered.
"""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final

from flowdump.formats.har.entry_out import entry_json
from flowdump.http.flow import HTTPFlow
from flowdump.version import __version__

if TYPE_CHECKING:
    from flowdump.flow import Flow

__all__ = ["HarWriter", "entry_json"]

_HEAD: Final = (
    b'{"log":{"version":"1.2","creator":{"name":"flowdump","version":"%b","comment":""},"pages":[],"entries":[\n'
    % __version__.encode()
)
_TAIL: Final = b"\n]}}\n"
_CONNECTIONS: Final = 10_000


class HarWriter:
    """Writes flows to a binary file that is open for writing. The caller opens and closes it.

    ``in_place``: ``out`` is a real, empty file, open unbuffered; it is a valid HAR between any two calls. ``compress``:
    write a zlib stream. ``flush``: flush ``out`` after each flow, for readers of the growing file; it has no effect in
    place, where nothing is buffered. Every method lets OSError through: after one, flows written before are safe, and
    further ones may be added.
    """

    def __init__(self, out: BinaryIO, *, in_place: bool = False, compress: bool = False, flush: bool = False) -> None:
        if in_place and compress:
            raise ValueError("a compressed HAR cannot be written in place")
        #: How many flows have been written.
        self.count = 0
        self._out = out
        self._in_place = in_place
        self._flush = flush
        self._packer = zlib.compressobj(9) if compress else None
        self._connections: dict[str, None] = {}
        self._closed = False
        self._tail_at = len(_HEAD)
        if in_place:
            self._write_at(0, _HEAD + _TAIL)
        else:
            self._write(_HEAD)

    def add(self, flow: Flow) -> bool:
        """Write a flow; False (and nothing is written) if it is no HTTP flow."""
        if not isinstance(flow, HTTPFlow):
            return False
        self.add_entry(entry_json(flow, opens_connection=self._is_new(flow)))
        return True

    def add_entry(self, entry: bytes) -> None:
        """Write what ``entry_json`` made."""
        data = b",\n" + entry if self.count else entry
        if self._in_place:
            self._write_at(self._tail_at, data + _TAIL)
            self._tail_at += len(data)
        else:
            self._write(data)
        self.count += 1

    def close(self) -> None:
        """Complete the document; a second call does nothing. ``out`` stays open."""
        if self._closed:
            return
        self._closed = True
        if self._in_place:
            return
        self._write(_TAIL)
        if self._packer is not None:
            self._put(self._packer.flush())
        self._out.flush()

    def _is_new(self, flow: HTTPFlow) -> bool:
        """Whether a flow is the first with its server connection."""
        connection = flow.server_conn
        if connection.timestamp_tcp_setup is None:
            return True
        known = self._connections
        new = connection.id not in known
        if not new:
            del known[connection.id]
        known[connection.id] = None
        if len(known) > _CONNECTIONS:
            del known[next(iter(known))]
        return new

    # -- bytes -----------------------------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        if self._packer is not None:
            data = self._packer.compress(data)
        self._put(data)
        if self._flush:
            self._out.flush()

    def _put(self, data: bytes) -> None:
        """Unbuffered files may take less than all at once."""
        while data:
            data = data[self._out.write(data) :]

    def _write_at(self, position: int, data: bytes) -> None:
        """Write all of ``data`` in one system call, or leave the file as it was."""
        descriptor = self._out.fileno()
        try:
            _pwrite(descriptor, data, position)
        except OSError:
            if position:
                os.ftruncate(descriptor, position)
                _pwrite(descriptor, _TAIL, position)
            raise


def _pwrite(descriptor: int, data: bytes, position: int) -> None:
    written = _write_once(descriptor, data, position)
    while written < len(data):  # a signal came in between, or the disk is nearly full
        written += _write_once(descriptor, data[written:], position + written)


def _write_once(descriptor: int, data: bytes, position: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, data, position)
    os.lseek(descriptor, position, os.SEEK_SET)
    return os.write(descriptor, data)
