"""``hardump``: where the HAR goes, and which flows are in it. What an entry looks like is tested with the writer."""

from __future__ import annotations

import io
import json
import os
import stat
import threading
import zlib
from pathlib import Path
from typing import Any

from tests.support.flows import every_kind, http_flow, raw, run_flowdump, write_flows

from flowdump.addons.hardump import HarDump
from flowdump.options import Options

HTTP_FLOWS = len([flow for flow in every_kind() if flow.type == "http"])


def dumped(path: Path, **values: Any) -> HarDump:
    options = Options()
    options.update(hardump=str(path), **values)
    har = HarDump(options, io.BytesIO(), lambda text: None)
    har.open()
    return har


def urls(text: str | bytes) -> list[str]:
    return [entry["request"]["url"] for entry in json.loads(text)["log"]["entries"]]


def test_the_file_is_valid_at_any_moment(tmp_path: Path) -> None:
    path = tmp_path / "out.har"
    har = dumped(path)
    assert urls(path.read_bytes()) == []
    for n in range(1, 4):
        har.add(http_flow(f"https://example.com/{n}"))
        assert urls(path.read_bytes()) == [f"https://example.com/{i}" for i in range(1, n + 1)]
    har.close()
    assert len(urls(path.read_bytes())) == 3


def test_folders_are_made_and_the_file_is_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "out.har"
    dumped(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert urls(path.read_bytes()) == []


def test_an_older_and_longer_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.har"
    path.write_bytes(b"x" * 100_000)
    os.chmod(path, 0o640)
    har = dumped(path)
    har.add(http_flow())
    har.close()
    assert urls(path.read_bytes()) == ["https://example.com/"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_the_filter(tmp_path: Path) -> None:
    path = tmp_path / "out.har"
    har = dumped(path, save_stream_filter="~u /2")
    for n in range(3):
        har.add(http_flow(f"https://example.com/{n}"))
    har.close()
    assert urls(path.read_bytes()) == ["https://example.com/2"]


def test_a_compressed_har(tmp_path: Path) -> None:
    source = write_flows(tmp_path / "in", every_kind())
    target = tmp_path / "out.zhar"
    run_flowdump("-q", "-r", source, "--hardump", target, check=True)
    assert len(urls(zlib.decompress(target.read_bytes()))) == HTTP_FLOWS
    again = run_flowdump("-r", target, check=True)
    assert len(again.stdout.splitlines()) == HTTP_FLOWS


def test_a_har_to_stdout(tmp_path: Path) -> None:
    source = write_flows(tmp_path / "in", every_kind())
    script = tmp_path / "script.py"
    script.write_text("print('from the script')\n")
    done = run_flowdump("-r", source, "--set", "hardump=-", "-s", script, check=True)
    assert len(urls(raw(done.stdout))) == HTTP_FLOWS
    assert len(done.stderr.splitlines()) == len(every_kind()) + 2  # what the script said, and what is not in the HAR
    assert "from the script" in done.stderr


def test_a_har_into_a_named_pipe(tmp_path: Path) -> None:
    pipe, source = tmp_path / "pipe.har", write_flows(tmp_path / "in", every_kind())
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    run_flowdump("-q", "-r", source, "--hardump", pipe, check=True)
    reader.join(30)
    assert len(urls(got[0])) == HTTP_FLOWS


def test_a_flow_file_and_a_har_of_the_same_run(tmp_path: Path) -> None:
    source = write_flows(tmp_path / "in", every_kind())
    run_flowdump("-q", "-r", source, "--hardump", tmp_path / "out.har", "-w", tmp_path / "out.mitm", check=True)
    assert len(urls((tmp_path / "out.har").read_bytes())) == HTTP_FLOWS
    done = run_flowdump("-q", "-r", source, "--hardump", tmp_path / "same", "-w", tmp_path / "same")
    assert (done.returncode, (tmp_path / "same").exists()) == (1, False)


def test_a_har_that_cannot_be_made(tmp_path: Path) -> None:
    source = write_flows(tmp_path / "in", every_kind())
    (tmp_path / "folder").mkdir()
    done = run_flowdump("-q", "-r", source, "--hardump", tmp_path / "folder")
    assert done.returncode == 1
    assert done.stderr == f"flowdump: cannot write '{tmp_path / 'folder'}': Is a directory\n"
