"""The types that arguments of commands have, each with two readings.

A command is called with text (``execute("flow.mark ~e :x:")``, ``call_strings``), which ``parse`` turns into values, or
with values (``call("flow.mark", flows, ":x:")``), which ``fits`` looks at. `type_of` finds the `CommandType` of an
annotation. Names that scripts annotate with are the classes of this module, ``str``, ``int``, ``float``, ``bool``,
``bytes``, the flow classes, ``Sequence`` of str or flows, ``Optional`` and ``Literal``.
"""

from __future__ import annotations

import collections.abc
import os
import re
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from flowdump.exceptions import CommandError
from flowdump.flow import Flow


class Resolver(Protocol):
    """What parsing may ask for: the manager of the commands."""

    def flows(self, spec: str) -> Sequence[Flow]: ...

    def call(self, name: str, *arguments: Any) -> Any: ...


class CommandType(NamedTuple):
    """``label`` is shown in signatures; ``parse`` raises CommandError or ValueError for text that means nothing."""

    label: str
    parse: Callable[[Resolver, str], Any]
    fits: Callable[[Resolver, Any], bool]


# -- names for annotations -----------------------------------------------------------------------------------------


class Path(str):
    """The path of a file; ``~`` is expanded in text."""


class Cmd(str):
    """The name of a command."""


class CmdArgs(str):
    """An argument of another command, passed on as it is."""


class Unknown(str):
    """Text that is not looked at."""


class Space(str):
    """Blanks between words."""


class Marker(str):
    """A mark on a flow: one character or a name such as ``:star:``; ``true`` is ``:default:``, ``false`` takes it
    away."""


class CutSpec(Sequence[str]):
    """Paths of attributes from a flow, with commas between: ``request.method,response.status_code``."""


class Data(Sequence[Sequence[str | bytes]]):
    """A table: what ``cut`` gives."""


class Choice:
    """One of several texts: those that a command gives, by its name, or those of a list."""

    def __init__(self, options_command: str | Sequence[str]) -> None:
        self.options_command = options_command

    def options(self, resolver: Resolver) -> list[str]:
        given = self.options_command
        return list(resolver.call(given) if isinstance(given, str) else given)

    def __repr__(self) -> str:
        return f"Choice({self.options_command!r})"


# -- reading text ----------------------------------------------------------------------------------------------------

_ESCAPE = re.compile(r"""\\(?:x([0-9a-fA-F]{2})|([abfnrtv\\'"]))""")
_ESCAPED = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_BOOLS = {"true": True, "false": False}
_MARKER = re.compile(r":[\w+-]+:")


