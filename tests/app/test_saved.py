"""Runs over saved flows, as people start them: a process of its own, files, pipes, terminals and signals."""

from __future__ import annotations

import json
import os
import shlex
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import URLS, fails, flow, on_terminal, shell, started, urls, wait_until, work_in
from tests.support.flows import every_kind, raw, read_flows, record, run_flowdump, write_flows

from flowdump.formats import open_flows


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return work_in(tmp_path, monkeypatch)


# -- what is read ----------------------------------------------------------------------------------------------------


def test_flows_on_stdout_and_nothing_else(home: Path) -> None:
    done = run_flowdump("-r", "saved", check=True)
    assert [line.split()[3] for line in done.stdout.splitlines()] == URLS
    assert done.stderr == ""


def test_every_kind_of_flow_has_one_line(home: Path) -> None:
    write_flows("kinds", every_kind())
    done = run_flowdump("-nr", "kinds", check=True)
    assert len(done.stdout.splitlines()) == len(every_kind())


def test_inputs_are_read_in_turn(home: Path) -> None:
    write_flows("more", [flow("https://example.com/d")])
    run_flowdump("-q", "-r", "more", "--set", "hardump=more.har", check=True)
    done = run_flowdump("-r", "more.har", "-r", "saved", "-r", "-", input=Path("more").read_bytes(), check=True)
    assert [line.split()[3][-1] for line in done.stdout.splitlines()] == ["d", "a", "b", "c", "d"]


@pytest.mark.parametrize("name", ["saved.har", "a.zhar", "no extension", "flows.mitm"])
def test_what_an_input_is_depends_on_its_content(home: Path, name: str) -> None:
    run_flowdump("-q", "-r", "saved", "--hardump", "true.har", "-w", "true.flows", check=True)
    for source in ("true.har", "true.flows"):
        Path(name).write_bytes(Path(source).read_bytes())
        assert len(run_flowdump("-r", name, check=True).stdout.splitlines()) == 3


def test_compressed_har_both_ways(home: Path) -> None:
    run_flowdump("-q", "-r", "saved", "--hardump", "out.zhar", check=True)
    packed = Path("out.zhar").read_bytes()
    assert packed[:1] == b"\x78"
    run_flowdump("-q", "-r", "-", "-w", "back", input=packed, check=True)
    assert urls("back") == URLS


