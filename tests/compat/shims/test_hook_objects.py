"""``mitmproxy.hooks``: events as objects."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import Any

import pytest

from flowdump import ctx
from flowdump.test import taddons

pytestmark = pytest.mark.usefixtures("installed")


def test_hook_objects_fire_their_events() -> None:
    hooks = import_module("mitmproxy.hooks")
    heard: list[Any] = []

    class Listener:
        def update(self, flows: list[Any]) -> None:
            heard.append(flows)

        async def running(self) -> None:
            heard.append("running")

    async def fire() -> None:
        with taddons.context(Listener()) as tctx:
            ctx.master.addons.trigger(hooks.UpdateHook([1]))
            ctx.master.addons.trigger(hooks.RunningHook())
            await ctx.master.addons.trigger_event(hooks.UpdateHook(flows=[2]))
            await asyncio.sleep(0)
            tctx.invoke_addon(Listener(), hooks.UpdateHook([3]))

    asyncio.run(fire())
    assert heard == [[1], [2], "running", [3]]
    assert repr(hooks.UpdateHook([1])) == "UpdateHook(flows=[1])"
