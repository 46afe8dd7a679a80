"""Client replay on the command line: by option, from scripts of every kind, beside a proxy and without one."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import fails, started, wait_until
from tests.support.commands import commands
from tests.support.flows import http_flow, read_flows, request, response, run_flowdump, tcp_flow, write_flows

import flowdump
from flowdump import ctx
from flowdump.addons.client_replay import ClientReplay
from flowdump.exceptions import CommandError, OptionsError, UserError


class Origin(ThreadingHTTPServer):
    """Answers with the path; ``seen`` are the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.seen: list[str] = []
        self.held = threading.Event()


class Answer(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Origin

    def do_GET(self) -> None:
        self.server.seen.append(self.path)
        if self.path == "/held":
            self.server.held.wait(30)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.path)))
        self.end_headers()
        self.wfile.write(self.path.encode())

    def log_message(self, *arguments: Any) -> None:
        """Quiet."""


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.held.set()
        server.shutdown()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: Origin) -> Path:
    monkeypatch.chdir(tmp_path)
    write_flows("saved", [recorded(origin, f"/{name}") for name in "abc"])
    return tmp_path


def recorded(origin: Origin, path: str) -> Any:
    where = f"127.0.0.1:{origin.server_port}"
    return http_flow(request("GET", f"http://{where}{path}", headers={"Host": where}), response(500, b"old"))


def replay(*arguments: str, **facts: Any) -> Any:
    return run_flowdump("-q", "-n", "--confdir", ".", *arguments, **facts)


def answers(path: str) -> list[tuple[str, int, bytes, str | None]]:
    flows = read_flows(path)
    return [(f.request.path, f.response.status_code, f.response.content, f.is_replay) for f in flows]


def test_files_are_sent_again_and_the_run_ends(home: Path, origin: Origin) -> None:
    write_flows("more", [tcp_flow(b"x"), recorded(origin, "/d")])
    done = run_flowdump("--confdir", ".", "-C", "saved", "--client-replay", "more", "-w", "out", check=True)
    expected = [(f"/{name}", 200, f"/{name}".encode(), "request") for name in "abcd"]
    assert answers("out") == expected
    assert origin.seen == ["/a", "/b", "/c", "/d"]
    assert "is not replayed: it is no HTTP flow" in done.stderr
    assert done.stdout.count(" 200 ") == 4


@pytest.mark.parametrize("concurrency", ["3", "-1"])
def test_several_at_a_time(home: Path, origin: Origin, concurrency: str) -> None:
    write_flows("held", [recorded(origin, f"/{name}") for name in ("held", "x", "y")])
    arguments = ["-q", "-n", "--confdir", ".", "--set", f"client_replay_concurrency={concurrency}", "-C", "held"]
    with started(*arguments, "-w", "out", "-s", write_release()) as run:
        out = Path("out")  # the two that are not held have to be over before the third goes on
        while len(origin.seen) < 3 or not out.exists() or not out.stat().st_size or len(answers("out")) < 2:
            assert run.poll() is None
        origin.held.set()
        assert run.wait(30) == 0
    assert [path for path, *_ in answers("out")][-1] == "/held"


def write_release() -> str:
    """A script that does nothing: the run has handlers to call."""
    Path("nothing.py").write_text("def response(flow):\n    pass\n")
    return "nothing.py"


def test_saved_flows_are_read_beside_it(home: Path, origin: Origin) -> None:
    write_flows("other", [recorded(origin, "/other")])
    replay("-r", "other", "-C", "saved", "-w", "out", check=True)
    found = answers("out")
    assert ("/other", 500, b"old", None) in found
    assert sorted(path for path, status, *_ in found if status == 200) == ["/a", "/b", "/c"]


