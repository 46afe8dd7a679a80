"""How fast flowdump is as a proxy, beside a real mitmdump in the same run.

    python benchmarks/live.py [--seconds 5] [--pairs 2] [--mitmproxy-python PATH] [--rows plain,https]

The proxy runs alone on one core with a script that adds a header; nginx and the load generator have the other. Both
proxies get the same options and run in turn; only ratios of one run count. Needs nginx, wrk, hey, h2load and curl on
PATH.

Rows: ``plain`` (HTTP, keep-alive), ``https`` (CONNECT, intercepted, keep-alive), ``connects`` (a new TLS connection per
request), ``http2`` (h2load in reverse mode, 8 connections with 10 streams each), ``download``, ``download-tls`` and
``download-http2`` (256 MiB, streamed), ``websocket`` (round trips of 200-byte messages in reverse mode, 16
connections; its memory holds what is recorded), ``memory`` (flowdump alone: 200,000 requests, peak and growth).

``by CPU`` is the ratio of what a second of the proxy's processor time brings. In the download rows curl and nginx,
which share a core, are slower than flowdump, so that the ratio of speeds is less than that.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
WEBSOCKET = Path(__file__).with_name("websocket_load.py")
sys.path.insert(0, str(ROOT))

from tests.support.mitmproxy import Unavailable, find  # noqa: E402 - the checkout is not on the path before

SCRIPT = """
def response(flow):
    flow.response.headers["newheader"] = "foo"
"""

NGINX = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.err;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    keepalive_timeout 600s;
    default_type text/html;
    server {{ listen 127.0.0.1:{port}; root {folder}/html; }}
    server {{
        listen 127.0.0.1:{http2_port} ssl http2;
        ssl_certificate {folder}/cert.pem;
        ssl_certificate_key {folder}/key.pem;
        root {folder}/html;
    }}
    server {{
        listen 127.0.0.1:{tls_port} ssl;
        ssl_certificate {folder}/cert.pem;
        ssl_certificate_key {folder}/key.pem;
        root {folder}/html;
    }}
}}
"""

DOWNLOAD = 256 << 20
#: Downloads one after the other; the median counts. One is over before a program has all the memory that it needs.
DOWNLOADS = 5

#: Row -> the ratio that is promised.
PROMISED = {
    "plain": 12.0, "https": 12.0, "connects": 4.0, "download": 1.5, "download-tls": 1.5, "websocket": 3.0,
    "http2": 4.0, "download-http2": 1.5,
}  # fmt: skip

#: MB: after the start, under load and while downloading, and how much 200,000 requests may add to the first 20,000.
START, LOAD, GROWTH = 45.0, 60.0, 4.0

#: Rows whose flows do not end meanwhile: they keep what was recorded.
GROWING = {"websocket"}


class Figures(NamedTuple):
    """What one proxy reached in a row: requests or MB per second, its peak memory in MB, the part of a core it took."""

    rate: float
    peak: float
    busy: float

    @property
    def by_cpu(self) -> float:
        """Requests or MB per second of processor time."""
        return self.rate / self.busy


