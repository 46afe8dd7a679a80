"""Commands from the command line: scripts that call and declare them, and the list of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.scripting.inprocess import Bench
from tests.support.cli import fails, work_in
from tests.support.flows import read_flows, run_flowdump

#: As scripts for mitmproxy have it.
TAGGER = '''
from collections.abc import Sequence

import mitmproxy.types
from mitmproxy import command, ctx, exceptions, flow


class Tagger:
    def load(self, loader):
        loader.add_command("tag.shout", self.shout)

    @command.command("tag.add")
    @command.argument("colour", type=mitmproxy.types.Choice("tag.colours"))
    def add(self, flows: Sequence[flow.Flow], colour: str = "red") -> int:
        """Tag flows.

        With a colour.
        """
        for one in flows:
            one.comment = colour
        return len(flows)

    @command.command("tag.colours")
    def colours(self) -> Sequence[str]:
        return ["red", "green"]

    def shout(self, text: str) -> str:
        return text.upper()

    def response(self, flow):
        commands = ctx.master.commands
        assert commands.call("tag.add", [flow], "green") == 1
        flow.marked = commands.execute("tag.shout ':x:'").lower()
        try:
            commands.call("tag.add", [flow], "blue")
        except exceptions.CommandError as error:
            print(error)


addons = [Tagger()]
'''


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return work_in(tmp_path, monkeypatch)


def test_scripts_declare_and_call_commands(home: Path) -> None:
    Path("tagger.py").write_text(TAGGER)
    done = run_flowdump("-q", "-r", "saved", "-s", "tagger.py", "-w", "tagged", check=True)
    assert done.stdout == "tag.add: colour is of type choice, 'blue' is not\n" * 3
    assert [(flow.comment, flow.marked) for flow in read_flows("tagged")] == [("green", ":x:")] * 3


def test_commands_are_listed_with_those_of_scripts(home: Path) -> None:
    Path("tagger.py").write_text(TAGGER)
    assert "tag.add" not in run_flowdump("--commands", check=True).stdout
    said = run_flowdump("--commands", "-s", "tagger.py", check=True).stdout
    assert "tag.add flows:flows [colour:choice=red] -> int\n    Tag flows.\n" in said
    assert "tag.shout text:str -> str\n    not documented\n" in said
    assert "\nexport format:choice flow:flow -> str\n" in said
    fails("--commands", "-s", "missing.py", says="cannot read script 'missing.py'")


def test_a_command_that_nobody_can_call_is_told_at_the_start(bench: Bench) -> None:
    done = bench("""
        from flowdump import command

        @command.command("bad.one")
        def bad(value: dict): ...
        """)
    assert done.code == 0
    assert "command 'bad.one': argument 'value': dict is no type of a command's argument" in done.log


def test_a_declared_command_that_nobody_can_call_ends_the_start(bench: Bench) -> None:
    done = bench("def load(loader):\n    loader.add_command('bad.one', lambda *, x: x)\n")
    assert (done.code, done.flows) == (1, None)
    assert "load failed: CommandError: command 'bad.one': argument 'x' can only be given by name" in done.log


def test_threads_call_commands(bench: Bench) -> None:
    done = bench("""
        from flowdump import ctx
        from mitmproxy.script import concurrent

        @concurrent
        def response(flow):
            ctx.master.commands.call("flow.comment", [flow], "from a thread")
        """)
    assert done.flow.comment == "from a thread"


def test_flows_of_a_file_are_not_in_memory(bench: Bench) -> None:
    done = bench("""
        from flowdump import ctx

        def done():
            ctx.master.commands.call_strings("save.file", ["@all", "nothing"])
        """)
    assert done.code == 4
    assert "those that are read from files are not kept there" in done.log
    assert not (bench.folder / "nothing").exists()


def test_a_script_over_the_flows_of_another(bench: Bench) -> None:
    other = bench.write("other.py", "def request(flow):\n    flow.request.headers['x-other'] = '1'\n")
    done = bench(f"""
        from flowdump import ctx

        def response(flow):
            ctx.master.commands.call("script.run", [flow], {str(other)!r})
        """)
    assert done.flow.request.headers["x-other"] == "1"
