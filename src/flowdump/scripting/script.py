"""One script: ``-s "path argument 'quoted argument'"``.

Loading compiles and runs the file as a module, with the script's own folder first on ``sys.path`` and ``sys.argv`` set
to the script's arguments. The module is an addon, and so is each entry of its ``addons`` list; ``start()`` may return
the real addon, which then takes the module's place. How their handlers are called is in
:mod:`flowdump.scripting.handlers`.
"""

from __future__ import annotations

import ast
import importlib.machinery
import importlib.util
import inspect
import os
import shlex
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flowdump import ctx
from flowdump.exceptions import OptionsError, ScriptError
from flowdump.scripting import advice
from flowdump.scripting.handlers import WrappedAddon, place_of, required_names
from flowdump.scripting.older import generations
from flowdump.scripting.older.python2 import hint

#: Called with the text of the error when a handler raised.
Reporter = Callable[[str], None]

#: Folders whose frames a traceback does not show: flowdump and the standard library.
_LIBRARIES = tuple(
    os.path.join(os.path.dirname(os.path.abspath(file)), "") for file in (os.path.dirname(__file__), os.__file__)
)

#: Names of scripts in :data:`sys.modules`.
_PREFIX = "__flowdump_script__"


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles every time: compiled files tell versions apart by whole seconds, too coarse for people who edit."""

    def path_stats(self, path: str) -> Any:
        raise OSError


class Script:
    """A loaded script. ``addons`` are its wrapped addons, in the order in which they get events."""

    def __init__(self, command: str, report: Reporter) -> None:
        self.command = command
        self.argv = _split(command)
        self.path = os.path.abspath(os.path.expanduser(self.argv[0]))
        self._report = report
        self.module: types.ModuleType | None = None
        self.addons: list[WrappedAddon] = []
        #: Addons that the script has added by hand, while it ran.
        self.adopted: list[WrappedAddon] = []
        #: Handlers that blocked, and were named for it.
        self.blocking: list[Any] = []

    def load(self) -> None:
        """Import the script and start it.

        Raises ScriptError with a message for people; SystemExit(0) when the script showed its help and ended.
        """
        self.read()
        self.start()

    def read(self) -> None:
        """The first half of ``load``: compile the file and run it as a module."""
        with self.startup("loading"), self.arguments():
            self.module = self._import()

    def start(self) -> None:
        """The second half: find the addons in the module."""
        assert self.module is not None
        with self.startup("loading"), self.arguments():
            ctx.master.addons.adopt = self.adopt
            found = self._found(self.module)
            self.addons = [one for addon in found for one in self._wrapped(addon)]
            for text in advice.about(self, found):
                ctx.log.warn(text)

    def uses(self, name: str) -> bool:
        """Whether the script itself makes use of a function or method, besides defining it."""
        with open(self.path, "rb") as file:
            nodes = list(ast.walk(ast.parse(file.read())))
        functions = {node.id for node in nodes if isinstance(node, ast.Name)}
        methods = {n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
                   and n.value.id == "self"}  # fmt: skip
        return name in functions | methods

    def again(self) -> Script:
        """The same script with the same arguments, not loaded yet."""
        return Script(self.command, self._report)

    def _wrapped(self, addon: Any) -> Iterator[WrappedAddon]:
        return (WrappedAddon(self, one) for one in generations.adapt(self, addon))

    def adopt(self, addon: Any) -> list[WrappedAddon]:
        """An addon (with those in its list) that a script adds while it runs, treated like its own."""
        wrapped = [one for found in _flattened(addon) for one in self._wrapped(found)]
        self.adopted += wrapped
        return wrapped

    @contextmanager
    def arguments(self) -> Iterator[None]:
        """``sys.argv`` as the script sees it."""
        before = sys.argv
        sys.argv = self.argv
        try:
            yield
        finally:
            sys.argv = before

    @contextmanager
    def startup(self, doing: str) -> Iterator[None]:
        """Whatever goes wrong while the script starts becomes one ScriptError."""
        try:
            yield
        except (ScriptError, OptionsError):
            raise
        except SystemExit as error:
            if self._asked_for_help(error):
                raise
            raise ScriptError(self._ended(error)) from None
        except SyntaxError as error:
            known = error.filename and os.path.exists(error.filename)
            where = f"{error.filename}:{error.lineno or 1}" if known else self._where(error)
            line = f"\n    {error.text.strip()}" if error.text else ""
            python3 = " (not valid Python 3)" if known else ""
            raise ScriptError(f"{where}: {type(error).__name__}: {error.msg}{python3}{line}") from None
        except Exception as error:
            raise ScriptError(f"{self._where(error)}: {doing} failed: {describe(error)}") from error

    # -- importing -----------------------------------------------------------------------------------------------

    def _import(self) -> types.ModuleType:
        try:
            with open(self.path, "rb"):
                pass
        except OSError as error:
            raise ScriptError(f"cannot read script {self.argv[0]!r}: {error.strerror}") from None
        name = _module_name(self.path)
        loader = _Loader(name, self.path)
        spec = importlib.util.spec_from_file_location(name, self.path, loader=loader)
        assert spec is not None
        module = importlib.util.module_from_spec(spec)
        folder = os.path.dirname(self.path)
        _forget_namesakes(folder)
        sys.path.insert(0, folder)
        sys.modules[name] = module
        try:
            loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        finally:
            # Handlers may import from the folder later on; first place it has only while the script is imported.
            if folder in sys.path:
                sys.path.remove(folder)
            if folder not in sys.path:
                sys.path.append(folder)
        return module

    def _found(self, module: types.ModuleType) -> list[Any]:
        """The addons of a module: itself and those in its list, or what its ``start()`` gave instead.

        ``start`` is an event of the second generation of the scripting API; a module with ``load`` or ``addons`` is
        younger, and may call one of its own functions what it likes.
        """
        if generations.is_first(module):
            return [generations.start_first(self, module)]
        start = getattr(module, "start", None)
        if not isinstance(start, types.FunctionType) or hasattr(module, "addons") or hasattr(module, "load"):
            return _flattened(module)
        names = required_names(start)
        if inspect.iscoroutinefunction(start) or names not in ([], ["opts"], ["options"]):
            return _flattened(module)
        instead = start(*[ctx.options for _ in names])
        return _flattened(module if instead is None else instead)

    # -- errors --------------------------------------------------------------------------------------------------

    def _asked_for_help(self, error: SystemExit) -> bool:
        """``--help`` and ``--version`` end a program well; a script that ends itself for other reasons does not."""
        return not error.code and (_of_argparse(error) or "--help" in self.argv[1:])

    def _ended(self, error: SystemExit) -> str:
        if error.code == 2 and _of_argparse(error):  # it has printed the usage and what is wrong
            return f"script {self.argv[0]!r} did not accept its arguments, see above"
        said = error.code
        if not isinstance(said, str):
            said = f"the script ended itself with exit code {said or 0}"
        return f"{self._where(error)}: {said}"

    def _own_frames(self, error: BaseException) -> list[traceback.FrameSummary]:
        return own_frames(error, self.path)

    def _where(self, error: BaseException) -> str:
        """``file:line`` of the innermost frame that is the script's own."""
        frames = self._own_frames(error)
        return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else self.path

    def report(self, event: str, error: BaseException, handler: Any = None) -> None:
        """Log an exception from a handler, with the traceback cut to the script's own frames."""
        frames = self._own_frames(error)
        while not frames and error.__cause__ is not None:  # a StopIteration, which no coroutine may raise
            error = error.__cause__
            frames = self._own_frames(error)
        if not frames and handler is not None:  # it could not even be called
            file, line = place_of(handler) or (self.path, 1)
            frames = [traceback.FrameSummary(file, line, getattr(handler, "__name__", event))]
        text = "".join(traceback.format_list(frames)) + "".join(traceback.format_exception_only(error))
        self._report(f"error in {event} of script {self.argv[0]}:\n{text.rstrip()}{hint(error)}")

    def __repr__(self) -> str:
        return f"Script({self.command!r}, {len(self.addons)} addons)"


def describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}{hint(error)}"


def _split(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise ScriptError(f"script {command!r}: {error}") from None
    if not words:
        raise ScriptError("empty script specification: -s 'PATH ARGUMENT…' is expected")
    return words


def _module_name(path: str) -> str:
    """A name for :data:`sys.modules` that no other script has."""
    stem = f"{_PREFIX}{os.path.splitext(os.path.basename(path))[0]}"
    name, n = stem, 1
    while name in sys.modules:
        n += 1
        name = f"{stem}_{n}"
    return name


def _forget_namesakes(folder: str) -> None:
    """Let a script import its own ``helpers`` although a script from another folder imported another one before.

    The other script keeps what it has.
    """
    scripts = [module for name, module in sys.modules.items() if name.startswith(_PREFIX)]
    others = {os.path.dirname(module.__file__ or "") for module in scripts} - {folder, ""}
    if not others:
        return
    own = {os.path.splitext(name)[0] for name in os.listdir(folder)}
    namesakes = {name for name in own & sys.modules.keys() if _folder_of(sys.modules[name]) in others}
    for name in [name for name in sys.modules if name.partition(".")[0] in namesakes]:
        del sys.modules[name]


def _folder_of(module: types.ModuleType) -> str:
    """The folder from which a top-level module or package was imported."""
    folder, name = os.path.split(getattr(module, "__file__", None) or "")
    return os.path.dirname(folder) if name == "__init__.py" else folder


def _flattened(addon: Any) -> list[Any]:
    """An addon and those in its ``addons`` list, and in theirs, each once."""
    found: list[Any] = []
    waiting = [addon]
    while waiting:
        addon = waiting.pop(0)
        if not any(addon is known for known in found):
            found.append(addon)
            waiting[:0] = _children(addon)
    return found


def _children(addon: Any) -> list[Any]:
    children = getattr(addon, "addons", None)
    if isinstance(addon, types.ModuleType) and children is not None and not isinstance(children, list | tuple):
        raise ScriptError(f"{addon.__file__}: addons has to be a list, not {type(children).__name__}")
    return list(children) if isinstance(children, list | tuple) else []


def own_frames(error: BaseException, path: str = "") -> list[traceback.FrameSummary]:
    """The frames of the script at ``path`` and of modules like it, without those of libraries."""
    frames = traceback.extract_tb(error.__traceback__)
    return [frame for frame in frames if frame.filename == path or not _is_foreign(frame.filename)]


def _of_argparse(error: BaseException) -> bool:
    frames = traceback.extract_tb(error.__traceback__)
    return any(os.path.basename(frame.filename) == "argparse.py" for frame in frames)


def _is_foreign(filename: str) -> bool:
    """Whether a file is flowdump's, of the standard library, or of an installed package."""
    name = os.path.abspath(filename)
    installed = any(f"{os.sep}{folder}{os.sep}" in name for folder in ("site-packages", "dist-packages"))
    return filename.startswith("<") or installed or name.startswith(_LIBRARIES)
