"""``script_errors=kill``: a flow whose handler raised goes nowhere."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.cli import URLS, urls, work_in
from tests.support.flows import run_flowdump
from tests.support.live import origin, shared_confdir

import flowdump

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecret"
RAISES = "def {event}(flow):\n    if '/fine' not in flow.request.path:\n        raise ValueError('no')\n"
AWAITS = "import asyncio\nasync def {event}(flow):\n    await asyncio.sleep(0)\n    raise ValueError('no')\n"


@pytest.mark.parametrize("handler", ["def", "async def"])
def test_saved_flows_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handler: str) -> None:
    work_in(tmp_path, monkeypatch)
    Path("s.py").write_text(f"{handler} response(flow):\n    if flow.request.path == '/b': raise ValueError('no')\n")
    for option, left in (("log", URLS), ("kill", [URLS[0], URLS[2]])):
        done = run_flowdump("-n", "-r", "saved", "-w", option, "-s", "s.py", "--set", f"script_errors={option}")
        assert done.returncode == 4
        assert urls(option) == left
        assert ("left out" in done.stderr) is (option == "kill")


async def _get(proxy: Any, url: str) -> bytes:
    reader, writer = await asyncio.open_connection(*proxy.address)
    writer.write(f"GET {url} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()
        await asyncio.gather(writer.wait_closed(), return_exceptions=True)


@pytest.mark.parametrize("text", [RAISES, AWAITS], ids=["plain", "async"])
@pytest.mark.parametrize(
    ("event", "answer"),
    [
        pytest.param("requestheaders", b"HTTP/1.1 502 ", id="requestheaders"),
        pytest.param("request", b"HTTP/1.1 502 ", id="request"),
        pytest.param("responseheaders", b"", id="responseheaders"),
        pytest.param("response", b"HTTP/1.1 502 ", id="response"),
    ],
)
async def test_a_live_flow_is_answered_or_cut(tmp_path: Path, event: str, answer: bytes, text: str) -> None:
    script = tmp_path / "s.py"
    script.write_text(text.format(event=event))

    proxy = flowdump.Proxy(
        confdir=str(shared_confdir()), scripts=[str(script)], script_errors="kill", termlog_verbosity="error"
    )
    async with origin(OK) as server, proxy:
        got = await _get(proxy, f"http://127.0.0.1:{server.port}/")
        assert got.startswith(answer)
        assert b"secret" not in got
        assert bool(got) is bool(answer)
        if text is RAISES:
            assert (await _get(proxy, f"http://127.0.0.1:{server.port}/fine")).endswith(b"secret")


async def test_a_streamed_answer_is_cut(tmp_path: Path) -> None:
    script = tmp_path / "s.py"
    script.write_text("def responseheaders(flow):\n    flow.response.stream = True\n" + RAISES.format(event="response"))

    proxy = flowdump.Proxy(
        confdir=str(shared_confdir()), scripts=[str(script)], script_errors="kill", termlog_verbosity="error"
    )
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nstream\r\n0\r\n\r\n"
    async with origin(chunked) as server, proxy:
        got = await _get(proxy, f"http://127.0.0.1:{server.port}/")
        assert not got.endswith(b"0\r\n\r\n"), "a complete answer"
