"""The ``websockets`` package on both ends, with the proxy between them: ws and wss, with compression and without."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.interop.conftest import Flowdump
from tests.support.asynchronous import PATIENCE
from tests.support.flows import read_flows
from tests.support.interception import trusting
from tests.support.live import Running, running
from tests.support.mitmproxy import Mitmproxy
from tests.support.pki import Ca
from tests.support.process import Live
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory

from flowdump.http import HTTPFlow

#: What both ends are told about permessage-deflate; None for nothing.
DEFLATES: dict[str, dict[str, Any] | None] = {
    "plain": None,
    "deflate": {},
    "no context of the client": {"client_no_context_takeover": True},
    "no context of the server": {"server_no_context_takeover": True},
    "no context": {"client_no_context_takeover": True, "server_no_context_takeover": True},
    "small windows": {"client_max_window_bits": 9, "server_max_window_bits": 9},
}


def extensions(factory: Any, settings: dict[str, Any] | None) -> dict[str, Any]:
    return {"compression": None, "extensions": [] if settings is None else [factory(**settings)]}


async def echo(connection: ServerConnection) -> None:
    try:
        async for message in connection:
            await connection.send(message)
    except ConnectionClosedError:
        return


class Setup(NamedTuple):
    """A proxy, and a client whose connection to a server goes through it."""

    proxy: Running
    client: ClientConnection


@asynccontextmanager
async def joined(
    folder: Path, *addons: Any, secure: bool = False, settings: dict[str, Any] | None = None, handler: Any = echo,
    **options: Any,
) -> AsyncIterator[Setup]:  # fmt: skip
    context: ssl.SSLContext | None = None
    if secure:
        ca = Ca()
        context = ca.leaf("localhost", "127.0.0.1").server_context(folder / "server.pem")
        options["ssl_verify_upstream_trusted_ca"] = str(ca.write(folder))
    async with (
        serve(
            handler, "127.0.0.1", 0, ssl=context, max_size=None, **extensions(ServerPerMessageDeflateFactory, settings)
        ) as server,
        running(*addons, **options) as proxy,
    ):
        port = server.sockets[0].getsockname()[1]
        async with connect(
            f"{'wss' if secure else 'ws'}://127.0.0.1:{port}/chat",
            proxy=f"http://127.0.0.1:{proxy.port}",
            ssl=trusting() if secure else None,
            max_size=None,
            **extensions(ClientPerMessageDeflateFactory, settings),
        ) as client:
            agreed = client.response is not None and "Sec-WebSocket-Extensions" in client.response.headers
            assert agreed == (settings is not None)
            yield Setup(proxy, client)


def contents(flow: HTTPFlow) -> list[tuple[bool, bytes]]:
    assert flow.websocket is not None
    return [(message.from_client, message.content) for message in flow.websocket.messages]


class Edit:
    """Changes some messages, drops others."""

    def websocket_message(self, flow: HTTPFlow) -> None:
        assert flow.websocket is not None
        message = flow.websocket.messages[-1]
        if message.from_client and message.content.startswith(b"drop"):
            message.drop()
        message.content = message.content.replace(b"secret", b"public")


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("settings", DEFLATES.values(), ids=DEFLATES)
async def test_a_conversation(tmp_path: Path, settings: dict[str, Any] | None, secure: bool, streamed: bool) -> None:
    random.seed(1)
    messages: list[str | bytes | list[str]] = [
        "grün",
        "",
        b"",
        "again and again " * 100,
        "again and again " * 100,
        random.randbytes(100_000),
        ["frag", "ment", "s grün"],
        "x" * 3_000_000,
        bytes(range(256)),
    ]

    async with joined(tmp_path, secure=secure, settings=settings, stream_websockets=streamed) as (proxy, client):
        whole = ["".join(m) if isinstance(m, list) else m for m in messages]
        for message, expected in zip(messages, whole, strict=True):
            await client.send(message)
            assert await client.recv() == expected
        await (await client.ping(b"are you there"))
        await client.close(1000, "thanks")
        await proxy.wait_for_flows()
        flow = proxy.flow
        raw = [m.encode() if isinstance(m, str) else m for m in whole]
        assert contents(flow) == [(is_client, content) for content in raw for is_client in (True, False)]
        assert flow.websocket is not None
        assert (flow.websocket.closed_by_client, flow.websocket.close_code) == (True, 1000)
        assert flow.websocket.close_reason == "thanks"
        assert flow.error is None
        assert not proxy.log


@pytest.mark.parametrize("settings", DEFLATES.values(), ids=DEFLATES)
async def test_edits_and_drops_in_the_middle(tmp_path: Path, settings: dict[str, Any] | None) -> None:
    async with joined(tmp_path, Edit(), settings=settings) as (proxy, client):
        for n in range(30):
            text = f"message {n}: nothing special, nothing special, nothing special"
            if n % 7 == 3:
                await client.send(f"drop {text}")
            await client.send(f"{text} secret" if n % 5 == 4 else text)
            assert await client.recv() == (f"{text} public" if n % 5 == 4 else text)
        await client.send(["a se", "cret"])
        assert await client.recv() == "a public"
        await client.close()
        await proxy.wait_for_flows()
        assert proxy.flow.websocket is not None
        assert sum(message.dropped for message in proxy.flow.websocket.messages) == 4


@pytest.mark.parametrize("settings", [None, {}], ids=["plain", "deflate"])
async def test_injection(tmp_path: Path, settings: dict[str, Any] | None) -> None:
    class Inject:
        def websocket_message(self, flow: HTTPFlow) -> None:
            assert flow.websocket is not None
            message = flow.websocket.messages[-1]
            if message.from_client and message.content == b"inject":
                flow.live.inject_websocket(flow, False, b"injected", is_text=False)

    async with joined(tmp_path, Inject(), settings=settings) as (proxy, client):
        await client.send("inject")
        assert await client.recv() == "inject"
        assert await client.recv() == b"injected"
        await client.send("go on")
        assert await client.recv() == "go on"
        await client.close()
        await proxy.wait_for_flows()
        assert proxy.flow.websocket is not None
        assert [message.injected for message in proxy.flow.websocket.messages].count(True) == 1


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 3000, 4999])
async def test_the_server_closes(tmp_path: Path, code: int) -> None:
    async def bye(connection: ServerConnection) -> None:
        await connection.close(code, "grüße")

    async with joined(tmp_path, handler=bye) as (proxy, client):
        with pytest.raises((ConnectionClosedOK, ConnectionClosedError)):
            await client.recv()
        assert (client.close_code, client.close_reason) == (code, "grüße")
        await proxy.wait_for_flows()
        websocket = proxy.flow.websocket
        assert websocket is not None
        assert (websocket.closed_by_client, websocket.close_code, websocket.close_reason) == (False, code, "grüße")


async def test_a_server_that_dies_is_1006_for_the_client(tmp_path: Path) -> None:
    async def die(connection: ServerConnection) -> None:
        connection.transport.abort()

    async with joined(tmp_path, handler=die) as (proxy, client):
        with pytest.raises(ConnectionClosedError):
            await client.recv()
        assert client.close_code == 1006
        await proxy.wait_for_flows()
        assert proxy.flow.websocket is not None
        assert (proxy.flow.websocket.closed_by_client, proxy.flow.websocket.close_code) == (False, 1006)


async def test_a_message_above_the_limit_is_1009_for_the_client(tmp_path: Path) -> None:
    async with joined(tmp_path, settings={}, websocket_message_limit="1m") as (proxy, client):
        await client.send("x" * (2 << 20))
        with pytest.raises(ConnectionClosedError):
            await client.recv()
        assert client.close_code == 1009
        await proxy.wait_for_flows()
        assert proxy.flow.error is not None
        assert "1048576" in proxy.flow.error.msg


async def test_both_ends_talk_at_once(tmp_path: Path) -> None:
    """A server that sends while it does not read, and a client that does the same, must not block each other."""
    count, size = 200, 50_000

    async def talk(connection: ServerConnection | ClientConnection) -> int:
        async def send() -> None:
            for _ in range(count):
                await connection.send(bytes(size))

        sending = asyncio.create_task(send())
        received = sum([len(await connection.recv()) for _ in range(count)])
        await sending
        return received

    async with joined(tmp_path, Edit(), handler=talk) as (proxy, client):
        assert await talk(client) == count * size
        await client.close()
        await proxy.wait_for_flows()
        assert len(contents(proxy.flow)) == 2 * count


def test_what_a_whole_run_writes(tmp_path: Path, flowdump: Flowdump) -> None:
    """The flow file, the HAR and the display of the real program, ended while the connection is open."""
    kept, har, script = tmp_path / "kept", tmp_path / "kept.har", tmp_path / "edit.py"
    script.write_text(
        "def websocket_message(flow):\n"
        "    message = flow.websocket.messages[-1]\n"
        "    message.content = message.content.replace(b'secret', b'public')\n"
        "    if message.content == b'drop':\n"
        "        message.drop()\n"
    )

    async def scenario(port: int, end: Any) -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            origin = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{origin}/chat", proxy=f"http://127.0.0.1:{port}") as client:
                await client.send("a secret")
                assert await client.recv() == "a public"
                await client.send("drop")
                await client.send(b"\xff\x00")
                assert await client.recv() == b"\xff\x00"
                ended = asyncio.create_task(asyncio.to_thread(end))
                with pytest.raises(ConnectionClosedOK):  # 1001
                    await client.recv()
                assert (client.close_code, client.close_reason) == (1001, "the proxy is shutting down")
                assert await ended == 0

    with Live("-s", script, "-w", kept, "--set", f"hardump={har}") as proxy:
        asyncio.run(scenario(proxy.port, proxy.end))
        assert any("101 websocket 5 messages" in line for line in proxy.lines), proxy.lines
    (flow,) = read_flows(kept)
    assert contents(flow) == [
        (True, b"a public"), (False, b"a public"), (True, b"drop"), (True, b"\xff\x00"), (False, b"\xff\x00"),
    ]  # fmt: skip
    assert [message.dropped for message in flow.websocket.messages] == [False, False, True, False, False]
    assert (flow.websocket.close_code, flow.websocket.closed_by_client) == (1001, None)
    (entry,) = json.loads(har.read_text())["log"]["entries"]
    assert [m["data"] for m in entry["_webSocketMessages"]] == ["a public", "a public", "drop", "/wA=", "/wA="]
    assert "closed: 1001 the proxy is shutting down" in flowdump("-r", kept, "--flow-detail", "2")


#: The forms in which scripts for mitmproxy inject messages: after another one, and from a task of their own. And the
#: one of the README.
INJECTING = {
    "readme": """
