"""A proxy inside another program: ``flowdump.Proxy``, the pytest fixture, and ``DumpMaster``."""

from __future__ import annotations

import asyncio
import http.server
import importlib.metadata
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.asynchronous import run
from tests.support.cli import wait_until
from tests.support.live import origin, shared_confdir
from tests.support.ports import free_port

import flowdump
from flowdump import ctx
from flowdump.app.embedded import Proxy
from flowdump.exceptions import UserError
from flowdump.formats import open_flows

BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
CONFDIR = str(shared_confdir())

pytest_plugins = ["pytester"]


class Header:
    """Adds a header, and tells what else it heard."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def load(self, loader: Any) -> None:
        loader.add_option("header_value", str, "1", "What the header says.")
        self.heard.append("load")

    def running(self) -> None:
        self.heard.append("running")

    def done(self) -> None:
        self.heard.append("done")

    def response(self, flow: Any) -> None:
        flow.response.headers["x-header"] = ctx.options.header_value


async def get(proxy: Any, port: int) -> bytes:
    host, at = proxy.address
    reader, writer = await asyncio.open_connection(host, at)
    writer.write(b"GET http://127.0.0.1:%d/path HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n" % port)
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer


async def test_in_a_loop(tmp_path: Path) -> None:
    addon = Header()

    kept = str(tmp_path / "kept.flows")
    embedded = flowdump.Proxy(addons=[addon], confdir=CONFDIR, save_stream_file=kept)
    async with origin(BODY) as server, embedded as proxy:
        assert addon.heard == ["load", "running"]
        assert proxy.url == f"http://127.0.0.1:{proxy.address[1]}"
        assert Path(proxy.certificate).is_file()
        proxy.options.update(header_value="2")
        assert b"\r\nx-header: 2\r\n" in await get(proxy, server.port)
        flow: Any = await proxy.next_flow()
        assert (flow.request.path, flow.response.content) == ("/path", b"hi")
        assert list(proxy.flows) == [flow]
    assert addon.heard == ["load", "running", "done"]
    assert [saved.id for saved in open_flows(kept)] == [flow.id]
    assert "not running" in repr(proxy)


async def test_flows_as_they_end_and_no_more_than_wanted() -> None:
    async with origin(BODY) as server, flowdump.Proxy(confdir=CONFDIR, keep=2) as proxy:
        for _ in range(3):
            await get(proxy, server.port)
        assert len(proxy.flows) == 2
        seen = []
        async for flow in proxy:
            seen.append(flow)
            if len(seen) == 2:
                break
        assert seen == list(proxy.flows)


async def test_who_waits_for_flows_is_told_that_there_will_be_none() -> None:
    async def paths(proxy: Any) -> list[str]:
        return [flow.request.path async for flow in proxy]

    async with origin(BODY) as server, flowdump.Proxy(confdir=CONFDIR) as proxy:
        seen = asyncio.create_task(paths(proxy))
        await get(proxy, server.port)
        await get(proxy, server.port)
    assert await seen == ["/path", "/path"]

    async with flowdump.Proxy(confdir=CONFDIR) as proxy:
        waiting = [asyncio.create_task(proxy.next_flow()) for _ in range(2)]
        proxy.master.shutdown()
        for result in await asyncio.gather(*waiting, return_exceptions=True):
            assert "no flow is left" in str(result)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"no_such_option": 1}, "no_such_option", id="option"),
        pytest.param({"mode": ["nonsense"]}, "nonsense", id="mode"),
        pytest.param({"scripts": ["/nowhere/script.py"]}, "cannot read script", id="script"),
        pytest.param({"listen_port": 80000}, r"cannot listen on .*:80000: ports go from 0 .* to 65535", id="port"),
        pytest.param({"listen_port": -1}, "cannot listen on .*:-1: ports go from 0", id="negative port"),
        pytest.param({"listen_host": "nowhere.invalid"}, r"nowhere.invalid:\d+: (?!Unknown)", id="name"),
        pytest.param({"connect_addr": "here"}, "'connect_addr' is an IP address of this machine, not 'here'", id="own"),
    ],
)
def test_what_the_command_line_would_refuse(options: dict[str, Any], reason: str) -> None:
    async def scenario() -> None:
        with pytest.raises(UserError, match=reason):
            async with flowdump.Proxy(confdir=CONFDIR, **options):
                pass

    before = vars(ctx).get("master")  # other tests leave theirs
    run(scenario())
    with pytest.raises(UserError, match=reason), flowdump.Proxy(confdir=CONFDIR, **options):
        pass
    assert vars(ctx).get("master") is before


def test_a_port_in_use_is_told(tmp_path: Path) -> None:
    with flowdump.Proxy(confdir=CONFDIR) as first:
        second = Proxy(confdir=CONFDIR, listen_port=first.address[1])
        with pytest.raises(UserError, match="Address already in use"):
            second.__enter__()


def test_before_and_after_there_is_no_address() -> None:
    proxy = flowdump.Proxy(confdir=CONFDIR)
    with pytest.raises(RuntimeError, match="with statement"):
        _ = proxy.url


@pytest.fixture
def web() -> Iterator[int]:
    """The port of an origin in a thread."""

    class Hello(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"hi")

        def log_message(self, *arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def fetch(proxy: Any, port: int, path: str = "/path") -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy.url}))
    with opener.open(f"http://127.0.0.1:{port}{path}") as answer:
        assert answer.read() == b"hi"
        return answer.headers


def test_in_a_thread(web: int) -> None:
    with flowdump.Proxy(addons=[Header()], confdir=CONFDIR) as proxy:
        assert fetch(proxy, web)["x-header"] == "1"
        flow: Any = proxy.wait_for_flow()
        assert flow.request.path == "/path"
        with pytest.raises(TimeoutError, match=r"no flow ended within 0\.01 s"):
            proxy.wait_for_flow(0.01)
    assert "flowdump" not in {thread.name for thread in threading.enumerate()}


def test_a_thread_gets_no_more_than_is_kept_and_is_told_of_the_end(web: int) -> None:
    with flowdump.Proxy(confdir=CONFDIR, keep=2) as proxy:
        for path in ("/1", "/2", "/3"):
            fetch(proxy, web, path)
        wait_until(lambda: proxy.flows and proxy.flows[-1].request.path == "/3")  # an answer may be ahead of its flow
        assert [proxy.wait_for_flow().request.path for _ in range(2)] == ["/2", "/3"]
        proxy.master.shutdown()
        with pytest.raises(RuntimeError, match="no flow is left"):
            proxy.wait_for_flow(None)


def test_the_fixture(pytester: pytest.Pytester, web: int) -> None:
    pytester.makepyfile(
        f"""
        import urllib.request, pytest

        class Header:
            def response(self, flow):
                flow.response.headers["x"] = "yes"

        @pytest.mark.flowdump(addons=[Header()])
        def test_it(flowdump_proxy):
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({{"http": flowdump_proxy.url}}))
            with opener.open("http://127.0.0.1:{web}/") as answer:
                assert answer.headers["x"] == "yes"
            assert flowdump_proxy.wait_for_flow().response.content == b"hi"
        """
    )
    installed = importlib.metadata.entry_points(group="pytest11", name="flowdump")  # a checkout may be older than it
    plugin = [] if installed else ["-p", "flowdump.test.fixtures"]
    result = pytester.runpytest_subprocess(*plugin, "--strict-markers")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("inside", [True, False], ids=["in a loop", "without a loop"])
def test_dump_master(web: int, inside: bool) -> None:
    """The way programs do it that embed mitmproxy."""
    from flowdump.compat.shims.dump_master import DumpMaster
    from flowdump.compat.shims.options import Options

    seen: list[Any] = []

    class Addon:
        def running(self) -> None:
            threading.Thread(target=self.visit, args=(ctx.master,)).start()

        def response(self, flow: Any) -> None:
            seen.append(flow.request.path)

        def visit(self, master: Any) -> None:
            fetch(type("At", (), {"url": f"http://127.0.0.1:{free}"}), web)
            master.shutdown()

    free = free_port()

    def make() -> DumpMaster:
        master = DumpMaster(
            Options(listen_host="127.0.0.1", listen_port=free, confdir=CONFDIR), with_termlog=False, with_dumper=False
        )
        master.addons.add(Addon())
        return master

    async def scenario() -> None:
        await make().run()  # type: ignore[misc]

    if inside:
        run(scenario())
    else:
        make().run()
    assert seen == ["/path"]


@pytest.mark.parametrize("way", ["server", "argument", "options"])
def test_a_program_for_mitmproxy_4(way: str, web: int) -> None:
    """The options are in a ProxyServer, and the loop is said to run in a thread."""
    from flowdump.compat.shims.dump_master import DumpMaster
    from flowdump.compat.shims.options import Options
    from flowdump.compat.shims.proxy_server import DummyServer, ProxyConfig, ProxyServer

    ready = threading.Event()
    seen: list[Any] = []

    class Addon:
        def running(self) -> None:
            seen.append(master.addons.get("proxyserver").listen_addrs())
            ready.set()

        def response(self, flow: Any) -> None:
            seen.append(flow.request.path)

    free = free_port()
    options = Options(listen_host="127.0.0.1", listen_port=free, mode=["regular"], confdir=CONFDIR, flow_detail=0)
    options.add_option("body_size_limit", int, 0, "")
    assert options.body_size_limit is None
    server = ProxyServer(ProxyConfig(options))
    master = {
        "server": lambda: DumpMaster(None),
        "argument": lambda: DumpMaster(None, server, with_termlog=False),
        "options": lambda: DumpMaster(options, with_termlog=False, with_dumper=False),
    }[way]()
    if way == "server":
        master.server = server
    assert master.options is options
    master.addons.add(Addon())
    thread = threading.Thread(target=master.run_loop, args=(None,))
    thread.start()
    assert ready.wait(30)
    fetch(type("At", (), {"url": f"http://127.0.0.1:{free}"}), web)
    master.shutdown()
    thread.join()
    assert seen == [[("127.0.0.1", free)], "/path"]
    quiet = DumpMaster(options, DummyServer())  # type: ignore[arg-type]
    assert quiet.options.server is False
