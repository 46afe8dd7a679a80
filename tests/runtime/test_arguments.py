"""The types of commands' arguments: what text becomes, and which values fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.flows import http_flow, tcp_flow

from flowdump.exceptions import CommandError
from flowdump.flow import Flow
from flowdump.http import HTTPFlow
from flowdump.runtime.arguments import Choice, Cmd, CutSpec, Data, Marker, Path, Unknown, type_of, unescape


class Resolver:
    """Knows one HTTP and one TCP flow, and one command."""

    def __init__(self) -> None:
        self.known = [http_flow(), tcp_flow(b"x")]
        self.commands = {"colours": None}

    def flows(self, spec: str) -> list[Flow]:
        return {"@all": self.known, "@none": [], "@http": self.known[:1]}[spec]

    def call(self, name: str, *arguments: Any) -> Any:
        return ["red", "green"] if name == "colours" else None


HERE = Resolver()


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        (str, r"a\nb\x41\d\\", "a\nbA\\d\\"),
        (str, "", ""),
        (int, "-3", -3),
        (float, "0.5", 0.5),
        (bool, "true", True),
        (bool, "false", False),
        (bytes, r"\x00\xffä\n", b"\x00\xff\xc3\xa4\n"),
        (Sequence[str], "a, b,c", ["a", "b", "c"]),
        (list[str], "a", ["a"]),
        (CutSpec, "request.method,response.content", ["request.method", "response.content"]),
        (Data, "a,b\nc", [["a", "b"], ["c"]]),
        (Sequence[Sequence[str]], "a", [["a"]]),
        (Marker, "true", ":default:"),
        (Marker, "false", ""),
        (Marker, ":star:", ":star:"),
        (Marker, "x", "x"),
        (Cmd, "colours", "colours"),
        (Unknown, r"a\n", r"a\n"),
        (Choice("colours"), "red", "red"),
        (Choice(["a", "b"]), "b", "b"),
        (Literal["a", "b"], "b", "b"),
        (int | None, "3", 3),
        (Any, "text", "text"),
        (Flow, "@http", HERE.known[0]),
        (Sequence[Flow], "@all", HERE.known),
        (Sequence[HTTPFlow], "@all", HERE.known[:1]),
        (HTTPFlow, "@all", HERE.known[0]),
    ],
)
def test_text_becomes_a_value(annotation: Any, text: str, value: Any) -> None:
    assert type_of(annotation).parse(HERE, text) == value


@pytest.mark.parametrize(
    ("annotation", "text", "says"),
    [
        (int, "1.5", "a whole number is expected"),
        (float, "x", "a number is expected"),
        (bool, "True", "true or false is expected"),
        (bool, "1", "true or false is expected"),
        (Marker, "star", "one character"),
        (Cmd, "nope", "the name of a command"),
        (Choice("colours"), "blue", "one of red, green is expected"),
        (Literal["a"], "b", "one of a is expected"),
        (Flow, "@all", "2 flows"),
        (Flow, "@none", "0 flows"),
    ],
)
def test_text_that_means_nothing(annotation: Any, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        type_of(annotation).parse(HERE, text)


@pytest.mark.parametrize(
    ("annotation", "fitting", "others"),
    [
        (str, ["", "a"], [b"", 1, None, ["a"]]),
        (int, [0, -1], [True, "1", 1.0]),
        (float, [0.5, 1], [True, "1"]),
        (bool, [True], [1, "true"]),
        (bytes, [b""], ["", None]),
        (Path, ["~/x"], [1, b"x"]),
        (Sequence[str], [[], ["a"], ("a",)], ["a", [1], None]),
        (CutSpec, [["request.method"]], ["request.method"]),
        (Marker, ["", "x", ":star:"], ["star", None]),
        (Choice("colours"), ["red"], ["blue", None, []]),
        (Flow, [HERE.known[0], HERE.known[1]], ["@all", HERE.known, None]),
        (HTTPFlow, [HERE.known[0]], [HERE.known[1]]),
        (Sequence[Flow], [HERE.known, []], [HERE.known[0], "@all", [None]]),
        (str | None, [None, "a"], [1]),
        (object, [None, 1, "a"], []),
    ],
)
def test_values_fit_or_not(annotation: Any, fitting: list[Any], others: list[Any]) -> None:
    fits = type_of(annotation).fits
    assert [value for value in fitting if not fits(HERE, value)] == []
    assert [value for value in others if fits(HERE, value)] == []


def test_home_is_expanded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    assert type_of(Path).parse(HERE, "~/a") == "/home/me/a"


@pytest.mark.parametrize("annotation", [dict, list[int], Sequence[int], int | str, Literal[1], "str", {}])
def test_unknown_types_are_named(annotation: Any) -> None:
    with pytest.raises(CommandError, match=r"is no type of a command's argument; these are: str, int"):
        type_of(annotation)


@given(st.text())
def test_unescaping_undoes_escaping(text: str) -> None:
    escaped = text.replace("\\", "\\\\").replace("\n", r"\n").replace('"', r"\"")
    assert unescape(escaped) == text


@given(st.text(alphabet="\\x41nd\"'"))
def test_text_and_bytes_are_unescaped_alike(text: str) -> None:
    assert type_of(bytes).parse(HERE, text) == unescape(text).encode("latin-1")
