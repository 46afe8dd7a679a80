"""The live proxy as its users run it: the command line in a process of its own, with signals, files and scripts."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import re
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import wait_until
from tests.support.flows import ROOT, http_flow, read_flows, response, script, write_flows
from tests.support.live import shared_confdir
from tests.support.pki import Ca
from tests.support.ports import free_port
from tests.support.process import BODY, PATIENCE, Live, Origin, running_origin, serve_once, snapshot

from flowdump.engine.tls.authority import Authority
from flowdump.formats import open_input


@pytest.fixture
def origin() -> Iterator[Origin]:
    with running_origin() as served:
        yield served


def paths_in_flows(data: bytes) -> list[str]:
    return [flow.request.path for flow in read_flows(data)]


def paths_in_har(data: bytes) -> list[str]:
    return ["/" + entry["request"]["url"].rpartition("/")[2] for entry in json.loads(data)["log"]["entries"]]


# -- start ---------------------------------------------------------------------------------------------------------


def test_the_start_is_told_on_one_line_with_the_address_and_the_certificate(origin: Origin) -> None:
    with Live() as proxy:
        assert proxy.port
        (line,) = proxy.lines
        path = line.partition("trust ")[2].partition(" (")[0]
        assert Path(path).read_bytes().startswith(b"-----BEGIN CERTIFICATE-----")
        assert proxy.get(origin).endswith(BODY)


def test_one_port_is_picked_for_every_address_and_told_as_the_readme_has_it() -> None:
    with Live("--listen-host", "") as proxy:
        line = proxy.wait_for("listening")[0] and proxy.lines[0]
        port = line.partition("*:")[2].partition(";")[0]
        known = line.replace(f"*:{port}", "*:8080").replace(str(shared_confdir()), "/home/me/.flowdump")
        assert known in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
        for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
            with socket.socket(family) as client:
                if family == socket.AF_INET6 and not can_bind(host):
                    continue
                client.settimeout(PATIENCE)
                client.connect((host, int(port)))


def can_bind(host: str) -> bool:
    """Whether this machine has IPv6."""
    try:
        socket.create_server((host, 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_a_port_in_use_is_a_clear_error(origin: Origin, tmp_path: Path) -> None:
    with Live("-w", tmp_path / "kept.flows", port=origin.port) as proxy:
        assert proxy.end(None) == 1
        assert proxy.lines == [
            f"flowdump: cannot listen on 127.0.0.1:{origin.port}: Address already in use; "
            "-p, or @PORT after a mode, chooses another port"
        ]
    assert not (tmp_path / "kept.flows").exists()


def test_the_port_of_config_yaml_is_used(origin: Origin, tmp_path: Path) -> None:
    port = free_port()
    with authority_copied(tmp_path) as confdir:
        (confdir / "config.yaml").write_text(f"listen_port: {port}\nflow_detail: 0\n")
        with Live(confdir=confdir, port=None) as proxy:
            assert proxy.port == port
            assert proxy.get(origin).endswith(BODY)
            assert proxy.end() == 0
            assert len(proxy.lines) == 1


@contextlib.contextmanager
def authority_copied(folder: Path) -> Iterator[Path]:
    """A configuration folder with the authority of the other tests: making a key takes long."""
    import shutil

    Authority.open(str(shared_confdir()))
    yield Path(shutil.copytree(shared_confdir(), folder / "confdir"))


def own_address() -> str:
    """A private address of this machine that is not its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but its loopback")
        address = str(probe.getsockname()[0])
    if not ipaddress.ip_address(address).is_private:
        pytest.skip("this machine's address is not a private one")
    return address


def test_block_private_keeps_neighbours_out() -> None:
    address = own_address()
    with Live("--set", "listen_host=0.0.0.0", "--set", "block_private") as proxy:
        port = int(proxy.wait_for(r"listening at \*:(\d+)")[1])
        with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=PATIENCE) as connection:
            assert connection.recv(1) == b""
        proxy.wait_for(f"{re.escape(address)}:\\d+: refused: block_private keeps private addresses out")


