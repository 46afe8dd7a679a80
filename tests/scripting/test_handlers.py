"""Calling handlers: plain, async and ``@concurrent``; what they raise; who sees what; options, log and shutdown."""

from __future__ import annotations

import logging
import time

import pytest
from tests.scripting.inprocess import Bench, plain
from tests.support.flows import every_kind, http_flow

from flowdump.scripting import handlers

# -- async and threads -----------------------------------------------------------------------------------------------


def test_async_handlers_are_awaited_in_order(bench: Bench) -> None:
    done = bench(
        """
        import asyncio

        class First:
            async def request(self, flow):
                flow.comment += "1 "
                await asyncio.sleep(0)
                flow.comment += "2 "
                await asyncio.sleep(0.01)
                flow.comment += "3 "

        class Second:
            def request(self, flow):
                flow.comment += "4 "
                return asyncio.create_task(self.more(flow))

            async def more(self, flow):
                await asyncio.sleep(0)
                flow.comment += "5 "

        async def done():
            await asyncio.sleep(0)
            print("done, too")

        addons = [First(), Second()]
        """,
        [plain(), plain()],
    )
    assert done.flows is not None
    assert [flow.comment for flow in done.flows] == ["1 2 3 4 5 "] * 2
    assert (done.code, done.log) == (0, "")


@pytest.mark.parametrize("source", ["flowdump.scripting", "mitmproxy.script"])
def test_concurrent_handlers_run_in_a_thread_and_the_flow_waits(bench: Bench, source: str) -> None:
    done = bench(
        f"""
        import threading, time
        from {source} import concurrent

        @concurrent
        def request(flow):
            time.sleep(0.01)
            flow.comment += threading.current_thread().name

        class Addon:
            @concurrent
            def response(self, flow):
                flow.comment += f", {{threading.current_thread() is threading.main_thread()}}"

        addons = [Addon()]
        """
    )
    assert (done.code, done.flow.comment) == (0, "concurrent request, False")


def test_other_work_goes_on_while_a_concurrent_handler_runs(bench: Bench) -> None:
    done = bench(
        """
        import asyncio, threading
        from mitmproxy.script import concurrent

        let_go = threading.Event()

        async def helper():
            let_go.set()

        def request(flow):
            asyncio.create_task(helper())

        @concurrent
        def response(flow):
            flow.comment = str(let_go.wait(10))  # hangs here if the loop is not running
        """
    )
    assert done.flow.comment == "True"


def test_tasks_made_at_import_and_in_running(bench: Bench) -> None:
    done = bench(
        """
        import asyncio

        seen = []

        async def work(name, n):
            for i in range(n):
                await asyncio.sleep(0)
            seen.append(name)

        task = asyncio.create_task(work("import", 1))

        async def running():
            global later
            later = asyncio.create_task(work("running", 3))

        async def request(flow):
            await task
            await later
            flow.comment = " ".join(seen)
        """
    )
    assert (done.code, done.flow.comment) == (0, "import running")


def test_the_loop_is_there_for_threads(bench: Bench) -> None:
    done = bench(
        """
        import asyncio, threading
        from mitmproxy import ctx

        async def request(flow):
            called = asyncio.Event()
            loop = ctx.master.event_loop
            assert loop is asyncio.get_running_loop()
            threading.Thread(target=lambda: ctx.master.event_loop.call_soon_threadsafe(called.set)).start()
            await called.wait()
            flow.comment = "called"
        """
    )
    assert (done.code, done.flow.comment) == (0, "called")


# -- exceptions ------------------------------------------------------------------------------------------------------

#: How a handler raises, each on line 6 of the script.
RAISING = {
    "plain": "def request(flow):\n    flow.comment += 'left '\n    fail(flow)\n",
    "async": "async def request(flow):\n    flow.comment += 'left '\n    fail(flow)\n",
    "async, later": "async def request(flow):\n    flow.comment += 'left '; await asyncio.sleep(0)\n    fail(flow)\n",
    "concurrent": "@concurrent\ndef request(flow):\n    flow.comment += 'left '; fail(flow)\n",
}


