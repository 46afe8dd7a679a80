"""Files that hold flows: the native flow file and HAR.

``open_input`` looks at the first bytes, never at the name, to tell which of the two an input is; a compressed HAR
(``.zhar``, zlib or gzip) is unpacked on the way. The result iterates over flows lazily, in file order.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING, BinaryIO, Final

from flowdump.exceptions import FlowFileError
from flowdump.formats.flowfile import reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flowdump.flow import Flow
    from flowdump.formats.flowfile.reader import Problem

#: As much of an input is looked at to tell what it is.
SNIFF: Final = 64

_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
_GZIP = b"\x1f\x8b"
_BOMS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


class Input:
    """One opened input of flows.

    ``path`` is the name as given (``-`` is stdin), ``kind`` is ``"native"``, ``"har"`` or ``"empty"``, ``size`` the
    size in bytes where it is known. ``problems`` counts what was left out.
    """

    def __init__(self, path: str, fo: BinaryIO, beginning: bytes, kind: str) -> None:
        self.path = path
        self.kind = kind
        self.size = reader.regular_size(fo)
        self.flows_read = 0
        self.problems = 0
        self._fo = fo
        self._beginning = beginning

    def flows(
        self, report: Callable[[Problem], None], notice: Callable[[Problem], None] | None = None
    ) -> Iterator[Flow]:
        """The flows, one by one. ``report`` is told of each place that is left out, ``notice`` of what was assumed.

        Raises FlowFileError when the input turns out to be no flow file or HAR, or of a newer version; OSError when
        reading fails.
        """
        if self.kind == "empty":
            return iter(())
        if self.kind == "native":
            return iter(reader.FlowReader(self._fo, prefix=self._beginning, path=self.path, report=report))
        from flowdump.formats.har import read as har_read

        chunks = self._chunks()
        if self._beginning.startswith((*_ZLIB, _GZIP)):
            # A compressed bomb may be one entry: it is given less room.
            chunks = self._unpacked(har_read.inflate_chunks(chunks, report))
            return har_read.read_har(chunks, report, notice, max_entry=har_read.MAX_PACKED_ENTRY)
        return har_read.read_har(chunks, report, notice)

    def _unpacked(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """What is in a packed file, if that looks like a HAR. Raises FlowFileError."""
        beginning = b""
        for chunk in chunks:
            beginning += chunk
            if len(beginning) >= SNIFF:
                break
        if beginning and not _looks_har(beginning):
            if reader.looks_native(beginning[:SNIFF]):
                raise FlowFileError("it is a packed flow file: unpack it first", path=self.path, offset=0)
            raise FlowFileError(
                f"neither a flow file nor a HAR: it is packed, and what is in it begins with {beginning[:20]!r}",
                path=self.path,
                offset=0,
            )
        yield beginning
        yield from chunks

    def _chunks(self) -> Iterator[bytes]:
        yield self._beginning
        # A pipe gives what is there; waiting for a full chunk would hold back flows that have arrived.
        read = self._fo.read if self.size is not None else getattr(self._fo, "read1", self._fo.read)
        while chunk := read(reader.CHUNK):
            yield chunk

    def tell(self) -> int:
        """How many bytes were read so far, for the progress bar; 0 where that cannot be told."""
        try:
            return self._fo.tell()
        except (OSError, ValueError):
            return 0

    def close(self) -> None:
        if self.path != "-":
            self._fo.close()


def open_input(path: str) -> Input:
    """Open a flow file or HAR (``-`` is stdin) and tell which of them it is.

    Raises OSError when it cannot be opened, FlowFileError when it is neither.
    """
    if "\0" in path:  # a configuration may hold such a name; the system would not say it with an OSError
        raise OSError(errno.EINVAL, "a name cannot hold a null byte")
    fo = _stdin() if path == "-" else open(os.path.expanduser(path), "rb")  # noqa: SIM115 - closed by Input.close
    try:
        if path != "-" and os.path.isdir(fo.fileno()):
            raise IsADirectoryError(f"{path} is a folder")
        beginning = fo.read(SNIFF)
        return Input(path, fo, beginning, _kind(beginning, path))
    except BaseException:
        if path != "-":
            fo.close()
        raise


def _stdin() -> BinaryIO:
    if sys.stdin is None:
        raise OSError(errno.EBADF, "standard input is closed")
    return sys.stdin.buffer


def _kind(beginning: bytes, path: str) -> str:
    if not beginning:
        return "empty"
    if beginning.startswith((*_ZLIB, _GZIP)) or _looks_har(beginning):
        return "har"
    if reader.looks_native(beginning):
        return "native"
    raise FlowFileError(f"neither a flow file nor a HAR: it begins with {beginning[:20]!r}", path=path, offset=0)


def _looks_har(beginning: bytes) -> bool:
    return beginning.startswith(_BOMS) or beginning.lstrip()[:1] in (b"{", b"")


def open_flows(path: str, report: Callable[[Problem], None] | None = None) -> Iterator[Flow]:
    """The flows of a file (``-`` is stdin), lazily; without ``report`` the first damaged place raises FlowFileError.

    Raises OSError when it cannot be opened or read, FlowFileError when it is neither a flow file nor a HAR.
    """
    opened = open_input(path)

    def fail(problem: Problem) -> None:
        raise FlowFileError(f"{path}: {problem.reason} (at byte {problem.offset})", path=path, offset=problem.offset)

    try:
        yield from opened.flows(report or fail)
    finally:
        opened.close()
