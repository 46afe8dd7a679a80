"""The command lines in the docstrings of the ready-made scripts work as they stand."""

from __future__ import annotations

import ast
import shlex
import shutil
from pathlib import Path

import pytest
from tests.support.flows import EXAMPLES, SCRIPTS, run_flowdump

ALL = sorted(SCRIPTS.glob("*.py"))


def _commands(script: Path) -> list[str]:
    """The lines that begin with flowdump, without what they pipe into."""
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    return [line.strip().partition(" | ")[0] for line in text.splitlines() if line.startswith("    flowdump ")]


COMMANDS = [(script.name, command) for script in ALL for command in _commands(script)]


def test_every_script_shows_its_command_line() -> None:
    assert [script.name for script in ALL if not _commands(script)] == []
    assert len(ALL) >= 5


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[command for _, command in COMMANDS])
def test_command_in_docstring(tmp_path: Path, name: str, command: str) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPTS / name, tmp_path / "scripts" / name)
    shutil.copy(EXAMPLES / "sample.flows", tmp_path / "saved")
    before = sorted(path.name for path in tmp_path.iterdir())
    done = run_flowdump(*shlex.split(command)[1:], cwd=tmp_path, check=True)
    made = sorted(path.name for path in tmp_path.iterdir() if path.name not in before)
    assert made or done.stdout
