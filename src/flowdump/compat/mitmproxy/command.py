"""``mitmproxy.command``: commands of addons."""

from flowdump.runtime.commands import Command, CommandManager, argument, command

__all__ = ["Command", "CommandManager", "argument", "command"]
