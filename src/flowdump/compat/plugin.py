"""The plugin of pytest by another name: pytest warns of one that was imported before, as :mod:`flowdump.compat` is
where it runs pytest.
"""

from __future__ import annotations

from flowdump.compat import pytest_configure, pytest_load_initial_conftests, pytest_unconfigure

__all__ = ["pytest_configure", "pytest_load_initial_conftests", "pytest_unconfigure"]
