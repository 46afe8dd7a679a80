"""Commands: how they are declared, found, listed and called, from the loop and from threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.commands import commands
from tests.support.flows import http_flow

from flowdump.exceptions import CommandError
from flowdump.flow import Flow
from flowdump.runtime import commands as command
from flowdump.runtime import master
from flowdump.runtime.arguments import Choice
from flowdump.runtime.master import Loader


class Adder:
    """Commands of every shape."""

    def __init__(self) -> None:
        self.threads: list[int] = []

    @command.command("adder.add")
    def add(self, a: int, b: int = 3) -> int:
        """Add two numbers.

        And no more.
        """
        self.threads.append(threading.get_ident())
        return a + b

    @command.command("adder.join")
    def join(self, first: str, *rest: str) -> str:
        return "|".join((first, *rest))

    @command.command("adder.paint")
    @command.argument("colour", type=Choice(["red", "green"]))
    def paint(self, flows: Sequence[Flow], colour: str) -> list[str]:
        return [f"{flow.id} {colour}" for flow in flows]

    @command.command()
    def adder_nameless(self, value, other: str | None = None):  # type: ignore[no-untyped-def]
        return value, other

    @command.command("adder.fail")
    def fail(self) -> None:
        raise RuntimeError("own error")

    @command.command("adder.wait")
    async def wait(self, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return "waited"

    @property
    def broken(self) -> str:
        raise AssertionError("properties are not looked at")


def called(*arguments: Any) -> Any:
    return commands(Adder()).call(*arguments)


def test_values_go_in_and_come_out() -> None:
    assert called("adder.add", 1) == 4
    assert called("adder.add", 1, 1) == 2
    assert called("adder.join", "a", "b", "c") == "a|b|c"
    flow = http_flow()
    assert called("adder.paint", [flow], "red") == [f"{flow.id} red"]
    assert called("adder.nameless", object, None) == (object, None)


def test_text_is_read() -> None:
    manager = commands(Adder())
    assert manager.call_strings("adder.add", ["1", "2"]) == 3
    assert manager.execute("adder.add 1") == 4
    assert manager.execute(""" adder.join 'a b' "c \\" d" e\\tf """) == 'a b|c " d|e\tf'
    assert manager.execute("adder.nameless text more") == ("text", "more")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("adder.ad 1", "unknown command 'adder.ad'; did you mean 'adder.add'"),
        ("console.view.options", "belongs to a user interface, and there is none"),
        ("export.clip curl @all", "belongs to a user interface"),
        ("adder.add", "no a was given; it is called as: adder.add a:int [b:int=3] -> int"),
        ("adder.add 1 2 3", "3 arguments are too many"),
        ("adder.add one", "adder.add: a: 'one': a whole number is expected"),
        ("adder.paint @all blue", "one of red, green is expected"),
        ("adder.paint ~q( red", "cannot be read"),
        ("", "an empty line is no command"),
        ("adder.join 'a", "a quote is not closed"),
        ("adder.join 'a'b", "the blank after it is missing"),
    ],
)
def test_bad_lines_are_told(line: str, says: str) -> None:
    with pytest.raises(CommandError) as raised:
        commands(Adder()).execute(line)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("adder.add", "1"), "adder.add: a is of type int, '1' is not"),
        (("adder.add", 1, True), "b is of type int"),
        (("adder.add",), "no a was given"),
        (("adder.paint", http_flow(), "red"), "flows is of type flows, a HTTPFlow is not"),
        (("adder.paint", [], "blue"), "colour is of type red|green, 'blue' is not"),
        (("adder.nope",), "unknown command"),
    ],
)
def test_wrong_values_are_told(arguments: tuple[Any, ...], says: str) -> None:
    with pytest.raises(CommandError) as raised:
        called(*arguments)
    assert says in str(raised.value)


def test_what_a_command_raises_goes_out() -> None:
    with pytest.raises(RuntimeError, match="own error"):
        called("adder.fail")


def test_only_text_is_read() -> None:
    with pytest.raises(CommandError, match="given as text"):
        commands(Adder()).call_strings("adder.add", [1])  # type: ignore[list-item]


# -- declaring ---------------------------------------------------------------------------------------------------------


