"""One script: ``-s "path argument 'quoted argument'"``.

Loading compiles and runs the file as a module, with the script's own folder first on ``sys.path`` and ``sys.argv`` set
to the script's arguments. The module is an addon, and so is each entry of its ``addons`` list; ``start()`` may return
the real addon, which then takes the module's place.

Each handler is wrapped once, when the script is loaded: around every call, ``sys.argv`` is the script's, and an
exception is logged with the script's own frames instead of ending the run.
"""

from __future__ import annotations

import importlib.util
import inspect
import os
import shlex
import sys
import traceback
import types
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

from flowdump.exceptions import AddonHalt, OptionsError, ScriptError
from flowdump.hooks import EVENT_NAMES

#: Called with the text of the error when a handler raised.
Reporter = Callable[[str], None]

_FLOWDUMP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

#: Events with one argument, which a script of the first generation precedes with a context.
_FLOW_EVENTS = ("request", "response", "error", "responseheaders")


class Script:
    """A loaded script. ``addons`` are its wrapped addons, in the order in which they get events."""

    def __init__(self, command: str, report: Reporter) -> None:
        self.command = command
        self.argv = _split(command)
        self.path = os.path.abspath(os.path.expanduser(self.argv[0]))
        self._report = report
        self.module: types.ModuleType | None = None
        self.addons: list[Any] = []

    def load(self) -> None:
        """Import the script and start it.

        Raises ScriptError with a message for people; SystemExit(0) when the script ended itself well.
        """
        with self._startup("loading"), self.arguments():
            self.module = self._import()
            found = self._booted(self.module)
        self.addons = [WrappedAddon(self, addon) for addon in found]

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
    def _startup(self, doing: str) -> Iterator[None]:
        """Whatever goes wrong while the script starts becomes one ScriptError."""
        try:
            yield
        except (ScriptError, OptionsError):
            raise
        except SystemExit as error:
            if not error.code:
                raise
            # argparse has printed the usage and what is wrong by now.
            said = f": {error.code}" if isinstance(error.code, str) else ", see above"
            raise ScriptError(f"script {self.argv[0]!r} did not accept its arguments{said}") from None
        except SyntaxError as error:
            where = f"{error.filename or self.path}:{error.lineno or 1}"
            line = f"\n    {error.text.strip()}" if error.text else ""
            raise ScriptError(f"{where}: {type(error).__name__}: {error.msg}{line}") from None
        except Exception as error:
            raise ScriptError(f"{self._where(error)}: {doing} failed: {type(error).__name__}: {error}") from error

    def _import(self) -> types.ModuleType:
        try:
            with open(self.path, "rb"):
                pass
        except OSError as error:
            raise ScriptError(f"cannot read script {self.argv[0]!r}: {error.strerror}") from None
        name = _module_name(self.path)
        spec = importlib.util.spec_from_loader(
            name, importlib.machinery.SourceFileLoader(name, self.path), origin=self.path
        )
        assert spec is not None
        assert spec.loader is not None
        spec.has_location = True
        module = importlib.util.module_from_spec(spec)
        folder = os.path.dirname(self.path)
        sys.path.insert(0, folder)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        finally:
            # Handlers may import from the folder later on; first place it has only while the script is imported.
            sys.path.remove(folder)
            if folder not in sys.path:
                sys.path.append(folder)
        return module

    def _booted(self, module: types.ModuleType) -> list[Any]:
        """The addons of a module: what its start() gave instead of it, or itself; then its list."""
        found: list[Any] = []
        for addon in _flattened(module):
            start = getattr(addon, "start", None)
            if callable(start) and not isinstance(addon, type):
                self._refuse_context("start", start, 0)
                found.append(start() or addon)
            else:
                found.append(addon)
        for addon in found:
            for event in _FLOW_EVENTS:
                handler = getattr(addon, event, None)
                if callable(handler):
                    self._refuse_context(event, handler, 1)
        return found

    def _refuse_context(self, event: str, handler: Callable[..., Any], expected: int) -> None:
        """Scripts of the oldest API take a context first."""
        try:
            parameters = [p for p in inspect.signature(handler).parameters.values() if p.default is p.empty]
        except (TypeError, ValueError):
            return
        required = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        if len(required) > expected:
            names = ", ".join(p.name for p in required)
            raise ScriptError(
                f"{self.path}:{_line_of(handler)}: {event}({names}) belongs to the scripting API of mitmproxy 0.x, "
                "which is not part of this version of flowdump"
            )

    # -- errors --------------------------------------------------------------------------------------------------

    def _where(self, error: BaseException) -> str:
        """``file:line`` of the innermost frame that is the script's own."""
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if self._is_own(frame)]
        return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else self.path

    def _is_own(self, frame: traceback.FrameSummary) -> bool:
        name = os.path.abspath(frame.filename)
        return not name.startswith(_FLOWDUMP + os.sep) and not frame.filename.startswith("<frozen")

    def report(self, event: str, error: BaseException) -> None:
        """Log an exception from a handler, with the traceback cut to frames outside of flowdump."""
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if self._is_own(frame)]
        text = "".join(traceback.format_list(frames)) + "".join(traceback.format_exception_only(error))
        self._report(f"error in {event} of script {self.argv[0]}:\n{text.rstrip()}")

    def __repr__(self) -> str:
        return f"Script({self.command!r}, {len(self.addons)} addons)"


