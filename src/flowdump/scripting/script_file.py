"""The file of a script: its path and arguments, and how its errors are reported.

Handlers, advice and the older generations need no more than this of the script that they belong to; loading it is in
:mod:`flowdump.scripting.script`.
"""

from __future__ import annotations

import ast
import inspect
import os
import shlex
import sys
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flowdump.exceptions import OptionsError, ScriptError
from flowdump.scripting.older.python2 import hint

#: Called with the text of the error when a handler raised.
Reporter = Callable[[str], None]

#: Folders whose frames a traceback does not show: flowdump and the standard library.
_LIBRARIES = tuple(
    os.path.join(os.path.dirname(os.path.abspath(file)), "") for file in (os.path.dirname(__file__), os.__file__)
)


class ScriptFile:
    """A script as it was given: ``"path argument 'quoted argument'"``. Raises ScriptError where that names no file."""

    def __init__(self, command: str, report: Reporter) -> None:
        self.command = command
        self.argv = _split(command)
        self.path = os.path.abspath(os.path.expanduser(self.argv[0]))
        self._report = report
        #: The module, once it was imported.
        self.module: types.ModuleType | None = None
        #: Handlers that blocked the event loop, and were named for it.
        self.blocking: list[Any] = []

    def uses(self, name: str) -> bool:
        """Whether the script itself makes use of a function or method, besides defining it."""
        with open(self.path, "rb") as file:
            nodes = list(ast.walk(ast.parse(file.read())))
        functions = {node.id for node in nodes if isinstance(node, ast.Name)}
        methods = {n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
                   and n.value.id == "self"}  # fmt: skip
        return name in functions | methods

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
        """Turn every failure while the script starts into one ScriptError."""
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


def place_of(handler: Callable[..., Any]) -> tuple[str, int] | None:
    """File and line where a function is defined."""
    code = getattr(inspect.unwrap(handler), "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code else None


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