# -- the end -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_an_exchange_under_way_end(origin: Origin, tmp_path: Path, number: int) -> None:
    told = tmp_path / "told.py"
    told.write_text("def done():\n    print('done ran')\n")
    kept = tmp_path / "kept.flows"
    with Live("-w", kept, "-s", told) as proxy, proxy.connect() as client:
        client.send(origin, "/held")
        assert origin.held.wait(PATIENCE)
        proxy.process.send_signal(number)
        wait_until(lambda: refuses(proxy.port))
        origin.release.set()
        assert client.receive().endswith(BODY)
        assert proxy.end(None) == 0
        assert "done ran" in proxy.lines
    (flow,) = read_flows(kept)
    assert flow.response.content == BODY
    assert flow.error is None


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=PATIENCE).close()
    except ConnectionError:
        return True
    return False


def test_idle_clients_do_not_hold_up_the_end(origin: Origin) -> None:
    with Live() as proxy, proxy.connect() as client, proxy.connect():
        assert client.get(origin)
        assert proxy.end() == 0
        assert client.receive() == b""


def test_what_does_not_end_in_time_is_cut_and_recorded(origin: Origin, tmp_path: Path) -> None:
    kept = tmp_path / "kept.flows"
    with Live("-w", kept, "--set", "shutdown_timeout=1") as proxy, proxy.connect() as client:
        client.send(origin, "/held")
        assert origin.held.wait(PATIENCE)
        assert proxy.end() == 0
        assert client.receive() == b""
    (flow,) = read_flows(kept)
    assert flow.error is not None


def test_a_second_signal_ends_at_once(origin: Origin) -> None:
    with Live() as proxy, proxy.connect() as client:
        client.send(origin, "/held")
        assert origin.held.wait(PATIENCE)
        proxy.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(proxy.port))
        assert proxy.end(signal.SIGTERM) == 128 + signal.SIGTERM
        assert not any("Traceback" in line for line in proxy.lines)


def test_what_handlers_raise_does_not_make_a_signal_a_failure(origin: Origin, tmp_path: Path) -> None:
    typo = tmp_path / "typo.py"
    typo.write_text("def response(flow):\n    flow.respnse\n")
    with Live("-s", typo) as proxy:
        assert proxy.get(origin).endswith(BODY)
        proxy.wait_for("AttributeError")
        assert proxy.end() == 0


def test_a_script_ends_the_run(origin: Origin, tmp_path: Path) -> None:
    ending = tmp_path / "ending.py"
    ending.write_text("from mitmproxy import ctx\ndef response(flow):\n    ctx.master.shutdown()\n")
    with Live("-s", ending) as proxy:
        assert proxy.get(origin).endswith(BODY)
        assert proxy.end(None) == 0


# -- what is recorded ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("option", "paths"), [("-w", paths_in_flows), ("hardump", paths_in_har)])
def test_files_are_whole_at_any_moment(
    origin: Origin, tmp_path: Path, option: str, paths: Callable[[bytes], list[str]]
) -> None:
    kept = tmp_path / "kept"
    with Live(*(["-w", kept] if option == "-w" else ["--set", f"hardump={kept}"])) as proxy, proxy.connect() as client:
        expected: list[str] = []
        for path in ("/1", "/2", "/3", "/4", "/5"):
            assert paths(snapshot(kept)) in (expected, expected[:-1])
            client.get(origin, path)
            expected.append(path)
        wait_until(lambda: paths(snapshot(kept)) == expected)
        assert proxy.end() == 0
    assert paths(snapshot(kept)) == expected