@pytest.mark.parametrize(
    "error", ["ValueError('why')", "StopIteration('why')", "mitmproxy.exceptions.FlowReadException('why')"]
)
@pytest.mark.parametrize("text", RAISING.values(), ids=RAISING)
def test_an_exception_is_logged_and_everything_goes_on(bench: Bench, text: str, error: str) -> None:
    script = "import asyncio, mitmproxy.exceptions; from mitmproxy.script import concurrent\n"
    script += f"def fail(flow):\n    raise {error}\n{text}def response(flow):\n    flow.comment += 'response '\n"
    script += "class Other:\n    def request(self, flow):\n        flow.comment += 'other '\naddons = [Other()]\n"
    done = bench(script, [plain(), plain()])
    assert done.flows is not None
    assert [flow.comment for flow in done.flows] == ["left other response "] * 2
    path = bench.folder / "script.py"
    assert done.code == 4
    assert done.log.count(f"error in request of script {path}:\n") == 2
    assert f'File "{path}", line 6, in request' in done.log
    assert f'File "{path}", line 3, in fail' in done.log
    assert "why" in done.log


def test_only_the_scripts_own_frames_are_shown(bench: Bench) -> None:
    bench.write("helper_of_this.py", "import json\n\ndef parse():\n    return json.loads('[')\n")
    done = bench("import helper_of_this\n\ndef request(flow):\n    helper_of_this.parse()\n")
    lines = done.log.splitlines()
    assert [line for line in lines if line.startswith("  File")] == [
        f'  File "{bench.folder / "script.py"}", line 4, in request',
        f'  File "{bench.folder / "helper_of_this.py"}", line 4, in parse',
    ]
    assert lines[-1].startswith("json.decoder.JSONDecodeError: ")


def test_a_handler_that_cannot_be_called_is_named(bench: Bench) -> None:
    done = bench("\n\ndef tcp_start(flow, more):\n    pass\n", every_kind())
    path = bench.folder / "script.py"
    assert done.code == 4
    assert f'error in tcp_start of script {path}:\n  File "{path}", line 3, in tcp_start\n' in done.log
    assert "TypeError: tcp_start() missing 1 required positional argument: 'more'" in done.log


def test_kill_on_a_saved_flow_is_an_error_of_the_addon(bench: Bench) -> None:
    done = bench("def request(flow):\n    flow.comment = str(flow.killable)\n    flow.kill()\n")
    assert (done.code, done.flow.comment, done.flow.error) == (4, "False", None)
    assert "line 3, in request\n    flow.kill()\n" in done.log
    assert "ControlException: " in done.log


@pytest.mark.parametrize("event", ["running", "done"])
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_exceptions_outside_of_flows(bench: Bench, event: str, kind: str) -> None:
    done = bench(f"{kind} {event}():\n    1 / 0\n\ndef response(flow):\n    flow.comment = 'ran'\n")
    assert (done.code, done.flow.comment) == (4, "ran")
    assert f"error in {event} of script" in done.log


def test_halt_ends_the_chain_of_one_event(bench: Bench) -> None:
    done = bench(
        """
        import asyncio
        from mitmproxy import exceptions

        class Halting:
            def request(self, flow):
                raise exceptions.AddonHalt

            async def response(self, flow):
                await asyncio.sleep(0)
                raise exceptions.AddonHalt()

        class Later:
            def requestheaders(self, flow):
                flow.comment += "requestheaders "
            def request(self, flow):
                flow.comment += "request "
            def responseheaders(self, flow):
                flow.comment += "responseheaders "
            def response(self, flow):
                flow.comment += "response "

        addons = [Halting(), Later()]
        """
    )
    assert (done.code, done.log, done.flow.comment) == (0, "", "requestheaders responseheaders ")


@pytest.mark.parametrize("how", ["def", "async def", "@concurrent\ndef"])
def test_sys_exit_in_a_handler_is_an_error_of_the_handler(bench: Bench, how: str) -> None:
    done = bench(
        "import sys\nfrom mitmproxy.script import concurrent\n\n"
        f"{how} request(flow):\n    if 'b' in flow.request.path:\n        sys.exit(7)\n",
        [plain("https://example.com/a"), plain("https://example.com/b"), plain("https://example.com/c")],
    )
    assert done.code == 4
    assert done.flows is not None
    assert [flow.request.path for flow in done.flows] == ["/a", "/b", "/c"]
    assert done.log.count("error in request of script ") == 1
    assert done.log.splitlines()[-1] == "SystemExit: 7"
    assert "    sys.exit(7)\n" in done.log


