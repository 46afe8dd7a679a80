"""The run over saved flows.

It reads one flow at a time, fires the events that the flow would have had (:mod:`flowdump.runtime.event_sequence`),
then hands it to the sinks. Memory holds one flow per input, output keeps the order of the input, and the run ends when
the loop does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

from flowdump.app.run import Interrupted, Run, describe
from flowdump.exceptions import AddonHalt, FlowFileError, FlowGivenUp, UserError
from flowdump.flow import Flow
from flowdump.formats import Input, open_input
from flowdump.runtime import event_sequence
from flowdump.runtime.hooks import fire

if TYPE_CHECKING:
    from flowdump.engine.listen.proxy import Proxy
    from flowdump.engine.replay import Replayer
    from flowdump.formats.flowfile.reader import Problem
    from flowdump.options.store import Options
    from flowdump.runtime.log import EventLog

#: More damaged places than this are counted, not told one by one.
MAX_PROBLEMS_TOLD = 20

#: Inputs that are kept open before their turn; every one holds a descriptor and a buffer.
MAX_OPEN = 16

#: Seconds after which background tasks of scripts get a turn.
TURN = 0.02


class SavedRun(Run):
    """One run over saved flows."""

    def __init__(self, options: Options, log: EventLog) -> None:
        super().__init__(options, log)
        self.inputs: list[Input] = []
        #: Inputs still to be processed, each with its flows.
        self._pending: list[tuple[Input | str, Iterator[Flow] | None]] = []
        self.flows_read = 0
        self._replayer: Replayer | None = None
        self._own_engine: Proxy | None = None

    async def open(self) -> None:
        for path in self.options.rfile:
            self._open(path)
        if self._loop_used:
            self.client_replay.open()

    async def shut(self) -> None:
        if self._replayer is not None:
            await self._replayer.stop(self.options.shutdown_timeout)
        if self._own_engine is not None:
            await self._own_engine.stop(0)
        for opened in self.inputs:
            opened.close()

    def _open(self, path: str) -> None:
        """Open an input and read its first flow, to see before an output is made that it is what it looks like.

        Few are kept open until their turn comes; the others are closed and opened again.
        """
        try:
            self.waiting = True
            opened = open_input(path)
        except Interrupted:
            return
        except OSError as error:
            raise UserError(f"cannot read {path!r}: {error.strerror or error}") from None
        finally:
            self.waiting = False
        if len(self.inputs) >= MAX_OPEN and opened.size is not None:
            next(opened.flows(lambda problem: None), None)
            opened.close()
            self._pending.append((path, None))
            return
        self.inputs.append(opened)
        flows = self._flows(opened)
        first = next(flows, None)
        self._pending.append((opened, flows if first is None else chain((first,), flows)))

    def _reopen(self, path: str) -> tuple[Input, Iterator[Flow]]:
        try:
            opened = open_input(path)
        except OSError as error:
            raise UserError(f"cannot read {path!r}: {error.strerror or error}") from None
        self.inputs.append(opened)
        return opened, self._flows(opened)

    async def process(self) -> None:
        if self._loop_used:
            self.client_replay.start()
        await self._read_all()
        await self._end_of_replays()

    async def _read_all(self) -> None:
        progress = self._progress()
        try:
            for opened, flows in self._pending:
                if self.master.should_exit:
                    return
                if isinstance(opened, str):
                    opened, flows = self._reopen(opened)
                await self._process_input(flows or iter(()), progress)
                self._sum_up(opened)
                opened.close()
        finally:
            if progress is not None:
                progress.finish()

    def _progress(self) -> Any:
        if not sys.stderr.isatty():
            return None
        from flowdump.addons.progress import Progress

        progress = Progress(self.inputs, sys.stderr)
        self.log.before_print = progress.clear
        if sys.stdout.isatty() or sys.stdout is sys.stderr:
            self.sinks[0].before_print = progress.clear
        return progress

    async def _process_input(self, flows: Iterator[Flow], progress: Any) -> None:
        matches = self.options.filter("readfile_filter")
        turn = time.monotonic() + TURN
        for flow in flows:
            self.flows_read += 1
            if matches is None or matches(flow):
                try:
                    await self._replay(flow)
                    self.finish(flow)
                except FlowGivenUp as reason:
                    self.log.error(str(reason))
            if self.master.should_exit:
                return
            now = time.monotonic()
            if now >= turn:
                turn = now + TURN
                await self._turn(progress)

    def _flows(self, opened: Input) -> Iterator[Flow]:
        """The flows of an input; a signal ends the wait for a pipe."""
        flows = opened.flows(
            lambda problem: self._on_problem(opened, problem),
            lambda notice: self.log.warn(f"{opened.path}: at byte {notice.offset}: {notice.reason}"),
        )
        slow = opened.size is None
        while True:
            self.waiting = slow
            try:
                flow = next(flows, None)
            except OSError as error:
                raise UserError(f"cannot read {opened.path!r}: {error.strerror or error}") from None
            except FlowFileError as error:
                error.path = opened.path
                raise
            except Interrupted:
                return
            finally:
                self.waiting = False
            if flow is None:
                return
            opened.flows_read += 1
            yield flow

    def _on_problem(self, opened: Input, problem: Problem) -> None:
        self.damaged = True
        opened.problems += 1
        if opened.problems <= MAX_PROBLEMS_TOLD:
            self.log.error(f"{opened.path}: at byte {problem.offset}: {problem.reason}")

    def _sum_up(self, opened: Input) -> None:
        count = opened.problems
        if count:
            places = "1 damaged place was" if count == 1 else f"{count} damaged places were"
            flows = "1 flow" if opened.flows_read == 1 else f"{opened.flows_read} flows"
            self.log.error(f"{opened.path}: {places} left out, {flows} read")

    async def _replay(self, flow: Flow) -> None:
        """Fire the events of a stored flow."""
        addons = self.master.addons
        for name in event_sequence.events(flow):
            handlers = getattr(addons.table, name)
            try:
                for handler in handlers:  # as hooks.fire does it, without a coroutine for each event of each flow
                    waiting = handler(flow)
                    if waiting is not None and hasattr(waiting, "__await__"):
                        await waiting
            except AddonHalt:
                pass
            if addons.table.update:
                await fire(addons.table.update, [flow])

    async def _turn(self, progress: Any) -> None:
        if progress is not None:
            progress.update(self.flows_read)
        if self._loop_used:
            import asyncio

            await asyncio.sleep(0)

    # -- replays -------------------------------------------------------------------------------------------------

    def replayer(self) -> Replayer:
        """What sends requests again: the engine, without listeners, from the first time on that it is asked for."""
        if self._replayer is None:
            from flowdump.engine.replay import Replayer

            self._replayer = Replayer(self._engine())
        return self._replayer

    def _engine(self) -> Proxy:
        from flowdump.engine.listen.proxy import Proxy

        self._own_engine = Proxy(self.options, self.master.addons, self.log, self._finished)
        self._own_engine.prepare()
        return self._own_engine

    def recorded(self, path: str) -> Iterator[Flow]:
        opened, flows = self._reopen(path)
        try:
            first = next(flows, None)
        except FlowFileError as error:
            raise UserError(describe(error)) from None
        return self._told(opened, flows if first is None else chain((first,), flows))

    def _told(self, opened: Input, flows: Iterator[Flow]) -> Iterator[Flow]:
        """The flows of an input; what goes wrong ends it, and is told here."""
        try:
            yield from flows
        except (UserError, FlowFileError) as error:
            self.failed = True
            self._tell(error)
        self._sum_up(opened)
        opened.close()

    async def _end_of_replays(self) -> None:
        """Wait until client replay is done, or the run is ended."""
        if self._replayer is None or self.master.should_exit:
            return
        import asyncio

        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        self.master.on_shutdown = lambda: loop.call_soon_threadsafe(ended.set)
        waits = [loop.create_task(self._replayer.idle()), loop.create_task(ended.wait())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)

    def _finished(self, flow: Flow) -> None:
        try:
            self.finish(flow)
            self.flush()
        except (UserError, OSError) as error:
            self.failed = True
            if not isinstance(error, BrokenPipeError):
                self._tell(error)
            self.master.shutdown()