def test_kill_9_in_a_busy_run_loses_at_most_what_was_being_written(origin: Origin, tmp_path: Path) -> None:
    native, har = tmp_path / "kept.flows", tmp_path / "kept.har"
    with Live("-w", native, "--set", f"hardump={har}", "--set", "flow_detail=0") as proxy:
        answered = [0] * 4

        def browse(number: int) -> None:
            with contextlib.suppress(OSError), proxy.connect() as client:
                while client.get(origin, f"/{number}"):
                    answered[number] += 1

        threads = [threading.Thread(target=browse, args=(number,)) for number in range(len(answered))]
        for thread in threads:
            thread.start()
        wait_until(lambda: sum(answered) > 500)
        proxy.process.kill()
        for thread in threads:
            thread.join()
    for path in (native, har):
        opened = open_input(str(path))
        problems: list[Any] = []
        flows = list(opened.flows(problems.append))
        opened.close()
        assert len(problems) <= 1
        assert len(flows) >= sum(answered) - len(answered)  # an answer may be out before its flow is written


def test_flows_are_shown_as_they_end(origin: Origin) -> None:
    with Live() as proxy, proxy.connect() as client:
        for path in ("/one", "/two"):
            client.get(origin, path)
            line = proxy.wait_for(path)[0]
            assert line
        shown = [line for line in proxy.lines if "GET" in line]
        assert len(shown) == 2
        assert "200" in shown[0]


def test_a_script_that_comes_with_flowdump(origin: Origin) -> None:
    with Live("-s", script("add_header.py")) as proxy:
        assert b"\r\nnewheader: foo\r\n" in proxy.get(origin).lower()


def test_saved_flows_first_then_clients(origin: Origin, tmp_path: Path) -> None:
    saved = write_flows(tmp_path / "saved.flows", [http_flow("http://saved.example/", response(200, b"old"))])
    kept = tmp_path / "kept.flows"
    with Live("-r", saved, "--keepserving", "-w", kept) as proxy:
        assert proxy.get(origin, "/new").endswith(BODY)
        assert proxy.end() == 0
    assert [flow.request.path for flow in read_flows(kept)] == ["/", "/new"]


def test_memory_does_not_grow_with_the_number_of_flows(origin: Origin, tmp_path: Path) -> None:
    with Live("-w", tmp_path / "kept.flows", "--set", "flow_detail=0") as proxy, proxy.connect() as client:

        def grown(batches: int, size: int = 50) -> int:
            """By how many KiB it is larger after that many flows."""
            before = proxy.rss
            for _ in range(batches):
                for _ in range(size):
                    client.send(origin)
                for _ in range(size):
                    assert client.receive().endswith(BODY)
            return proxy.rss - before

        grown(40)
        # 6,000 flows would be some 20 MB, each time again; a busy machine may make it larger once.
        assert any(grown(120) < 1500 for _ in range(3))
        assert origin.count >= 160 * 50
    assert os.path.getsize(tmp_path / "kept.flows") > 0


# -- in time, and in bounds ----------------------------------------------------------------------------------------


