"""Real clients and a real server, with the proxy between them; each test is skipped where its tool is missing."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.support.cli import wait_until
from tests.support.flows import environment, read_flows
from tests.support.pki import Ca
from tests.support.process import Live

PAGE = b"""<!doctype html><title>waiting</title><link rel=stylesheet href=s.css><img src=i.svg>
<script src=s.js></script><script>fetch('d.json').then(r => r.json()).then(d => document.title = d.title)</script>"""
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
events {{ worker_connections 64; }}
http {{
    types {{ text/html html; text/css css; text/javascript js; image/svg+xml svg; application/json json; }}
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
    server {{
        listen 127.0.0.1:{plain};
        listen 127.0.0.1:{secure} ssl;
        ssl_certificate {folder}/origin.pem; ssl_certificate_key {folder}/origin.pem;
        root {folder}/www;
        location /echo {{ proxy_pass http://127.0.0.1:{plain}/taken; proxy_pass_request_headers on; }}
        location /taken {{ client_max_body_size 0; return 200 "taken $content_length $http_transfer_encoding"; }}
    }}
}}
"""


class Nginx(NamedTuple):
    plain: int
    secure: int
    authority: Path


def tool(name: str) -> str:
    found = shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """A real server of the files above, over HTTP and HTTPS."""
    program = tool("nginx")
    folder = tmp_path_factory.mktemp("nginx")
    (folder / "www").mkdir()
    folder.chmod(0o755)
    for name, content in FILES.items():
        (folder / "www" / name).write_bytes(content)
    ca = Ca("origin's authority")
    ca.leaf("localhost", "127.0.0.1").write(folder / "origin.pem")
    served = Nginx(free_port(), free_port(), ca.write(folder))
    config = folder / "nginx.conf"
    text = CONFIG.format(folder=folder, plain=served.plain, secure=served.secure)
    config.write_text(text if os.getuid() == 0 else text.replace("user root;", ""))
    process = subprocess.Popen([program, "-c", config, "-e", folder / "error.log"], stderr=subprocess.DEVNULL)
    wait_until(lambda: process.poll() is not None or answers(served.plain))
    assert process.poll() is None, (folder / "error.log").read_text()
    yield served
    process.terminate()
    process.wait()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionError:
        return False
    return True


class Setup(NamedTuple):
    proxy: Live
    nginx: Nginx
    kept: Path
    authority: Path

    def curl(self, *arguments: str | Path, check: bool = True, **more: Any) -> str:
        """curl through the proxy, which trusts nobody but our authority."""
        command = [tool("curl"), "-sS", "-x", f"http://127.0.0.1:{self.proxy.port}", "--noproxy", ""]
        command += ["--max-time", "20", "--cacert", str(self.authority), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, env=environment(), timeout=60, check=False, **more)
        assert done.returncode == 0 or not check, done.stderr.decode()
        return (done.stdout if check else done.stderr).decode("latin-1")

    def flows(self) -> list[Any]:
        """Ends the proxy: what it recorded."""
        assert self.proxy.end() == 0
        return read_flows(self.kept)


@pytest.fixture
def setup(nginx: Nginx, tmp_path: Path) -> Iterator[Setup]:
    kept = tmp_path / "kept.flows"
    trust = f"ssl_verify_upstream_trusted_ca={nginx.authority}"
    with Live("-w", kept, "--set", trust) as proxy:
        path = Path(proxy.wait_for(r"trust (.*) \(http")[1])
        yield Setup(proxy, nginx, kept, path)


def test_curl_over_http_and_https(setup: Setup) -> None:
    for url in (f"http://127.0.0.1:{setup.nginx.plain}", f"https://127.0.0.1:{setup.nginx.secure}",
                f"https://localhost:{setup.nginx.secure}"):  # fmt: skip
        assert setup.curl(f"{url}/d.json").encode() == FILES["d.json"]
    flows = setup.flows()
    assert [flow.request.scheme for flow in flows] == ["http", "https", "https"]
    assert all(flow.response.content == FILES["d.json"] for flow in flows)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_curl_speaks_tls_with_the_proxy_itself(setup: Setup, host: str) -> None:
    way = ("-x", f"https://{host}:{setup.proxy.port}", "--proxy-cacert", setup.authority)
    for url in (f"http://127.0.0.1:{setup.nginx.plain}/d.json", f"https://localhost:{setup.nginx.secure}/d.json"):
        assert setup.curl(*way, url).encode() == FILES["d.json"]
    assert [flow.request.scheme for flow in setup.flows()] == ["http", "https"]


