"""A proxy inside another program: ``flowdump.Proxy``.

::

    async with flowdump.Proxy(addons=[Header()], ssl_insecure=True) as proxy:
        await client.get("http://example.com/", proxy=proxy.url)
        flow = await proxy.next_flow()

    with flowdump.Proxy() as proxy:                 # the same in a thread of its own, for programs without a loop
        requests.get("http://example.com/", proxies={"http": proxy.url})
        flow = proxy.wait_for_flow()

It is the program's own run without its command line: the same options, addons, scripts and outputs; only signals are
left to the program around it, and flows are not shown unless ``flow_detail`` says so. It listens on a free port of this
machine's own address unless ``listen_host`` and ``listen_port`` say otherwise.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

from flowdump import ctx
from flowdump.app.live import LiveRun
from flowdump.exceptions import FlowdumpError, UserError
from flowdump.options.store import Options
from flowdump.runtime.log import EventLog

if TYPE_CHECKING:
    from flowdump.flow import Flow

#: Flows that ``Proxy.flows`` keeps unless it is told otherwise; older ones make room.
KEPT = 10_000

#: What a run sets in ``flowdump.ctx``.
_CONTEXT = ("master", "options", "log")


class EmbeddedRun(LiveRun):
    """A live run inside another program, which owns signals, streams and the event loop."""

    def __init__(self, options: Options, log: EventLog, addons: Sequence[Any], on_flow: Callable[[Flow], None]) -> None:
        super().__init__(options, log)
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.reason: BaseException | None = None
        self._addons = addons
        self._on_flow = on_flow

    @contextmanager
    def _signals(self) -> Iterator[None]:
        yield

    async def _load_scripts(self) -> None:
        self.master.find_loop()
        await super()._load_scripts()
        self.master.addons.add(*self._addons)

    async def process(self) -> None:
        if not self.ready.done():
            self.ready.set_result(None)
        await super().process()

    def finish(self, flow: Flow) -> None:
        super().finish(flow)
        self._on_flow(flow)

    def _tell(self, error: BaseException) -> None:
        self.reason = error
        if self.ready.done():
            super()._tell(error)


class Proxy:
    """A running proxy; a context manager, asynchronous or not.

    ``addons`` are objects with event handlers, ``keep`` is how many flows ``flows`` holds (None for all), everything
    else is an option by its name. Entering raises UserError for what the command line would refuse. One at a time: the
    modules that scripts import (``flowdump.ctx``) know one run.
    """

    def __init__(self, *, addons: Sequence[Any] = (), keep: int | None = KEPT, **options: Any) -> None:
        self.options = Options()
        self.options.update(**{"listen_host": "127.0.0.1", "listen_port": 0, "flow_detail": 0} | options)
        self.log = EventLog(verbosity=self.options.termlog_verbosity if "termlog_verbosity" in options else "warn")
        #: The flows that have ended, oldest first.
        self.flows: deque[Flow] = deque(maxlen=keep)
        self._addons = list(addons)
        self._run: EmbeddedRun | None = None
        self._task: asyncio.Task[int] | None = None
        #: Flows that were not asked for yet; the lock is for threads, the event for tasks.
        self._unread: deque[Flow] = deque(maxlen=keep)
        self._lock = threading.Condition()
        self._news = asyncio.Event()
        self._thread: threading.Thread | None = None
        self._before: dict[str, Any] = {}

    # -- facts ---------------------------------------------------------------------------------------------------

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens. Raises RuntimeError while it does not run."""
        if self._run is None:
            raise RuntimeError("the proxy does not run: use it in a with statement")
        return self._run.proxy.addresses[0]

    @property
    def url(self) -> str:
        """What clients are told: ``http://127.0.0.1:38211``."""
        host, port = self.address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def certificate(self) -> str:
        """The path of the certificate, in PEM, that clients have to trust for https."""
        assert self._run is not None
        return str(self._run.proxy.tls.authority.certificate_path)

    @property
    def master(self) -> Any:
        """What scripts know as ``ctx.master``."""
        assert self._run is not None
        return self._run.master

    # -- asynchronous --------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._before = {name: vars(ctx)[name] for name in _CONTEXT if name in vars(ctx)}
        self._run = run = EmbeddedRun(self.options, self.log, self._addons, self._ended)
        self._task = asyncio.create_task(run.main())
        self._task.add_done_callback(lambda _: self._wake())
        waited: list[asyncio.Future[Any]] = [self._task, run.ready]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if not run.ready.done():
            run.ready.cancel()
            await self._finish()
            raise run.reason if isinstance(run.reason, FlowdumpError) else UserError(str(run.reason))
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._run is not None
        self._run.master.shutdown()
        await self._finish()

    async def _finish(self) -> None:
        assert self._task is not None
        try:
            with suppress(SystemExit):  # a script's sys.exit() is not the end of the program around it
                await self._task
        finally:
            self._run = None
            for name in _CONTEXT:
                vars(ctx).pop(name, None)
            vars(ctx).update(self._before)

    def _ended(self, flow: Flow) -> None:
        self.flows.append(flow)
        self._unread.append(flow)
        self._wake()

    def _wake(self) -> None:
        """Tell who waits for a flow to look again: there is one, or there will be none."""
        self._news.set()
        with self._lock:
            self._lock.notify_all()

    def _settled(self) -> bool:
        """Whether waiting longer changes nothing."""
        return bool(self._unread) or self._task is None or self._task.done()

    def _take(self) -> Flow:
        try:
            return self._unread.popleft()
        except IndexError:
            raise RuntimeError("no flow is left, and the proxy does not run") from None

    async def next_flow(self) -> Flow:
        """The next flow that has ended and was not asked for before.

        Raises RuntimeError when there is none and the proxy has ended.
        """
        while not self._settled():
            self._news.clear()
            await self._news.wait()
        return self._take()

    async def __aiter__(self) -> AsyncIterator[Flow]:
        """Flows as they end, until the proxy has ended and all have been seen."""
        while True:
            try:
                flow = await self.next_flow()
            except RuntimeError:
                return
            yield flow

    # -- in a thread of its own ----------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        started: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._in_thread(started)), name="flowdump", daemon=True
        )
        self._thread.start()
        failure = started.get()
        if failure is not None:
            self._thread.join()
            raise failure
        return self

    def __exit__(self, *error: object) -> None:
        run, thread = self._run, self._thread
        if run is not None:  # otherwise it has ended already, by a script perhaps
            run.master.shutdown()
        assert thread is not None
        thread.join()

    async def _in_thread(self, started: queue.SimpleQueue[BaseException | None]) -> None:
        try:
            await self.__aenter__()
        except BaseException as error:
            started.put(error)
            return
        started.put(None)
        assert self._task is not None
        await asyncio.wait([self._task])
        await self._finish()

    def wait_for_flow(self, timeout: float | None = 10.0) -> Flow:
        """``next_flow`` for threads. Raises TimeoutError too, after ``timeout`` seconds."""
        with self._lock:
            if not self._lock.wait_for(self._settled, timeout):
                raise TimeoutError(f"no flow ended within {timeout:g} s")
            return self._take()

    def __repr__(self) -> str:
        return f"Proxy({self.url if self._run is not None else 'not running'}, {len(self.flows)} flows)"