class WrappedAddon:
    """An addon of a script as the hook table sees it:

    its handlers, each with the script's arguments and error report around it.
    """

    def __init__(self, script: Script, addon: Any) -> None:
        self.script = script
        self.addon = addon
        for event in EVENT_NAMES:
            handler = getattr(addon, event, None)
            if callable(handler) and not (event in ("load", "configure") and isinstance(addon, type)):
                wrap = _wrap_startup if event in ("load", "configure") else _wrap
                setattr(self, event, wrap(script, event, handler))

    def __repr__(self) -> str:
        return f"WrappedAddon({self.addon!r})"


def _wrap(script: Script, event: str, handler: Callable[..., Any]) -> Callable[..., Any]:
    argv = script.argv

    def call(*arguments: Any) -> Awaitable[None] | None:
        before = sys.argv
        sys.argv = argv
        try:
            result = handler(*arguments)
        except AddonHalt:
            raise
        except Exception as error:
            script.report(event, error)
            return None
        finally:
            sys.argv = before
        if result is not None and hasattr(result, "__await__"):
            return _guarded(script, event, result)
        return None

    return call


def _wrap_startup(script: Script, event: str, handler: Callable[..., Any]) -> Callable[..., Any]:
    """``load`` and ``configure``: what they raise ends the start, or undoes the change of an option."""

    def call(*arguments: Any) -> Any:
        with script._startup(event), script.arguments():
            return handler(*arguments)

    return call


@types.coroutine
def _guarded(script: Script, event: str, waiting: Awaitable[None]) -> Generator[Any, Any, None]:
    """Await an asynchronous handler:

    its first step runs with the script's ``sys.argv``, and its exceptions are reported.
    """
    steps = waiting.__await__()
    try:
        with script.arguments():
            yielded = next(steps)
        while True:
            try:
                sent = yield yielded
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as error:  # a cancellation, say: the handler may clean up
                yielded = steps.throw(error)
            else:
                yielded = steps.send(sent)
    except StopIteration:
        return
    except AddonHalt:
        raise
    except Exception as error:
        script.report(event, error)


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
    stem = f"__flowdump_script__{os.path.splitext(os.path.basename(path))[0]}"
    name, n = stem, 1
    while name in sys.modules:
        n += 1
        name = f"{stem}_{n}"
    return name


def _flattened(addon: Any) -> list[Any]:
    """An addon and those in its ``addons`` list, and in theirs."""
    found = [addon]
    for child in getattr(addon, "addons", None) or ():
        found.extend(_flattened(child))
    return found


def _line_of(handler: Callable[..., Any]) -> int:
    code = getattr(inspect.unwrap(handler), "__code__", None)
    return code.co_firstlineno if code else 1
