"""Scripts that are changed while they run are loaded again, without a request lost.

Watched are the script and every module that it imported from its own folder. What changed is compiled and run first,
beside the old one: a mistake is logged, and the old script stays. Then, in one go of the event loop, so that no handler
of a half-loaded script is ever called: ``done`` of the old one, ``start``, ``load`` and ``configure`` of the new one,
the exchange of the handlers, ``running``. Asynchronous handlers are awaited after that.

Editors save by writing a new file and renaming it: a file that is gone for a moment is not a change. Files are looked
at by their times and sizes, twice a second, which works on every file system.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.util
import os
import sys
from collections.abc import Awaitable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from flowdump.exceptions import FlowdumpError
from flowdump.runtime.master import Loader

if TYPE_CHECKING:
    from flowdump.runtime.master import Master
    from flowdump.scripting.script import Script

#: Seconds between two looks at the files.
INTERVAL: Final = 0.5

Stamp = tuple[int, int, int]


class Reloader:
    """Keeps the scripts of a run up to date."""

    def __init__(self, master: Master, scripts: list[Script]) -> None:
        self._master = master
        self._scripts = scripts
        self._stamps: dict[str, Stamp] = {}
        self.changed()

    async def watch(self) -> None:
        """Look and load again, for as long as the run lasts."""
        while True:
            await asyncio.sleep(INTERVAL)
            await self.look()

    async def look(self) -> None:
        """Load again what has changed since the last look."""
        changed = self.changed()
        if not changed:
            return
        importlib.invalidate_caches()
        for path in changed:  # it tells versions apart by whole seconds
            with suppress(OSError):
                os.unlink(importlib.util.cache_from_source(path))
        for at, script in enumerate(self._scripts):
            if changed & _files(script).keys():
                self._scripts[at] = await self._replaced(script)
        self.changed()  # modules that are new

    def changed(self) -> set[str]:
        """The files that are other ones than at the last look; the first look at a file finds no change."""
        changed = set()
        for path in {path for script in self._scripts for path in _files(script)}:
            try:
                status = os.stat(path)
            except OSError:
                continue  # being saved, perhaps
            stamp = status.st_mtime_ns, status.st_size, status.st_ino
            if self._stamps.setdefault(path, stamp) != stamp:
                self._stamps[path] = stamp
                changed.add(path)
        return changed

    async def _replaced(self, old: Script) -> Script:
        """A new script in place of ``old``, or ``old`` if that cannot be."""
        log, new = self._master.log, old.again()
        modules = _forget(_files(old).values())
        try:
            new.read()
        except (FlowdumpError, SystemExit) as error:
            _forget(_files(old).values())
            sys.modules.update(modules)
            log.error(f"script {old.argv[0]} has changed and cannot be loaded, the old one goes on: {error}")
            return old
        waiting = _call(old, "done")
        self._dismiss(old)
        try:
            new.start()
            self._begin(new)
        except (FlowdumpError, SystemExit) as error:
            _forget(_files(old).values())
            sys.modules.update(modules)
            self._dismiss(new)
            self._master.addons.adopt = old.adopt
            self._begin(old)
            self._exchange(new, old)
            waiting += _call(old, "running")
            log.error(f"script {old.argv[0]} has changed and cannot be started, the old one goes on: {error}")
            new = old
        else:
            self._exchange(old, new)
            waiting += _call(new, "running")
            log.info(f"script {old.argv[0]} has changed: loaded again")
        await asyncio.gather(*waiting, return_exceptions=True)
        return new

    def _dismiss(self, script: Script) -> None:
        """Forget what a script has added by hand: the new one adds its own, under the same names."""
        addons = self._master.addons
        addons.script_addons = [one for one in addons.script_addons if one not in script.adopted]
        script.adopted = []

    def _begin(self, script: Script) -> None:
        loader = Loader(self._master)
        for addon in script.addons:
            if hasattr(addon, "load"):
                addon.load(loader)
        for addon in script.addons:
            if hasattr(addon, "configure"):
                addon.configure(self._master.options.keys())

    def _exchange(self, old: Script, new: Script) -> None:
        """The handlers of ``new`` at the place of those of ``old``; later ones in the chain keep theirs."""
        addons = self._master.addons
        at = next((n for n, one in enumerate(addons.script_addons) if getattr(one, "script", None) is old), None)
        kept = [one for one in addons.script_addons if getattr(one, "script", None) not in (old, new)]
        at = len(kept) if at is None else min(at, len(kept))
        addons.script_addons = [*kept[:at], *new.addons, *new.adopted, *kept[at:]]
        addons.rebuild()
        if "flowdump.runtime.commands" in sys.modules:
            self._master.commands.refresh()


def _forget(names: Iterable[str]) -> dict[str, Any]:
    """Have modules imported anew; gives the ones that there were, by name."""
    return {name: sys.modules.pop(name) for name in list(names) if name in sys.modules}


def _call(script: Script, event: str) -> list[Awaitable[None]]:
    """Call a handler of each addon of a script; gives what is to be awaited."""
    waiting = []
    for addon in (*script.addons, *script.adopted):
        handler = getattr(addon, event, None)
        result = handler() if handler is not None else None
        if result is not None and hasattr(result, "__await__"):
            waiting.append(result)
    return waiting


def _files(script: Script) -> dict[str, str]:
    """The script and the modules that come from its own folder: path -> name of the module."""
    folder = os.path.join(os.path.dirname(script.path), "")
    found = {script.path: script.module.__name__ if script.module is not None else ""}
    for name, module in list(sys.modules.items()):
        path = getattr(module, "__file__", None)
        if path and path.startswith(folder) and "-packages" not in path and not name.startswith("__flowdump_script__"):
            found[path] = name
    return found
