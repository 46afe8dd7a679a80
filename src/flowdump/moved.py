"""Module names that scripts and programs may have imported from an earlier flowdump, and where each module is now.

``from flowdump.command import command`` and ``from flowdump import urls`` give the module under its present name, the
same object. A finder after all others serves them, so a name that exists is never affected. New code imports the
present names.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: Former name below ``flowdump`` -> present name below ``flowdump``.
MOVED = {
    "charsets": "http.charsets",
    "command": "runtime.commands",
    "command_types": "runtime.arguments",
    "cookies": "http.cookies",
    "encoding": "http.content_coding",
    "formats.har_read": "formats.har.read",
    "formats.har_write": "formats.har.write",
    "forms": "http.forms",
    "headers": "http.headers",
    "hook_data": "runtime.hook_data",
    "hooks": "runtime.hooks",
    "lifecycle": "runtime.event_sequence",
    "log": "runtime.log",
    "master": "runtime.master",
    "message": "http.message",
    "multidict": "http.multidict",
    "option_table": "options.table",
    "request": "http.request",
    "response": "http.response",
    "status_codes": "http.status_codes",
    "urls": "http.urls",
}


class _Alias:
    """Loads a module under its former name by importing the present one."""

    def __init__(self, present: str) -> None:
        self._present = present

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(self._present)
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Undo what the import system has done to a module that was complete already: it has replaced its spec."""
        module.__spec__ = self._spec


class _Finder:
    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        present = MOVED.get(fullname.removeprefix("flowdump."))
        if present is None or not fullname.startswith("flowdump."):
            return None
        return ModuleSpec(fullname, _Alias(f"flowdump.{present}"))  # type: ignore[arg-type]


def install() -> None:
    """Serve former names from now on; called once, when ``flowdump`` is imported."""
    sys.meta_path.append(_Finder())