def test_commands_that_nobody_can_call_are_left_out() -> None:
    class Broken:
        @command.command("broken.type")
        def type(self, a: dict[str, str]) -> None: ...

        @command.command("broken.name")
        def name(self, *, a: str) -> None: ...

        @command.command("broken.annotation")
        def annotation(self, a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

        @command.command("broken.not")
        def fine(self, a: str) -> str:
            return a

    manager = commands(Broken())
    assert manager.call("broken.not", "x") == "x"
    assert [name for name in manager.commands if name.startswith("broken")] == ["broken.not"]
    said = "\n".join(manager.master.log.said)  # type: ignore[attr-defined]
    assert "warn: command 'broken.type': argument 'a': dict[str, str] is no type" in said
    assert "argument 'a' can only be given by name" in said
    assert "command 'broken.annotation': its arguments cannot be told: name 'Nowhere'" in said


def test_loader_declares_commands() -> None:
    manager = commands()
    loader = Loader(manager.master)
    loader.add_command("twice", lambda text: text * 2)
    assert manager.call("twice", "ab") == "abab"
    with pytest.raises(CommandError, match="argument 'x'"):
        loader.add_command("bad", lambda *, x: x)


def test_argument_of_no_parameter_is_an_error() -> None:
    with pytest.raises(CommandError, match="has no argument 'nope'"):
        command.argument("nope", type=str)(lambda: None)


def test_later_addons_win_and_go() -> None:
    class Other:
        @command.command("adder.add")
        def add(self, a: int) -> str:
            return "other"

    manager = commands(Adder(), Other())
    assert manager.call("adder.add", 1) == "other"
    manager.master.addons.script_addons.pop()
    assert manager.call("adder.add", 1) == 4


def test_a_script_may_replace_what_flowdump_has() -> None:
    class Own:
        @command.command("view.flows.resolve")
        def resolve(self, flow_spec: str) -> Sequence[Flow]:
            return [http_flow()] * len(flow_spec)

        @command.command("own.count")
        def count(self, flows: Sequence[Flow]) -> int:
            return len(flows)

    assert commands(Own()).execute("own.count abc") == 3


def test_listing_has_signatures_and_a_line_of_help() -> None:
    text = command.listing(commands(Adder()))
    assert "adder.add a:int [b:int=3] -> int\n    Add two numbers.\n\n" in text
    assert "adder.join first:str *rest:str -> str\n    not documented\n" in text
    assert "adder.nameless value:any [other:str]\n" in text
    assert "inject.websocket flow:flow to_client:bool message:bytes [is_text:bool=true]\n" in text
    lines = text.splitlines()
    assert lines[::3] == sorted(lines[::3])
    assert all(line.startswith("    ") and len(line) > 10 for line in lines[1::3])


def test_a_default_of_one_is_no_bool() -> None:
    def weigh(weight: int = 1, empty: int = 0, sure: bool = False) -> None:
        raise AssertionError(weight, empty, sure)

    made = command.Command(commands(Adder()), "weigh", weigh)
    assert made.signature_help() == "weigh [weight:int=1] [empty:int=0] [sure:bool=false]"


def test_command_by_itself() -> None:
    one = command.Command(commands(), "test", Adder().add)
    assert (one.name, one.call(["1"]), one.help.splitlines()[0]) == ("test", 4, "Add two numbers.")
    assert repr(one) == "Command(test a:int [b:int=3] -> int)"


# -- threads -----------------------------------------------------------------------------------------------------------


def test_threads_are_served_by_the_loop() -> None:
    addon = Adder()
    manager = commands(addon)
    got: list[Any] = []

    def work() -> None:
        for arguments in (("adder.add", 1), ("adder.wait", 0.0), ("adder.add", "x")):
            try:
                got.append(manager.call(*arguments))
            except CommandError as error:
                got.append(str(error))

    async def scenario() -> int:
        manager.master.find_loop()
        await asyncio.to_thread(work)
        return threading.get_ident()

    assert asyncio.run(scenario()) == addon.threads[0]
    assert got == [4, "waited", "adder.add: a is of type int, 'x' is not"]


def test_a_thread_that_outlives_the_run_is_told() -> None:
    manager = commands(Adder())

    async def scenario() -> None:
        manager.master.find_loop()

    asyncio.run(scenario())
    manager.master._thread = 0
    with pytest.raises(CommandError, match="the run has ended"):
        manager.call("adder.add", 1)


def test_a_handler_that_waits_for_its_own_thread_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(master, "LOOP_PATIENCE", 0.05)
    manager = commands(Adder())
    got: list[str] = []

    def work() -> None:
        try:
            manager.call("adder.add", 1)
        except CommandError as error:
            got.append(str(error))

    async def scenario() -> None:
        manager.master.find_loop()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()  # the mistake: the loop is here, and the thread waits for it

    asyncio.run(scenario())
    assert "no turn for a command" in got[0]


# -- words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        ("  ", []),
        ("a  b\tc", ["a", "b", "c"]),
        ("a 'b c' \"d 'e'\" ''", ["a", "b c", "d 'e'", ""]),
        (r"""'it\'s' "say \"x\"" \d+ "\d" 'a\\' """, ["it's", 'say "x"', r"\d+", r"\d", r"a\\"]),
        ("~u 'a b' it's", ["~u", "a b", "it's"]),
    ],
)
def test_lines_are_split(line: str, words: list[str]) -> None:
    assert command.split(line) == words


@given(st.lists(st.text(alphabet=st.characters(exclude_characters="\\\"'")), min_size=1))
def test_quoted_words_come_back(words: list[str]) -> None:
    assert command.split(" ".join(f'"{word}"' for word in words)) == words


@given(st.text(alphabet="ab \\\"'"))
def test_any_line_is_split_or_refused(line: str) -> None:
    try:
        words = command.split(line)
    except CommandError:
        return
    assert len("".join(words)) <= len(line)
