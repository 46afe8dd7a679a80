"""``replay.client`` and its relatives: recorded requests are sent again, as commands and by the option.

The engine does it; the program gives a function that makes what it has for that when it is first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from flowdump import ctx
from flowdump.exceptions import CommandError, OptionsError, UserError
from flowdump.flow import Flow
from flowdump.runtime import commands
from flowdump.runtime.arguments import Path


class Replayer(Protocol):
    """What sends flows again."""

    @property
    def count(self) -> int: ...

    def add(self, flows: Iterable[Flow]) -> None: ...

    def add_source(self, flows: Iterator[Flow]) -> None: ...

    def clear(self) -> None: ...


class ClientReplay:
    """``replayer`` gives what sends flows, ``read`` the flows of a file; it raises UserError for one it cannot read."""

    #: As scripts look it up.
    name = "clientplayback"
    option = "client_replay_concurrency"

    def __init__(self, replayer: Callable[[], Replayer], read: Callable[[str], Iterator[Flow]]) -> None:
        self._make = replayer
        self._made: Replayer | None = None
        self._read = read
        self._sources: list[Iterator[Flow]] = []
        self._is_open = False

    def open(self) -> None:
        """Open the files that the option names; changed from now on, it takes effect at once. Raises UserError."""
        _check_concurrency()
        self._sources = [self._read(path) for path in ctx.options.client_replay]
        self._is_open = True

    def start(self) -> None:
        """Send the flows of the files that were opened."""
        while self._sources:
            self._replayer().add_source(self._sources.pop(0))

    def configure(self, updated: set[str]) -> None:
        """A script may set the options while flowdump runs. Raises OptionsError."""
        _check_concurrency()
        if not self._is_open or "client_replay" not in updated:
            return
        try:
            self.open()
        except UserError as error:
            raise OptionsError(f"option 'client_replay': {error}") from None
        self.start()

    def _replayer(self) -> Replayer:
        self._made = self._made or self._make()
        return self._made

    @commands.command("replay.client")
    def replay(self, flows: Sequence[Flow]) -> None:
        """Send requests again, when it is their turn; flows that cannot be sent are left out."""
        self._replayer().add(flows)

    @commands.command("replay.client.file")
    def file(self, path: Path) -> None:
        """Send the requests of a flow file or HAR again."""
        try:
            self._replayer().add_source(self._read(str(path)))
        except UserError as error:
            raise CommandError(str(error)) from None

    @commands.command("replay.client.count")
    def count(self) -> int:
        """How many flows wait to be sent or are under way; a file that is still read counts as one."""
        return self._made.count if self._made else 0

    @commands.command("replay.client.stop")
    def stop(self) -> None:
        """Send nothing more of what waits; what is under way goes on."""
        if self._made is not None:
            self._made.clear()


def _check_concurrency() -> None:
    concurrency = ctx.options.client_replay_concurrency
    if concurrency < 1 and concurrency != -1:
        raise OptionsError(f"option 'client_replay_concurrency' is 1 or more, or -1 for no limit, not {concurrency}")