def unescape(text: str) -> str:
    r"""``\n``, ``\t``, ``\x41``, ``\\`` and the like become what they stand for; any other backslash stays."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)) if found[1] else _ESCAPED.get(found[2], found[2]), text)


def _parse_bytes(_: Resolver, text: str) -> bytes:
    def replace(found: re.Match[bytes]) -> bytes:
        return bytes([int(found[1], 16)]) if found[1] else _ESCAPED.get(found[2].decode(), found[2].decode()).encode()

    return re.sub(_ESCAPE.pattern.encode(), replace, text.encode("utf-8", "surrogateescape"))


def _parse_bool(_: Resolver, text: str) -> bool:
    if text not in _BOOLS:
        raise ValueError("true or false is expected")
    return _BOOLS[text]


def _parse_number(kind: type, words: str) -> Callable[[Resolver, str], Any]:
    def parse(_: Resolver, text: str) -> Any:
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"{words} is expected") from None

    return parse


def _parse_marker(_: Resolver, text: str) -> str:
    text = {"true": ":default:", "false": ""}.get(text, text)
    if not _is_marker(_, text):
        raise ValueError("one character, a name such as :star:, true or false is expected")
    return text


def _is_marker(_: Resolver, value: Any) -> bool:
    return isinstance(value, str) and (len(value) <= 1 or bool(_MARKER.fullmatch(value)))


def _parse_flow(kind: type[Flow]) -> Callable[[Resolver, str], Flow]:
    def parse(resolver: Resolver, text: str) -> Flow:
        flows = [flow for flow in resolver.flows(text) if isinstance(flow, kind)]
        if len(flows) != 1:
            raise ValueError(f"it means {len(flows)} flows, and one is expected")
        return flows[0]

    return parse


def _parse_command(resolver: Resolver, text: str) -> str:
    commands = getattr(resolver, "commands", {})
    if text not in commands:
        raise ValueError("the name of a command is expected")
    return text


def _split(_: Resolver, text: str) -> list[str]:
    return [item.strip() for item in text.split(",")]


def _as_is(_: Resolver, text: str) -> str:
    return text


# -- looking at values -------------------------------------------------------------------------------------------------


def _is(*kinds: type) -> Callable[[Resolver, Any], bool]:
    return lambda _, value: isinstance(value, kinds)


def _is_int(_: Resolver, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_list_of(*kinds: type) -> Callable[[Resolver, Any], bool]:
    def fits(_: Resolver, value: Any) -> bool:
        listed = isinstance(value, Sequence) and not isinstance(value, str | bytes)
        return listed and all(isinstance(item, kinds) for item in value)

    return fits


def _anything(_: Resolver, value: Any) -> bool:
    return True


_ANY = CommandType("any", lambda _, text: unescape(text), _anything)
_TABLE = CommandType("data", lambda _, text: [_split(_, row) for row in text.split("\n")], _is_list_of(list, tuple))
_TEXTS = CommandType("str,…", _split, _is_list_of(str))

_TYPES: dict[Any, CommandType] = {
    str: CommandType("str", lambda _, text: unescape(text), _is(str)),
    int: CommandType("int", _parse_number(int, "a whole number"), _is_int),
    float: CommandType("float", _parse_number(float, "a number"), lambda _, v: isinstance(v, float) or _is_int(_, v)),
    bool: CommandType("bool", _parse_bool, _is(bool)),
    bytes: CommandType("bytes", _parse_bytes, _is(bytes)),
    Path: CommandType("path", lambda _, text: os.path.expanduser(text), _is(str, os.PathLike)),
    Cmd: CommandType("command", _parse_command, _is(str)),
    CmdArgs: CommandType("argument", _as_is, _is(str)),
    Unknown: CommandType("text", _as_is, _is(str)),
    Space: CommandType("space", _as_is, _is(str)),
    Marker: CommandType("marker", _parse_marker, _is_marker),
    CutSpec: CommandType("cut", _split, _is_list_of(str)),
    Data: _TABLE,
    Any: _ANY,
    object: _ANY,
}


def type_of(annotation: Any) -> CommandType:
    """The type of an annotation. Raises CommandError for one that commands do not know."""
    if isinstance(annotation, Choice):
        return _choice_type(annotation)
    if isinstance(annotation, collections.abc.Hashable) and annotation in _TYPES:
        return _TYPES[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Flow):
        return CommandType("flow", _parse_flow(annotation), _is(annotation))
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal and all(isinstance(item, str) for item in arguments):
        return _choice_type(Choice(arguments))
    if origin in (typing.Union, types.UnionType):
        kinds = [kind for kind in arguments if kind is not type(None)]
        if len(kinds) != 1:
            raise _unknown(annotation)
        inner = type_of(kinds[0])
        return inner._replace(fits=lambda resolver, value: value is None or inner.fits(resolver, value))
    if origin in (collections.abc.Sequence, collections.abc.Iterable, list) and len(arguments) == 1:
        return _sequence_type(annotation, arguments[0])
    raise _unknown(annotation)


def _choice_type(choice: Choice) -> CommandType:
    def parse(resolver: Resolver, text: str) -> str:
        if text not in choice.options(resolver):
            raise ValueError(f"one of {', '.join(choice.options(resolver))} is expected")
        return text

    given = choice.options_command
    label = "choice" if isinstance(given, str) else "|".join(given)
    return CommandType(label, parse, lambda resolver, value: value in choice.options(resolver))


def _sequence_type(annotation: Any, item: Any) -> CommandType:
    if isinstance(item, type) and issubclass(item, Flow):
        kind = item

        def parse(resolver: Resolver, text: str) -> list[Flow]:
            return [flow for flow in resolver.flows(text) if isinstance(flow, kind)]

        return CommandType("flows", parse, _is_list_of(kind))
    if item in (str, Cmd):
        return _TEXTS
    if typing.get_origin(item) is not None:
        return _TABLE
    raise _unknown(annotation)


def _unknown(annotation: Any) -> CommandError:
    shown = annotation.__name__ if isinstance(annotation, type) else repr(annotation)
    known = "str, int, float, bool, bytes, Path, Flow, Sequence[str], Sequence[Flow], CutSpec, Choice"
    return CommandError(f"{shown} is no type of a command's argument; these are: {known}")