from flowdump import ctx

def websocket_message(flow):
    message = flow.websocket.messages[-1]
    if message.from_client:
        message.drop()
        ctx.master.commands.call("inject.websocket", flow, True, b"injected")
""",
    "an answer": """
from mitmproxy import ctx, http

def websocket_message(flow: http.HTTPFlow):
    message = flow.websocket.messages[-1]
    if not message.injected:
        ctx.master.commands.call("inject.websocket", flow, message.from_client, b"injected")
""",
    "a task": """
import asyncio
from mitmproxy import ctx

async def inject(flow):
    while flow.websocket.timestamp_end is None:
        ctx.master.commands.call("inject.websocket", flow, True, b"injected")
        await asyncio.sleep(0.05)

class Injector:
    def websocket_start(self, flow):
        self.task = asyncio.create_task(inject(flow))

addons = [Injector()]
""",
}


@pytest.mark.parametrize("script", INJECTING.values(), ids=INJECTING)
def test_scripts_for_mitmproxy_inject(tmp_path: Path, script: str) -> None:
    path = tmp_path / "inject.py"
    path.write_text(script)

    async def quiet(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async def scenario(port: int) -> None:
        async with serve(quiet, "127.0.0.1", 0) as server:
            origin = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{origin}/chat", proxy=f"http://127.0.0.1:{port}") as client:
                await client.send("text")
                async with asyncio.timeout(PATIENCE):
                    assert await client.recv() == "injected"

    with Live("-s", path) as proxy:
        asyncio.run(scenario(proxy.port))
        proxy.wait_for("101 websocket")
        assert proxy.end() == 0
        assert not any("Traceback" in line for line in proxy.lines)


def test_a_real_mitmproxy_reads_what_was_recorded(tmp_path: Path, mitmproxy: Mitmproxy) -> None:
    kept, again = tmp_path / "kept", tmp_path / "again"

    async def scenario(port: int) -> None:
        async with serve(echo, "127.0.0.1", 0) as server:
            origin = server.sockets[0].getsockname()[1]
            async with connect(f"ws://127.0.0.1:{origin}/chat", proxy=f"http://127.0.0.1:{port}") as client:
                await client.send("text")
                await client.recv()

    with Live("-w", kept) as proxy:
        asyncio.run(scenario(proxy.port))
        assert proxy.end() == 0
    mitmproxy.mitmdump("-nr", kept, "-w", again, confdir=tmp_path)
    (flow,) = read_flows(again)
    assert contents(flow) == [(True, b"text"), (False, b"text")]
    assert (flow.websocket.close_code, flow.websocket.closed_by_client) == (1000, True)
