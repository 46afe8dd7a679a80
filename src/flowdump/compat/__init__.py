"""The module names of mitmproxy over flowdump's own classes, so that existing scripts import what they always did.

``names.py`` is the table of ``mitmproxy.*``, and of ``libmproxy.*`` and ``netlib.*`` for the oldest scripts;
``finder.py`` serves it while flowdump runs scripts. What has a shape of its own under an older name is in ``shims/``.

Test suites of scripts run on flowdump as ``python -m flowdump.compat pytest …``, or with this package as a plugin of
pytest: ``pytest -p flowdump.compat``.
"""

from __future__ import annotations

from typing import Any

from flowdump.compat.finder import install, uninstall

__all__ = ["install", "uninstall"]


# The plugin of pytest.


def pytest_load_initial_conftests(early_config: Any, parser: Any, args: Any) -> None:
    """Install the façade before any ``conftest.py`` is imported, which may import ``mitmproxy.test``."""
    install(older=True)


def pytest_configure(config: Any) -> None:
    """The same where a ``conftest.py`` names the plugin, which is too late for the hook above."""
    install(older=True)


def pytest_unconfigure(config: Any) -> None:
    uninstall()