class Bench:
    """Origins, load and proxies in a folder of their own."""

    def __init__(self, folder: Path, programs: dict[str, list[str]], seconds: int) -> None:
        self.folder = folder
        self.programs = programs
        self.seconds = seconds
        cores = sorted(os.sched_getaffinity(0))
        self.proxy_core, self.load_core = cores[0], cores[-1]
        self.port, self.tls_port, self.http2_port, self.proxy_port = (_free_port() for _ in range(4))
        self.passed = True
        self._echo: tuple[subprocess.Popen[str], str] | None = None

    def start_origin(self) -> subprocess.Popen[bytes]:
        html = self.folder / "html"
        html.mkdir()
        (html / "1k").write_bytes(b"a" * 1024)
        with (html / "large").open("wb") as large:
            large.truncate(DOWNLOAD)
        _make_certificate(self.folder)
        config = self.folder / "nginx.conf"
        config.write_text(
            NGINX.format(folder=self.folder, **{k: v for k, v in vars(self).items() if k.endswith("port")})
        )
        command = ["nginx", "-p", str(self.folder), "-c", str(config)]
        return subprocess.Popen(command, preexec_fn=lambda: os.sched_setaffinity(0, {self.load_core}))

    def proxy(self, program: str, *options: str) -> Proxy:
        return Proxy(self, program, options)

    # -- load ------------------------------------------------------------------------------------------------------

    def load(self, *command: str) -> str:
        finished = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {self.load_core}),
        )
        return finished.stdout + finished.stderr

    def plain(self, seconds: int | None = None) -> float:
        script = self.folder / "absolute.lua"
        script.write_text(f'wrk.path = "http://127.0.0.1:{self.port}/1k"\n')
        duration = f"-d{seconds or self.seconds}s"
        text = self.load("wrk", "-t1", "-c32", duration, "-s", str(script), f"http://127.0.0.1:{self.proxy_port}")
        if "Non-2xx" in text:
            sys.exit(f"wrk met errors:\n{text}")
        return _rate(text)

    def https(self) -> float:
        return self._hey()

    def connects(self) -> float:
        return self._hey("-disable-keepalive")

    def _hey(self, *more: str) -> float:
        proxy, url = f"http://127.0.0.1:{self.proxy_port}", f"https://localhost:{self.tls_port}/1k"
        text = self.load("hey", "-z", f"{self.seconds}s", "-c", "16", *more, "-x", proxy, url)
        if "Error distribution" in text:
            sys.exit(f"hey met errors:\n{text}")
        return _rate(text)

    def download(self) -> float:
        return self._curl(f"http://127.0.0.1:{self.port}/large")

    def download_tls(self) -> float:
        return self._curl(f"https://localhost:{self.tls_port}/large")

    def download_http2(self) -> float:
        return self._curl(f"https://localhost:{self.http2_port}/large", "--http2")

    def http2(self) -> float:
        """Eight connections with ten streams each, straight to the proxy, which is in reverse mode."""
        url = f"https://127.0.0.1:{self.proxy_port}/1k"
        self.load("h2load", "-n", "400", "-c", "8", "-m", "10", url)
        text = self.load("h2load", "-D", str(self.seconds), "-c", "8", "-m", "10", url)
        if re.search(r" [1-9]\d* (failed|errored|timeout)", text) or " 0 succeeded" in text:
            sys.exit(f"h2load met errors:\n{text}")
        found = re.search(r"finished in .*?, ([\d.]+) req/s", text)
        assert found is not None, text
        return float(found[1])

    def _curl(self, url: str, *more: str) -> float:
        proxy = f"http://127.0.0.1:{self.proxy_port}"
        figures = "%{speed_download} %{size_download}"
        speeds = []
        for _ in range(DOWNLOADS):
            text = self.load("curl", "-sSk", *more, "-x", proxy, "-o", os.devnull, "-w", figures, url)
            speed, size = map(float, text.split())
            if size != DOWNLOAD:
                sys.exit(f"curl got {size:.0f} bytes of {DOWNLOAD}")
            speeds.append(speed / 1e6)
        return median(speeds)

    def websocket(self) -> float:
        url = f"ws://127.0.0.1:{self.proxy_port}/"
        return _rate(self.load(sys.executable, str(WEBSOCKET), "load", url, str(self.seconds)))

    def options(self, row: str) -> tuple[str, ...]:
        """What both programs are told for a row."""
        if row == "http2":
            return ("--mode", f"reverse:https://127.0.0.1:{self.http2_port}")
        if row == "websocket":
            return ("--mode", f"reverse:http://127.0.0.1:{self._echo_port()}")
        return ("--set", "stream_large_bodies=1m") if row.startswith("download") else ()

    def _echo_port(self) -> str:
        if self._echo is None:
            command = [sys.executable, str(WEBSOCKET), "echo"]
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, text=True, preexec_fn=lambda: os.sched_setaffinity(0, {self.load_core})
            )
            assert process.stdout is not None
            self._echo = process, process.stdout.readline().strip()
        return self._echo[1]

    def close(self) -> None:
        if self._echo is not None:
            self._echo[0].terminate()
            self._echo[0].wait()


