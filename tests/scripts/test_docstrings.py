"""The command lines in the docstrings of the ready-made scripts work as they stand."""

from __future__ import annotations

import ast
import shlex
import shutil
from pathlib import Path

import pytest
from tests.support.flows import EXAMPLES, SCRIPTS, http_flow, record, response, run_flowdump
from tests.support.process import Live

ALL = sorted(SCRIPTS.glob("*.py"))


def _commands(script: Path) -> list[str]:
    """The lines that begin with flowdump, without what they pipe into."""
    text = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8"))) or ""
    return [line.strip().partition(" | ")[0] for line in text.splitlines() if line.startswith("    flowdump ")]


COMMANDS = [(script.name, command) for script in ALL for command in _commands(script)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the command lines speak of, and their environment."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "answers" / "any").mkdir(parents=True)
    (tmp_path / "answers" / "any" / "index").write_text("hello")
    (tmp_path / "blocked.txt").write_text("ads.example.com\n")
    stream = http_flow(answer=response(200, b"data: 1\n\n", {"content-type": "text/event-stream"}))
    (tmp_path / "saved").write_bytes((EXAMPLES / "sample.flows").read_bytes() + record(stream))
    monkeypatch.setenv("API_TOKEN", "demo")
    monkeypatch.setenv("REPORTS_LOGIN", "demo:demo")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_script_shows_its_command_line() -> None:
    assert [script.name for script in ALL if not _commands(script)] == []
    assert len(ALL) >= 13


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[command for _, command in COMMANDS])
def test_command_in_docstring(folder: Path, name: str, command: str) -> None:
    shutil.copy(SCRIPTS / name, folder / "scripts" / name)
    words = shlex.split(command)[1:]
    if "-r" not in words:
        with Live(*words) as proxy:
            assert proxy.port
            assert proxy.end() == 0
            assert [line for line in proxy.lines if "rror" in line] == []
        return
    before = sorted(path.name for path in folder.iterdir())
    done = run_flowdump(*words, cwd=folder, check=True)
    made = sorted(path.name for path in folder.iterdir() if path.name not in before)
    assert made or done.stdout
