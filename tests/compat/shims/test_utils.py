"""``mitmproxy.utils``: tasks and sliding windows."""

from __future__ import annotations

import asyncio
from importlib import import_module

import pytest

pytestmark = pytest.mark.usefixtures("installed")


def test_create_task_starts_a_named_task() -> None:
    async def work() -> int:
        task = import_module("mitmproxy.utils.asyncio_utils").create_task(asyncio.sleep(0, 5), name="x", keep_ref=True)
        assert task.get_name() == "x"
        return int(await task)

    assert asyncio.run(work()) == 5
