"""Real programs for tests: nginx as an origin; curl and Chromium as clients. Tests are skipped where one is missing."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.support.cli import wait_until
from tests.support.flows import environment, read_flows
from tests.support.pki import Ca
from tests.support.ports import free_ports
from tests.support.process import PATIENCE, Live

PAGE = b"""<!doctype html><title>waiting</title><link rel=stylesheet href=s.css><img src=i.svg>
<script src=s.js></script><script>fetch('d.json').then(r => r.json()).then(d => document.title = d.title)</script>"""

#: What nginx serves.
FILES = {
    "index.html": PAGE,
    "s.css": b"body { color: #123 }",
    "s.js": b"window.loaded = true",
    "i.svg": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "d.json": b'{"title": "all loaded"}',
    "big.bin": bytes(range(256)) * 4096,
}

CONFIG = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; user root;
events {{ worker_connections 256; }}
http {{
    types {{ text/html html; text/css css; text/javascript js; image/svg+xml svg; application/json json; }}
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s; client_max_body_size 0;
    server {{
        listen 127.0.0.1:{plain}; listen 127.0.0.1:{secure} ssl;
        listen 127.0.0.1:{clear2} http2; listen 127.0.0.1:{secure2} ssl http2;
        ssl_certificate {folder}/origin.pem; ssl_certificate_key {folder}/origin.pem;
        root {folder}/www; keepalive_requests 50;
        location /echo {{ proxy_pass http://127.0.0.1:{plain}/taken; proxy_pass_request_headers on; }}
        location /taken {{ return 200 "taken $content_length $http_cookie"; }}
    }}
}}
"""


def tool(name: str) -> str:
    """Where a program is; the test is skipped where it is not installed."""
    found = shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


class Nginx(NamedTuple):
    """Ports: HTTP/1 in the clear and over TLS, HTTP/2 in the clear, HTTP/2 and 1 over TLS. And who signed for it."""

    plain: int
    secure: int
    clear2: int
    secure2: int
    authority: Path


#: How often nginx may find that somebody else has taken one of its ports.
ATTEMPTS = 5


@contextlib.contextmanager
def running_nginx(folder: Path) -> Iterator[Nginx]:
    """A server of the files above; it ends a connection after 50 requests."""
    program = tool("nginx")
    (folder / "www").mkdir()
    folder.chmod(0o755)
    for name, content in FILES.items():
        (folder / "www" / name).write_bytes(content)
    ca = Ca("origin's authority")
    ca.leaf("localhost", "127.0.0.1").write(folder / "origin.pem")
    authority = ca.write(folder)
    for _ in range(ATTEMPTS):
        served = Nginx(*free_ports(4), authority)
        process = _start_nginx(program, folder, served)
        if process.poll() is None:
            break
    else:
        raise AssertionError((folder / "error.log").read_text())
    try:
        yield served
    finally:
        process.terminate()
        process.wait()


def _start_nginx(program: str, folder: Path, ports: Nginx) -> subprocess.Popen[bytes]:
    """nginx when it listens, or when it has ended since it cannot; any other reason to end fails the test."""
    config, pid, errors = folder / "nginx.conf", folder / "nginx.pid", folder / "error.log"
    errors.write_bytes(b"")
    text = CONFIG.format(folder=folder, **ports._asdict())
    config.write_text(text if os.getuid() == 0 else text.replace("user root;", ""))
    process = subprocess.Popen([program, "-c", config, "-e", errors], stderr=subprocess.DEVNULL)
    # The file is written after the last bind(), while a connection to one of the ports may reach somebody else's.
    wait_until(lambda: process.poll() is not None or pid.exists())
    assert process.poll() is None or "Address already in use" in errors.read_text(), errors.read_text()
    return process


class Setup(NamedTuple):
    """A proxy that trusts nginx; ``authority`` is what its clients trust, ``kept`` what it records to."""

    proxy: Live
    nginx: Nginx
    kept: Path
    authority: Path

    def curl(self, *arguments: str | Path, check: bool = True, **more: Any) -> str:
        """curl through the proxy, which trusts nobody but our authority."""
        command = [tool("curl"), "-sS", "-x", f"http://127.0.0.1:{self.proxy.port}", "--noproxy", ""]
        command += ["--max-time", str(PATIENCE), "--cacert", str(self.authority), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, env=environment(), check=False, **more)
        assert done.returncode == 0 or not check, done.stderr.decode()
        return (done.stdout if check else done.stderr).decode("latin-1")

    def flows(self) -> list[Any]:
        """Ends the proxy: what it recorded."""
        assert self.proxy.end() == 0
        return read_flows(self.kept)


@contextlib.contextmanager
def in_front_of(nginx: Nginx, folder: Path) -> Iterator[Setup]:
    """A proxy of the command line that trusts nginx."""
    kept = folder / "kept.flows"
    with Live("-w", kept, "--set", f"ssl_verify_upstream_trusted_ca={nginx.authority}") as proxy:
        yield Setup(proxy, nginx, kept, Path(proxy.wait_for(r"trust (.*) \(http")[1]))


def chromium(home: Path, proxy: Live, *arguments: str) -> str:
    """Run a headless Chromium: what it printed."""
    command = [
        tool("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
        f"--proxy-server=http://127.0.0.1:{proxy.port}", "--proxy-bypass-list=<-loopback>",
        f"--user-data-dir={home}/profile", "--virtual-time-budget=8000", *arguments,
    ]  # fmt: skip
    env = environment(HOME=str(home))
    done = subprocess.run(command, capture_output=True, env=env, timeout=2 * PATIENCE, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def trust(home: Path, authority: Path) -> None:
    """Make the browsers of a home folder trust an authority."""
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    certutil = [tool("certutil"), "-d", f"sql:{database}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True, timeout=PATIENCE)
    command = [*certutil, "-A", "-t", "C,,", "-n", "flowdump", "-i", str(authority)]
    subprocess.run(command, check=True, timeout=PATIENCE)
