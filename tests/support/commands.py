"""Commands without a run: a master with flowdump's own commands, or with those of a test."""

from __future__ import annotations

from typing import Any

from flowdump import ctx
from flowdump.addons.own_commands import own_commands
from flowdump.addons.view import FlowRegister
from flowdump.options import Options
from flowdump.runtime.commands import CommandManager
from flowdump.runtime.log import EventLog
from flowdump.runtime.master import Master
from flowdump.scripting.run_command import ScriptOnce


def commands(*addons: Any, **options: Any) -> CommandManager:
    """The commands of these addons and flowdump's own. What is logged is in ``said`` of their master's log."""
    values = Options()
    values.update(**options)
    log = EventLog(verbosity="error")
    master = Master(values, log)
    log.said = []  # type: ignore[attr-defined]
    log.listener = lambda entry: log.said.append(f"{entry.level}: {entry.msg}")  # type: ignore[attr-defined]
    master.addons.builtins = [FlowRegister()]
    master.own_commands = lambda: [*own_commands(master.addons.builtins), ScriptOnce(log.error)]
    master.addons.script_addons = list(addons)
    master.addons.rebuild()
    ctx.master, ctx.options, ctx.log = master, values, log
    return master.commands
