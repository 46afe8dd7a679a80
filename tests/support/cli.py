"""The command line from outside: shells, pipes, signals, terminals, and a folder to run it in."""

from __future__ import annotations

import os
import pty
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.flows import environment, http_flow, read_flows, response, run_flowdump, write_flows

COMMAND = [sys.executable, "-m", "flowdump"]
URLS = [f"https://example.com/{name}" for name in ("a", "b", "c")]


def work_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a folder the current one, with ``saved`` in it: three flows a, b and c."""
    monkeypatch.chdir(folder)
    write_flows(folder / "saved", [flow(url) for url in URLS])
    return folder


def flow(url: str, body: bytes = b"<p>body</p>", status: int = 200) -> Any:
    return http_flow(url, response(status, body, {"content-type": "text/html"}))


def urls(path: str | Path | bytes) -> list[str]:
    return [flow.request.url for flow in read_flows(path)]


def shell(line: str, **env: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of shell in which ``flowdump`` is ours; ``PIPESTATUS`` and such are bash's."""
    line = line.replace("flowdump ", f"{shlex.join(COMMAND)} ")
    return subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        env=environment(**env),
        stdin=subprocess.DEVNULL,
        timeout=120,
        check=False,
    )


def fails(*arguments: str | Path, code: int = 1, says: str, env: dict[str, str] | None = None) -> str:
    """The run must fail with one clear message on stderr, say nothing on stdout, and make or touch no file."""
    before = {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in Path().rglob("*")}
    done = run_flowdump(*arguments, env=env)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    after = {
        path: (path.stat().st_mtime_ns, path.stat().st_size)
        for path in Path().rglob("*")
        if "__pycache__" not in path.parts
    }
    assert after == before
    return done.stderr


@contextmanager
def started(*arguments: str, **facts: Any) -> Iterator[subprocess.Popen[bytes]]:
    pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | facts
    with subprocess.Popen([*COMMAND, *arguments], **{"env": environment(), **pipes}) as run:
        try:
            yield run
        finally:
            run.kill()


def wait_until(ready: Callable[[], Any]) -> None:
    """Wait for what a file, a process or a thread shows; there is nothing to be woken by."""
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


def on_terminal(*arguments: str, both: bool = True, **env: str) -> tuple[str, bytes]:
    """What a terminal gets, and what a pipe at stdout gets if not ``both`` streams are on the terminal."""
    kept = {
        name: value for name, value in environment(TERM="xterm", **env).items() if name != "NO_COLOR" or name in env
    }
    master, slave = pty.openpty()
    run = subprocess.Popen(
        [*COMMAND, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=slave if both else subprocess.PIPE,
        stderr=slave,
        env=kept,
    )
    os.close(slave)
    shown, printed = b"", b""
    streams = [master] if both else [master, run.stdout.fileno()]  # type: ignore[union-attr]
    while streams:
        for fd in select.select(streams, [], [], 30)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:  # the other side of the terminal is closed
                data = b""
            if not data:
                streams.remove(fd)
            elif fd == master:
                shown += data
            else:
                printed += data
    os.close(master)
    if run.stdout:
        run.stdout.close()
    assert run.wait(timeout=60) == 0
    return shown.decode(), printed
