"""``mitmproxy.tools``: ``DumpMaster`` embeds the proxy in a program; ``mitmdump`` runs the command line."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from flowdump.compat.shims.proxy_server import DummyServer, ProxyServer
from flowdump.options.store import Options

if TYPE_CHECKING:
    from flowdump.app.embedded import EmbeddedRun


class _Gathered(list[Any]):
    """Addons that a program adds before the proxy runs."""

    def add(self, *addons: Any) -> None:
        self.extend(addons)


class DumpMaster:
    """A proxy inside a program: make it, add addons, ``await master.run()`` until ``shutdown()`` is called.

    Without a running event loop, ``run()`` creates one and returns when the run has ended, as in mitmproxy up to 6.
    Programs of that time also passed a ``ProxyServer``, as the second argument or as ``master.server``.
    ``with_dumper`` shows flows on stdout. Raises UserError for options that the command line would refuse.
    """

    def __init__(
        self,
        options: Options | None = None,
        loop: asyncio.AbstractEventLoop | ProxyServer | DummyServer | None = None,
        with_termlog: bool = True,
        with_dumper: bool = True,
        *others: Any,
    ) -> None:
        self._is_ours = options is None
        self.options = options if options is not None else Options()
        self._verbosity = self.options.termlog_verbosity if with_termlog else "error"
        self._with_dumper = with_dumper
        self._gathered = _Gathered()
        self._run: EmbeddedRun | None = None
        self._ended = False
        self._server: ProxyServer | DummyServer | None = None
        if isinstance(loop, ProxyServer | DummyServer):
            self.server = loop

    @property
    def addons(self) -> Any:
        return self._gathered if self._run is None else self._run.master.addons

    @property
    def commands(self) -> Any:
        return None if self._run is None else self._run.master.commands

    @property
    def event_loop(self) -> asyncio.AbstractEventLoop:
        return asyncio.get_running_loop() if self._run is None else self._run.master.event_loop

    @property
    def server(self) -> ProxyServer | DummyServer | None:
        return self._server

    @server.setter
    def server(self, server: ProxyServer | DummyServer) -> None:
        """A master that was made without options takes those of the server."""
        self._server = server
        if self._is_ours and server.config is not None:
            self.options = server.config.options
        if isinstance(server, DummyServer):
            self.options.update(server=False)

    def run_loop(self, loop: Any = None) -> None:
        """``run`` under its name up to mitmproxy 6; it blocks the calling thread. Raises UserError."""
        asyncio.run(self._serve())

    def run(self) -> Coroutine[Any, Any, None] | None:
        """Serve until ``shutdown()`` is called."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            asyncio.run(self._serve())
            return None
        return self._serve()

    async def _serve(self) -> None:
        from flowdump.app.embedded import EmbeddedRun
        from flowdump.runtime.log import EventLog

        if not self._with_dumper:
            self.options.update(flow_detail=0)
        log = EventLog(verbosity=self._verbosity)
        self._run = run = EmbeddedRun(self.options, log, self._gathered, lambda flow: None)
        if self._ended:
            run.master.shutdown()
        await run.main()
        if run.reason is not None:
            raise run.reason

    def shutdown(self) -> None:
        """End the run. May be called from any thread."""
        self._ended = True
        if self._run is not None:
            self._run.master.shutdown()


def mitmdump(args: Sequence[str] | None = None) -> int | None:
    """Run the command line ``flowdump ARGUMENT…`` and return its exit code."""
    from flowdump.cli import main

    try:
        main(args)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return None
