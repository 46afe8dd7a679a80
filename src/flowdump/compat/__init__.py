"""The façade: mitmproxy's module names for flowdump's own classes, so that existing scripts run unchanged.

``names.py`` is the table of ``mitmproxy.*``, and of ``libmproxy.*`` and ``netlib.*`` for the oldest scripts.
``finder.py`` serves it while flowdump runs scripts. ``shims/`` has the classes and functions that differ in shape.

To run the test suite of a script on flowdump: ``python -m flowdump.compat pytest …``, or ``pytest -p flowdump.compat``.
"""

from __future__ import annotations

from typing import Any

from flowdump.compat.finder import install, uninstall

__all__ = ["install", "uninstall"]


# The pytest plugin.


def pytest_load_initial_conftests(early_config: Any, parser: Any, args: Any) -> None:
    """Install the façade before any ``conftest.py`` runs, which may import ``mitmproxy.test``."""
    install(older=True)


def pytest_configure(config: Any) -> None:
    """Install the façade when a ``conftest.py`` names the plugin, which is too late for the hook above."""
    install(older=True)


def pytest_unconfigure(config: Any) -> None:
    uninstall()
