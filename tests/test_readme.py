"""What the README shows is what happens.

Its code blocks are taken in order, in one temporary folder with the repository's ``examples`` and ``scripts`` in it:

* a block of Python or YAML that begins with ``# NAME`` is written to a file of that name;
* a ``sh`` block is run; ``exit=1`` behind ``sh`` says how it ends, success is the rule;
* a ``text`` block behind a ``sh`` block is what that prints, stdout and stderr, in order.

Blocks marked ``sh setup`` make a virtual environment and install packages. They are listed in ``SETUP`` below, so that
nothing is left out by accident; their flowdump commands are run by themselves.
"""

from __future__ import annotations

import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.support.flows import ROOT, environment

SETUP = [
    'python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/flowdump -r examples/sample.flows -s "scripts/'
    'replacer.py html faketml" -w changed',
    'python3 -m venv .venv && .venv/bin/pip install -q -e ".[dev]" && .venv/bin/python -m pytest -q',
    ".venv/bin/ruff check && .venv/bin/ruff format --check && .venv/bin/mypy",
    ".venv/bin/python -m pytest -q",
]


class Block(NamedTuple):
    """A fenced code block: its line in the README, its language and marks, its text."""

    line: int
    language: str
    marks: tuple[str, ...]
    text: str


def blocks() -> list[Block]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = []
    for match in re.finditer(r"^```(\w+)( [^\n]*)?\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        marks = tuple((match[2] or "").split())
        found.append(Block(text.count("\n", 0, match.start()) + 1, match[1], marks, match[3]))
    return found


BLOCKS = blocks()


class Ran(NamedTuple):
    """What became of a ``sh`` block."""

    code: int
    output: str


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Ran]:
    """Every ``sh`` block by its line, run in the order of the README."""
    folder = tmp_path_factory.mktemp("readme")
    for name in ("examples", "scripts"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    commands = folder / ".venv" / "bin"
    commands.mkdir(parents=True)
    for name, program in (("flowdump", f"{shlex.quote(sys.executable)} -m flowdump"), ("python3", sys.executable)):
        (commands / name).write_text(f'#!/bin/sh\nexec {program} "$@"\n')
        (commands / name).chmod(0o755)
    ran = {}
    for block in BLOCKS:
        if block.language in ("python", "yaml"):
            _write(folder, block)
        elif block.language == "sh":
            ran[block.line] = _run(folder, _without_setup(block))
    return ran


def _write(folder: Path, block: Block) -> None:
    name = block.text.partition("\n")[0].removeprefix("# ")
    target = folder / name
    target.parent.mkdir(exist_ok=True)
    target.write_text(block.text, encoding="utf-8")


def _without_setup(block: Block) -> str:
    """The text of a block; of a set-up block only the flowdump commands."""
    if "setup" not in block.marks:
        return block.text
    steps = [step.strip() for step in re.split(r"&&|\n", block.text)]
    return "\n".join(step for step in steps if step.split(" ")[0].endswith("flowdump"))


def _run(folder: Path, text: str) -> Ran:
    search = f"{folder / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-e", "-c", text],
        cwd=folder,
        env=environment(PATH=search, PYTHONUNBUFFERED="1"),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return Ran(done.returncode, done.stdout.decode())


def _expected_code(block: Block) -> int:
    return int(next((mark.removeprefix("exit=") for mark in block.marks if mark.startswith("exit=")), "0"))


def _as_packed(text: str) -> str:
    """How small a changed page gets depends on the library that packs it."""
    return re.sub(r"(?<=faketml )\d+b|(?<=content-length: )2\d\d", "N", text)


SHELL = [block for block in BLOCKS if block.language == "sh"]
SHOWN = [(before, after) for before, after in itertools.pairwise(BLOCKS) if after.language == "text"]


@pytest.mark.parametrize("block", SHELL, ids=[f"line {block.line}" for block in SHELL])
def test_commands_work(block: Block, outcomes: dict[int, Ran]) -> None:
    ran = outcomes[block.line]
    assert ran.code == _expected_code(block), ran.output


@pytest.mark.parametrize(("shell", "shown"), SHOWN, ids=[f"line {after.line}" for _, after in SHOWN])
def test_output_is_as_shown(shell: Block, shown: Block, outcomes: dict[int, Ran]) -> None:
    assert shell.language == "sh"
    assert _as_packed(outcomes[shell.line].output.rstrip()) == _as_packed(shown.text.rstrip())


def test_only_known_commands_are_left_out() -> None:
    lines = [line for block in SHELL if "setup" in block.marks for line in block.text.splitlines()]
    assert lines == SETUP


def test_readme_has_what_it_is_for() -> None:
    """Guards against blocks that the search above does not see."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("```") == 2 * len(BLOCKS)
    assert sum(block.text.count("flowdump ") for block in SHELL) >= 15


def test_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target