def test_a_script_sends_flows_of_a_file_again(home: Path, origin: Origin) -> None:
    Path("again.py").write_text(
        "from mitmproxy import ctx\n\n"
        "def response(flow):\n"
        "    if flow.is_replay == 'request':\n"
        "        return\n"
        "    again = flow.copy()\n"
        "    again.request.path += '/again'\n"
        "    if 'view' in ctx.master.addons:\n"
        "        ctx.master.commands.call('view.flows.duplicate', [again])\n"
        "    ctx.master.commands.call('replay.client', [again])\n"
        "    print(ctx.master.commands.call('replay.client.count') > 0)\n"
    )
    done = replay("-r", "saved", "-s", "again.py", "-w", "out", check=True)
    assert done.stdout == "True\n" * 3
    assert sorted(origin.seen) == ["/a/again", "/b/again", "/c/again"]
    assert sum(found[3] == "request" for found in answers("out")) == 3
    assert len(answers("out")) == 6


def test_a_script_of_the_second_generation_sends_again(home: Path, origin: Origin) -> None:
    """As mitmproxy 4 to 6 had it: the request knows that it was sent again."""
    Path("second.py").write_text(
        "from mitmproxy import ctx\n\n"
        "def request(flow):\n"
        "    if flow.request.is_replay:\n"
        "        return\n"
        "    flow = flow.copy()\n"
        "    if 'view' in ctx.master.addons:\n"
        "        ctx.master.commands.call('view.flows.add', [flow])\n"
        "    flow.request.path = flow.request.path + '/changed'\n"
        "    ctx.master.commands.call('replay.client', [flow])\n"
    )
    replay("-r", "saved", "-s", "second.py", "-w", "out", check=True)
    assert sorted(origin.seen) == ["/a/changed", "/b/changed", "/c/changed"]


def test_a_script_of_the_first_generation_sends_again(home: Path, origin: Origin) -> None:
    Path("first.py").write_text(
        "def request(context, flow):\n"
        "    if flow.is_replay or flow.request.path.endswith('again'):\n"
        "        return\n"
        "    f = context.duplicate_flow(flow)\n"
        "    f.request.path = flow.request.path + '/again'\n"
        "    context.replay_request(f)\n"
    )
    replay("-r", "saved", "-s", "first.py", "-w", "out", check=True)
    assert sorted(origin.seen) == ["/a/again", "/b/again", "/c/again"]


def test_a_script_of_the_first_generation_sends_again_beside_a_proxy(home: Path, origin: Origin) -> None:
    """As its documentation had it, without a look at what it sends itself; a script of today hears of both."""
    first = home / "first.py"
    first.write_text(
        "def request(context, flow):\n"
        "    f = context.duplicate_flow(flow)\n"
        "    f.request.path = '/changed'\n"
        "    context.replay_request(f)\n\n"
        "def response(context, flow):\n"
        "    context.log('heard ' + flow.request.path)\n"
    )
    heard: list[tuple[str, Any]] = []

    class Listener:
        def request(self, flow: Any) -> None:
            heard.append((flow.request.path, flow.is_replay))

    with flowdump.Proxy(addons=[Listener()], scripts=[str(first)], confdir=".") as proxy:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": proxy.url}))
        opener.open(f"http://127.0.0.1:{origin.server_port}/first").close()
        found = {flow.request.path: flow for flow in (proxy.wait_for_flow(), proxy.wait_for_flow())}
        opener.open(f"http://127.0.0.1:{origin.server_port}/second").close()
        found |= {flow.request.path: flow for flow in (proxy.wait_for_flow(), proxy.wait_for_flow())}
    assert sorted(origin.seen) == ["/changed", "/changed", "/first", "/second"]
    assert sorted(heard) == [("/changed", "request"), ("/changed", "request"), ("/first", None), ("/second", None)]
    assert {path: flow.response.content for path, flow in found.items()} == {
        path: path.encode() for path in ("/changed", "/first", "/second")
    }


