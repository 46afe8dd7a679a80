"""One script: ``-s "path argument 'quoted argument'"``.

Loading compiles and runs the file as a module, with the script's own folder first on ``sys.path`` and ``sys.argv`` set
to the script's arguments. The module is an addon, and so is each entry of its ``addons`` list; ``start()`` may return
the real addon, which then takes the module's place. How their handlers are called is in
:mod:`flowdump.scripting.handlers`.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import inspect
import os
import sys
import types
from collections.abc import Iterator
from typing import Any

from flowdump import ctx
from flowdump.exceptions import ScriptError
from flowdump.scripting import advice
from flowdump.scripting.handlers import WrappedAddon, required_names
from flowdump.scripting.older import generations
from flowdump.scripting.older import names as older_names
from flowdump.scripting.script_file import Reporter, ScriptFile

#: Names of scripts in :data:`sys.modules`.
_PREFIX = "__flowdump_script__"


class _Loader(importlib.machinery.SourceFileLoader):
    """Compiles every time: compiled files tell versions apart by whole seconds, too coarse for people who edit."""

    def path_stats(self, path: str) -> Any:
        raise OSError


class Script(ScriptFile):
    """A loaded script. ``addons`` are its wrapped addons, in the order in which they get events."""

    def __init__(self, command: str, report: Reporter) -> None:
        super().__init__(command, report)
        self.addons: list[WrappedAddon] = []
        #: Addons that the script has added by hand, while it ran.
        self.adopted: list[WrappedAddon] = []

    def load(self) -> None:
        """Import the script and start it.

        Raises ScriptError with a message for people; SystemExit(0) when the script showed its help and ended.
        """
        self.read()
        self.start()

    def read(self) -> None:
        """The first half of ``load``: compile the file and run it as a module."""
        known = set(sys.modules)
        with self.startup("loading"), self.arguments():
            self.module = self._import()
        if any(_uses_older_names(module) for name, module in sys.modules.copy().items() if name not in known):
            older_names.install()

    def start(self) -> None:
        """The second half: find the addons in the module."""
        assert self.module is not None
        with self.startup("loading"), self.arguments():
            ctx.master.addons.adopt = self.adopt
            found = self._found(self.module)
            self.addons = [one for addon in found for one in self._wrapped(addon)]
            for text in advice.about(self, found):
                ctx.log.warn(text)

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

    def __repr__(self) -> str:
        return f"Script({self.command!r}, {len(self.addons)} addons)"


def _uses_older_names(module: types.ModuleType) -> bool:
    """Whether a module that a script has imported uses attributes of older generations."""
    loader = getattr(module, "__loader__", None)
    name = (module.__name__ or "").partition(".")[0]
    if name == "flowdump" or name in sys.stdlib_module_names or not isinstance(loader, importlib.abc.InspectLoader):
        return False
    try:
        code = loader.get_code(module.__name__)
    except (ImportError, SyntaxError):
        return False
    return code is not None and older_names.mentions_older_names(code)


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
