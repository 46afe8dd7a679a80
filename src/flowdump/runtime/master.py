"""``ctx.master``: the running program, as scripts see it."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flowdump.exceptions import CommandError
from flowdump.runtime.addons import Addons
from flowdump.runtime.hooks import fire

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterable, Sequence

    from flowdump.flow import Flow
    from flowdump.options.store import Options
    from flowdump.runtime.commands import CommandManager
    from flowdump.runtime.log import EventLog


#: Seconds that a thread waits for a command. Handlers that block for some seconds are slow, not dead; one that waits
#: for the thread that waits for it would never end.
LOOP_PATIENCE = 60


class Loader:
    """The argument of ``load``: what an addon may declare. It is made inside the loop in which scripts run."""

    def __init__(self, master: Master) -> None:
        self.master = master
        #: Who declares things now, for people.
        self.source = ""
        master.find_loop()

    def add_option(self, name: str, typespec: Any, default: Any, help: str, choices: Any = None) -> None:
        """Declare an option: ``loader.add_option("limit", int, 10, "How many")``. Raises OptionsError."""
        self.master.options.add_option(name, typespec, default, help, choices, self.source)

    def boot_into(self, addon: Any) -> None:
        """Let another addon take part, for scripts of mitmproxy 2 to 5. Raises AddonManagerError."""
        self.master.addons.add(addon)

    def add_command(self, path: str, function: Any) -> None:
        """Declare a command: its arguments are those of ``function``. Raises CommandError."""
        self.master.commands.add(path, function)


class Master:
    """The running flowdump. ``shutdown()`` may be called from any thread."""

    def __init__(self, options: Options, log: EventLog) -> None:
        self.options = options
        self.log = log
        self.addons = Addons(options)
        self.addons.loader = lambda: Loader(self)
        self.addons.on_report = lambda text, error: log.error(text)
        #: Views of bodies that scripts have added, the latest one first.
        self.contentviews: list[Any] = []
        self.should_exit = False
        #: Called with each flow that ``load_flow`` is through with.
        self.on_flow: Callable[[Flow], None] | None = None
        #: Called by ``shutdown``, in the thread that calls it.
        self.on_shutdown: Callable[[], object] | None = None
        #: Makes the addons that hold flowdump's own commands, when a command is first asked for.
        self.own_commands: Callable[[], Iterable[Any]] = tuple
        self._commands: CommandManager | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0

    @property
    def commands(self) -> CommandManager:
        """Every command, by name. Most runs never ask, and do not load what it takes."""
        if self._commands is None:
            from flowdump.runtime.commands import CommandManager

            self._commands = CommandManager(self, lambda: self.own_commands())
        return self._commands

    def find_loop(self) -> None:
        """Remember the running loop, if there is one, for calls from other threads."""
        import asyncio

        with suppress(RuntimeError):
            self._loop = asyncio.get_running_loop()
            self._thread = threading.get_ident()

    @property
    def event_loop(self) -> asyncio.AbstractEventLoop:
        """The loop that runs the handlers, also from a thread. Raises RuntimeError where there is none."""
        if self._loop is None:
            raise RuntimeError("there is no event loop: no script runs")
        return self._loop

    def updated(self, flows: Sequence[Flow]) -> None:
        """Fire ``update`` for flows that a command changed, without waiting for asynchronous handlers."""
        for handler in self.addons.table.update:
            self.addons.begin(handler(flows))

    def in_loop(self, function: Callable[[], Any]) -> Any:
        """Call a function in the thread of the loop, from any thread, and return its result.

        A thread waits for the result, and for what an ``async def`` comes to; what is raised is raised in it. Raises
        CommandError when the loop does not get to it within ``LOOP_PATIENCE``, or has ended.
        """
        loop = self._loop
        if loop is None or threading.get_ident() == self._thread:
            return function()
        import asyncio
        from concurrent.futures import CancelledError

        async def called() -> Any:
            result = function()
            return await result if hasattr(result, "__await__") else result

        coroutine = called()
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, loop)
        except RuntimeError:
            coroutine.close()
            raise CommandError("the run has ended: commands are no longer executed") from None
        try:
            return future.result(LOOP_PATIENCE)
        except CancelledError:
            raise CommandError("the run has ended before the command did") from None
        except TimeoutError:
            if future.done():  # the command's own
                raise
            future.cancel()
            raise CommandError(
                f"no turn for a command in {LOOP_PATIENCE} s: does a handler block, or wait for this thread?"
            ) from None

    async def load_flow(self, flow: Flow) -> None:
        """Let a flow go through the events of a saved one, then be shown and written like it."""
        from flowdump.runtime import event_sequence

        for name in event_sequence.events(flow):
            await fire(self.addons.table.handlers(name), flow)
            await fire(self.addons.table.update, [flow])
        if self.on_flow is not None:
            self.on_flow(flow)

    def shutdown(self) -> None:
        """End the run after the current flow."""
        self.should_exit = True
        if self.on_shutdown is not None:
            with suppress(RuntimeError):  # the loop is closed: it has ended already
                self.on_shutdown()
