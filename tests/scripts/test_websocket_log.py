from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.support.flows import every_kind, run_flowdump, script, websocket_flow, write_flows
from tests.support.process import Live
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve


def _lines(folder: Path, *arguments: str, flow: object) -> list[str]:
    saved = write_flows(folder / "saved", [flow])  # type: ignore[list-item]
    command = script("websocket_log.py", *arguments)
    done = run_flowdump("--flow-detail", "0", "-r", saved, "-s", command, cwd=folder, check=True)
    return done.stdout.splitlines()


def test_messages_and_the_end(tmp_path: Path) -> None:
    flow = websocket_flow('say "hi"\n', b"\x01\xff", "grün \x1b[2J \u202e")
    flow.websocket.messages[1].drop()
    assert _lines(tmp_path, flow=flow) == [
        r'wss://example.com/live > "say \"hi\"\n"',
        "wss://example.com/live < 2 bytes 01ff (dropped)",
        r'wss://example.com/live > "grün \u001b[2J \u202e"',
        "wss://example.com/live closed by client 1000",
    ]


def test_long_and_other_messages(tmp_path: Path) -> None:
    flow = websocket_flow("price: 12345", b"price", "stock", url="http://example.com:81/")
    assert _lines(tmp_path, "--match", "price", "--length", "8", flow=flow) == [
        'ws://example.com:81/ > "price: 1" …',
        "ws://example.com:81/ < 5 bytes 70726963 …",
        "ws://example.com:81/ closed by client 1000",
    ]


async def test_live() -> None:
    async def greet(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(f"hello {message!s}")

    with Live("--flow-detail", "0", "-s", script("websocket_log.py")) as proxy:
        async with serve(greet, "127.0.0.1", 0) as server:
            url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/chat"
            async with connect(url, proxy=f"http://127.0.0.1:{proxy.port}") as client:
                await client.send("anna")
                assert await client.recv() == "hello anna"
                await asyncio.to_thread(proxy.wait_for, "< ")
        assert proxy.end() == 0
        shown = [line for line in proxy.lines if line.startswith("ws://")]
        assert shown == [f'{url} > "anna"', f'{url} < "hello anna"', f"{url} closed by client 1000"]


def test_flows_of_every_kind_pass(tmp_path: Path) -> None:
    saved = write_flows(tmp_path / "saved", every_kind())
    run_flowdump("-q", "-r", saved, "-s", script("websocket_log.py"), "-w", "changed", cwd=tmp_path, check=True)
    assert (tmp_path / "changed").read_bytes() == saved.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"), [(("--match", "("), "missing )"), (("--length", "0"), "--length has to be 1 or more")]
)
def test_wrong_arguments_end_the_start(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    saved = write_flows(tmp_path / "saved", [websocket_flow()])
    done = run_flowdump("-r", saved, "-s", script("websocket_log.py", *arguments), cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