def test_curl_sees_our_authority_and_no_other(setup: Setup) -> None:
    url = f"https://localhost:{setup.nginx.secure}/"
    assert "certificate" in setup.curl("--cacert", setup.nginx.authority, url, check=False)
    setup.proxy.wait_for("TLS for localhost: the client does not trust the certificate authority of the proxy")
    https = ("-x", f"https://localhost:{setup.proxy.port}", "--proxy-cacert", setup.nginx.authority)
    assert "certificate" in setup.curl(*https, url, check=False)
    setup.proxy.wait_for("TLS for this proxy: the client does not trust the certificate authority of the proxy")


@pytest.mark.parametrize(
    "how",
    [["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"], []],
    ids=["chunked", "expect", "plain"],
)
def test_curl_uploads(setup: Setup, how: list[str]) -> None:
    body = b"0123456789abcdef" * 10_000
    reply = setup.curl(*how, "--data-binary", "@-", f"https://localhost:{setup.nginx.secure}/echo", input=body)
    assert reply.startswith("taken")
    (flow,) = setup.flows()
    assert flow.request.raw_content == body


def test_curl_resumes_a_download(setup: Setup, tmp_path: Path) -> None:
    part = tmp_path / "part.bin"
    part.write_bytes(FILES["big.bin"][:300_001])
    setup.curl("-C", "-", "-o", part, f"https://localhost:{setup.nginx.secure}/big.bin")
    assert part.read_bytes() == FILES["big.bin"]
    (flow,) = setup.flows()
    assert flow.response.status_code == 206


def test_http_client_of_python(setup: Setup) -> None:
    context = ssl.create_default_context(cafile=str(setup.authority))
    connection = http.client.HTTPSConnection("127.0.0.1", setup.proxy.port, context=context, timeout=20)
    connection.set_tunnel("localhost", setup.nginx.secure)
    for name in ("d.json", "big.bin", "s.js"):  # over one connection
        connection.request("GET", f"/{name}")
        assert connection.getresponse().read() == FILES[name]
    connection.close()
    flows = setup.flows()
    assert len({flow.client_conn.id for flow in flows}) == len({flow.server_conn.id for flow in flows}) == 1


def chromium(home: Path, proxy: Live, *arguments: str) -> str:
    """Run a headless Chromium: what it printed."""
    command = [
        tool("chromium"), "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
        f"--proxy-server=http://127.0.0.1:{proxy.port}", "--proxy-bypass-list=<-loopback>",
        f"--user-data-dir={home}/profile", "--virtual-time-budget=8000", *arguments,
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, env=environment(HOME=str(home)), timeout=90, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def trust(home: Path, authority: Path) -> None:
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    certutil = [tool("certutil"), "-d", f"sql:{database}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True, timeout=30)
    command = [*certutil, "-A", "-t", "C,,", "-n", "flowdump", "-i", str(authority)]
    subprocess.run(command, check=True, timeout=30)


def test_chromium_loads_a_page_of_several_resources(setup: Setup, tmp_path: Path) -> None:
    trust(tmp_path, setup.authority)
    page = chromium(tmp_path, setup.proxy, "--dump-dom", f"https://localhost:{setup.nginx.secure}/")
    assert "<title>all loaded</title>" in page
    flows = [flow for flow in setup.flows() if flow.request.port == setup.nginx.secure]
    assert {"/", "/s.css", "/s.js", "/i.svg", "/d.json"} <= {flow.request.path for flow in flows}
    assert not any("TLS for localhost" in line for line in setup.proxy.lines)


def test_chromium_shows_the_onboarding_page(setup: Setup, tmp_path: Path) -> None:
    page = chromium(tmp_path, setup.proxy, "--dump-dom", "http://mitm.it/")
    for platform in ("Linux", "macOS", "Windows", "iOS", "Android", "Firefox"):
        assert f"<h2>{platform}</h2>" in page
