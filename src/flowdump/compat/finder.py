"""The import hook of the façade: a finder at the front of :data:`sys.meta_path`, and the loader of its modules.

The finder comes first, so that the names resolve to flowdump even if a real mitmproxy is installed: a script would
otherwise get classes of which no flow is an instance. Importing a module below these packages that is not in the table
raises an ImportError that names it.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from flowdump.compat.names import MODULES, PROTOCOL_LAYERS, USER_INTERFACES
from flowdump.scripting.older import names as older_names

PACKAGES = ("mitmproxy", "libmproxy", "netlib")


class Finder(MetaPathFinder):
    """Finds the modules of the façade, and refuses other modules of its packages."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in PACKAGES:
            return None
        if fullname not in MODULES:
            # The exception has no name attribute: "from mitmproxy import x" would replace its text if it named x.
            raise ModuleNotFoundError(_reason(fullname))
        is_package = any(name.startswith(f"{fullname}.") for name in MODULES)
        return ModuleSpec(
            fullname, FacadeLoader(), origin=f"flowdump.compat.names[{fullname!r}]", is_package=is_package
        )


class FacadeLoader(Loader):
    """Fills a module with the names that the table lists for it."""

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        if name.partition(".")[0] != "mitmproxy":
            older_names.install()  # scripts that import these packages use older attributes
        module.__doc__ = f"The names of ``{name}``, served by flowdump."
        names: dict[str, Any] = {}
        for place, listed in MODULES[name].items():
            names |= _names_of(place, listed)
        for each in names:
            # ``mitmproxy.script.concurrent`` is a function and a module. Importing the module later would replace the
            # function in the package, so the module is imported first.
            if f"{name}.{each}" in MODULES:
                importlib.import_module(f"{name}.{each}")
        vars(module).update(names)
        vars(module)["__all__"] = sorted(each for each in names if not each.startswith("__"))


def _names_of(place: str, listed: str) -> dict[str, Any]:
    """The names that a module of the façade takes from one place, and their values."""
    path, _, attribute = place.partition(":")
    if path.startswith("shims."):
        path = f"compat.{path}"
    if path.partition(".")[0] not in PACKAGES:
        path = f"flowdump.{path}"
    module = importlib.import_module(path)
    if listed == "*":
        return dict(getattr(module, attribute))
    pairs = [word.partition("=")[::2] for word in listed.split()]
    return {new: _attribute(module, old or new) for new, old in pairs}


def _attribute(module: ModuleType, name: str) -> Any:
    """An attribute of a module, or its submodule of that name."""
    if hasattr(module, name):
        return getattr(module, name)
    return importlib.import_module(f"{module.__name__}.{name}")


def _reason(name: str) -> str:
    if _is_below(name, USER_INTERFACES):
        return f"{name} belongs to a user interface, which is not part of a headless tool"
    if _is_below(name, PROTOCOL_LAYERS):
        return (
            f"{name} is not part of flowdump, which has no protocol layers; to let a connection pass untouched, "
            "set data.ignore_connection in tls_clienthello"
        )
    return f"{name} is not part of this version of flowdump"


def _is_below(name: str, packages: tuple[str, ...]) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def install(*, older: bool = False) -> None:
    """Install the finder, once, and drop modules of these names that were imported from elsewhere.

    ``older`` also gives flows and messages the attributes of older scripting generations, for programs and test suites;
    loading an older script does so by itself.
    """
    if older:
        older_names.install()
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    _forget()
    sys.meta_path.insert(0, Finder())


def uninstall() -> None:
    """Remove the finder, and all modules that it served."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Finder)]
    _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in PACKAGES]:
        del sys.modules[name]