# -- blocking --------------------------------------------------------------------------------------------------------


def test_a_handler_that_blocks_is_named_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "BLOCKING", -1)
    done = bench("\ndef request(flow):\n    pass\n", [plain(), plain()])
    assert done.code == 0
    assert done.log.count(f"{bench.folder / 'script.py'}:2: request blocked everything else for ") == 1
    assert done.log.count("blocked") == 1


def test_handlers_that_do_not_block_are_not_named(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(handlers, "monotonic", lambda: next(clock) / 10)
    done = bench("def request(flow):\n    pass\n\nasync def response(flow):\n    pass\n", [plain(), plain()])
    assert (done.code, done.log) == (0, "")


def test_the_wrapper_costs_little(bench: Bench) -> None:
    """A generous bound for what is about half a microsecond: it holds off mistakes of another order."""
    from flowdump.scripting.script import Script

    path = bench.write("script.py", "def request(flow):\n    pass\n")
    script = Script(str(path), print)
    script.load()
    call = script.addons[0].request
    best = 1.0
    for _ in range(5):
        begun = time.process_time()
        for _ in range(1000):
            call(None)
        best = min(best, time.process_time() - begun)
    assert best < 0.05


# -- the life of an addon --------------------------------------------------------------------------------------------


def test_the_life_of_an_addon(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    done = bench(
        """
        seen = ["import"]

        class Addon:
            def __init__(self, name):
                self.name = name
            def load(self, loader):
                seen.append(f"{self.name}.load")
            def configure(self, updated):
                seen.append(f"{self.name}.configure {'anticache' in updated and len(updated) > 50}")
            def running(self):
                seen.append(f"{self.name}.running")
            def request(self, flow):
                seen.append(f"{self.name}.request")
            def done(self):
                seen.append(f"{self.name}.done")
                if self.name == "b":
                    print(*seen, sep=", ")

        addons = [Addon("a"), Addon("b")]
        """
    )
    assert (done.code, done.log) == (0, "")
    assert capsys.readouterr().out == (
        "import, a.load, b.load, a.configure True, b.configure True, a.running, b.running, "
        "a.request, b.request, a.done, b.done\n"
    )


def test_update_follows_each_event(bench: Bench) -> None:
    done = bench(
        """
        last = None

        def note(event):
            def handler(flow):
                global last
                last = event
            return handler

        requestheaders, request, responseheaders, response = map(
            note, ("requestheaders", "request", "responseheaders", "response")
        )

        def update(flows):
            flows[0].comment += f"{len(flows)} {last}, "
        """
    )
    assert done.flow.comment == "1 requestheaders, 1 request, 1 responseheaders, 1 response, "


# -- log -------------------------------------------------------------------------------------------------------------

LOGGING = """
import logging
from mitmproxy import ctx

def running():
    ctx.log.debug("d")
    ctx.log.info("i")
    ctx.log("called")
    ctx.log("called w", "warn")
    ctx.log.alert("a")
    ctx.log.warn("w")
    ctx.log.warning("w2")
    ctx.log.error("e")
    logging.debug("ld")
    logging.info("li %d", 3)
    logging.getLogger("some.where").warning("lw")
    logging.error("le")
"""


@pytest.mark.parametrize(
    ("verbosity", "expected"),
    [
        ("debug", "d i called called_w a w w2 e ld li_3 lw le"),
        ("info", "i called called_w a w w2 e li_3 lw le"),
        ("warn", "called_w w w2 e lw le"),
        ("error", "e le"),
    ],
)
def test_logging(bench: Bench, verbosity: str, expected: str) -> None:
    bench.verbosity = verbosity
    before = logging.getLogger().level
    done = bench(LOGGING)
    printed = [line.replace(" ", "_") for line in done.log.splitlines() if not line.startswith("Using selector")]
    assert (done.code, printed) == (0, expected.split())
    assert logging.getLogger().level == before


def test_add_log_hears_everything_and_may_log(bench: Bench) -> None:
    done = bench(
        """
        from mitmproxy import ctx

        entries = []

        def add_log(entry):
            entries.append((entry.level, entry.msg))
            ctx.log.info(f"heard {entry.msg}")  # not heard again

        def request(flow):
            ctx.log.debug("quiet")
            ctx.log.warn("loud")
            flow.comment = repr(entries)
        """
    )
    assert done.flow.comment == repr([("debug", "quiet"), ("warn", "loud")])
    assert done.log == "heard quiet\nloud\nheard loud\n"


def test_an_exception_in_add_log(bench: Bench) -> None:
    done = bench(
        "from mitmproxy import ctx\ndef add_log(entry):\n    1 / 0\ndef request(flow):\n    ctx.log.info('x')\n"
    )
    assert done.code == 4
    assert done.log.count("ZeroDivisionError") == 1


def test_print_goes_to_stdout(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    done = bench("def request(flow):\n    print('from', flow.request.host)\n", flow_detail=1)
    out = capsys.readouterr().out.splitlines()
    assert (done.code, out[0]) == (0, "from example.com")
    assert " GET https://example.com/ 200 " in out[1]


# -- options ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    ["ctx.options.anticache = True", "ctx.options.update(anticache=True)", "ctx.options.set('anticache=true')"],
)
def test_options_take_effect_at_once(bench: Bench, change: str) -> None:
    flows = [http_flow(f"https://example.com/{i}") for i in range(3)]
    for flow in flows:
        flow.request.headers["if-none-match"] = "x"
    text = f"from mitmproxy import ctx\n\ndef request(flow):\n    if flow.request.path == '/1':\n        {change}\n"
    done = bench(text, flows)
    assert done.flows is not None
    assert ["if-none-match" in flow.request.headers for flow in done.flows] == [True, False, False]


def test_options_that_are_switched_off_again(bench: Bench) -> None:
    flows = [http_flow(f"https://example.com/{i}") for i in range(2)]
    text = "from mitmproxy import ctx\n\ndef request(flow):\n    ctx.options.anticomp = flow.request.path == '/0'\n"
    done = bench(text, flows, anticomp=True)
    assert done.flows is not None
    assert [flow.request.headers.get("accept-encoding") for flow in done.flows] == ["identity", None]


def test_filters_of_outputs_may_be_changed(bench: Bench) -> None:
    flows = [http_flow(f"https://example.com/{i}") for i in range(3)]
    text = "from mitmproxy import ctx\n\ndef request(flow):\n    ctx.options.save_stream_filter = '~u /2'\n"
    done = bench(text, flows)
    assert done.flow.request.path == "/2"


def test_configure_hears_of_changes(bench: Bench) -> None:
    done = bench(
        """
        from mitmproxy import ctx

        heard = []

        def configure(updated):
            heard.append(sorted(updated) if len(updated) < 10 else "all")

        def request(flow):
            ctx.options.update(anticache=True, showhost=True)
            ctx.options.anticache = True
            flow.comment = repr(heard)
        """
    )
    assert done.flow.comment == repr(["all", ["anticache", "showhost"]])


def test_configure_of_the_second_generation_gets_the_options(bench: Bench) -> None:
    done = bench(
        "def configure(options, updated):\n    global level\n    level = options.flow_detail, 'mode' in updated\n\n"
        "def request(flow):\n    flow.comment = repr(level)\n"
    )
    assert done.flow.comment == "(0, True)"


def test_configure_may_refuse_a_change(bench: Bench) -> None:
    done = bench(
        """
        from mitmproxy import ctx, exceptions

        def configure(updated):
            if ctx.options.anticache:
                raise exceptions.OptionsError("not with this script")

        def request(flow):
            try:
                ctx.options.anticache = True
            except exceptions.OptionsError as error:
                flow.comment = f"{error} {ctx.options.anticache}"

        def response(flow):
            ctx.options.anticache = True
        """
    )
    assert (done.code, done.flow.comment) == (4, "not with this script False")
    assert "OptionsError: not with this script" in done.log


@pytest.mark.parametrize("wrong", ["ctx.options.anticache = 'maybe'", "ctx.options.nothing = 1", "ctx.options.nothing"])
def test_wrong_options_in_a_handler(bench: Bench, wrong: str) -> None:
    done = bench(f"from mitmproxy import ctx\n\ndef request(flow):\n    {wrong}\n")
    assert done.code == 4
    assert "line 4, in request" in done.log
    assert done.flow.response.content == b"hello"


DECLARING = """
import typing
from collections.abc import Sequence
from typing import Optional
from mitmproxy import ctx

class Addon:
    def load(self, loader):
        loader.add_option("word", str, "none", "A word.")
        loader.add_option(name="count", typespec=int, default=3, help="A number.")
        loader.add_option("flag", bool, False, "A flag.")
        loader.add_option("maybe", Optional[str], None, "A word or nothing.")
        loader.add_option("number_or_not", int | None, None, "A number or nothing.")
        loader.add_option("words", Sequence[str], [], "Words.")
        loader.add_option("more", typing.Sequence[str], ["x"], "Words.")
        loader.add_option("pick", str, "a", "One of.", choices=["a", "b"])

    def request(self, flow):
        o = ctx.options
        flow.comment = repr([o.word, o.count, o.flag, o.maybe, o.number_or_not, list(o.words), list(o.more), o.pick])

addons = [Addon()]
"""


def test_declared_options(bench: Bench) -> None:
    done = bench(DECLARING)
    assert (done.code, done.flow.comment) == (0, repr(["none", 3, False, None, None, [], ["x"], "a"]))


def test_declared_options_set_on_the_command_line(bench: Bench) -> None:
    sets = ("word=w", "count=7", "flag", "maybe=m", "number_or_not=8", "words=1", "words=2", "more=y", "pick=b")
    done = bench(DECLARING, sets=sets)
    assert (done.code, done.flow.comment) == (0, repr(["w", 7, True, "m", 8, ["1", "2"], ["y"], "b"]))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("count=many", "option 'count' is a whole number, not 'many'"),
        ("flag=perhaps", "option 'flag' is true or false, not 'perhaps'"),
        ("pick=c", "option 'pick' is one of a, b, not 'c'"),
        ("wrod=x", "--set: unknown option 'wrod'; did you mean 'word'"),
    ],
)
def test_declared_options_set_wrongly(bench: Bench, setting: str, message: str) -> None:
    done = bench(DECLARING, sets=(setting,))
    assert (done.code, done.flows) == (1, None)
    assert message in done.log


