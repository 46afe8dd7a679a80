"""Sessions in a terminal, as documents show them, run with real programs.

::

    $ flowdump -q -s "scripts/mock.py answers" &
    $ curl -s -x http://127.0.0.1:8080 http://shop.test/hello
    hello

A line after ``$`` is a command, and what follows is what it prints. A command that ends with ``&`` runs until the
session is over, is ready when its ports take connections, and has the shown lines somewhere in its output; then it is
interrupted, and has to end well. Ports are replaced by free ones, and what differs from run to run is not compared.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from tests.support.blocks import surroundings
from tests.support.flows import SLOW
from tests.support.live import shared_confdir
from tests.support.ports import free_ports

from flowdump.engine.tls.authority import Authority

#: Ports that documents name; others are left as they are.
PORTS = re.compile(r"\b(?:8080|8081|8082|8443|8000|8001|9000|1080|5353)\b")
PATIENCE = 60

#: What differs from run to run, and how documents have it.
CHANGING = (
    (re.compile(r"^\d\d:\d\d:\d\d (?=127\.0\.0\.1:)", re.MULTILINE), "09:30:00 "),
    (re.compile(r"(?<=^09:30:00 127\.0\.0\.1:)\d+", re.MULTILINE), "51000"),
    (re.compile(r"\b(?:\d+ms|\d+\.\ds)\b"), "12ms"),
    (SLOW, ""),
    (re.compile(r"\b(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\b"), "2026-03-02 09:30:00"),
)


class Step(NamedTuple):
    """A command and what it prints."""

    command: str
    stays: bool
    shown: str


def steps(text: str) -> list[Step]:
    found = re.findall(r"^\$ ((?:[^\n]*\\\n)*[^\n]*)\n((?:(?!\$ )[^\n]*\n)*)", text, re.MULTILINE)
    return [Step(command.removesuffix("&").strip(), command.endswith("&"), shown.strip()) for command, shown in found]


class Outcome(NamedTuple):
    step: Step
    code: int
    output: str

    def problem(self) -> str:
        """What is not as it was shown; empty if all is."""
        output, shown = plain(self.output), plain(self.step.shown)
        if self.code != 0:
            return f"{self.step.command}: exit code {self.code}\n{output}"
        if self.step.stays:
            rest = iter(output.splitlines())
            missing = [line for line in shown.splitlines() if line not in rest]
            return f"{self.step.command}: {missing} is not in\n{output}" if missing else ""
        return "" if output == shown else f"{self.step.command}: {output!r} instead of {shown!r}"


def plain(text: str) -> str:
    for pattern, instead in CHANGING:
        text = pattern.sub(instead, text)
    return text.strip()


class Session:
    """A folder with a home of its own, and the programs that run in it."""

    def __init__(self, folder: Path, text: str) -> None:
        self.folder = folder
        self.steps = steps(text)
        known = sorted({*PORTS.findall(text), "8080"})
        self.ports = dict(zip(known, free_ports(len(known)), strict=True))
        self.home = folder / "home"
        if not self.home.exists():
            Authority.open(str(shared_confdir()))
            shutil.copytree(shared_confdir(), self.home / ".flowdump")
        self.environment = surroundings(folder) | {"HOME": str(self.home)}
        self.running: list[tuple[Step, subprocess.Popen[bytes], Path]] = []
        #: Processes, and the ports that they will listen on.
        self.awaited: list[tuple[subprocess.Popen[bytes], int]] = []

    def run(self) -> list[Outcome]:
        outcomes = []
        try:
            for step in self.steps:
                if step.stays:
                    self.start(step)
                else:
                    self.wait()
                    outcomes.append(self.call(step))
        finally:
            for _, process, _ in self.running:
                process.send_signal(signal.SIGINT)
            ended = [self.end(*one) for one in reversed(self.running)]
        return outcomes + ended

    def call(self, step: Step) -> Outcome:
        done = subprocess.run(
            ["sh", "-c", self.located(step.command)], cwd=self.folder, env=self.environment, timeout=PATIENCE,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        return Outcome(step, done.returncode, self.as_shown(done.stdout))

    def start(self, step: Step) -> None:
        command = self.located(step.command)
        ports = [self.ports[port] for port in PORTS.findall(step.command)]
        if not ports:
            ports = [self.ports["8080"]]
            command += f" -p {ports[0]}"
        log = self.folder / f"session-{len(self.running)}.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                ["sh", "-c", f"exec {command}"], cwd=self.folder, env=self.environment,
                stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
            )  # fmt: skip
        self.running.append((step, process, log))
        self.awaited += [(process, port) for port in ports]

    def wait(self) -> None:
        """Until all that was started takes connections. What ends before has something to say."""
        deadline = time.monotonic() + PATIENCE
        while self.awaited and time.monotonic() < deadline:
            self.awaited = [(one, port) for one, port in self.awaited if one.poll() is None and not answers(port)]
            time.sleep(0.02)

    def end(self, step: Step, process: subprocess.Popen[bytes], log: Path) -> Outcome:
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        own = "flowdump" in step.command.split()[0]
        return Outcome(step, code if own else 0, self.as_shown(log.read_bytes()))

    def located(self, command: str) -> str:
        return PORTS.sub(lambda found: str(self.ports[found[0]]), command)

    def as_shown(self, output: bytes) -> str:
        text = output.decode("utf-8", "backslashreplace").replace(str(self.home), "/home/me")
        for known, used in self.ports.items():
            text = re.sub(rf"\b{used}\b", known, text)
        return text


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def possible() -> bool:
    """Whether the programs that sessions use are there."""
    return os.name == "posix" and shutil.which("curl") is not None
