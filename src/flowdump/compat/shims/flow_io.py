"""``mitmproxy.io``: flow readers with ``stream()``, a filtering writer, and tnetstrings on open files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO

from flowdump import filters
from flowdump.exceptions import FlowReadException
from flowdump.flow import Flow
from flowdump.formats import flowfile, open_flows
from flowdump.formats.flowfile import tnetstring
from flowdump.formats.har.read import read_har

#: Bytes that tell a HAR from a flow file: a byte order mark (3) and the opening brace.
_SNIFF = 4

#: Characters of the length of a tnetstring, with its colon: more would mean over a terabyte.
_LENGTH_DIGITS = 13


class FlowReader:
    """``for flow in FlowReader(file).stream()``: the flows of an open binary file, which may be a HAR.

    Raises FlowReadException for damaged data.
    """

    def __init__(self, fo: BinaryIO) -> None:
        self.fo = fo

    def stream(self) -> Iterator[Flow]:
        beginning = self.fo.read(_SNIFF)
        if beginning.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
            yield from read_har(iter((beginning, self.fo.read())), _raise)
        else:
            yield from flowfile.FlowReader(self.fo, prefix=beginning)


def _raise(problem: Any) -> None:
    raise FlowReadException(f"at byte {problem.offset}: {problem.reason}", offset=problem.offset)


class FilteredFlowWriter:
    """Writes the flows that match a filter; None matches all flows."""

    def __init__(self, fo: BinaryIO, flt: Callable[[Any], bool] | str | None) -> None:
        self._writer = flowfile.FlowWriter(fo)
        self.flt = flt

    def add(self, flow: Flow) -> None:
        """Raises FlowFileError when the flow cannot be stored, OSError when writing fails."""
        if filters.match(self.flt, flow):
            self._writer.add(flow)


def read_flows_from_paths(paths: Iterable[str]) -> list[Flow]:
    """Read all flows of some files. Raises FlowReadException for a file that cannot be read."""
    flows: list[Flow] = []
    for path in paths:
        try:
            flows.extend(open_flows(str(path)))
        except OSError as error:
            raise FlowReadException(f"cannot read {path!r}: {error.strerror or error}") from None
    return flows


def dump(value: Any, file_handle: BinaryIO) -> None:
    """Write a value as a tnetstring. Raises ValueError for a type that tnetstrings cannot hold."""
    file_handle.write(tnetstring.dumps(value))


def load(file_handle: BinaryIO) -> Any:
    """Read one tnetstring. Raises ValueError if there is none."""
    digits = b""
    while not digits.endswith(b":"):
        byte = file_handle.read(1)
        if not byte:
            raise ValueError("not a tnetstring: the length has no end")
        digits += byte
        if len(digits) > _LENGTH_DIGITS:
            raise ValueError("not a tnetstring: absurdly long length")
    return tnetstring.loads(digits + file_handle.read(int(digits[:-1]) + 1))
