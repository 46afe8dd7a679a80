"""``script.run``: a script over some flows, once."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from typing import Any

from flowdump import ctx
from flowdump.exceptions import AddonHalt, CommandError, ScriptError
from flowdump.flow import Flow
from flowdump.runtime import commands, event_sequence
from flowdump.runtime.arguments import Path
from flowdump.runtime.hooks import Handler, HookTable
from flowdump.scripting.script import Script


class ScriptOnce:
    """``report`` is told of handlers that raise, as for any script."""

    def __init__(self, report: Callable[[str], None]) -> None:
        self._report = report
        self._tasks: set[asyncio.Task[None]] = set()

    @commands.command("script.run")
    def run(self, flows: Sequence[Flow], path: Path) -> Any:
        """Let flows go through the events of a script as if they were read from a file; it gets no load event.

        Plain handlers have run when this returns. From the first asynchronous one on the rest goes into a task, which
        is given back.
        """
        script = Script(shlex.quote(os.path.expanduser(path)), self._report)
        try:
            script.load()
            table = HookTable(script.addons)
            for handler in table.configure:
                handler(ctx.options.keys())
        except ScriptError as error:
            raise CommandError(str(error)) from None
        steps = _steps(table, flows)
        waiting = _advance(steps)
        if waiting is None:
            return None
        task = asyncio.get_running_loop().create_task(_finish(waiting, steps))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


#: Handlers with their arguments; sending True skips the other handlers of the event.
_Steps = Generator[tuple[Handler, tuple[Any, ...]], bool | None, None]


def _steps(table: HookTable, flows: Sequence[Flow]) -> _Steps:
    for name, arguments in _events(flows):
        for handler in table.handlers(name):
            if (yield handler, arguments):
                break
    ctx.master.updated(flows)


def _events(flows: Sequence[Flow]) -> Iterator[tuple[str, tuple[Any, ...]]]:
    yield "running", ()
    for flow in flows:
        for name in event_sequence.events(flow):
            yield name, (flow,)
    yield "done", ()


def _advance(steps: _Steps, halted: bool | None = None) -> Awaitable[None] | None:
    """Call handlers until one is asynchronous: what is to be awaited, None at the end."""
    while True:
        try:
            handler, arguments = steps.send(halted)
        except StopIteration:
            return None
        halted = False
        try:
            waiting = handler(*arguments)
        except AddonHalt:
            halted = True
            continue
        if waiting is not None:
            return waiting


async def _finish(waiting: Awaitable[None] | None, steps: _Steps) -> None:
    while waiting is not None:
        halted = False
        try:
            await waiting
        except AddonHalt:
            halted = True
        waiting = _advance(steps, halted)
