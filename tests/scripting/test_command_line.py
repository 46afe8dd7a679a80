"""Scripts as users run them: one process, streams, exit codes, files."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.flows import every_kind, http_flow, read_flows, response, run_flowdump, write_flows

ANSWERED = [
    http_flow(f"https://example.com/{n}", response(200, b"<html>", {"content-type": "text/html"})) for n in (1, 2)
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_flows(tmp_path / "saved", ANSWERED)
    return tmp_path


def test_an_error_in_a_handler(folder: Path) -> None:
    (folder / "script.py").write_text("def response(flow):\n    flow.comment = 'left'\n    flow.request.nonsense.x\n")
    done = run_flowdump("-r", "saved", "-s", "script.py a", "-w", "changed", cwd=folder)
    assert (done.returncode, len(done.stdout.splitlines())) == (4, 2)
    assert done.stderr.splitlines()[:3] == [
        "error in response of script script.py:",
        f'  File "{folder / "script.py"}", line 3, in response',
        "    flow.request.nonsense.x",
    ]
    assert done.stderr.count("AttributeError: 'Request' object has no attribute 'nonsense'") == 2
    assert "flowdump/" not in done.stderr.replace(str(folder), "")
    assert [flow.comment for flow in read_flows(folder / "changed")] == ["left", "left"]


def test_damaged_input_counts_more_than_a_failing_handler(folder: Path) -> None:
    saved = folder / "saved"
    saved.write_bytes(saved.read_bytes()[:-20])
    (folder / "script.py").write_text("def request(flow):\n    1 / 0\n")
    assert run_flowdump("-q", "-r", "saved", "-s", "script.py", cwd=folder).returncode == 3


@pytest.mark.parametrize("text", ["def x(:\n", "import nothing_like_this\n", "1 / 0\n", "import sys\nsys.exit(1)\n"])
def test_outputs_are_not_touched_when_a_script_does_not_load(folder: Path, text: str) -> None:
    (folder / "script.py").write_text(text)
    (folder / "changed").write_bytes(b"as it was")
    done = run_flowdump("-r", "saved", "-s", "script.py", "-w", "changed", "--hardump", "new.har", cwd=folder)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"flowdump: {folder / 'script.py'}:")
    assert "Traceback" not in done.stderr
    assert (folder / "changed").read_bytes() == b"as it was"
    assert not (folder / "new.har").exists()


def test_what_scripts_print_stands_between_the_flows(folder: Path) -> None:
    (folder / "script.py").write_text("def request(flow):\n    print('before', flow.request.path)\n")
    lines = run_flowdump("-r", "saved", "-s", "script.py", cwd=folder, check=True).stdout.splitlines()
    assert [line.split()[-1] if line.startswith("before") else line.split()[3][-2:] for line in lines] == [
        "/1", "/1", "/2", "/2",
    ]  # fmt: skip


def test_several_scripts_run_in_their_order(folder: Path) -> None:
    for name in ("a", "b", "c"):
        (folder / f"{name}.py").write_text(f"def request(flow):\n    flow.comment += '{name}'\n")
    run_flowdump("-q", "-r", "saved", "-s", "b.py", "-s", "a.py", "-s", "c.py", "-w", "out", cwd=folder, check=True)
    assert [flow.comment for flow in read_flows(folder / "out")] == ["bac", "bac"]


def test_a_script_without_handlers_changes_nothing(tmp_path: Path) -> None:
    source = write_flows(tmp_path / "in", every_kind())
    (tmp_path / "script.py").write_text("")
    run_flowdump("-q", "-r", source, "-s", tmp_path / "script.py", "-w", tmp_path / "out", check=True)
    assert (tmp_path / "out").read_bytes() == source.read_bytes()


def test_a_flow_that_a_script_broke_does_not_end_the_run(tmp_path: Path) -> None:
    (tmp_path / "breaks.py").write_text(
        "def request(flow):\n    if 'css' in flow.request.path:\n        flow.request = None\n"
    )
    write_flows(tmp_path / "in.mitm", [http_flow(f"https://example.com/{name}") for name in ("a", "css", "b")])
    done = run_flowdump(
        "-r",
        tmp_path / "in.mitm",
        "-s",
        tmp_path / "breaks.py",
        "-w",
        tmp_path / "out.mitm",
        "--dumper-filter",
        "~u .",
        "--save-stream-filter",
        "~u .",
    )
    assert done.returncode == 4
    assert "Traceback" not in done.stderr
    assert "left out: AttributeError" in done.stderr
    assert [flow.request.path for flow in read_flows(tmp_path / "out.mitm")] == ["/a", "/b"]


def test_a_flow_that_cannot_be_shown_is_an_error_of_the_script(folder: Path) -> None:
    (folder / "breaks.py").write_text("def response(flow):\n    flow.request = None\n")
    done = run_flowdump("-r", "saved", "-s", "breaks.py", cwd=folder)
    assert done.returncode == 4
    assert done.stderr.count("cannot be shown: AttributeError: ") == len(done.stdout.splitlines()) == 2
