"""The composition root: options, scripts, inputs and outputs become one run with one exit code.

``run.py`` holds what every run has: scripts, sinks (the display, the flow file, the HAR), signals, streams, the exit
code. ``saved.py`` is the run over saved flows, ``live.py`` the one with the proxy.

A run without scripts never waits for anything, so it is driven by hand; :mod:`asyncio`, a fifth of the start-up, is
imported for scripts only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from flowdump.exceptions import UserError

if TYPE_CHECKING:
    from flowdump.options.store import Options
    from flowdump.runtime.log import EventLog


#: New objects between two looks of the collector, in the run of a proxy.
GC_THRESHOLD: Final = 10_000


def start(options: Options, log: EventLog) -> int:
    """Do what the options say; returns the exit code. Raises UserError when what the user asked for cannot be had."""
    has_input = options.rfile or options.client_replay
    if options.server and (options.keepserving or not has_input):
        return _run_live(options, log)
    if not has_input:
        raise UserError("nothing to do: -n starts no proxy, and no -r names flows to read")
    from flowdump.app.saved import SavedRun

    work = SavedRun(options, log).main()
    if not options.scripts and not options.client_replay:
        # Run a coroutine that never waits.
        try:
            work.send(None)
        except StopIteration as finished:
            return int(finished.value)
        raise RuntimeError("a run without scripts had to wait")
    import asyncio

    return asyncio.run(work)


def declare(options: Options, log: EventLog) -> None:
    """Add the options that the scripts declare. Raises UserError."""
    import asyncio

    async def load() -> None:
        from flowdump.app.saved import SavedRun

        await SavedRun(options, log).declare()

    asyncio.run(load())


def commands(options: Options, log: EventLog) -> str:
    """Every command, those of the scripts included, as text. Raises UserError."""
    import asyncio

    async def load() -> str:
        from flowdump.app.saved import SavedRun
        from flowdump.runtime import commands as command

        run = SavedRun(options, log)
        await run.declare()
        return command.listing(run.master.commands)

    return asyncio.run(load())


def _run_live(options: Options, log: EventLog) -> int:
    import asyncio
    import gc

    async def serve() -> int:
        from flowdump.app.live import LiveRun

        # What is there now stays: the collector need not look at it again. What comes is freed by its last reference,
        # but for a few small cycles of asyncio, so that looking for more after every 700 objects finds nothing.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD, 10, 10)
        return await LiveRun(options, log).main()

    return asyncio.run(serve())
