"""Real clients and a real server, with the proxy between them; each test is skipped where its tool is missing."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path

import pytest
from tests.support.process import PATIENCE
from tests.support.programs import FILES, Setup, chromium, trust


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
    connection = http.client.HTTPSConnection("127.0.0.1", setup.proxy.port, context=context, timeout=PATIENCE)
    connection.set_tunnel("localhost", setup.nginx.secure)
    for name in ("d.json", "big.bin", "s.js"):  # over one connection
        connection.request("GET", f"/{name}")
        assert connection.getresponse().read() == FILES[name]
    connection.close()
    flows = setup.flows()
    assert len({flow.client_conn.id for flow in flows}) == len({flow.server_conn.id for flow in flows}) == 1


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
