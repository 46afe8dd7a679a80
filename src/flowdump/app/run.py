"""What every run has in common.

The order of the start is chosen so that a mistake costs nothing: scripts are loaded and configured first, then what is
read is opened and looked at, and only then is an output made.
"""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

from flowdump import ctx
from flowdump.addons.anticache import AntiCache
from flowdump.addons.anticomp import AntiComp
from flowdump.addons.dumper import Dumper
from flowdump.addons.stickyauth import StickyAuth
from flowdump.addons.stickycookie import StickyCookie
from flowdump.exceptions import EndedNow, FlowFileError, OptionsError, UserError
from flowdump.flow import Flow
from flowdump.options.store import Options
from flowdump.runtime.hooks import fire
from flowdump.runtime.log import EventLog, LogEntry, coloured
from flowdump.runtime.master import Loader, Master

if TYPE_CHECKING:
    from flowdump.addons.client_replay import ClientReplay

#: Exit codes. 2 is click's, for a command line that it cannot parse; a signal gives 128 + its number.
OK, FAILED, DAMAGED, HANDLER_FAILED = 0, 1, 3, 4


class Interrupted(Exception):
    """A signal came while the run waited for input."""


class Run(ABC):
    """One run of flowdump: ``main`` does it all. A child says where flows come from."""

    def __init__(self, options: Options, log: EventLog) -> None:
        self.options = options
        self.log = log
        self.master = Master(options, log)
        self.master.own_commands = self.own_commands
        self.master.on_flow = self.finish
        self.master.addons.on_report = self._on_stray_error
        self.sinks: list[Any] = []
        self.scripts: list[Any] = []
        self.damaged = False
        self.failed = False
        self.handler_errors = 0
        #: Whether others than this run itself need the loop: scripts, replays, clients.
        self._loop_used = bool(options.scripts or options.client_replay)
        #: Whether a signal may break what goes on now.
        self.waiting = False
        self._signal = 0

    # -- what a child does -----------------------------------------------------------------------------------------

    @abstractmethod
    async def open(self) -> None:
        """Open what flows come from. Raises UserError or FlowFileError when it is not to be had."""

    @abstractmethod
    async def process(self) -> None:
        """Hand flows to ``finish`` until there are no more, or ``master.should_exit``."""

    @abstractmethod
    async def shut(self) -> None:
        """Close the inputs; always called, before ``done``."""

    @abstractmethod
    def replayer(self) -> Any:
        """What sends requests again."""

    @abstractmethod
    def recorded(self, path: str) -> Iterator[Flow]:
        """The flows of a file, for others than ``process``. Raises UserError when it is none."""

    # -- life ------------------------------------------------------------------------------------------------------

    async def main(self) -> int:
        """Start, process, end; the exit code."""
        ctx.master, ctx.options, ctx.log = self.master, self.options, self.log
        with self._signals(), self._streams() as (stdout, display), self._scripting():
            try:
                await self._start(stdout, display)
                await fire(self.master.addons.table.running)
                await self._give_turn()
                await self.process()
                await self._give_turn()
            except BrokenPipeError:
                self.failed = True
                _silence(stdout)
            except (UserError, FlowFileError, OSError) as error:
                self.failed = True
                self._tell(error)
            except SystemExit as ended:
                if self.sinks and not self._signal:
                    self.log.warn(
                        f"a script ended the run with sys.exit({ended.code!r}): the flows after it are left out"
                    )
                raise
            finally:
                await self._end()
        return self._exit_code()

    async def declare(self) -> None:
        """Load the scripts, and no more, for the options that they declare; what they print goes to stderr.

        Raises UserError.
        """
        ctx.master, ctx.options, ctx.log = self.master, self.options, self.log
        with redirect_stdout(sys.stderr), self._scripting():
            await self._load_scripts()
            self.options.check_leftovers()
            await fire(self.master.addons.table.done)

    async def _give_turn(self) -> None:
        """Let the tasks that scripts have started go on."""
        if self._loop_used:
            import asyncio

            await asyncio.sleep(0)

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
            raise EndedNow(128 + self._signal)
        self._signal = number
        self.master.shutdown()
        if self.waiting:
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
        from flowdump.runtime.log import bridge_logging

        compat.install()
        undo = bridge_logging(self.log)
        self.options.subscribe(lambda changed: self.log.set_verbosity(self.options.termlog_verbosity))
        self.log.listener = self._on_log
        try:
            yield
        finally:
            self.log.listener = None
            undo()
            compat.uninstall()

    def _on_log(self, entry: LogEntry) -> None:
        handlers = self.master.addons.table.add_log
        if not handlers:
            return
        if threading.current_thread() is threading.main_thread():
            for handler in handlers:
                handler(entry)
        else:  # a @concurrent body or a thread of a script: handlers belong to the loop
            for handler in handlers:
                self.master.event_loop.call_soon_threadsafe(handler, entry)

    async def _start(self, stdout: TextIO, display: TextIO) -> None:
        await self._load_scripts()
        self._check_view()
        self.options.check_leftovers()
        await self.open()
        outputs = self._outputs(stdout)
        for sink in outputs:
            try:
                sink.open()
            except OSError as error:
                raise UserError(f"cannot write {sink.path!r}: {error.strerror or error}") from None
        self.sinks = [Dumper(self.options, display, coloured(display), self._on_broken), *outputs]

    def _check_view(self) -> None:
        if self.options.has_changed("dumper_default_contentview"):
            from flowdump import contentviews

            view = self.options.dumper_default_contentview
            if any(view.lower() == known.name.lower() for known in self.master.contentviews):
                return
            try:
                contentviews.canonical(view)
            except ValueError as error:
                raise OptionsError(f"option 'dumper_default_contentview': {error}") from None

    async def _load_scripts(self) -> None:
        addons = self.master.addons
        addons.builtins = [AntiCache(), AntiComp(), StickyCookie(), StickyAuth()]
        if self._loop_used:
            from flowdump.addons.view import FlowRegister

            addons.builtins += [FlowRegister(), self.client_replay]
        addons.rebuild()
        if not self.options.scripts:
            return
        from flowdump.scripting.script import Script

        loader = Loader(self.master)
        for command in self.options.scripts:
            script = Script(command, self._on_handler_error)
            script.load()
            self.scripts.append(script)
            for addon in script.addons:
                if hasattr(addon, "load"):
                    addon.load(loader)
            addons.script_addons += script.addons
        addons.rebuild()
        if "flowdump.runtime.commands" in sys.modules:  # a script has commands: report mistakes in them at the start
            self.master.commands.refresh()
        await fire(addons.table.configure, self.options.keys())

    def own_commands(self) -> list[Any]:
        """The addons that hold flowdump's own commands."""
        from flowdump.addons.own_commands import own_commands
        from flowdump.scripting.run_command import ScriptOnce

        known = own_commands(self.master.addons.builtins)
        return [*known, self.client_replay, ScriptOnce(self._on_handler_error)]

    @cached_property
    def client_replay(self) -> ClientReplay:
        """The commands and the option that send requests again."""
        from flowdump.addons.client_replay import ClientReplay

        return ClientReplay(self.replayer, self.recorded)

    def _on_handler_error(self, text: str) -> None:
        self.handler_errors += 1
        self.log.error(text)

    def _on_stray_error(self, text: str, error: BaseException | None) -> None:
        """A script did something wrong outside of its handlers."""
        import traceback

        from flowdump.scripting.script_file import own_frames

        frames = own_frames(error) if error is not None else []
        self._on_handler_error("".join([f"{text}\n", *traceback.format_list(frames)]).rstrip())

    def _outputs(self, stdout: TextIO) -> list[Any]:
        """The flow file and the HAR. Raises UserError where one would overwrite what is read."""
        outputs: list[Any] = []
        options = self.options
        if options.save_stream_file == "-" and options.hardump == "-":
            raise UserError("-w - and hardump=- cannot both have stdout")
        if sys.__stdout__ is None and "-" in (options.save_stream_file, options.hardump):
            raise UserError("cannot write 'stdout': standard output is closed")
        if options.save_stream_file:
            from flowdump.addons.save import Save

            outputs.append(Save(options, stdout.buffer, self.log.warn))
        if options.hardump:
            from flowdump.addons.hardump import HarDump

            outputs.append(HarDump(options, stdout.buffer, self.log.info))
        taken = [
            _identity(0) if path == "-" else _identity(path)
            for path in (*self.options.rfile, *self.options.client_replay)
        ]
        written = [(output.path, None) if output.path != "stdout" else ("stdout", stdout) for output in outputs]
        if self.options.flow_detail and not any(path == "stdout" for path, _ in written):
            written.append(("stdout", stdout))
        for path, stream in written:
            identity = _identity(path) if stream is None else _identity_of_stream(stream)
            if identity is not None and identity in taken:
                raise UserError(f"cannot write {path!r}: the file is also read or written in this run")
            taken.append(identity)
        return outputs

    async def _end(self) -> None:
        """Run the ``done`` handlers, then close every file; always called."""
        await self.shut()
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

    # -- flows -----------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Show at once what was printed. Raises OSError."""
        self.sinks[0].close()

    def finish(self, flow: Flow) -> None:
        """Hand a flow to the outputs. Raises UserError when a file cannot be written."""
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
            except Exception as error:  # a script may have put anything into the flow; the next ones are fine
                self._on_broken(f"{sink.path}: flow {flow.id} left out: {type(error).__name__}: {error}")

    def _on_broken(self, text: str) -> None:
        """A flow could not be shown or stored. Those that are read are sound, so a script has broken it."""
        if self.options.scripts:
            self.handler_errors += 1
        else:
            self.failed = True
        self.log.error(f"flowdump: {text}")


def describe(error: BaseException) -> str:
    """One line about an error, with the name of the file where there is one."""
    if isinstance(error, FlowFileError) and error.path:
        return f"{error.path}: {error}"
    if isinstance(error, OSError) and error.filename:
        return f"cannot write {os.fspath(error.filename)!r}: {error.strerror}"
    return str(error)


def _identity(place: str | int) -> tuple[Any, ...] | None:
    """What two names of one file have in common; None for what is no regular file and may well be used twice."""
    try:
        status = os.stat(os.path.expanduser(place) if isinstance(place, str) else place)
    except OSError:
        return (os.path.realpath(os.path.expanduser(place)),) if isinstance(place, str) else None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def _identity_of_stream(stream: TextIO) -> tuple[Any, ...] | None:
    try:
        return _identity(stream.fileno())
    except (OSError, ValueError):
        return None


def _silence(stdout: TextIO) -> None:
    """Discard what is left in the buffer of stdout, which has no reader any more."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stdout.fileno())
    except (OSError, ValueError):
        return
