"""The module names of mitmproxy over flowdump's own classes, so that existing scripts import what they always did.

While flowdump runs scripts, a finder in front of :data:`sys.meta_path` resolves ``mitmproxy``, and ``libmproxy`` and
``netlib`` for the oldest scripts, to the thin modules in this folder, even where a real mitmproxy is installed beside
flowdump: a script would otherwise get classes of which no flow is an instance. A module that is not here is an
ImportError that names it. What is a class or function of its own, under an older name only, is in :mod:`.shims`.

Test suites of scripts run on flowdump as ``python -m flowdump.compat pytest …``, or with this package as a plugin of
pytest: ``pytest -p flowdump.compat``.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from typing import Any

_FOLDER = os.path.dirname(__file__)
_PACKAGES = ("mitmproxy", "libmproxy", "netlib")

#: Modules of user interfaces, in whatever generation.
_SCREENS = (
    "mitmproxy.tools.console",
    "mitmproxy.tools.web",
    "mitmproxy.console",
    "mitmproxy.web",
    "libmproxy.console",
    "libmproxy.web",
)


#: Modules of mitmproxy's protocol layers, of which flowdump has none.
_LAYERS = (
    "mitmproxy.proxy.layer",
    "mitmproxy.proxy.layers",
    "mitmproxy.proxy.commands",
    "mitmproxy.proxy.events",
    "mitmproxy.proxy.protocol",
    "mitmproxy.protocol",
)


class Finder(MetaPathFinder):
    """Resolves the names of the façade, and refuses those below its packages that it does not have."""

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in _PACKAGES:
            return None
        place = os.path.join(_FOLDER, *fullname.split("."))
        if os.path.isfile(os.path.join(place, "__init__.py")):
            return importlib.util.spec_from_file_location(
                fullname, os.path.join(place, "__init__.py"), submodule_search_locations=[place]
            )
        if os.path.isfile(f"{place}.py"):
            return importlib.util.spec_from_file_location(fullname, f"{place}.py")
        # Without a name on the exception: "from mitmproxy import x" would replace one that says x by its own words.
        raise ModuleNotFoundError(_reason(fullname))


def _reason(name: str) -> str:
    if _is_below(name, _SCREENS):
        return f"{name} belongs to a user interface, which is not part of a headless tool"
    if _is_below(name, _LAYERS):
        return (
            f"{name} is not part of flowdump, which has no protocol layers; to let a connection pass untouched, "
            "set data.ignore_connection in tls_clienthello"
        )
    return f"{name} is not part of this version of flowdump"


def _is_below(name: str, packages: tuple[str, ...]) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def install() -> None:
    """Put the finder first, once; names that were imported from elsewhere are forgotten."""
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    _forget()
    sys.meta_path.insert(0, Finder())


def uninstall() -> None:
    """Take the finder away again, and with it every module that it resolved."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, Finder)]
    _forget()


def _forget() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] in _PACKAGES]:
        del sys.modules[name]


# -- the plugin of pytest ----------------------------------------------------------------------------------------


def pytest_load_initial_conftests(early_config: Any, parser: Any, args: Any) -> None:
    """Before any ``conftest.py`` is imported, which may import ``mitmproxy.test`` already."""
    install()


def pytest_configure(config: Any) -> None:
    """The same where a ``conftest.py`` names the plugin, which is too late for the hook above."""
    install()


def pytest_unconfigure(config: Any) -> None:
    uninstall()
