"""``mitmproxy.command``: commands of addons."""

from flowdump.command import Command, CommandManager, argument, command

__all__ = ["Command", "CommandManager", "argument", "command"]