def test_a_signal_ends_the_run(home: Path, origin: Origin) -> None:
    write_flows("held", [recorded(origin, f"/{name}") for name in ("held", "x")])
    arguments = ["-q", "-n", "--confdir", ".", "--set", "shutdown_timeout=1", "-C", "held", "-w", "out"]
    with started(*arguments) as run:
        wait_until(lambda: origin.seen or run.poll() is not None)
        run.terminate()
        assert run.wait(30) == 143
    assert origin.seen == ["/held"]
    (flow,) = read_flows("out")
    assert "shut down" in flow.error.msg


def test_beside_a_proxy(home: Path, origin: Origin) -> None:
    Path("ends.py").write_text(
        "from flowdump import ctx\n\n"
        "def running():\n"
        "    ctx.options.client_replay = ['saved']\n\n"
        "def response(flow):\n"
        "    if flow.request.path == '/c':\n"
        "        ctx.master.shutdown()\n"
    )
    options = ["--listen-host", "127.0.0.1", "-p", "0", "--confdir", "."]
    run_flowdump("-q", *options, "-s", "ends.py", "-w", "out", check=True)
    assert origin.seen == ["/a", "/b", "/c"]
    assert len(answers("out")) == 3


def test_mistakes_are_told_before_anything_is_sent_or_written(home: Path, origin: Origin) -> None:
    Path("other").write_text("no flows")
    for arguments, says in (
        (("-C", "missing"), "cannot read 'missing'"),
        (("-C", "other"), "other: "),
        (("-C", "saved", "--set", "client_replay_concurrency=0"), "is 1 or more, or -1 for no limit, not 0"),
        (("-C", "saved", "-w", "saved"), "cannot write 'saved': the file is also read"),
    ):
        Path("conf").mkdir(exist_ok=True)
        output = () if "-w" in arguments else ("-w", "out")
        fails("-n", "--confdir", "conf", *arguments, *output, says=says)
    assert origin.seen == []


def test_a_damaged_file_is_sent_as_far_as_it_goes(home: Path, origin: Origin) -> None:
    data = Path("saved").read_bytes()
    Path("cut").write_bytes(data[:-10])
    done = replay("-C", "cut", "-w", "out")
    assert (done.returncode, origin.seen) == (3, ["/a", "/b"])
    assert "damaged place was left out, 2 flows read" in done.stderr


# -- the addon --------------------------------------------------------------------------------------------------------


class Replayer:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.given: list[Any] = []

    @property
    def count(self) -> int:
        return len(self.given)

    def add(self, flows: Any) -> None:
        self.given += flows

    add_source = add

    def clear(self) -> None:
        self.given.clear()


def read(path: str) -> Iterator[Any]:
    if path == "missing":
        raise UserError("cannot read 'missing'")
    return iter([path, path])


def test_commands_reach_the_engine_when_it_is_needed() -> None:
    made: list[Replayer] = []

    def make() -> Replayer:
        made.append(Replayer())
        return made[-1]

    addon = ClientReplay(make, read)
    manager = commands(addon)
    assert manager.call("replay.client.count") == 0
    manager.call("replay.client.stop")
    assert made == []
    flow = http_flow()
    manager.call("replay.client", [flow])
    manager.execute("replay.client.file x")
    assert made[0].given == [flow, "x", "x"]
    assert manager.call("replay.client.count") == 3
    manager.call("replay.client.stop")
    assert manager.call("replay.client.count") == 0
    with pytest.raises(CommandError, match="cannot read 'missing'"):
        manager.execute("replay.client.file missing")
    ctx.options.client_replay = ["early"]
    assert made[0].given == []
    addon.open()
    addon.start()
    assert made[0].given == ["early", "early"]
    addon.stop()
    ctx.options.client_replay = ["late"]
    assert made[0].given == ["late", "late"]
    with pytest.raises(OptionsError, match="option 'client_replay': cannot read"):
        ctx.options.client_replay = ["missing"]
    assert ctx.options.client_replay == ["late"]
    with pytest.raises(OptionsError, match="not -2"):
        ctx.options.client_replay_concurrency = -2
