"""``set`` and ``options.…``: options as commands."""

from __future__ import annotations

import os
from collections.abc import Callable

from flowdump import ctx
from flowdump.exceptions import CommandError, OptionsError
from flowdump.options.store import load_config, save_config
from flowdump.runtime import commands
from flowdump.runtime.arguments import Path


class OptionCommands:
    """Commands that change options; a wrong name or value is a CommandError, and nothing changes."""

    @commands.command("set")
    def set(self, option: str, *value: str) -> None:
        """Set an option; without a value bools become true and others unset, toggle flips a bool."""
        name, equals, first = option.partition("=")
        words = ([first] if equals else []) + list(value)
        self._try(lambda: ctx.options.set(f"{name}={' '.join(words)}" if words else name))

    @commands.command("options.load")
    def load(self, path: Path) -> None:
        """Set the options of a YAML file."""
        where = os.path.expanduser(path)
        if not os.path.exists(where):
            raise CommandError(f"cannot read {where!r}: there is no such file")
        self._try(lambda: load_config(ctx.options, where))

    @commands.command("options.save")
    def save(self, path: Path) -> None:
        """Write the options that differ from their defaults to a YAML file; others that it has are kept."""
        self._try(lambda: save_config(ctx.options, os.path.expanduser(path)))

    @commands.command("options.reset")
    def reset(self) -> None:
        """Set every option to its default."""
        self._try(ctx.options.reset)

    @commands.command("options.reset.one")
    def reset_one(self, name: str) -> None:
        """Set one option to its default."""
        self._try(lambda: ctx.options.update(**{name: ctx.options.default(name)}))

    @staticmethod
    def _try(change: Callable[[], None]) -> None:
        try:
            change()
        except OptionsError as error:
            raise CommandError(str(error)) from None
