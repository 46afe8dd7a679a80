"""Code blocks of Markdown that are run: what documents show is what happens.

The blocks of a page are taken in order, in one folder with the repository's ``examples`` and ``scripts`` in it:

* a block of Python or YAML that begins with ``# NAME`` is written to a file of that name, as is any block in another
  language that begins so;
* a ``sh`` block is run; ``exit=1`` after ``sh`` says how it ends, success is the rule;
* a ``text`` block after a ``sh`` block is what that prints, stdout and stderr, in order;
* a ``console`` block is a session, see :mod:`tests.support.sessions`.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.support.flows import ROOT, SLOW, environment


class Block(NamedTuple):
    """A fenced code block: its line in the document, its language and marks, its text."""

    line: int
    language: str
    marks: tuple[str, ...]
    text: str

    @property
    def code(self) -> int:
        """The exit code that a ``sh`` block is to have."""
        return int(next((mark.removeprefix("exit=") for mark in self.marks if mark.startswith("exit=")), "0"))


class Ran(NamedTuple):
    """What became of a ``sh`` block."""

    code: int
    output: str


def blocks(document: Path) -> list[Block]:
    text = document.read_text(encoding="utf-8")
    found = []
    for match in re.finditer(r"^```(\w+)( [^\n]*)?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        marks = tuple((match[2] or "").split())
        found.append(Block(text.count("\n", 0, match.start()) + 1, match[1], marks, match[3]))
    return found


def furnish(folder: Path) -> None:
    """Put what documents speak of into a folder, and the commands ``flowdump``, ``python3`` and ``pytest``."""
    for name in ("examples", "scripts"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    commands = folder / ".venv" / "bin"
    commands.mkdir(parents=True)
    python = shlex.quote(sys.executable)
    programs = {"flowdump": f"{python} -m flowdump", "python3": python, "pytest": f"{python} -m pytest"}
    for name, program in programs.items():
        (commands / name).write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        (commands / name).chmod(0o755)


def write(folder: Path, block: Block) -> None:
    name = block.text.partition("\n")[0].removeprefix("# ")
    target = folder / name
    target.parent.mkdir(exist_ok=True, parents=True)
    target.write_text(block.text, encoding="utf-8")


def surroundings(folder: Path) -> dict[str, str]:
    """The environment of commands in a furnished folder."""
    search = f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    # Plugins of pytest that happen to be installed are slow to load, and none of the reader's.
    return environment(PATH=search, PYTHONUNBUFFERED="1", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")


def run(folder: Path, text: str) -> Ran:
    done = subprocess.run(
        ["sh", "-e", "-c", text],
        cwd=folder,
        env=surroundings(folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=120,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode().replace(str(folder), "/home/me"))


def as_packed(text: str) -> str:
    """How small a changed page gets depends on the library that packs it."""
    text = SLOW.sub("", text.replace("\r", ""))
    return re.sub(r"(?<=faketml )\d+b|(?<=content-length: )2\d\d", "N", text)
