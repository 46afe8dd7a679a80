"""``mitmproxy.io``: reading and writing flow files, and tnetstrings on open files."""

from __future__ import annotations

import io
from importlib import import_module
from pathlib import Path

import pytest
from tests.support.flows import every_kind, record, write_flows

from flowdump.exceptions import FlowReadException

pytestmark = pytest.mark.usefixtures("installed")


def test_flows_are_read_and_written_with_a_filter(tmp_path: Path) -> None:
    mio = import_module("mitmproxy.io")
    flows = every_kind()
    out = io.BytesIO()
    writer = mio.FilteredFlowWriter(out, "~tcp")
    for flow in flows:
        writer.add(flow)
    found = list(mio.FlowReader(io.BytesIO(out.getvalue())).stream())
    assert [flow.id for flow in found] == [flow.id for flow in flows if flow.type == "tcp"]
    everything = io.BytesIO()
    unfiltered = mio.FilteredFlowWriter(everything, None)
    for flow in flows:
        unfiltered.add(flow)
    assert everything.getvalue() == record(*flows)
    path = write_flows(tmp_path / "flows", flows)
    assert [flow.id for flow in mio.read_flows_from_paths([path])] == [flow.id for flow in flows]
    with pytest.raises(FlowReadException, match="cannot read"):
        mio.read_flows_from_paths([str(tmp_path / "none")])
    with pytest.raises(FlowReadException):
        list(mio.FlowReader(io.BytesIO(b"no flows at all")).stream())


def test_tnetstrings_are_read_and_written() -> None:
    notation = import_module("mitmproxy.io.tnetstring")
    out = io.BytesIO()
    notation.dump({"a": [1, b"b"]}, out)
    out.seek(0)
    assert notation.load(out) == {"a": [1, b"b"]} == notation.loads(notation.dumps({"a": [1, b"b"]}))
    for wrong in (b"", b"5", b"99999999999999:x"):
        with pytest.raises(ValueError, match="tnetstring"):
            notation.load(io.BytesIO(wrong))