class Route:
    """A way from a client through the proxy to an origin: plain, or over TLS on both sides."""

    def __init__(self, scheme: str, folder: Path) -> None:
        self.options: list[str] = []
        self._serving: ssl.SSLContext | None = None
        self._client: ssl.SSLContext | None = None
        if scheme == "https":
            ca = Ca()
            self.options = ["--set", f"ssl_verify_upstream_trusted_ca={ca.write(folder)}"]
            self._serving = ca.leaf("localhost").server_context(folder / "origin.pem")
            authority = Authority.open(str(shared_confdir()))
            self._client = ssl.create_default_context(cafile=authority.certificate_path)

    def serve(self, answer: Callable[[socket.socket], None]) -> int:
        return serve_once(answer, self._serving)

    def ask(
        self, port: int, origin_port: int, method: str = "GET", *fields: str, proxied: bool = True
    ) -> socket.socket:
        """A connection to the proxy, or straight to the origin, on which a request head was sent."""
        connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        target = "/" if self._client or not proxied else f"http://localhost:{origin_port}/"
        if self._client:
            if proxied:
                connection.sendall(f"CONNECT localhost:{origin_port} HTTP/1.1\r\n\r\n".encode())
                assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
            client = self._client if proxied else ssl._create_unverified_context()
            connection = client.wrap_socket(connection, server_hostname="localhost")
        lines = [f"{method} {target} HTTP/1.1", f"Host: localhost:{origin_port}", "Connection: close", *fields, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        return connection


@pytest.fixture(params=["http", "https"])
def route(request: pytest.FixtureRequest, tmp_path: Path) -> Route:
    return Route(request.param, tmp_path)


class Ticker:
    """A server of six events, and its client: the next one is sent when the last has been seen."""

    def __init__(self) -> None:
        self._seen = threading.Semaphore(0)

    def __call__(self, connection: socket.socket) -> None:
        """An event every 200 ms, each with the time at which it was sent."""
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for _ in range(6):
            time.sleep(0.2)
            connection.sendall(b"data: %.6f\n\n" % time.monotonic())
            if not self._seen.acquire(timeout=PATIENCE):
                return

    def delays(self, connection: socket.socket) -> list[float]:
        """How long each event was under way, in seconds, the shortest first."""
        delays = []
        with connection, connection.makefile("rb") as stream:
            for line in stream:
                if line.startswith(b"data:"):
                    delays.append(time.monotonic() - float(line[5:]))
                    self._seen.release()
        return sorted(delays)


def test_events_are_seen_as_they_are_sent(tmp_path: Path, route: Route) -> None:
    kept, har = tmp_path / "kept.flows", tmp_path / "kept.har"
    with Live(*route.options, "-s", script("add_header.py"), "-w", kept, "--set", f"hardump={har}") as proxy:
        ticker = Ticker()
        through = ticker.delays(route.ask(proxy.port, route.serve(ticker)))
        port = route.serve(ticker)
        direct = ticker.delays(route.ask(port, port, proxied=False))
        assert len(through) == len(direct) == 6
        assert through[2] < 0.1 + direct[2]  # a busy machine may hold up one or the other
        assert proxy.end() == 0
    (flow,) = read_flows(kept)
    assert flow.response.content.count(b"data:") == 6
    assert len(json.loads(har.read_bytes())["log"]["entries"]) == 1


def test_a_large_download_with_a_slow_reader_stays_out_of_memory(route: Route) -> None:
    size, piece = 64 << 20, bytes(1 << 20)

    def send(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // len(piece)):
            connection.sendall(piece)

    with Live(*route.options, "--set", "stream_large_bodies=1m") as proxy:
        port = route.serve(send)
        assert proxy.port
        before = proxy.rss
        peak = received = 0
        with route.ask(proxy.port, port) as connection:
            time.sleep(0.3)
            while data := connection.recv(1 << 20):
                received += len(data)
                peak = max(peak, proxy.rss)
        assert received > size
        assert peak - before < 8 << 10


def test_a_large_upload_to_a_slow_reader_stays_out_of_memory(route: Route) -> None:
    size, piece = 64 << 20, bytes(1 << 20)
    taken: list[int] = []

    def take(connection: socket.socket) -> None:
        time.sleep(0.3)
        received = 0
        while received < size:
            received += len(connection.recv(1 << 20))
        taken.append(received)
        connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

    with Live(*route.options, "--set", "stream_large_bodies=1m") as proxy:
        port = route.serve(take)
        assert proxy.port
        before = proxy.rss
        peak = 0
        with route.ask(proxy.port, port, "POST", f"Content-Length: {size}") as connection:
            for _ in range(size // len(piece)):
                connection.sendall(piece)
                peak = max(peak, proxy.rss)
            assert connection.recv(1000).startswith(b"HTTP/1.1 204 ")
        assert taken == [size]
        assert peak - before < 8 << 10
