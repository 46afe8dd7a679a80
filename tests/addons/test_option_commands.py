"""Options as commands."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from tests.support.commands import commands

from flowdump import ctx
from flowdump.exceptions import CommandError


def test_options_are_set() -> None:
    manager = commands()
    for line in (
        "set anticache",
        "set stickycookie '~d a'",
        "set tcp_hosts a",
        "set flow_detail=3",
        "set showhost toggle",
    ):
        manager.execute(line)
    options = ctx.options
    assert (options.anticache, options.stickycookie, options.tcp_hosts) == (True, "~d a", ["a"])
    assert (options.flow_detail, options.showhost) == (3, True)
    manager.call("set", "stickycookie")
    assert options.stickycookie is None
    manager.call("options.reset.one", "anticache")
    assert (options.anticache, options.flow_detail) == (False, 3)
    manager.call("options.reset")
    assert options.flow_detail == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("set anticach", "did you mean 'anticache'"),
        ("set flow_detail 9", "one of 0, 1, 2, 3, 4"),
        ("set flow_detail", "needs a value"),
        ("options.reset.one nope", "unknown option 'nope'"),
        ("options.load missing.yaml", "there is no such file"),
    ],
)
def test_mistakes_are_told(line: str, says: str) -> None:
    with pytest.raises(CommandError, match=says):
        commands().execute(line)


def test_options_are_saved_and_loaded(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("anticache: true\nof_a_script: 3\n")
    commands(flow_detail=2, tcp_hosts=["ä"]).call("options.save", str(path))
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == {"flow_detail": 2, "tcp_hosts": ["ä"], "of_a_script": 3}
    commands().call("options.load", str(path))
    assert (ctx.options.flow_detail, ctx.options.tcp_hosts, ctx.options.anticache) == (2, ["ä"], False)


@pytest.mark.parametrize(("text", "says"), [("- a", "a mapping of option names"), ("a: [", "not valid YAML")])
def test_other_files_are_left_alone(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    for name in ("options.save", "options.load"):
        with pytest.raises(CommandError, match=says):
            commands(flow_detail=2).call(name, str(path))
    assert path.read_text() == text


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"cannot write .*: Is a directory"):
        commands().call("options.save", str(tmp_path))