@pytest.mark.parametrize("source", ["empty", "/dev/null", "-"])
def test_an_empty_input_has_no_flows(home: Path, source: str) -> None:
    Path("empty").touch()
    done = run_flowdump("-r", source, "-w", "out", "--hardump", "out.har", check=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert Path("out").read_bytes() == b""
    assert json.loads(Path("out.har").read_bytes())["log"]["entries"] == []


ODD_NAMES = [
    "with blanks and 'quotes\"",
    "-dash",
    "-r",
    "ü\u202e",
    "new\nline",
    "100%",
    "~tilde",
    os.fsdecode(b"\xff\xfe"),
]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_odd_names_of_files(home: Path, name: str) -> None:
    os.rename("saved", name)
    source = name if not name.startswith("~") else f"./{name}"
    run_flowdump("-q", "-r", source, "-w", f"./{name}.out".replace("%", "%%"), "--hardump", f"{name}.har", check=True)
    assert urls(f"{name}.out") == URLS
    assert len(json.loads(Path(f"{name}.har").read_bytes())["log"]["entries"]) == 3
    done = run_flowdump("-r", f"{name} missing")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1


def test_hundreds_of_inputs(home: Path) -> None:
    """More than a process may have open."""
    arguments = [argument for _ in range(400) for argument in ("-r", "saved")]
    line = shlex.join(["flowdump", "-q", *arguments, "-w", "out"])
    done = shell(f"ulimit -n 200; {line}")
    assert (done.returncode, done.stderr) == (0, b"")
    assert len(read_flows("out")) == 1200


def test_a_named_pipe(home: Path) -> None:
    os.mkfifo("pipe")
    done = shell("cat saved > pipe & flowdump -q -r pipe -w out; wait")
    assert (done.returncode, done.stderr) == (0, b"")
    assert urls("out") == URLS


# -- what is not ---------------------------------------------------------------------------------------------------


def test_a_missing_file(home: Path) -> None:
    said = fails(
        "-r", "saved", "-r", "missing", "-w", "out", "--hardump", "out.har", says="flowdump: cannot read 'missing': "
    )
    assert "No such file" in said


def test_a_folder(home: Path) -> None:
    fails("-r", ".", "-w", "out", says="flowdump: cannot read '.': Is a directory")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(home: Path) -> None:
    Path("saved").chmod(0)
    fails("-r", "saved", "-w", "out", says="flowdump: cannot read 'saved': Permission denied")


@pytest.mark.parametrize("content", [b"hello, world\n", b"\x7fELF\x02\x01", b"10:30:00 started", b"[1, 2]", b"\n\n"])
def test_neither_flow_file_nor_har(home: Path, content: bytes) -> None:
    Path("other").write_bytes(content)
    said = fails("-r", "other", "-w", "out", says="other")
    assert repr(content)[2:-1][:8] in said or b"\n\n" in content


def test_a_json_document_that_is_no_har(home: Path) -> None:
    Path("other.json").write_text('{"flows": []}')
    fails("-r", "other.json", "-w", "out", says="other.json")


def test_a_newer_version(home: Path) -> None:
    Path("newer").write_bytes(Path("saved").read_bytes().replace(b"7:version;2:21#", b"7:version;2:22#"))
    fails("-r", "newer", "-w", "out", says="version 22")


@pytest.mark.parametrize("kind", ["native", "HAR"])
def test_damage_in_the_middle(home: Path, kind: str) -> None:
    if kind == "native":
        data = Path("saved").read_bytes()
        middle = len(data) // 2
        Path("broken").write_bytes(data[:middle] + data[middle + 40 :])
        place = f"at byte {len(data) // 3}: "
    else:
        run_flowdump("-q", "-r", "saved", "--hardump", "full.har", check=True)
        lines = Path("full.har").read_text().splitlines()
        lines[2] = '{"request": 7},'
        Path("broken").write_text("\n".join(lines))
        place = f"at byte {len(chr(10).join(lines[:2])) + 1}: "
    done = run_flowdump("-r", "broken", "-w", "out", "--hardump", "out.har")
    assert done.returncode == 3
    assert urls("out") == [URLS[0], URLS[2]]
    assert len(json.loads(Path("out.har").read_bytes())["log"]["entries"]) == 2
    assert len(done.stdout.splitlines()) == 2
    assert f"broken: {place}" in done.stderr
    assert "broken: 1 damaged place was left out, 2 flows read" in done.stderr


def test_a_cut_file(home: Path) -> None:
    data = Path("saved").read_bytes()
    for size, count in ((len(data) - 1, 2), (len(data) // 3 - 10, 0)):
        Path("cut").write_bytes(data[:size])
        done = run_flowdump("-q", "-r", "cut", "-w", "out")
        assert done.returncode == 3
        assert len(urls("out")) == count
        assert f"{count} flows read" in done.stderr


def test_a_file_full_of_damage_is_told_in_short(home: Path) -> None:
    Path("broken").write_bytes((record(flow(URLS[0]), flow(URLS[1])) + b"x") * 50)
    done = run_flowdump("-q", "-r", "broken")
    assert done.returncode == 3
    assert len(done.stderr.splitlines()) < 30
    assert "50 damaged places were left out, 100 flows read" in done.stderr


def test_damage_in_one_input_does_not_stop_the_next(home: Path) -> None:
    Path("cut").write_bytes(Path("saved").read_bytes()[:-9])
    done = run_flowdump("-q", "-r", "cut", "-r", "saved", "-w", "out")
    assert done.returncode == 3
    assert urls("out") == [*URLS[:2], *URLS]


# -- what is written -----------------------------------------------------------------------------------------------


def test_untouched_flows_are_copied(home: Path) -> None:
    run_flowdump("-q", "-r", "saved", "-w", "out", check=True)
    assert Path("out").read_bytes() == Path("saved").read_bytes()
    assert Path("out").stat().st_mode & 0o777 == 0o600


def test_append_rotate_and_folders(home: Path) -> None:
    run_flowdump("-q", "-r", "saved", "-w", "new/folder/%Y.flows", check=True)
    run_flowdump("-q", "-r", "saved", "-w", "+new/folder/%Y.flows", check=True)
    (made,) = Path("new/folder").iterdir()
    assert made.stem == time.strftime("%Y", time.gmtime())
    assert urls(made) == URLS * 2


def test_flows_to_stdout(home: Path) -> None:
    Path("talk.py").write_text("def response(flow):\n    print('from the script')\n")
    done = run_flowdump("-r", "saved", "-s", "talk.py", "-w", "-", check=True)
    assert raw(done.stdout) == Path("saved").read_bytes()
    assert done.stderr.count("from the script") == 3
    assert done.stderr.count("https://example.com/") == 3


def test_a_har_to_stdout(home: Path) -> None:
    Path("talk.py").write_text("def response(flow):\n    print('from the script')\n")
    done = run_flowdump("-r", "saved", "-s", "talk.py", "--set", "hardump=-", check=True)
    assert [entry["request"]["url"] for entry in json.loads(done.stdout)["log"]["entries"]] == URLS
    assert done.stderr.count("from the script") == 3
    quiet = run_flowdump("-q", "-r", "saved", "--set", "hardump=-", check=True)
    assert (quiet.stdout, quiet.stderr) == (done.stdout, "")


def test_prints_stay_on_stdout_otherwise(home: Path) -> None:
    Path("talk.py").write_text("def request(flow):\n    print('before', flow.request.path)\n")
    lines = run_flowdump("-r", "saved", "-s", "talk.py", check=True).stdout.splitlines()
    assert lines[::2] == ["before /a", "before /b", "before /c"]


def test_stdout_for_two_files_is_refused(home: Path) -> None:
    fails("-r", "saved", "-w", "-", "--hardump", "-", says="cannot both have stdout")


def test_pipes_from_one_to_the_next(home: Path) -> None:
    done = shell(
        "flowdump -q -r saved -w - | flowdump -q -r - --hardump - | flowdump -q -r - -w out; echo ${PIPESTATUS[*]}"
    )
    assert (done.stdout, done.stderr) == (b"0 0 0\n", b"")
    assert urls("out") == URLS


def _same_files() -> Iterator[Any]:
    year = time.strftime("%Y", time.gmtime())
    for source, target in (
        ("saved", "saved"),
        ("saved", "./saved"),
        ("saved", "+saved"),
        ("saved", "symlink"),
        ("saved", "hardlink"),
        ("symlink", "saved"),
        ("symlink", "hardlink"),
        (f"{year}.flows", "%Y.flows"),
        (f"{year}.flows", "+./%Y.flows"),
    ):
        yield pytest.param(source, ["-w", target], id=f"{source} -w {target}")
    for target in ("saved", "symlink", "hardlink"):
        yield pytest.param("saved", ["--hardump", target], id=f"saved --hardump {target}")
    yield pytest.param("saved", ["-w", "new", "--hardump", "new"], id="-w and --hardump")
    yield pytest.param("saved", ["-w", "+new", "--hardump", "./new"], id="-w and --hardump, spelled differently")
    yield pytest.param("saved", ["-w", "new", "--hardump", "dangling"], id="-w and a link to it")


@pytest.mark.parametrize(("source", "outputs"), list(_same_files()))
def test_a_file_is_not_read_and_written_at_once(home: Path, source: str, outputs: list[str]) -> None:
    os.symlink("saved", "symlink")
    os.link("saved", "hardlink")
    Path(f"{time.strftime('%Y', time.gmtime())}.flows").write_bytes(Path("saved").read_bytes())
    before = {path: path.read_bytes() for path in Path().iterdir()}
    if "dangling" in outputs:
        os.symlink("new", "dangling")
    done = run_flowdump("-r", "empty" if source == "-" else source, *outputs)
    assert done.returncode == 1
    assert "flowdump: cannot write " in done.stderr
    assert {path: path.read_bytes() for path in Path().iterdir() if path.exists()} == before


REDIRECTIONS = [
    "flowdump -q -r - -w saved < saved",
    "flowdump -q -r saved -w - >> saved",
    "flowdump -r saved >> saved",
    "flowdump -q -r saved --hardump - >> saved",
]


@pytest.mark.parametrize("line", REDIRECTIONS)
def test_redirections_are_seen_as_well(home: Path, line: str) -> None:
    before = Path("saved").read_bytes()
    done = shell(f"ulimit -f 1000; {line}")
    assert done.returncode == 1
    assert b"flowdump: cannot write " in done.stderr
    assert Path("saved").read_bytes() == before


# -- handlers that raise ---------------------------------------------------------------------------------------------

RAISES = """
def helper(flow):
    raise ValueError("about " + flow.request.path)

def request(flow):
    flow.request.headers["x-before"] = "1"
    if flow.request.path == "/b":
        helper(flow)

def response(flow):
    flow.response.headers["x-after"] = "1"
"""


def test_a_handler_that_raises(home: Path) -> None:
    Path("raises.py").write_text(RAISES)
    done = run_flowdump("-r", "saved", "-s", "raises.py", "-w", "out")
    assert done.returncode == 4
    assert len(done.stdout.splitlines()) == 3
    assert "raises.py:3" in done.stderr or 'raises.py", line 3' in done.stderr
    assert 'raises.py", line 8' in done.stderr
    assert "ValueError: about /b" in done.stderr
    assert "src/flowdump" not in done.stderr
    assert [flow.request.headers.get("x-before") for flow in read_flows("out")] == ["1"] * 3
    assert [flow.response.headers.get("x-after") for flow in read_flows("out")] == ["1"] * 3


def test_damage_wins_over_handlers_and_failure_over_both(home: Path) -> None:
    Path("raises.py").write_text(RAISES)
    Path("cut").write_bytes(Path("saved").read_bytes()[:-5])
    assert run_flowdump("-q", "-r", "cut", "-s", "raises.py").returncode == 3
    assert run_flowdump("-q", "-r", "cut", "-s", "raises.py", "-w", "/dev/full").returncode == 1


def test_errors_in_done_and_running_are_handler_errors(home: Path) -> None:
    Path("late.py").write_text("def running():\n    1 / 0\n\nasync def done():\n    {}['x']\n")
    done = run_flowdump("-q", "-r", "saved", "-s", "late.py", "-w", "out")
    assert done.returncode == 4
    assert "ZeroDivisionError" in done.stderr
    assert "KeyError" in done.stderr
    assert urls("out") == URLS


def test_kill_of_a_saved_flow_is_a_handler_error(home: Path) -> None:
    Path("kills.py").write_text("def request(flow):\n    flow.kill()\n")
    done = run_flowdump("-q", "-r", "saved", "-s", "kills.py", "-w", "out")
    assert done.returncode == 4
    assert "not killable" in done.stderr
    assert urls("out") == URLS


# -- full disks, closed pipes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("-r saved > /dev/full", b"flowdump: cannot write"),
        ("-q -r saved -w - > /dev/full", b"flowdump: cannot write"),
        pytest.param("-q -r saved --hardump - > /dev/full", b"flowdump: cannot write"),
        ("-q -r saved -w /dev/full", b"flowdump: cannot write '/dev/full': No space left"),
        pytest.param("-q -r saved --hardump /dev/full", b"cannot write '/dev/full': No space left"),
        pytest.param("--options > /dev/full", b"No space left"),
        pytest.param("--help > /dev/full", b"No space left"),
        pytest.param("--version > /dev/full", b"No space left"),
    ],
)  # fmt: skip
def test_a_full_disk(home: Path, arguments: str, says: bytes) -> None:
    done = shell(f"flowdump {arguments}")
    assert done.returncode == 1
    assert says in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"Exception ignored" not in done.stderr


@pytest.mark.parametrize("kind", ["-w out", "--hardump out"])
def test_a_disk_that_gets_full_keeps_whole_flows(home: Path, kind: str) -> None:
    write_flows("many", [flow(f"https://example.com/{n}", b"x" * 3000) for n in range(20)])
    done = shell(f"trap '' XFSZ; ulimit -f 32; flowdump -q -r many {kind}")
    assert done.returncode == 1
    assert b"flowdump: cannot write 'out': File too large" in done.stderr
    read = [flow.request.url for flow in open_flows("out")]  # type: ignore[attr-defined]
    assert 3 <= len(read) < 20
    assert read == [f"https://example.com/{n}" for n in range(len(read))]


TO_PIPES = [
    "-r many",
    "-dd -r many",
    "-q -r many -w -",
    "-q -r many --hardump -",
    pytest.param("-r many -s talk.py"),
    "--options",
    "--help",
]


@pytest.mark.parametrize("arguments", TO_PIPES)
def test_a_closed_pipe_ends_quietly(home: Path, arguments: str) -> None:
    write_flows("many", [flow(URLS[0], b"x" * 100)] * 2000)
    Path("talk.py").write_text("def request(flow):\n    print('said', 'x' * 500)\n")
    done = shell(f"flowdump {arguments} | head -c 1 > /dev/null; echo ${{PIPESTATUS[0]}}")
    assert done.stderr == b""
    # What fits into the pipe may be gone before its reader is.
    assert done.stdout in ((b"1\n",) if "many" in arguments else (b"1\n", b"0\n"))


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams(home: Path, closed: str) -> None:
    done = shell(f"flowdump -q -r saved -w out {closed}")
    assert (done.returncode, done.stderr) == (0, b"")
    assert urls("out") == URLS
    Path("out").unlink()
    assert shell(f"flowdump -r missing -w out {closed}").returncode == 1
    assert not Path("out").exists()


@pytest.mark.parametrize("output", ["-w -", "--hardump -"])
def test_what_a_closed_stdout_cannot_take_is_refused(home: Path, output: str) -> None:
    done = shell(f"flowdump -q -r saved {output} >&-")
    assert (done.returncode, done.stderr) == (1, b"flowdump: cannot write 'stdout': standard output is closed\n")


# -- signals ---------------------------------------------------------------------------------------------------------


KEEPS_RECORD = "import pathlib\ndef done():\n    pathlib.Path('ended').write_text('done')\n"
SIGNALS = [(signal.SIGINT, 130), (signal.SIGTERM, 143)]


@pytest.mark.parametrize("source", ["saved", "saved.har"])
@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_while_waiting_for_a_pipe(home: Path, number: int, code: int, source: str) -> None:
    Path("ends.py").write_text(KEEPS_RECORD)
    run_flowdump("-q", "-r", "saved", "--hardump", "saved.har", check=True)
    arguments = ["-q", "-r", "-", "-s", "ends.py", "-w", "out", "--hardump", "out.har"]
    with started(*arguments) as run:
        assert run.stdin is not None
        data = Path(source).read_bytes()
        run.stdin.write(data[:-1] if source == "saved.har" else data + data[:500])
        run.stdin.flush()
        wait_until(
            lambda: Path("out").exists() and Path("out").stat().st_size >= Path("saved").stat().st_size * 9 // 10
        )
        run.send_signal(number)
        _, said = run.communicate(timeout=60)
    assert (run.returncode, said) == (code, b"")
    assert urls("out") == URLS
    assert len(json.loads(Path("out.har").read_bytes())["log"]["entries"]) == 3
    assert Path("ended").exists()


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_before_the_first_byte(home: Path, number: int, code: int) -> None:
    Path("ready.py").write_text(KEEPS_RECORD + "print('ready', flush=True)\n")
    with started("-r", "-", "-s", "ready.py") as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
        # The script is loaded, the input is opened next: whichever of both it is, one signal must do.
        wait_until(lambda: "pipe_read" in _waits_in(run.pid))
        run.send_signal(number)
        run.wait(timeout=60)
    assert run.returncode == code
    assert Path("ended").exists()


def _waits_in(pid: int) -> str:
    """The kernel function a process sleeps in; where that is not told, its state is good enough."""
    try:
        name = Path(f"/proc/{pid}/wchan").read_text()
    except OSError:
        name = "0"
    if name not in ("0", ""):
        return name
    return "pipe_read" if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "S" else ""


def sends(*numbers: int) -> str:
    """A script that is hit by signals while the second flow is in ``request``."""
    kills = "".join(f"        os.kill(os.getpid(), {number})\n" for number in numbers)
    return (
        "import os\nimport pathlib\n"
        f"def request(flow):\n    if flow.request.path == '/b':\n{kills}"
        "def response(flow):\n    flow.response.headers['x-finished'] = '1'\n"
        "def done():\n    pathlib.Path('ended').write_text('done')\n"
    )


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_a_signal_in_a_run_finishes_the_current_flow(home: Path, number: int, code: int) -> None:
    Path("hit.py").write_text(sends(number))
    done = run_flowdump("-r", "saved", "-s", "hit.py", "-w", "out", "--hardump", "out.har")
    assert (done.returncode, done.stderr) == (code, "")
    assert [line.split()[3] for line in done.stdout.splitlines()] == URLS[:2]
    assert [flow.response.headers.get("x-finished") for flow in read_flows("out")] == ["1", "1"]
    assert len(json.loads(Path("out.har").read_bytes())["log"]["entries"]) == 2
    assert Path("ended").exists()


@pytest.mark.parametrize(("number", "code"), SIGNALS)
def test_the_second_signal_ends_at_once(home: Path, number: int, code: int) -> None:
    Path("hit.py").write_text(sends(number, number))
    done = run_flowdump("-q", "-r", "saved", "-s", "hit.py", "-w", "out", "--hardump", "out.har")
    assert done.returncode == code
    assert "Traceback" not in done.stderr
    assert urls("out") == URLS[:1]
    assert len(json.loads(Path("out.har").read_bytes())["log"]["entries"]) == 1


# -- terminals -------------------------------------------------------------------------------------------------------


def test_colours_on_a_terminal_only(home: Path) -> None:
    coloured, _ = on_terminal("-r", "saved")
    assert "\x1b[32m200\x1b[0m" in coloured
    # A slow run would show its progress, too.
    Path("never.py").write_text("import flowdump.addons.progress as p\np.PATIENCE = p.INTERVAL = 10**6\n")
    assert "\x1b" not in on_terminal("-r", "saved", "-s", "never.py", NO_COLOR="1")[0]
    shown, printed = on_terminal("-r", "saved", "-s", "never.py", both=False)
    assert shown == ""
    assert b"\x1b" not in printed
    assert printed.count(b"\n") == 3
    assert "\x1b" not in run_flowdump("-r", "saved", env={"NO_COLOR": ""}, check=True).stdout


def test_control_characters_are_shown_escaped(home: Path) -> None:
    hostile = flow("https://example.com/")
    hostile.request.path = "/\x1b[2J\r\u202e\x07"
    hostile.response.headers["x-\x1b]0;x\x07"] = "\x1b[31m\r\n"
    hostile.response.reason = "\x1b[1m"
    hostile.response.content = b"\x1b[2Jbody\x9b\x07"
    write_flows("hostile", [hostile])
    for level in ("1", "2", "3", "4"):
        printed = run_flowdump("-r", "hostile", "--flow-detail", level, check=True).stdout
        assert not any(c in printed for c in "\x1b\r\x07\x9b\u202e")


PROGRESS = """
import flowdump.addons.progress
import flowdump.app.saved
flowdump.addons.progress.PATIENCE = flowdump.addons.progress.INTERVAL = 0
flowdump.app.saved.TURN = 0
"""


def test_progress_on_a_terminal(home: Path) -> None:
    Path("soon.py").write_text(PROGRESS)
    shown, printed = on_terminal("-r", "saved", "-s", "soon.py", both=False)
    assert "flows" in shown
    assert "/s" in shown
    assert "%" in shown
    assert printed.count(b"\n") == 3
    # In the end it is gone: nothing is left behind the last erasure.
    assert shown.endswith(("\r\x1b[K", "\r\x1b[K\x1b[?25h"))
    short, _ = on_terminal("-q", "-r", "saved")
    assert short == ""
    assert run_flowdump("-q", "-r", "saved", "-s", "soon.py", check=True).stderr == ""


def test_progress_and_flows_share_a_terminal(home: Path) -> None:
    Path("soon.py").write_text(PROGRESS)
    shown, _ = on_terminal("-r", "saved", "-s", "soon.py", NO_COLOR="1")
    lines = shown.replace("\r\n", "\n").split("\n")
    assert [line.rpartition("\x1b[K")[2].split()[3] for line in lines[:3]] == URLS
