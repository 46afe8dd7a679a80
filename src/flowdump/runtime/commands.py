"""Commands: functions of addons that scripts, and other addons, call by name.

::

    class Tagger:
        @command.command("tag.add")
        @command.argument("colour", type=command_types.Choice(["red", "green"]))
        def add(self, flows: Sequence[Flow], colour: str) -> int:
            "Tag flows with a colour."

    ctx.master.commands.call("tag.add", [flow], "red")
    ctx.master.commands.execute("tag.add '~c 404' red")

A `Command` knows the types of its arguments from the annotations, so it can check values and read text
(:mod:`flowdump.runtime.arguments`). The `CommandManager` finds commands: those of flowdump itself, which are made when
a command is first asked for, then those of scripts and those declared with ``loader.add_command``; of two with one
name the later one wins. Calls may come from any thread: the functions run in the thread of the event loop.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from flowdump.exceptions import CommandError
from flowdump.options.store import nearest
from flowdump.runtime.arguments import CommandType, type_of

if TYPE_CHECKING:
    from flowdump.flow import Flow
    from flowdump.runtime.addons import Addons
    from flowdump.runtime.log import EventLog

_F = TypeVar("_F", bound=Callable[..., Any])

#: Commands of a user interface, which a shared script may call.
_FOREIGN = re.compile(r"(?:console|view|commands|browser|ui)\.|\w+\.clip$").match


# -- declaring ---------------------------------------------------------------------------------------------------------


def command(name: str | None = None) -> Callable[[_F], _F]:
    """Make a function or a method of an addon a command; without a name it has its own, with dots for underscores."""

    def mark(function: _F) -> _F:
        function.command_name = name or function.__name__.replace("_", ".")  # type: ignore[attr-defined]
        return function

    return mark


def argument(name: str, type: Any) -> Callable[[_F], _F]:
    """Give an argument another type than its annotation says: ``@argument("part", type=Choice(["request", …]))``."""

    def mark(function: _F) -> _F:
        if name not in inspect.signature(function).parameters:
            raise CommandError(f"{function.__qualname__} has no argument {name!r}")
        function.command_types = {**getattr(function, "command_types", {}), name: type}  # type: ignore[attr-defined]
        return function

    return mark


class Run(Protocol):
    """What commands need of the running program (``ctx.master``)."""

    addons: Addons
    log: EventLog

    def in_loop(self, function: Callable[[], Any]) -> Any: ...


class Parameter(NamedTuple):
    """One argument of a command. ``default`` is ``inspect.Parameter.empty`` where one has to be given."""

    name: str
    type: CommandType
    default: Any
    many: bool

    def __str__(self) -> str:
        label = f"{self.name}:{self.type.label}"
        if self.many:
            return f"*{label}"
        if self.default is inspect.Parameter.empty:
            return label
        shown = str(self.default).lower() if isinstance(self.default, bool) else self.default
        return f"[{label}]" if shown in (None, "") else f"[{label}={shown}]"


class Command:
    """A function with a name and typed arguments.

    Raises CommandError for arguments that cannot be given by position, and for types that commands do not know.
    """

    def __init__(self, manager: CommandManager, name: str, func: Callable[..., Any]) -> None:
        self.manager = manager
        self.name = name
        self.func = func
        signature = _signature(name, func)
        given = getattr(func, "command_types", {})
        self.parameters = [_parameter(name, one, given) for one in signature.parameters.values()]
        self._returns = signature.return_annotation
        doc = inspect.getdoc(func) if inspect.isroutine(func) else None
        #: What the command does, the whole docstring.
        self.help = doc or ""

    def signature_help(self) -> str:
        """``flow.mark flows:flows marker:marker``, with what comes back after an arrow."""
        back = _label(self._returns)
        return " ".join([self.name, *map(str, self.parameters), *([f"-> {back}"] if back else [])])

    def prepare_args(self, texts: Sequence[str]) -> list[Any]:
        """The values of arguments that were given as text. Raises CommandError."""
        return [self._parsed(parameter, text) for parameter, text in self._paired(texts)]

    def call(self, texts: Sequence[str]) -> Any:
        """Call the function with text. Raises CommandError."""
        return self.func(*self.prepare_args(texts))

    def call_with(self, values: Sequence[Any]) -> Any:
        """Call the function with values of its types. Raises CommandError."""
        for parameter, value in self._paired(values):
            if not parameter.type.fits(self.manager, value):
                raise CommandError(
                    f"{self.name}: {parameter.name} is of type {parameter.type.label}, {_shown(value)} is not"
                )
        return self.func(*values)

    def _paired(self, given: Sequence[Any]) -> list[tuple[Parameter, Any]]:
        """Each argument with its parameter. Raises CommandError when there are too few or too many."""
        plain = [parameter for parameter in self.parameters if not parameter.many]
        missing = [p.name for p in plain[len(given) :] if p.default is inspect.Parameter.empty]
        if missing:
            raise CommandError(f"{self.name}: no {missing[0]} was given; it is called as: {self.signature_help()}")
        rest = [parameter for parameter in self.parameters if parameter.many]
        if len(given) > len(plain) and not rest:
            raise CommandError(
                f"{self.name}: {len(given)} arguments are too many; it is called as: {self.signature_help()}"
            )
        return list(zip([*plain, *rest * max(0, len(given) - len(plain))], given, strict=False))

    def _parsed(self, parameter: Parameter, text: str) -> Any:
        if not isinstance(text, str):
            raise CommandError(f"{self.name}: {parameter.name} has to be given as text, not as {_shown(text)}")
        try:
            return parameter.type.parse(self.manager, text)
        except (CommandError, ValueError) as error:
            raise CommandError(f"{self.name}: {parameter.name}: {text!r}: {error}") from None

    def __repr__(self) -> str:
        return f"Command({self.signature_help()})"


def _signature(name: str, function: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(function, eval_str=True)
    except (TypeError, ValueError, NameError, AttributeError, SyntaxError) as error:
        raise CommandError(f"command {name!r}: its arguments cannot be told: {error}") from None


def _parameter(command_name: str, parameter: inspect.Parameter, given: dict[str, Any]) -> Parameter:
    where = f"command {command_name!r}: argument {parameter.name!r}"
    if parameter.kind is parameter.VAR_KEYWORD or (
        parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
    ):
        raise CommandError(f"{where} can only be given by name, and arguments of commands are given by position")
    annotation = given.get(parameter.name, parameter.annotation)
    try:
        kind = type_of(Any if annotation is parameter.empty else annotation)
    except CommandError as error:
        raise CommandError(f"{where}: {error}") from None
    return Parameter(parameter.name, kind, parameter.default, parameter.kind is parameter.VAR_POSITIONAL)


def _label(annotation: Any) -> str:
    """The label of a return type in a signature; the value itself is returned as it is."""
    if annotation in (None, type(None), Any, inspect.Signature.empty):
        return ""
    try:
        return type_of(annotation).label
    except CommandError:
        return getattr(annotation, "__name__", str(annotation))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"a {type(value).__name__}"


# -- finding and calling -----------------------------------------------------------------------------------------------


class CommandManager:
    """``ctx.master.commands``: every command, by name. ``builtins`` makes the addons that hold flowdump's own."""

    def __init__(self, master: Run, builtins: Callable[[], Iterable[Any]] = tuple) -> None:
        self.master = master
        self._make_builtins = builtins
        self._builtin: dict[str, Command] | None = None
        self._declared: dict[str, Command] = {}
        #: The scripts' addons that were looked through, and what they had.
        self._seen: list[Any] = []
        self._scripted: dict[str, Command] = {}

    # -- declaring -----------------------------------------------------------------------------------------------------

    def add(self, path: str, func: Callable[..., Any]) -> None:
        """Declare a command. Raises CommandError for arguments that commands cannot have."""
        self._declared[path] = Command(self, path, func)

    def collect_commands(self, addon: Any) -> None:
        """Declare every command of an addon. One that cannot be called is left out, with a warning that names it."""
        self._declared.update(self._commands_of(addon))

    def refresh(self) -> None:
        """Look through the addons of scripts again, if others are there now."""
        addons = [getattr(wrapped, "addon", wrapped) for wrapped in self.master.addons.script_addons]
        if len(addons) == len(self._seen) and all(a is b for a, b in zip(addons, self._seen, strict=True)):
            return
        self._seen, self._scripted = addons, {}
        for addon in addons:
            self._scripted.update(self._commands_of(addon))

    def _commands_of(self, addon: Any) -> dict[str, Command]:
        found: dict[str, Command] = {}
        for attribute in dir(addon):
            if attribute.startswith("__"):
                continue
            # Looked up without running properties first: they may need what is not there yet.
            function = inspect.getattr_static(addon, attribute, None)
            function = getattr(function, "__func__", function)
            name = getattr(function, "command_name", None) if inspect.isroutine(function) else None
            if isinstance(name, str):
                try:
                    found[name] = Command(self, name, getattr(addon, attribute))
                except CommandError as error:
                    self.master.log.warn(f"{error}: it is left out")
        return found

    # -- finding -------------------------------------------------------------------------------------------------------

    @property
    def commands(self) -> dict[str, Command]:
        """Every command by its name."""
        if self._builtin is None:
            self._builtin = {}
            for addon in self._make_builtins():
                self._builtin.update(self._commands_of(addon))
        self.refresh()
        return {**self._builtin, **self._scripted, **self._declared}

    def get(self, name: str) -> Command:
        """Raises CommandError for an unknown name, with the nearest ones."""
        commands = self.commands
        if name not in commands:
            foreign = ": it belongs to a user interface, and there is none" if _FOREIGN(name) else ""
            raise CommandError(f"unknown command {name!r}{foreign}{nearest(name, commands)}")
        return commands[name]

    def flows(self, spec: str) -> Sequence[Flow]:
        """The flows of a specification such as ``@all`` or ``~c 404``. Raises CommandError."""
        return self.get("view.flows.resolve").func(spec)  # type: ignore[no-any-return]

    # -- calling -------------------------------------------------------------------------------------------------------

    def call(self, command_name: str, *arguments: Any) -> Any:
        """Call a command with values: flows as objects, numbers as int. Raises CommandError.

        What an ``async def`` gives is to be awaited, except in a thread, which gets the result. What the command itself
        raises goes out as it is.
        """
        return self.master.in_loop(lambda: self.get(command_name).call_with(arguments))

    def call_strings(self, command_name: str, arguments: Sequence[str]) -> Any:
        """Call a command with text, from which it makes its values. Raises CommandError."""
        return self.master.in_loop(lambda: self.get(command_name).call(arguments))

    def execute(self, line: str) -> Any:
        """Call a command as one line: ``execute("flow.comment '~c 404' 'not there'")``. Raises CommandError."""
        words = split(line)
        if not words:
            raise CommandError("an empty line is no command")
        return self.call_strings(words[0], words[1:])


_WORD = re.compile(r"""\s*(?:"((?:\\.|[^"\\])*)"|'((?:\\.|[^'\\])*)'|([^\s"']\S*))(?=\s|$)""", re.DOTALL)


def split(line: str) -> list[str]:
    r"""The words of a line, with blanks between; quotes hold words with blanks together, ``\"`` is one in such a word.

    Other backslashes stay: they are for the argument to read. Raises CommandError for a quote that is not closed.
    """
    words, position, end = [], 0, len(line.rstrip())
    while position < end:
        found = _WORD.match(line, position)
        if found is None:
            raise CommandError(f"{line.strip()!r}: a quote is not closed, or the blank after it is missing")
        double, single, bare = found.groups()
        if double is not None:
            words.append(double.replace('\\"', '"'))
        else:
            words.append(bare if single is None else single.replace("\\'", "'"))
        position = found.end()
    return words


def listing(manager: CommandManager) -> str:
    """Every command: a line with its signature, and below it what it does, in a line."""
    return "\n".join(
        f"{one.signature_help()}\n    {one.help.partition(chr(10))[0] or 'not documented'}\n"
        for _, one in sorted(manager.commands.items())
    )
