"""A running flowdump without traffic, for tests of addons and scripts.

::

    with taddons.context(MyAddon()) as tctx:
        tctx.configure(addon, my_option=True)      # sets options, and the addon's ``configure`` hears of it
        addon.request(tflow.tflow())
        assert tctx.master.has_log("done")
"""

from __future__ import annotations

import asyncio
import io
import logging
from typing import Any

from flowdump import ctx
from flowdump.addons.own_commands import own_commands
from flowdump.exceptions import AddonHalt
from flowdump.options.store import Options
from flowdump.runtime import event_sequence
from flowdump.runtime.commands import Command
from flowdump.runtime.log import LEVELS, EventLog, LogEntry
from flowdump.runtime.master import Loader, Master
from flowdump.scripting.run_command import ScriptOnce
from flowdump.scripting.script import Script


class RecordingLog(EventLog):
    """Keeps what is logged, and passes it on to :mod:`logging`, where pytest's ``caplog`` sees it."""

    def __init__(self) -> None:
        super().__init__(io.StringIO())
        self.entries: list[LogEntry] = []

    def __call__(self, text: Any, level: str = "info") -> None:
        level = {"warning": "warn", "critical": "error"}.get(level, level)
        self.entries.append(LogEntry(str(text), level))
        super().__call__(text, level)
        logging.getLogger("flowdump").log(LEVELS.get(level, LEVELS["info"]), "%s", text)


class RecordingMaster(Master):
    """A master that tells what was logged."""

    log: RecordingLog

    def __init__(self, options: Options | None = None) -> None:
        super().__init__(options or Options(), RecordingLog())
        self.own_commands = lambda: [*own_commands(self.addons.builtins), ScriptOnce(self.log.error)]

    @property
    def logs(self) -> list[LogEntry]:
        return self.log.entries

    def has_log(self, text: str, level: str | None = None) -> bool:
        """Whether an entry (of that level) has ``text`` in it."""
        return any(text in entry.msg and level in (None, entry.level) for entry in self.logs)

    async def await_log(self, text: str, level: str | None = None, timeout: float = 5) -> None:
        """Wait until there is such an entry. Raises TimeoutError after ``timeout`` seconds."""
        async with asyncio.timeout(timeout):
            while not self.has_log(text, level):
                await asyncio.sleep(0)

    def clear(self) -> None:
        self.logs.clear()


class context:
    """``ctx.master``, ``ctx.options`` and ``ctx.log`` for a test; with ``with`` they are restored after it."""

    def __init__(self, *addons: Any, options: Options | None = None, loadcore: bool = True) -> None:
        self._before = {name: vars(ctx).get(name) for name in ("master", "options", "log")}
        self.master = RecordingMaster(options)
        self.options = self.master.options
        self.loadcore = loadcore  # every option of flowdump is there in any case
        ctx.master, ctx.options, ctx.log = self.master, self.options, self.master.log
        self.master.addons.add(*addons)

    def __enter__(self) -> context:
        return self

    def __exit__(self, *raised: Any) -> None:
        self.options.reset()
        for name, value in self._before.items():
            vars(ctx).pop(name, None)
            if value is not None:
                setattr(ctx, name, value)

    def configure(self, addon: Any, **options: Any) -> None:
        """Set options, and let the addon hear of it; one that is not there yet is added first.

        What its ``configure`` raises goes out, and the options are what they were before.
        """
        addons = self.master.addons
        if addon not in addons:
            addons.add(addon)
        if any(getattr(self.options, name, None) != value for name, value in options.items()):
            self.options.update(**options)
        else:
            addons.call(addon, "configure", set(options))

    async def cycle(self, addon: Any, flow: Any) -> None:
        """Fire every event that a saved flow goes through, for one addon."""
        for name in event_sequence.events(flow):
            try:
                waiting = getattr(addon, name, lambda flow: None)(flow)
                if waiting is not None and hasattr(waiting, "__await__"):
                    await waiting
            except AddonHalt:
                continue

    def invoke(self, addon: Any, event: str, *arguments: Any) -> Any:
        """Call one handler, if the addon has it; what it gives."""
        handler = getattr(addon, event, None)
        return handler(*arguments) if callable(handler) else None

    def invoke_addon(self, addon: Any, event: Any) -> Any:
        """The same for an event as an object: ``UpdateHook([flow])``."""
        return self.invoke(addon, event.name, *event.args())

    def command(self, function: Any, *arguments: str) -> Any:
        """Call a command's function with text, from which it makes its values. Raises CommandError."""
        return Command(self.master.commands, "test.command", function).call(arguments)

    def script(self, path: str) -> Any:
        """Load a script, with its arguments; its first addon: the module, if nothing else.

        Raises ScriptError when it cannot be loaded, OptionsError for wrong options.
        """
        script = Script(str(path), self.master.log.error)
        script.load()
        for addon in script.addons:
            self.master.addons.call(addon, "load", Loader(self.master))
        self.master.addons.script_addons += script.addons
        self.master.addons.rebuild()
        for addon in script.addons:
            self.master.addons.call(addon, "configure", self.options.keys())
        listed = getattr(script.module, "addons", None)
        return listed[0] if listed else script.addons[0].addon
