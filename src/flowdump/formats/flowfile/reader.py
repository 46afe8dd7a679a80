"""The native flow file, both ways.

A file is a plain concatenation of records, one tagged netstring each; there is no header, no footer and no index.

**Reading** is lazy: one record at a time is cut out of a buffer of at most one record and one chunk. A record takes the
fast path of :mod:`flowdump.formats.flowfile.plain_records`, or is parsed, migrated and completed. A record that cannot
be used is reported with its byte offset and left out, and reading goes on after it. Where the framing itself is
broken, the reader looks for the next place where a record begins: a length, then one of the keys a record can begin
with; the candidate must be a whole dict with ``type``, ``id`` and ``version``, followed by the end of the file or by
the next such place. Only its tag, what follows and the lengths of its few top-level keys are looked at, so that the
search stays linear in hostile files. A body may itself be a flow file: candidates that lead from one to the next into
the end of a byte string are the records of such a body, and are passed over.

**Writing** is one unbuffered write per flow: after ``kill -9`` at most the record that was being written is incomplete.
When the disk is full, the file is cut back to the last whole record before the error goes out.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import time
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

from flowdump.exceptions import FlowFileError
from flowdump.flow import Flow
from flowdump.formats.flowfile import plain_records, state, tnetstring
from flowdump.formats.flowfile.migrations import Migrator, NewerVersionError
from flowdump.formats.flowfile.values import clean_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK: Final = 1 << 18

#: The most that is asked of an input at once: what is asked for is allocated, whether it comes or not.
MAX_CHUNK: Final = 1 << 24

#: Longer records than this are not looked for after a damaged place in a pipe, where looking means keeping.
MAX_CANDIDATE_IN_PIPE: Final = 1 << 28

#: A record larger than this is refused where the size of the input is not known.
MAX_RECORD_IN_PIPE: Final = 1 << 32

_LENGTH = re.compile(rb"(\d{1,12}):").match
#: What the beginning of a flow file can look like, cut anywhere.
_BEGINNING = re.compile(rb"\d{1,12}(?::(?:\d{1,2}(?::(?:[A-Za-z].*)?)?|\{.*)?)?", re.DOTALL).fullmatch
_KEYS = (
    rb"websocket|messages|response|request|backup|timestamp_created|comment|metadata|marked|is_replay|intercepted|"
    rb"server_conn|client_conn|error|id|type|version|mode|close_\w+|client_\w+|server_\w+|handshake_flow"
)
#: Where a record can begin: its length, then its first key (str, or bytes where Python 2 wrote it), or an opening brace
#: of the oldest format.
_RECORD_HEAD = re.compile(rb"(\d{1,12}):(?:\d{1,2}:(?:" + _KEYS + rb")[;,]|\{\")")
#: A key at the top level of a record, and the length of its value.
_PAIR = re.compile(rb"(\d{1,2}):(\w{1,30})[;,](\d{1,12}):").match
#: The end of a byte string and the length of what stands after it.
_END_OF_BYTES = re.compile(rb",\d{1,12}:").match
#: As many bytes hold any of these.
_OVERLAP = 48

#: No record has more keys than this at its top level.
MAX_KEYS: Final = 64

#: As many records are followed to see whether they belong to a body.
MAX_CHAIN: Final = 1000


class Problem(NamedTuple):
    """A place in an input that could not be used: byte offset and the reason in words."""

    offset: int
    reason: str


def looks_native(beginning: bytes) -> bool:
    """Whether the first bytes of an input can be those of a flow file, whole or cut anywhere."""
    return _BEGINNING(beginning) is not None


class FlowReader:
    """Iterates over the flows of a native flow file.

    ``fo`` is a binary file or pipe, ``prefix`` what was already read from it. ``report`` is called with a Problem for
    each place that was left out; without it the first problem raises FlowFileError. Iterating raises FlowFileError when
    the file was written by a newer version than this one knows, and OSError when reading fails.
    """

    def __init__(
        self,
        fo: BinaryIO,
        *,
        prefix: bytes = b"",
        path: str = "<stream>",
        report: Callable[[Problem], None] | None = None,
    ) -> None:
        self.path = path
        self.flows_read = 0
        self._fo = fo
        self._report = report
        self._buffer = bytearray(prefix)
        self._pos = 0
        #: The offset in the input of the first byte of the buffer.
        self._base = 0
        self._ended = False
        self._size = regular_size(fo)
        #: Where in the file the input begins: a shell may have read a part of stdin before us.
        self._start = 0 if self._size is None else fo.tell() - len(prefix)
        # A pipe gives what is there; waiting for a full chunk would hold back flows that have arrived.
        self._read = fo.read if self._size is not None else getattr(fo, "read1", fo.read)
        self._migrator = Migrator()

    @property
    def offset(self) -> int:
        """The byte after the last flow that came out."""
        return self._base + self._pos

    def __iter__(self) -> Iterator[Flow]:
        while True:
            if len(self._buffer) - self._pos < 16 and not self._fill(16) and self._pos >= len(self._buffer):
                return
            found = _LENGTH(self._buffer, self._pos)
            size = found.end() - self._pos + int(found[1]) + 1 if found else 0
            if not found or not self._has_whole(size):
                self._problem(self.offset, self._broken_framing(bool(found), size))
                self._resync(1)
                continue
            record = self._peek(size)
            flow: Flow | None = plain_records.decode(record)
            if flow is None:
                flow = self._decode(record)
                if flow is None:
                    continue
            self._pos += size
            self.flows_read += 1
            yield flow

    # -- one record ----------------------------------------------------------------------------------------------

    def _decode(self, record: bytes) -> Flow | None:
        """The general path. None when the record is of no use; the position is then where reading goes on."""
        try:
            flow = Flow.from_state(self._migrator.migrate(tnetstring.loads(record)))
        except tnetstring.TnetstringError as error:
            self._problem(self.offset, f"{error.reason} at byte {self.offset + error.offset}")
        except NewerVersionError as error:
            if not self.flows_read:
                raise FlowFileError(str(error), path=self.path, offset=self.offset) from None
            self._problem(self.offset, str(error))
        except state.StateError as error:
            self._problem(self.offset, str(error))
        else:
            return flow  # type: ignore[no-any-return]
        if self._is_framed(self.offset + len(record)):
            self._pos += len(record)
        else:
            self._resync(1)
        return None

    def _broken_framing(self, has_length: bool, size: int) -> str:
        if not has_length:
            return "no record begins here"
        available = len(self._buffer) - self._pos if self._size is None else self._left()
        return f"the record says it has {size} bytes, but only {available} are left"

    def _problem(self, offset: int, reason: str) -> None:
        problem = Problem(offset, reason)
        if self._report is None:
            raise FlowFileError(
                f"{reason} (at byte {offset})", path=self.path, offset=offset, flows_read=self.flows_read
            )
        self._report(problem)

    # -- buffer --------------------------------------------------------------------------------------------------

    def _fill(self, size: int) -> bool:
        """Have ``size`` bytes from the position on in the buffer; False when the input ends before."""
        missing = size - (len(self._buffer) - self._pos)
        if missing > 0 and not self._ended:
            del self._buffer[: self._pos]
            self._base += self._pos
            self._pos = 0
        while missing > 0 and not self._ended:
            part = self._read(min(max(missing, CHUNK), MAX_CHUNK))
            if not part:
                self._ended = True
            self._buffer += part
            missing -= len(part)
        return missing <= 0

    def _has_whole(self, size: int) -> bool:
        """Have the whole record in the buffer, unless it is plain that the input is too short for it."""
        if len(self._buffer) - self._pos >= size:
            return True
        if self._size is not None:
            return size <= self._left(size) and self._fill(size)
        return size <= MAX_RECORD_IN_PIPE and self._fill(size)

    def _left(self, wanted: int = 0) -> int:
        """How many bytes of a file are after the position. Where that is not enough, the file may have grown."""
        assert self._size is not None
        if wanted > self._size - self._start - self.offset:
            self._size = max(regular_size(self._fo) or 0, self._size)
        return self._size - self._start - self.offset

    def _peek(self, size: int) -> bytes:
        """The next bytes, which are in the buffer."""
        with memoryview(self._buffer) as buffer:
            return bytes(buffer[self._pos : self._pos + size])

    def _peek_at(self, offset: int) -> bytes:
        """The few bytes that stand at an offset, fewer at the end.

        Of a pipe, only what has arrived: waiting for what may never come would hold back flows.
        """
        begin = offset - self._base
        if self._size is None or begin + _OVERLAP <= len(self._buffer):
            return bytes(self._buffer[begin : begin + _OVERLAP])
        return os.pread(self._fo.fileno(), _OVERLAP, self._start + offset)

    # -- after a damaged place ------------------------------------------------------------------------------------

    def _resync(self, skip: int) -> None:
        """Move to the next place, at least ``skip`` bytes on, where a record is; else to the end."""
        self._fill(skip)
        self._pos = min(self._pos + skip, len(self._buffer))
        while True:
            found = _RECORD_HEAD.search(self._buffer, self._pos)
            if found is None:
                keep = max(self._pos, len(self._buffer) - _OVERLAP)
                self._pos = keep
                if not self._fill(len(self._buffer) - keep + 1) and not _RECORD_HEAD.search(self._buffer, self._pos):
                    self._pos = len(self._buffer)
                    return
                continue
            self._pos = found.start()
            size = found.end(1) + 1 - self._pos + int(found[1]) + 1
            if not self._is_record(size):
                self._pos += 1
                continue
            embedded = self._embedded(self.offset + size)
            if not embedded:
                return
            self._fill(embedded - self.offset)
            self._pos = min(embedded - self._base, len(self._buffer))

    def _is_record(self, size: int) -> bool:
        """Whether a record of ``size`` bytes, length and tag included, is at the position."""
        if self._size is None:
            if size > MAX_CANDIDATE_IN_PIPE or not self._fill(size):
                return False
            self._fill(size + _OVERLAP)
        elif size > self._left(size):
            return False
        end = self.offset + size
        if not self._is_framed(end):
            return False
        first = self.offset + self._peek(_OVERLAP).index(b":") + 1
        return self._peek_at(first)[:1] == b"{" or self._has_flow_keys(first, end - 1)

    def _is_framed(self, end: int) -> bool:
        """Whether the tag of a record stands in front of ``end``, and a record or the end of the input after it."""
        after = self._peek_at(end - 1)
        return after[:1] in (b"}", b",") and (
            len(after) == 1 or _RECORD_HEAD.match(after, 1) is not None or _is_cut_head(after)
        )

    def _has_flow_keys(self, at: int, end: int) -> bool:
        """Whether the bytes between two offsets are a dict, by its lengths, and its keys those of a flow."""
        keys: set[bytes] = set()
        while at < end and len(keys) < MAX_KEYS:
            found = _PAIR(self._peek_at(at))
            if found is None or int(found[1]) != len(found[2]):
                return False
            keys.add(found[2])
            at += found.end() + int(found[3]) + 1
        return at == end and b"version" in keys and (keys >= {b"type", b"id"} or b"request" in keys)

    def _embedded(self, end: int) -> int:
        """Where the body ends to which the record in front of ``end`` belongs; 0 for a record of this input itself."""
        for _ in range(MAX_CHAIN):
            after = self._peek_at(end)
            found = _RECORD_HEAD.match(after)
            if found is None:
                return end if _END_OF_BYTES(after) else 0
            end += found.end(1) + 1 + int(found[1]) + 1
        return 0


def _is_cut_head(after: bytes) -> bool:
    """Whether the few bytes up to the end of the input can be the beginning of one more record."""
    return len(after) < _OVERLAP and re.fullmatch(rb"\d{1,12}(?::(?:\d{1,2}(?::\w*)?)?)?", after[1:]) is not None


def regular_size(fo: BinaryIO) -> int | None:
    """The size in bytes of a regular file, None for pipes and in-memory files."""
    try:
        status = os.fstat(fo.fileno())
    except (OSError, AttributeError, ValueError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


# -- writing -----------------------------------------------------------------------------------------------------


def encode_flow(flow: Flow, warn: Callable[[str], None] | None = None) -> bytes:
    """One record for ``flow``, which mitmproxy 11 and later reads.

    Metadata that no flow file can hold is left out, and ``warn`` is called with its keys. Raises FlowFileError when the
    flow cannot be stored at all, which says why.
    """
    if flow.type == "http":
        record = plain_records.encode(flow)  # type: ignore[arg-type]
        if record is not None:
            return record
    try:
        values = flow.get_state()
        values["metadata"] = _storable(values["metadata"], warn)
        return tnetstring.dumps(state.complete(values))
    except (state.StateError, tnetstring.EncodeError, AttributeError, TypeError) as error:
        raise FlowFileError(f"flow {flow.id} cannot be stored: {error}") from error


def _storable(metadata: dict[Any, Any], warn: Callable[[str], None] | None) -> dict[Any, Any]:
    kept: dict[Any, Any] = {}
    lost: list[str] = []
    for key, value in metadata.items():
        try:
            cleaned = clean_tree({key: value}, 0)
            tnetstring.dumps(cleaned)
            kept |= cleaned
        except ValueError:
            lost.append(str(key))
    if lost and warn:
        warn(", ".join(lost))
    return kept


class FlowWriter:
    """Writes flows to a binary file object that is already open (scripts, stdout)."""

    def __init__(self, fo: BinaryIO, warn: Callable[[str], None] | None = None) -> None:
        self.fo = fo
        self._warn = warn

    def add(self, flow: Flow) -> None:
        """Write one flow and flush. Raises FlowFileError when it cannot be stored, OSError when writing fails."""
        rest = memoryview(encode_flow(flow, self._warn))
        while rest:  # unbuffered files may take less than all at once
            rest = rest[self.fo.write(rest) :]
        self.fo.flush()


class FlowFile:
    """A flow file on disk that grows by one flow at a time.

    ``path`` may begin with ``+`` (append to what is there) and ``~``, and hold strftime codes, expanded with the local
    time: when the expanded name changes, the next flow goes into a new file. Missing folders are made; new files have
    mode 0600.
    """

    def __init__(self, path: str, warn: Callable[[str], None] | None = None) -> None:
        self._append = path.startswith("+")
        self._pattern = os.path.expanduser(path.removeprefix("+"))
        self._warn = warn
        self._fd: int | None = None
        self._checked_at = -1
        self._regular = False
        #: Names that this run has written to.
        self._written: set[str] = set()
        self.path = expand_path(self._pattern)

    def open(self) -> None:
        """Open (or make) the file for the current time. Raises OSError."""
        self._reopen(expand_path(self._pattern))

    def add(self, flow: Flow) -> None:
        """Write one flow. Raises FlowFileError when it cannot be stored, OSError (with the path) when writing fails."""
        record = encode_flow(flow, self._warn)
        if "%" in self._pattern:
            now = int(time.time())
            if now != self._checked_at:
                self._checked_at = now
                path = expand_path(self._pattern)
                if path != self.path or self._fd is None:
                    self._reopen(path)
        if self._fd is None:
            self.open()
        assert self._fd is not None
        written = os.write(self._fd, record)
        if written < len(record):
            self._write_rest(memoryview(record)[written:], written)

    def _write_rest(self, rest: memoryview, written: int) -> None:
        """Go on after a short write; where that fails, no half record is left in a regular file."""
        assert self._fd is not None
        try:
            while rest:
                n = os.write(self._fd, rest)
                rest, written = rest[n:], written + n
        except BaseException:
            if self._regular:
                os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            raise

    def _reopen(self, path: str) -> None:
        self.close()
        folder = os.path.dirname(path)
        if folder:
            # Make the folder of path unless it is there.
            try:
                os.makedirs(folder, exist_ok=True)
            except FileExistsError:
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path) from None
            except OSError as error:
                raise OSError(error.errno, error.strerror, path) from None
        # Rotation may come back to a name (a weekday, or an hour when the clock is set back): those flows are kept.
        keep = self._append or path in self._written
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | (0 if keep else os.O_TRUNC), 0o600)
        self._regular = stat.S_ISREG(os.fstat(self._fd).st_mode)
        self._written.add(path)
        self.path = path

    def close(self) -> None:
        if self._fd is not None:
            fd, self._fd = self._fd, None
            os.close(fd)


def expand_path(pattern: str) -> str:
    """The name that a path with strftime codes has now."""
    return time.strftime(pattern) if "%" in pattern else pattern