@pytest.mark.parametrize(
    ("declaration", "message"),
    [
        ('"odd", dict, {}, "Help."', "an option cannot be of type"),
        ('"odd", int, "text", "Help."', "option 'odd' is of type int"),
        ('"anticache", str, "", "Help."', "option 'anticache' is declared already"),
    ],
)
def test_options_declared_wrongly(bench: Bench, declaration: str, message: str) -> None:
    done = bench(f"def load(loader):\n    loader.add_option({declaration})\n")
    assert (done.code, done.flows) == (1, None)
    assert message in done.log


# -- ending ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["ctx.master.shutdown()", "threading.Thread(target=ctx.master.shutdown).start()"])
def test_shutdown_ends_the_run_behind_the_flow(bench: Bench, call: str) -> None:
    text = f"""
        import threading
        from mitmproxy import ctx

        def request(flow):
            flow.comment = "1 "
            if flow.request.path == "/1":
                {call}
                others = [each for each in threading.enumerate() if each is not threading.current_thread()]
                [each.join() for each in others if not each.daemon]

        def response(flow):
            flow.comment += "2"

        def done():
            print("done")
        """
    done = bench(text, [plain(f"https://example.com/{i}") for i in range(3)])
    assert done.flows is not None
    assert [(flow.request.path, flow.comment) for flow in done.flows] == [("/0", "1 2"), ("/1", "1 2")]
    assert (done.code, done.log) == (0, "")
