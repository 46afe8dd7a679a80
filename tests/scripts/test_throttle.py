from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from scripts.throttle import Throttle
from tests.support.flows import every_kind, http_flow, read_flows, run_flowdump, script, write_flows
from tests.support.live import origin
from tests.support.process import Live
from tests.support.scripts import ask, unchunked

from flowdump import filters

#: Clocks of two processes and of sleeping differ a little.
SLACK = 0.9


def page(size: int) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (size, b"x" * size)


async def test_responses_share_the_rate() -> None:
    size, rate = 10_000, 40 * 1024

    with Live("-s", script("throttle.py", "40k")) as proxy:
        async with origin(page(size)) as server:
            url = f"http://127.0.0.1:{server.port}/"
            await ask(proxy, url, method="HEAD")
            begun = time.monotonic()
            answers = await asyncio.gather(ask(proxy, url), ask(proxy, url))
            assert time.monotonic() - begun >= 2 * size / rate * SLACK
        for answer in answers:
            assert unchunked(answer.partition(b"\r\n\r\n")[2]) == b"x" * size


async def test_delays_overlap() -> None:
    """Twenty requests that each wait for 1.5 seconds take that, not thirty."""

    with Live("-s", script("throttle.py", "0", "--delay", "1500")) as proxy:
        async with origin() as server:
            begun = time.monotonic()
            answers = await asyncio.gather(*[ask(proxy, f"http://127.0.0.1:{server.port}/") for _ in range(20)])
            took = time.monotonic() - begun
        assert all(answer.endswith(b"hi") for answer in answers)
        assert 1.5 * SLACK <= took < 20 * 1.5 * SLACK


async def test_other_requests_go_on() -> None:
    with Live("-s", script("throttle.py", "1", "--delay", "600000", "--filter", "~u slow")) as proxy:
        async with origin(page(5000)) as server:
            waiting = asyncio.create_task(ask(proxy, f"http://127.0.0.1:{server.port}/slow"))
            answer = await ask(proxy, f"http://127.0.0.1:{server.port}/fast")
            assert answer.endswith(b"\r\n\r\n" + b"x" * 5000)
            assert not waiting.done()
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)


async def test_the_line_is_reserved_in_turn() -> None:
    throttle = Throttle(1000, 0, filters.match_all)
    begun = time.monotonic()
    await asyncio.gather(*[throttle.turn(50) for _ in range(4)])
    assert time.monotonic() - begun >= 0.2 * SLACK


def test_saved_flows_pass_at_once(tmp_path: Path) -> None:
    saved = write_flows(tmp_path / "saved", every_kind())
    command = script("throttle.py", "1", "--delay", "600000")
    run_flowdump("-q", "-r", saved, "-s", command, "-w", "changed", cwd=tmp_path, check=True)
    assert (tmp_path / "changed").read_bytes() == saved.read_bytes()
    assert len(read_flows(saved)) > 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fast",), "'fast' is not a rate such as 50k, 1m or 0"),
        (("-1",), "-1"),
        (("k",), "'k' is not a rate"),
        (("1k", "--delay", "soon"), "'soon' is not a number of milliseconds"),
        (("1k", "--filter", "~nothing"), "~nothing"),
    ],
)
def test_wrong_arguments_end_the_start(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    saved = write_flows(tmp_path / "saved", [http_flow()])
    done = run_flowdump("-r", saved, "-s", script("throttle.py", *arguments), cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
