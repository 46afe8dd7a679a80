"""HTTP/2 between real peers: nginx as the origin; curl, h2load and Chromium as clients."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from tests.support.flows import environment
from tests.support.process import Live
from tests.support.programs import FILES, Nginx, Setup, chromium, tool, trust

VERSION = ["-w", "%{http_version}", "-o"]


def test_curl_speaks_what_the_origin_speaks(setup: Setup, nginx: Nginx, tmp_path: Path) -> None:
    body = tmp_path / "body"
    for port, option, version in (
        (nginx.secure2, "--http2", "2"),
        (nginx.secure2, "--http1.1", "1.1"),
        (nginx.secure, "--http2", "1.1"),
    ):
        assert setup.curl(option, *VERSION, body, f"https://localhost:{port}/big.bin") == version
        assert body.read_bytes() == FILES["big.bin"]
    versions = [(flow.request.http_version, flow.response.http_version) for flow in setup.flows()]
    assert versions == [("HTTP/2.0", "HTTP/2.0"), ("HTTP/1.1", "HTTP/1.1"), ("HTTP/1.1", "HTTP/1.1")]


def test_curl_with_prior_knowledge_in_a_tunnel(setup: Setup, nginx: Nginx, tmp_path: Path) -> None:
    body = tmp_path / "body"
    url = f"http://localhost:{nginx.clear2}/big.bin"
    assert setup.curl("-p", "--http2-prior-knowledge", *VERSION, body, url) == "2"
    assert body.read_bytes() == FILES["big.bin"]
    (flow,) = setup.flows()
    assert (flow.request.scheme, flow.request.http_version, flow.server_conn.tls) == ("http", "HTTP/2.0", False)


def test_an_origin_of_http1_in_a_tunnel_with_prior_knowledge(setup: Setup, nginx: Nginx) -> None:
    reply = setup.curl("-p", "--http2-prior-knowledge", f"http://localhost:{nginx.plain}/d.json")
    assert reply.encode() == FILES["d.json"]
    (flow,) = setup.flows()
    assert (flow.request.http_version, flow.response.http_version) == ("HTTP/2.0", "HTTP/1.1")


@pytest.mark.parametrize("size", [0, 5, 3_000_000])
def test_curl_uploads(setup: Setup, nginx: Nginx, size: int) -> None:
    body = b"0123456789" * (size // 10) + b"x" * (size % 10)
    url = f"https://localhost:{nginx.secure2}/echo"
    reply = setup.curl("--http2", "-b", "a=1; b=2", "--data-binary", "@-", url, input=body)
    assert reply == f"taken {size} a=1; b=2"
    (flow,) = setup.flows()
    assert flow.request.raw_content == body
    assert flow.request.cookies["b"] == "2"


def test_many_streams_of_one_curl_and_an_origin_that_says_goaway(setup: Setup, nginx: Nginx, tmp_path: Path) -> None:
    """nginx ends a connection after 50 requests; nobody notices."""
    url = f"https://localhost:{nginx.secure2}/d.json?[1-200]"
    setup.curl("--http2", "-Z", "--parallel-max", "20", "-o", tmp_path / "#1", url)
    assert all((tmp_path / str(n)).read_bytes() == FILES["d.json"] for n in range(1, 201))
    flows = setup.flows()
    assert len(flows) == 200
    assert [flow.error for flow in flows] == [None] * 200
    assert len({flow.server_conn.id for flow in flows}) >= 4


def test_h2load_in_reverse_mode(nginx: Nginx, tmp_path: Path) -> None:
    trusting = f"ssl_verify_upstream_trusted_ca={nginx.authority}"
    mode = f"reverse:https://localhost:{nginx.secure2}"
    with Live("--mode", mode, "--set", trusting) as proxy:
        command = [tool("h2load"), "-n", "1000", "-c", "4", "-m", "20", f"https://127.0.0.1:{proxy.port}/s.css"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment(), check=True)
        assert re.search(r"1000 succeeded, 0 failed, 0 errored, 0 timeout", done.stdout), done.stdout
        assert re.search(r"Application protocol: h2", done.stdout), done.stdout


def test_chromium_loads_a_page_over_http2(setup: Setup, nginx: Nginx, tmp_path: Path) -> None:
    trust(tmp_path, setup.authority)
    page = chromium(tmp_path, setup.proxy, "--dump-dom", f"https://localhost:{nginx.secure2}/")
    assert "<title>all loaded</title>" in page
    flows = [flow for flow in setup.flows() if flow.request.port == nginx.secure2 and flow.error is None]
    assert {"/", "/s.css", "/s.js", "/i.svg", "/d.json"} <= {flow.request.path for flow in flows}
    assert {flow.request.http_version for flow in flows} == {"HTTP/2.0"}
    assert not any("TLS for localhost" in line for line in setup.proxy.lines)
