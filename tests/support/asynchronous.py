"""Tests that are coroutines: each runs in an event loop of its own, in bounded time, and must leave no task behind.

:mod:`tests.conftest` registers this as a plugin. It is here instead of pytest-asyncio because of the last rule: a task
that outlives its test is a leak in the product, and only code that ends the loop itself can see it.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Coroutine
from typing import Any

import pytest

#: A test that takes longer than this hangs, on a busy machine too. ``@pytest.mark.patience(SECONDS)`` allows more.
PATIENCE = 60.0


def run(test: Coroutine[Any, Any, None], patience: float = PATIENCE) -> None:
    """Run a coroutine to its end, and check that no task is left."""

    async def bounded() -> None:
        async with asyncio.timeout(patience):
            await test
        await asyncio.sleep(0)
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        assert left == []

    asyncio.run(bounded())


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "patience(seconds): how long a test that is a coroutine may take")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    test = pyfuncitem.obj
    inner = getattr(getattr(test, "hypothesis", None), "inner_test", None)
    if inspect.iscoroutinefunction(inner):  # hypothesis calls the inner test once per example
        test.hypothesis.inner_test = functools.wraps(inner)(lambda *args, **values: run(inner(*args, **values)))
        return None
    if not inspect.iscoroutinefunction(test):
        return None
    marker = pyfuncitem.get_closest_marker("patience")
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(test).parameters}
    run(test(**arguments), marker.args[0] if marker is not None else PATIENCE)
    return True