class Proxy:
    """One of the two programs, running; a context manager."""

    def __init__(self, bench: Bench, program: str, options: tuple[str, ...]) -> None:
        self._bench = bench
        script = bench.folder / "header.py"
        script.write_text(SCRIPT)
        self._command = [
            *bench.programs[program], "-q", "-s", str(script), "-p", str(bench.proxy_port), "--listen-host",
            "127.0.0.1", "--set", f"confdir={bench.folder / program}", "--set", "ssl_insecure=true", *options,
        ]  # fmt: skip

    def __enter__(self) -> Proxy:
        core = self._bench.proxy_core
        self._child = subprocess.Popen(self._command, preexec_fn=lambda: os.sched_setaffinity(0, {core}))
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self._bench.proxy_port)) == 0:
                    return self
            time.sleep(0.05)
        sys.exit(f"{' '.join(self._command)} does not listen")

    def __exit__(self, *error: object) -> None:
        self._child.send_signal(signal.SIGINT)
        self._child.wait(30)

    def cpu(self) -> float:
        """Seconds of processor time since it started."""
        fields = Path(f"/proc/{self._child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, kind: str) -> float:
        """MB: ``VmHWM`` is the peak, ``VmRSS`` what it is now."""
        status = Path(f"/proc/{self._child.pid}/status").read_text()
        found = re.search(rf"{kind}:\s+(\d+) kB", status)
        assert found is not None
        return int(found[1]) / 1024


def compare(bench: Bench, row: str, pairs: int) -> None:
    """Both programs in turn."""
    rates: dict[str, list[Figures]] = {program: [] for program in bench.programs}
    options = bench.options(row)
    for _ in range(pairs):
        for program, figures in rates.items():
            with bench.proxy(program, *options) as proxy:
                cpu, began = proxy.cpu(), time.monotonic()
                rate = getattr(bench, row.replace("-", "_"))()
                busy = (proxy.cpu() - cpu) / (time.monotonic() - began)
                figures.append(Figures(rate, proxy.memory("VmHWM"), busy))
    ours, theirs = (median(f.rate for f in rates[program]) for program in ("flowdump", "mitmdump"))
    peaks = [max(f.peak for f in rates[program]) for program in ("flowdump", "mitmdump")]
    by_cpu = [median(f.by_cpu for f in rates[program]) for program in ("flowdump", "mitmdump")]
    bound = None if row in GROWING else LOAD
    passed = ours >= PROMISED[row] * theirs and (bound is None or peaks[0] <= bound)
    bench.passed &= passed
    print(
        f"| {row} | {ours:.0f} | {peaks[0]:.0f} | {theirs:.0f} | {peaks[1]:.0f} "
        f"| {by_cpu[0] / by_cpu[1]:.1f} | {ours / theirs:.1f} "
        f"| {PROMISED[row]:.1f} x{'' if bound is None else f', {bound:.0f} MB'} | {'PASS' if passed else 'FAIL'} |",
        flush=True,
    )


def memory(bench: Bench) -> None:
    """flowdump alone: after the start, after 20,000 requests and after 200,000."""
    with bench.proxy("flowdump") as proxy:
        start = proxy.memory("VmRSS")
        done, early = 0.0, 0.0
        while done < 200_000:
            done += bench.plain(5) * 5
            early = early or proxy.memory("VmRSS")
        late = proxy.memory("VmRSS")
    passed = start <= START and late <= LOAD and late - early <= GROWTH
    bench.passed &= passed
    print(
        f"\nmemory: {start:.0f} MB after the start (promised {START:.0f}), {early:.0f} MB after 5 s of load, "
        f"{late:.0f} MB after {done:.0f} requests: {'PASS' if passed else 'FAIL'}"
    )


def _rate(text: str) -> float:
    found = re.search(r"Requests/sec:\s+([\d.]+)", text)
    if found is None:
        sys.exit(f"no rate in:\n{text}")
    return float(found[1])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_certificate(folder: Path) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -keyout key.pem -out cert.pem"
    subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)


def main() -> int:
    names = [*PROMISED, "memory"]
    parser = argparse.ArgumentParser(description="Compare flowdump with mitmdump as a proxy.")
    parser.add_argument("--seconds", type=int, default=5, help="length of each load")
    parser.add_argument("--pairs", type=int, default=2)
    parser.add_argument("--mitmproxy-python", help="a Python that has mitmproxy")
    parser.add_argument("--rows", default=",".join(names))
    given = parser.parse_args()
    missing = [tool for tool in ("nginx", "wrk", "hey", "h2load", "curl", "openssl") if shutil.which(tool) is None]
    if missing:
        sys.exit(f"not on PATH: {', '.join(missing)}")
    try:
        python = given.mitmproxy_python or find().python
    except Unavailable as reason:
        sys.exit(str(reason))
    script = Path(sys.executable).with_name("flowdump")
    programs = {"flowdump": [str(script)], "mitmdump": [str(Path(python).with_name("mitmdump"))]}
    with tempfile.TemporaryDirectory(prefix="flowdump-bench-") as folder:
        os.chmod(folder, 0o755)  # nginx reads it as another user
        bench = Bench(Path(folder), programs, given.seconds)
        origin = bench.start_origin()
        try:
            print("| row | flowdump /s | peak MB | mitmdump /s | peak MB | by CPU | ratio | promised | |")
            print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |", flush=True)
            for row in given.rows.split(","):
                if row == "memory":
                    memory(bench)
                else:
                    compare(bench, row, given.pairs)
        finally:
            bench.close()
            origin.terminate()
            origin.wait()
    return 0 if bench.passed else 1


if __name__ == "__main__":
    sys.exit(main())
