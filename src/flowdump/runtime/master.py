"""``ctx.master``: the running program, as scripts see it."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from flowdump import ctx
from flowdump.exceptions import AddonManagerError, CommandError
from flowdump.runtime.hooks import HookTable, fire

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


class Addons:
    """Who gets events, in order, and the prepared table of their handlers.

    Built-in ones that keep strangers out come first, then ``script_addons``, then the other built-in ones. Without
    scripts a built-in takes part only while its option is set. A script may set it in the middle of an event, so beside
    scripts they all take part and look for themselves.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        #: Makes of an addon that somebody adds by hand what gets the events; scripts have theirs wrapped.
        self.adopt: Callable[[Any], Iterable[Any]] = lambda addon: [addon]
        #: Takes what went wrong in a script outside of its handlers: a sentence, and what was raised.
        self.on_report: Callable[[str, BaseException | None], None] = lambda text, error: ctx.log.error(text)
        self.script_addons: list[Any] = []
        self.builtins: list[Any] = []
        self.table = HookTable()
        options.subscribe(self._configure)

    def rebuild(self) -> None:
        """Prepare the table anew, after addons came or went."""
        active = [addon for addon in self.builtins if self.script_addons or self._options.get(addon.option)]
        guards = [addon for addon in active if getattr(addon, "guards", False)]
        self.table = HookTable([*guards, *self.script_addons, *(addon for addon in active if addon not in guards)])

    def add(self, *addons: Any) -> None:
        """Add addons behind the others; they get ``load`` and ``configure``.

        Raises AddonManagerError where one of that name is there, and what their handlers raise.
        """
        for addon in addons:
            if _name_of(addon) in self.lookup:
                raise AddonManagerError(f"there is an addon {_name_of(addon)!r} already")
            for one in self.adopt(addon):
                self.call(one, "load", Loader(ctx.master))
                self.script_addons.append(one)
                self.rebuild()
                self.call(one, "configure", self._options.keys())

    def remove(self, addon: Any) -> None:
        """Take an addon out again; it gets ``done``. Raises AddonManagerError where it is not one of them."""
        known = [one for one in self.script_addons if getattr(one, "addon", one) is addon]
        if not known:
            raise AddonManagerError(f"there is no addon {_name_of(addon)!r}")
        self.script_addons = [one for one in self.script_addons if one not in known]
        self.rebuild()
        for one in known:
            self.call(one, "done")

    def clear(self) -> None:
        """Remove every addon that was added."""
        for one in list(self.script_addons):
            with suppress(AddonManagerError):  # one of an addon that went with another of its parts
                self.remove(getattr(one, "addon", one))

    def report(self, text: str, error: BaseException | None) -> None:
        """Tell of what a script did wrong outside of its handlers; ``error`` is what it raised, if it did."""
        self.on_report(text, error)

    def trigger(self, event: Any) -> None:
        """Fire an event such as ``UpdateHook([flow])``; what is asynchronous goes on in the loop."""
        for handler in self.table.handlers(event.name):
            _begin(handler(*event.args()))

    async def trigger_event(self, event: Any) -> None:
        """Fire an event and wait for its handlers."""
        await fire(self.table.handlers(event.name), *event.args())

    async def invoke_addon(self, addon: Any, event: Any) -> None:
        """Let one addon have an event such as ``UpdateHook([flow])``, and wait for it."""
        handler = getattr(addon, event.name, None)
        if callable(handler):
            await fire((handler,), *event.args())

    def invoke_addon_sync(self, addon: Any, event: Any) -> None:
        """The same from plain code; what is asynchronous goes on in the loop."""
        self.call(addon, event.name, *event.args())

    def call(self, addon: Any, event: str, *arguments: Any) -> None:
        """Call one handler of one addon, if it has it."""
        handler = getattr(addon, event, None)
        if callable(handler):
            _begin(handler(*arguments))

    def register(self, addon: Any) -> Any:
        """Add an addon, and give it back. Raises AddonManagerError where one of its name is there."""
        self.add(addon)
        return addon

    def _configure(self, changed: set[str]) -> None:
        for handler in self.table.configure:
            handler(changed)
        self.rebuild()

    def get(self, name: str) -> Any:
        """The addon of that name (its class name in lower case, or its ``name``), None where there is none."""
        return self.lookup.get(name)

    @property
    def lookup(self) -> dict[str, Any]:
        everyone = [getattr(addon, "addon", addon) for addon in (*self.script_addons, *self.builtins)]
        return {_name_of(addon): addon for addon in everyone}

    def __contains__(self, addon: object) -> bool:
        """Whether there is an addon of a name, or that addon."""
        known = self.lookup
        return addon in known if isinstance(addon, str) else any(addon is one for one in known.values())

    def __len__(self) -> int:
        return len(self.lookup)


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
        #: Views of bodies that scripts have added, the latest one first.
        self.contentviews: list[Any] = []
        self.should_exit = False
        #: Tasks that nobody else holds on to.
        self.background: set[Any] = set()
        #: Called with each flow that ``load_flow`` is through with.
        self.on_flow: Callable[[Flow], None] | None = None
        #: Called by ``shutdown``, from whatever thread that is.
        self.on_shutdown: Callable[[], object] | None = None
        #: Makes the addons that hold flowdump's own commands, when somebody asks for one.
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
        """Remember the running loop, if there is one, for whoever asks from a thread."""
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
        """Tell those who listen to ``update`` that a command changed flows. Nobody waits for asynchronous ones."""
        for handler in self.addons.table.update:
            _begin(handler(flows))

    def in_loop(self, function: Callable[[], Any]) -> Any:
        """What a function gives, called in the thread of the loop whatever thread asks.

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
            raise CommandError("the run has ended: nobody takes commands any more") from None
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


def _begin(waiting: Any) -> None:
    """Let what an ``async def`` gave go on in the loop."""
    if waiting is not None and hasattr(waiting, "__await__"):
        import asyncio

        task = asyncio.ensure_future(waiting)
        ctx.master.background.add(task)
        task.add_done_callback(ctx.master.background.discard)


def _name_of(addon: Any) -> str:
    name = getattr(addon, "name", None)
    return name if isinstance(name, str) else type(addon).__name__.lower()
