"""The composition root: options, scripts, inputs and outputs become one run with one exit code.

An offline run reads one flow at a time, fires the events that the flow would have had (:mod:`flowdump.lifecycle`), then
hands it to the
*sinks*: the display, the flow file, the HAR. Memory holds one flow, output keeps the order of the input, and the run
ends when the loop does.

The order of the start is chosen so that a mistake costs nothing: scripts are loaded and configured first, then inputs
are opened and looked at, and only then is an output made.

A run without scripts never waits for anything, so it is driven by hand; :mod:`asyncio`, a fifth of the start-up, is
imported for scripts only.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, TextIO

from flowdump import ctx, lifecycle
from flowdump.addons.anticache import AntiCache
from flowdump.addons.anticomp import AntiComp
from flowdump.addons.dumper import Dumper
from flowdump.addons.stickyauth import StickyAuth
from flowdump.addons.stickycookie import StickyCookie
from flowdump.exceptions import FlowFileError, OptionsError, UserError
from flowdump.flow import Flow
from flowdump.formats import Input, open_input
from flowdump.hooks import fire
from flowdump.log import EventLog, LogEntry
from flowdump.master import Loader, Master
from flowdump.options import Options

if TYPE_CHECKING:
    from flowdump.formats.flowfile import Problem

#: Exit codes. 2 is click's, for a command line that it cannot parse; a signal gives 128 + its number.
OK, FAILED, DAMAGED, HANDLER_FAILED = 0, 1, 3, 4

#: More damaged places than this are counted, not told one by one.
MAX_PROBLEMS_TOLD = 20

#: Seconds after which background tasks of scripts get a turn.
TURN = 0.02


def run(options: Options, log: EventLog) -> int:
    """Do what the options say; returns the exit code.

    Raises UserError when something is wrong with what the user asked for.
    """
    if not options.rfile:
        raise UserError(
            "nothing to read: the live proxy is not part of this version of flowdump, name a saved file with -r"
        )
    if options.keepserving:
        raise UserError("keepserving needs the live proxy, which is not part of this version of flowdump")
    work = OfflineRun(options, log).main()
    if not options.scripts:
        return _drive(work)
    import asyncio

    return asyncio.run(work)


def _drive(work: Coroutine[Any, Any, int]) -> int:
    """Run a coroutine that never waits."""
    try:
        work.send(None)
    except StopIteration as finished:
        return int(finished.value)
    raise RuntimeError("a run without scripts had to wait")


class Interrupted(Exception):
    """A signal came while the run waited for input."""


class OfflineRun:
    """One run over saved flows."""

    def __init__(self, options: Options, log: EventLog) -> None:
        self.options = options
        self.log = log
        self.master = Master(options, log)
        self.inputs: list[Input] = []
        #: Inputs still to be processed, each with its flows.
        self._pending: list[tuple[Input, Iterator[Flow]]] = []
        self.sinks: list[Any] = []
        self.flows_read = 0
        self.damaged = False
        self.failed = False
        self.handler_errors = 0
        self._signal = 0
        self._waiting = False
        self._loop_used = bool(options.scripts)

    async def main(self) -> int:
        """Start, process, end; the exit code."""
        ctx.master, ctx.options, ctx.log = self.master, self.options, self.log
        with self._signals(), self._streams() as (stdout, display), self._scripting():
            try:
                await self._start(stdout, display)
                await fire(self.master.addons.table.running)
                await self._process()
            except BrokenPipeError:
                self.failed = True
                _silence(stdout)
            except (UserError, FlowFileError, OSError) as error:
                self.failed = True
                self._tell(error)
            finally:
                await self._end()
        return self._exit_code()

    def _exit_code(self) -> int:
        if self._signal:
            return 128 + self._signal
        if self.failed:
            return FAILED
        if self.damaged:
            return DAMAGED
        return HANDLER_FAILED if self.handler_errors else OK

    def _tell(self, error: BaseException) -> None:
        self.log.error(f"flowdump: {describe(error)}")

    # -- start and end -------------------------------------------------------------------------------------------

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """The first SIGINT or SIGTERM ends the run after the current flow, the second one at once."""
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: Any) -> None:
        if self._signal:
            raise KeyboardInterrupt
        self._signal = number
        self.master.should_exit = True
        if self._waiting:
            raise Interrupted

    @contextmanager
    def _streams(self) -> Iterator[tuple[TextIO, TextIO]]:
        """The real stdout, and where flows are displayed:

        stderr where a file format goes to stdout, print() of scripts included.
        """
        stdout = sys.stdout
        if "-" not in (self.options.hardump, self.options.save_stream_file):
            yield stdout, stdout
            return
        sys.stdout = sys.stderr
        try:
            yield stdout, sys.stderr
        finally:
            sys.stdout = stdout

    @contextmanager
    def _scripting(self) -> Iterator[None]:
        """What only scripts need: the names of mitmproxy, and the logging module."""
        if not self.options.scripts:
            yield
            return
        from flowdump import compat
        from flowdump.log import bridge_logging

        compat.install()
        undo = bridge_logging(self.log)
        self.log.listener = self._on_log
        try:
            yield
        finally:
            self.log.listener = None
            undo()
            compat.uninstall()

    def _on_log(self, entry: LogEntry) -> None:
        listener, self.log.listener = self.log.listener, None  # a handler that logs is not told of that
        try:
            for handler in self.master.addons.table.add_log:
                handler(entry)
        finally:
            self.log.listener = listener

    async def _start(self, stdout: TextIO, display: TextIO) -> None:
        self._check_view()
        await self._load_scripts()
        self.options.check_leftovers()
        for path in self.options.rfile:
            self._open(path)
        outputs = self._outputs(stdout)
        for sink in outputs:
            sink.open()
        colour = display.isatty() and "NO_COLOR" not in os.environ
        self.sinks = [Dumper(self.options, display, colour), *outputs]

    def _check_view(self) -> None:
        if self.options.has_changed("dumper_default_contentview"):
            from flowdump import contentviews

            try:
                contentviews.canonical(self.options.dumper_default_contentview)
            except ValueError as error:
                raise OptionsError(f"option 'dumper_default_contentview': {error}") from None

    async def _load_scripts(self) -> None:
        addons = self.master.addons
        addons.builtins = [AntiCache(), AntiComp(), StickyCookie(), StickyAuth()]
        addons.rebuild()
        if not self.options.scripts:
            return
        from flowdump.scripting.script import Script

        loader = Loader(self.master)
        for command in self.options.scripts:
            script = Script(command, self._on_handler_error)
            script.load()
            for addon in script.addons:
                if hasattr(addon, "load"):
                    addon.load(loader)
            addons.script_addons += script.addons
        addons.rebuild()
        await fire(addons.table.configure, self.options.keys())

    def _on_handler_error(self, text: str) -> None:
        self.handler_errors += 1
        self.log.error(text)

    def _open(self, path: str) -> None:
        """Open an input and read its first flow, to see before an output is made that it is what it looks like."""
        try:
            opened = open_input(path)
        except OSError as error:
            raise UserError(f"cannot read {path!r}: {error.strerror or error}") from None
        self.inputs.append(opened)
        flows = self._flows(opened)
        first = next(flows, None)
        self._pending.append((opened, flows if first is None else chain((first,), flows)))

    def _outputs(self, stdout: TextIO) -> list[Any]:
        """The flow file and the HAR. Raises UserError where one would overwrite what is read."""
        outputs: list[Any] = []
        options = self.options
        if options.save_stream_file == "-" and options.hardump == "-":
            raise UserError("-w - and hardump=- cannot both have stdout")
        if options.save_stream_file:
            from flowdump.addons.save import Save

            outputs.append(Save(options, stdout.buffer, self.log.warn))
        if options.hardump:
            from flowdump.addons.hardump import HarDump

            outputs.append(HarDump(options, stdout.buffer))
        taken = [path for path in options.rfile if path != "-"]
        for output in outputs:
            for path in taken:
                if output.path != "stdout" and _same_file(path, output.path):
                    raise UserError(f"cannot write {output.path!r}: the file is also read or written in this run")
            taken.append(output.path)
        return outputs

    async def _end(self) -> None:
        """``done`` handlers, then every file closed, whatever happened before."""
        await fire(self.master.addons.table.done)
        for sink in self.sinks:
            try:
                sink.close()
            except BrokenPipeError:
                self.failed = True
                _silence(sys.stdout)
            except OSError as error:
                self.failed = True
                self._tell(error)
        for opened in self.inputs:
            opened.close()

    # -- processing ----------------------------------------------------------------------------------------------

    async def _process(self) -> None:
        progress = self._progress()
        try:
            for opened, flows in self._pending:
                await self._process_input(flows, progress)
                self._sum_up(opened)
                if self.master.should_exit:
                    return
        finally:
            if progress is not None:
                progress.finish()

    def _progress(self) -> Any:
        if not sys.stderr.isatty():
            return None
        from flowdump.addons.progress import Progress

        progress = Progress(self.inputs, sys.stderr)
        self.log.before_print = progress.clear
        return progress

    async def _process_input(self, flows: Iterator[Flow], progress: Any) -> None:
        matches = self.options.filter("readfile_filter")
        turn = time.monotonic() + TURN
        for flow in flows:
            self.flows_read += 1
            if matches is None or matches(flow):
                await self._replay(flow)
                self._finish(flow, progress)
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
            self._waiting = slow
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
                self._waiting = False
            if flow is None:
                return
            opened.flows_read += 1
            yield flow

    def _on_problem(self, opened: Input, problem: Problem) -> None:
        self.damaged = True
        opened.problems.append(problem)
        if len(opened.problems) <= MAX_PROBLEMS_TOLD:
            self.log.error(f"{opened.path}: at byte {problem.offset}: {problem.reason}")

    def _sum_up(self, opened: Input) -> None:
        count = len(opened.problems)
        if count:
            places = "1 damaged place was" if count == 1 else f"{count} damaged places were"
            flows = "1 flow" if opened.flows_read == 1 else f"{opened.flows_read} flows"
            self.log.error(f"{opened.path}: {places} left out, {flows} read")

    async def _replay(self, flow: Flow) -> None:
        """Fire the events of a stored flow."""
        addons = self.master.addons
        for name in lifecycle.events(flow):
            handlers = getattr(addons.table, name)
            if handlers:
                await fire(handlers, flow)
            if addons.table.update:
                await fire(addons.table.update, [flow])

    def _finish(self, flow: Flow, progress: Any) -> None:
        """Hand a flow to whoever shows or stores it."""
        if progress is not None:
            progress.clear()
        for sink in self.sinks:
            try:
                sink.add(flow)
            except FlowFileError as error:
                self.failed = True
                self._tell(error)
            except BrokenPipeError:
                raise
            except OSError as error:
                raise UserError(f"cannot write {sink.path!r}: {error.strerror or error}") from None

    async def _turn(self, progress: Any) -> None:
        if progress is not None:
            progress.update(self.flows_read)
        if self._loop_used:
            import asyncio

            await asyncio.sleep(0)


def describe(error: BaseException) -> str:
    """One line about an error, with the name of the file where there is one."""
    if isinstance(error, FlowFileError) and error.path:
        return f"{error.path}: {error}"
    if isinstance(error, OSError) and error.filename:
        return f"cannot write {os.fspath(error.filename)!r}: {error.strerror}"
    return str(error)


def _same_file(path: str, other: str) -> bool:
    try:
        return os.path.samefile(os.path.expanduser(path), os.path.expanduser(other))
    except OSError:
        return os.path.abspath(os.path.expanduser(path)) == os.path.abspath(os.path.expanduser(other))


def _silence(stdout: TextIO) -> None:
    """Nobody reads stdout any more: let what is left in its buffer, and the interpreter's last flush, go nowhere."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
    except (OSError, ValueError):
        return
