from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.flows import every_kind, http_flow, read_flows, response, run_flowdump, script, write_flows
from tests.support.live import origin
from tests.support.process import Live
from tests.support.scripts import ask

LIST = "# ads\n0.0.0.0 ads.example.com\n\nTracker.example.NET  # and all below\n"


async def test_a_request_is_refused_before_it_reaches_the_origin() -> None:
    with Live("-s", script("block.py", "~u /track", "~m DELETE", "--status", "451")) as proxy:
        async with origin() as server:
            url = f"http://127.0.0.1:{server.port}"
            answer = await ask(proxy, f"{url}/track")
            assert answer.startswith(b"HTTP/1.1 451 ")
            assert answer.endswith(b"127.0.0.1 is blocked here.\n")
            assert (await ask(proxy, f"{url}/", method="DELETE")).startswith(b"HTTP/1.1 451 ")
            assert server.requests == []
            assert (await ask(proxy, f"{url}/")).endswith(b"hi")
        assert proxy.end() == 0
        assert proxy.lines[-1].endswith("blocked: 127.0.0.1 2")


async def test_kill_closes_the_connection() -> None:
    with Live("-s", script("block.py", "~all", "--kill")) as proxy:
        async with origin() as server:
            assert await ask(proxy, f"http://127.0.0.1:{server.port}/") == b""
            assert server.requests == []


@pytest.mark.parametrize(
    ("host", "refused"),
    [
        ("ads.example.com", True),
        ("ADS.example.com", True),
        ("ads.example.com.", True),
        ("a.b.tracker.example.net", True),
        ("example.com", False),
        ("myads.example.com", False),
    ],
)
def test_tunnels_to_listed_hosts_are_refused(tmp_path: Path, host: str, refused: bool) -> None:
    (tmp_path / "list").write_text(LIST)
    saved = write_flows(tmp_path / "saved", [http_flow(f"https://{host}/", response(200, b"recorded"))])
    command = script("block.py", "--hosts", str(tmp_path / "list"))
    run_flowdump("-q", "-r", saved, "-s", command, "-w", "changed", cwd=tmp_path, check=True)
    (flow,) = read_flows(tmp_path / "changed")
    assert flow.response.status_code == (403 if refused else 200)
    if not refused:
        assert (tmp_path / "changed").read_bytes() == saved.read_bytes()


async def test_connect_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list").write_text(LIST)

    with Live("-s", script("block.py", "--hosts", str(tmp_path / "list"))) as proxy:
        answer = await ask(proxy, "ads.example.com:443", method="CONNECT")
        assert answer.startswith(b"HTTP/1.1 403 ")


def test_an_answer_without_a_body(tmp_path: Path) -> None:
    saved = write_flows(tmp_path / "saved", [http_flow()])
    command = script("block.py", "~all", "--status", "204")
    run_flowdump("-q", "-r", saved, "-s", command, "-w", "changed", cwd=tmp_path, check=True)
    (flow,) = read_flows(tmp_path / "changed")
    assert (flow.response.status_code, flow.response.content) == (204, b"")


@pytest.mark.parametrize("more", [(), ("--kill",)])
def test_flows_of_every_kind_pass(tmp_path: Path, more: tuple[str, ...]) -> None:
    flows = every_kind()
    saved = write_flows(tmp_path / "saved", flows)
    run_flowdump("-q", "-r", saved, "-s", script("block.py", "~all", *more), "-w", "changed", cwd=tmp_path, check=True)
    changed = read_flows(tmp_path / "changed")
    assert [flow.id for flow in changed] == [flow.id for flow in flows]
    assert ((tmp_path / "changed").read_bytes() == saved.read_bytes()) == bool(more)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "there is nothing to refuse"),
        (("~nothing",), "~nothing"),
        (("~all", "--status", "100"), "'100' is not a status from 200 to 599"),
        (("--hosts", "nowhere"), "cannot read 'nowhere'"),
    ],
)
def test_wrong_arguments_end_the_start(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    saved = write_flows(tmp_path / "saved", [http_flow()])
    done = run_flowdump("-r", saved, "-s", script("block.py", *arguments), cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
