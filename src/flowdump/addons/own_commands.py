"""flowdump's own commands: the addons that hold them, made when a command is first asked for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flowdump.addons.cut import Cut
from flowdump.addons.export import Export
from flowdump.addons.flow_commands import FlowCommands
from flowdump.addons.inject import Inject
from flowdump.addons.option_commands import OptionCommands
from flowdump.addons.save_commands import SaveCommands
from flowdump.addons.view import FlowRegister


def own_commands(builtins: Iterable[Any]) -> list[Any]:
    """Those that need no more than ``ctx``. What ``@all`` means is known to the register among ``builtins``."""
    register = next((addon for addon in builtins if isinstance(addon, FlowRegister)), FlowRegister())
    return [register, OptionCommands(), FlowCommands(), Cut(), Export(), SaveCommands(), Inject()]
