"""``-w``: which flows are saved, where, and what is said of what cannot be."""

from __future__ import annotations

import io
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from tests.support.flows import every_kind, http_flow, raw, read_flows, run_flowdump, write_flows

from flowdump.addons.save import Save
from flowdump.options import Options


def saved(tmp_path: Path, *flows: Any, **values: Any) -> tuple[list[Any], list[str]]:
    options, warnings = Options(), list[str]()
    path = tmp_path / "out.mitm"
    options.update(save_stream_file=str(path), **values)
    save = Save(options, io.BytesIO(), warnings.append)
    save.open()
    for flow in flows:
        save.add(flow)
    save.close()
    return read_flows(path), warnings


def test_every_flow_is_saved(tmp_path: Path) -> None:
    flows = every_kind()
    read, warnings = saved(tmp_path, *flows)
    assert [flow.get_state() for flow in read] == [flow.get_state() for flow in flows]
    assert warnings == []


def test_the_filter(tmp_path: Path) -> None:
    flows = every_kind()
    read, _ = saved(tmp_path, *flows, save_stream_filter="~dns | ~tcp")
    assert [flow.type for flow in read] == ["tcp", "tcp", "dns", "dns", "dns"]


def test_a_filter_that_changes_on_the_way(tmp_path: Path) -> None:
    options = Options()
    options.update(save_stream_file=str(tmp_path / "out"))
    save = Save(options, io.BytesIO(), print)
    save.open()
    for option, path in ((None, "/1"), ("~u /3", "/2"), ("~u /3", "/3")):
        options.update(save_stream_filter=option)
        save.add(http_flow(f"https://example.com{path}"))
    save.close()
    assert [flow.request.path for flow in read_flows(tmp_path / "out")] == ["/1", "/3"]
    assert save.flows_written == 2


def test_metadata_that_cannot_be_stored_is_said_once(tmp_path: Path) -> None:
    flows = [http_flow(), http_flow()]
    for flow in flows:
        flow.metadata = {"object": object(), "kept": 1}
    read, warnings = saved(tmp_path, *flows)
    assert [flow.metadata for flow in read] == [{"kept": 1}] * 2
    (warning,) = warnings
    assert "object" in warning


def test_a_new_file_is_for_its_owner_only_and_folders_are_made(tmp_path: Path) -> None:
    source = write_flows(tmp_path / "in", every_kind())
    target = tmp_path / "new" / "folder" / "out"
    run_flowdump("-q", "-r", source, "-w", target, check=True)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert len(read_flows(target)) == len(every_kind())


def test_appending(tmp_path: Path) -> None:
    source, target = write_flows(tmp_path / "in", [http_flow()]), tmp_path / "out"
    for _ in range(2):
        run_flowdump("-q", "-r", source, "-w", f"+{target}", check=True)
    assert len(read_flows(target)) == 2
    run_flowdump("-q", "-r", source, "-w", target, check=True)
    assert len(read_flows(target)) == 1


def test_flows_to_stdout_and_everything_else_to_stderr(tmp_path: Path) -> None:
    source, script = write_flows(tmp_path / "in", every_kind()), tmp_path / "script.py"
    script.write_text("def request(flow):\n    print('printed')\n")
    done = run_flowdump("-r", source, "-s", script, "-w", "-", check=True)
    assert len(read_flows(raw(done.stdout))) == len(every_kind())
    lines = done.stderr.splitlines()
    assert len([line for line in lines if line.startswith("12:00:0")]) == len(every_kind())
    assert lines.count("printed") == len([flow for flow in every_kind() if flow.type == "http"])


@pytest.mark.parametrize("target", ["in", "link", "../{name}/in", "+in"])
def test_the_input_is_never_overwritten(tmp_path: Path, target: str) -> None:
    source = write_flows(tmp_path / "in", every_kind())
    os.symlink(source, tmp_path / "link")
    before = source.read_bytes()
    done = run_flowdump("-q", "-r", "in", "-w", target.format(name=tmp_path.name), cwd=tmp_path)
    assert (done.returncode, source.read_bytes()) == (1, before)
    assert "the file is also read or written in this run" in done.stderr
