"""A real mitmproxy beside the tests: found, or built in a virtual environment of its own.

``find()`` looks at FLOWDUMP_MITMPROXY_PYTHON (a Python that has mitmproxy), then into ``.venv-mitmproxy`` in the
checkout, which it fills with pip where it is missing: mitmproxy 12 with the newest Python from 3.12 on that works here;
mitmproxy 11.0.2, which writes the same format, where there is only 3.11. Pythons are tried rather than believed: a name
on PATH may be a shim with nothing after it, and a Debian Python may lack ``ensurepip``.

mitmproxy takes 0.6 seconds to start, so ``Mitmproxy.read`` reads many files in one process. States come in the notation
of :mod:`tests.support.notation`.

    python tests/support/mitmproxy.py      # prints the Python to use, building what is missing
"""

from __future__ import annotations

import fcntl
import glob
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".venv-mitmproxy"
VENV = FOLDER / "env"
VARIABLE = "FLOWDUMP_MITMPROXY_PYTHON"
#: Set where a run without mitmproxy must fail instead of skip.
REQUIRED = "FLOWDUMP_REQUIRE_MITMPROXY"

#: Reads [[path, path to save to or null], …] from stdin, writes [{"flows", "error"}, …] to stdout.
READER = r"""
import base64, json, re, sys
from mitmproxy.io import FlowReader, FlowWriter

PLAIN = re.compile(rb"[\t\r\n -~]*").fullmatch

def notation(value):
    if isinstance(value, bytes):
        return {"$b": value.decode()} if PLAIN(value) else {"$b64": base64.b64encode(value).decode()}
    if isinstance(value, (list, tuple)):
        return [notation(item) for item in value]
    if isinstance(value, dict):
        if all(isinstance(key, str) for key in value):
            return {key: notation(item) for key, item in value.items()}
        return {"$dict": sorted(([notation(key), notation(item)] for key, item in value.items()), key=repr)}
    return value

def read(path, save):
    flows, error = [], None
    try:
        with open(path, "rb") as file, open(save or "/dev/null", "wb") as saved:
            writer = FlowWriter(saved)
            for flow in FlowReader(file).stream():
                flows.append(notation(flow.get_state()))
                writer.add(flow)
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"
    return {"flows": flows, "error": error}

task = json.load(sys.stdin)
json.dump([read(*job) for job in task], sys.stdout)
"""


class Read(NamedTuple):
    """What mitmproxy makes of a file: a state per flow, and why it stopped early, or None."""

    flows: list[dict[str, Any]]
    error: str | None


class Mitmproxy:
    """An installed mitmproxy. ``python`` is the interpreter that has it."""

    def __init__(self, python: str) -> None:
        self.python = python
        self.major = int(_output(python, "-c", "import mitmproxy.version as v; print(v.VERSION.split('.')[0])") or 0)

    def knows(self, state: dict[str, Any]) -> bool:
        """Whether a legal state is one for this release too: before 12 a DNS message had to have a time."""
        messages = [state[part] for part in ("request", "response") if state["type"] == "dns"]
        return self.major >= 12 or all(message is None or message["timestamp"] is not None for message in messages)

    def read(self, paths: Sequence[Path], saved: Sequence[Path] = ()) -> dict[Path, Read]:
        """Every flow of every file as a state; where ``saved`` names a file for each, they are written there anew."""
        targets: list[str | None] = [str(path) for path in saved] or [None] * len(paths)
        jobs = [[str(path), target] for path, target in zip(paths, targets, strict=True)]
        done = subprocess.run(
            [self.python, "-c", READER],
            input=json.dumps(jobs),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return {path: Read(**result) for path, result in zip(paths, json.loads(done.stdout), strict=True)}

    def mitmdump(self, *arguments: str | Path, confdir: Path) -> str:
        """Run ``mitmdump -n`` with its settings in ``confdir``; what it printed. A failure is an AssertionError."""
        command = [
            str(Path(self.python).parent / "mitmdump"),
            "-n",
            "--set",
            f"confdir={confdir}",
            *map(str, arguments),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "rror" not in done.stderr, done.stderr
        return done.stdout


# finding and building


class Unavailable(Exception):
    """There is no mitmproxy and none can be built; the text says why."""


def find() -> Mitmproxy:
    """A mitmproxy that works. Raises Unavailable."""
    named = os.environ.get(VARIABLE)
    if named:
        if not _has_mitmproxy(named):
            raise Unavailable(f"{VARIABLE} names {named}, which has no mitmproxy")
        return Mitmproxy(named)
    python = str(VENV / "bin" / "python")
    if not _has_mitmproxy(python):
        with _locked():
            if not _has_mitmproxy(python):
                _build()
    return Mitmproxy(python)


@contextmanager
def _locked() -> Iterator[None]:
    """Two test runs at once build one environment."""
    try:
        FOLDER.mkdir(exist_ok=True)
        lock = (FOLDER / "lock").open("w")
    except OSError as error:
        raise Unavailable(f"no environment for mitmproxy can be made: {error}") from None
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _has_mitmproxy(python: str) -> bool:
    return _output(python, "-c", "import mitmproxy.io; print('yes')") == "yes"


def _output(*command: str) -> str | None:
    """What a command prints, None where it does not work."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _build() -> None:
    problems = []
    for version, python in sorted(_pythons(), reverse=True):
        package = "mitmproxy>=12,<13" if version >= (3, 12) else "mitmproxy==11.0.2"
        problem = _install(python, package)
        if problem is None:
            return
        problems.append(f"{python}: {problem}")
    raise Unavailable("no mitmproxy could be installed: " + ("; ".join(problems) or "no Python from 3.11 on was found"))


def _pythons() -> Iterator[tuple[tuple[int, int], str]]:
    """Version and path of the Pythons that work here, one per version."""
    names = [f"python3.{minor}" for minor in (14, 13, 12, 11)]
    found = [shutil.which(name) for name in (*names, "python3")]
    versions = glob.glob(os.path.expanduser("~/.pyenv/versions/*/bin/python3.*"))
    seen = set()
    for python in (*found, *(path for path in versions if os.path.basename(path) in names), sys.executable):
        said = re.fullmatch(r"Python (3)\.(\d+)\.\S+", _output(python, "--version") or "") if python else None
        version = (int(said[1]), int(said[2])) if said else (0, 0)
        if version >= (3, 11) and python and version not in seen:
            seen.add(version)
            yield version, python


def _install(python: str, package: str) -> str | None:
    """Make the environment and install into it; the last line of what went wrong, None where nothing did."""
    own = str(VENV / "bin" / "python")
    environment = [python, "-m", "venv", "--clear", str(VENV)]
    for command in (environment, [own, "-m", "pip", "install", "--quiet", package]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            return str(error)
        if done.returncode != 0:
            lines = (done.stdout + done.stderr).strip().splitlines()
            return lines[-1] if lines else f"exit code {done.returncode}"
    return None if _has_mitmproxy(own) else f"{package} was installed but does not work"


if __name__ == "__main__":
    print(find().python)
