"""Scripts of each generation on a live proxy: connections, answers, kills, streams, WebSocket messages."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from tests.support.asynchronous import run
from tests.support.live import Origin, Running, origin, running
from tests.support.websocket import wires

from flowdump import compat, ctx
from flowdump.options import Options
from flowdump.runtime.log import EventLog
from flowdump.runtime.master import Master
from flowdump.scripting.script import Script

Scenario = Callable[[Running, Origin, Script], Coroutine[Any, Any, None]]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfoo\r\n4\r\nfoob\r\n0\r\n\r\n"


def play(folder: Path, text: str, scenario: Scenario, *replies: Any) -> None:
    """Run a scenario with a script on a proxy."""
    path = folder / "script.py"
    path.write_text(textwrap.dedent(text))
    errors: list[str] = []

    async def whole() -> None:
        log = EventLog(verbosity="error")
        ctx.master, ctx.log = Master(Options(), log), log
        compat.install()
        try:
            script = Script(str(path), errors.append)
            script.load()
            async with origin(*replies) as server, running(*script.addons) as proxy:
                proxy.master.find_loop()
                await scenario(proxy, server, script)
        finally:
            compat.uninstall()

    run(whole())
    assert errors == []


def get(port: int, path: str = "/") -> bytes:
    return b"GET http://127.0.0.1:%d%b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % (port, path.encode())


EVENTS = {
    "first": """
        heard = []

        def clientconnect(context, conn):
            heard.append("clientconnect %s" % conn.peername[0])

        def serverconnect(context, server_conn):
            heard.append("serverconnect %s" % server_conn.address[0])

        def request(context, flow):
            heard.append("request %s" % flow.request.pretty_host())

        def responseheaders(context, flow):
            heard.append("responseheaders %d" % flow.response.code)

        def response(context, flow):
            heard.append("response %s" % flow.response.body)
            flow.response.headers["newheader"] = ["foo"]

        def serverdisconnect(context, server_conn):
            heard.append("serverdisconnect")

        def clientdisconnect(context, conn):
            heard.append("clientdisconnect")
        """,
    "second": """
        heard = []

        def clientconnect(root_layer):
            heard.append("clientconnect %s" % root_layer.client_conn.peername[0])

        def serverconnect(server_conn):
            heard.append("serverconnect %s" % server_conn.address[0])

        def request(flow):
            heard.append("request %s" % flow.request.pretty_host)

        def responseheaders(flow):
            heard.append("responseheaders %d" % flow.response.status_code)

        def response(flow):
            heard.append("response %s" % flow.response.content)
            flow.response.headers["newheader"] = "foo"

        def serverdisconnect(server_conn):
            heard.append("serverdisconnect")

        def clientdisconnect(root_layer):
            heard.append("clientdisconnect")
        """,
    "modern": """
        heard = []

        def client_connected(client):
            heard.append("clientconnect %s" % client.peername[0])

        def server_connect(data):
            heard.append("serverconnect %s" % data.server.address[0])

        async def request(flow):
            heard.append("request %s" % flow.request.pretty_host)

        def responseheaders(flow):
            heard.append("responseheaders %d" % flow.response.status_code)

        def response(flow):
            heard.append("response %s" % flow.response.content)
            flow.response.headers["newheader"] = "foo"

        def server_disconnected(data):
            heard.append("serverdisconnect")

        def client_disconnected(client):
            heard.append("clientdisconnect")
        """,
}


@pytest.mark.parametrize("generation", EVENTS)
def test_every_generation_hears_the_same(generation: str, tmp_path: Path) -> None:
    heard: list[str] = []

    async def scenario(proxy: Running, server: Origin, script: Script) -> None:
        reply = await proxy.send(get(server.port))
        assert b"newheader: foo\r\n" in reply
        heard.extend(script.module.heard)  # type: ignore[union-attr]

    play(tmp_path, EVENTS[generation], scenario)
    assert heard[:5] == [
        "clientconnect 127.0.0.1",
        "request 127.0.0.1",
        "serverconnect 127.0.0.1",
        "responseheaders 200",
        "response b'hi'",
    ]
    assert {"serverdisconnect", "clientdisconnect"} >= set(heard[5:])


ANSWERS = {
    "first": """
        from libmproxy.protocol.http import HTTPResponse
        from netlib.odict import ODictCaseless

        def request(context, flow):
            headers = ODictCaseless([["Content-Type", "text/html"]])
            flow.reply(HTTPResponse([1, 1], 418, "Teapot", headers, b"short"))
        """,
    "second": """
        from mitmproxy import http

        def request(flow):
            flow.response = http.HTTPResponse.make(418, b"short", {"Content-Type": "text/html"})
        """,
    "modern": """
        from mitmproxy import http

        def request(flow: http.HTTPFlow) -> None:
            flow.response = http.Response.make(418, "short", {"Content-Type": "text/html"})
        """,
}


@pytest.mark.parametrize("generation", ANSWERS)
def test_an_answer_of_the_script(generation: str, tmp_path: Path) -> None:
    async def scenario(proxy: Running, server: Origin, script: Script) -> None:
        reply = await proxy.send(get(server.port))
        assert reply.startswith(b"HTTP/1.1 418 ")
        assert reply.endswith(b"short")
        assert server.requests == []

    play(tmp_path, ANSWERS[generation], scenario)


KILLS = {
    "first": "def request(context, flow):\n    context.kill_flow(flow)\n",
    "first reply": "def request(context, flow):\n    flow.reply.kill()\n",
    "second": "from mitmproxy import ctx\n\ndef request(flow):\n    flow.kill(ctx.master)\n",
    "modern": "def request(flow):\n    flow.kill()\n",
    "thread": """
        import threading

        def request(flow):
            flow.intercept()
            threading.Thread(target=flow.kill).start()
        """,
}


@pytest.mark.parametrize("generation", KILLS)
def test_a_flow_is_killed(generation: str, tmp_path: Path) -> None:
    async def scenario(proxy: Running, server: Origin, script: Script) -> None:
        assert await proxy.send(get(server.port)) == b""
        await proxy.wait_for_flows()
        assert str(proxy.flow.error) == "Connection killed."
        assert server.requests == []

    play(tmp_path, KILLS[generation], scenario)


STREAMS = {
    "true": "def responseheaders(context, flow):\n    flow.response.stream = True\n",
    "older callable": """
        def modify(chunks):
            \"\"\"
            chunks is a generator that can be used to iterate over all chunks.
            \"\"\"
            for chunk in chunks:
                yield chunk.replace(b"foo", b"bar")

        def responseheaders(flow):
            flow.response.stream = modify
        """,
    "callable": """
        def responseheaders(flow):
            flow.response.stream = lambda data: data.replace(b"foo", b"bar")
        """,
}


@pytest.mark.parametrize("form", STREAMS)
def test_streaming(form: str, tmp_path: Path) -> None:
    async def scenario(proxy: Running, server: Origin, script: Script) -> None:
        reply = await proxy.send(get(server.port))
        word = b"foo" if form == "true" else b"bar"
        assert reply.endswith(b"\r\n\r\n3\r\n%b\r\n4\r\n%bb\r\n0\r\n\r\n" % (word, word))
        await proxy.wait_for_flows()
        assert proxy.flow.response is not None
        assert proxy.flow.response.raw_content is None

    play(tmp_path, STREAMS[form], scenario, CHUNKED)


def test_intercepting_in_a_handler_and_resuming_from_a_thread(tmp_path: Path) -> None:
    text = """
        import threading

        def request(flow):
            flow.intercept()
            flow.metadata["held"] = flow.intercepted
            threading.Timer(0.01, flow.resume).start()
        """

    async def scenario(proxy: Running, server: Origin, script: Script) -> None:
        assert (await proxy.send(get(server.port))).endswith(b"hi")
        assert proxy.flow.metadata["held"] is True

    play(tmp_path, text, scenario)


def test_waiting_for_a_resume(tmp_path: Path) -> None:
    text = """
        import asyncio

        async def request(flow):
            await flow.wait_for_resume()
            flow.intercept()
            asyncio.get_running_loop().call_soon(flow.resume)
            await flow.wait_for_resume()
            flow.comment = "resumed"
        """

    async def scenario(proxy: Running, server: Origin, script: Script) -> None:
        assert (await proxy.send(get(server.port))).endswith(b"hi")
        assert proxy.flow.comment == "resumed"

    play(tmp_path, text, scenario)


def test_errors_are_heard(tmp_path: Path) -> None:
    text = "heard = []\n\ndef error(context, flow):\n    heard.append(flow.error.msg)\n"

    async def gone(reader: Any, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def scenario(proxy: Running, server: Origin, script: Script) -> None:
        assert (await proxy.send(get(server.port))).startswith(b"HTTP/1.1 502 ")
        assert len(script.module.heard) == 1  # type: ignore[union-attr]

    play(tmp_path, text, scenario, gone)


WEBSOCKET = """
import re

heard = []

def websocket_handshake(flow):
    heard.append("handshake %s" % flow.request.path)

def websocket_start(flow):
    heard.append("start %d" % len(flow.messages))

def websocket_message(flow):
    message = flow.messages[-1]
    message.content = re.sub(r"^Hello", "HAPPY", message.content)
    if "FOOBAR" in message.content:
        message.kill()

def websocket_end(flow):
    heard.append("end %d %s" % (flow.close_code, flow.close_sender))
"""


def test_websockets_of_the_second_generation(tmp_path: Path) -> None:
    async def scenario(proxy: Running, server: Origin, script: Script) -> None:
        async with wires(proxy) as (client, upstream):
            for text in (b"FOOBAR", b"Hello you"):
                client.send(0x81, text)
            assert await upstream.read() == (0x81, b"HAPPY you")
            client.close()
            assert (await upstream.read())[0] == 0x88
            upstream.close()
            await client.read()
        await proxy.wait_for_flows()
        assert script.module.heard == ["handshake /chat", "start 0", "end 1000 client"]  # type: ignore[union-attr]

    play(tmp_path, WEBSOCKET, scenario)


INJECT = """
import asyncio

class Inject:
    async def inject(self, flow):
        count = 0
        while not flow.ended and not flow.error:
            if count == 0:
                flow.inject_message(flow.client_conn, "This is #%d" % count)
                flow.inject_message(flow.server_conn, b"up %d" % count)
            count += 1
            await asyncio.sleep(0.01)

    def websocket_start(self, flow):
        self.task = asyncio.get_event_loop().create_task(self.inject(flow))

    async def websocket_end(self, flow):
        await self.task

addons = [Inject()]
"""


def test_messages_that_a_script_of_the_second_generation_sends(tmp_path: Path) -> None:
    async def scenario(proxy: Running, server: Origin, script: Script) -> None:
        async with wires(proxy) as (client, upstream):
            assert await client.read() == (0x81, b"This is #0")
            assert await upstream.read() == (0x82, b"up 0")
            client.close()
            assert (await upstream.read())[0] == 0x88
            upstream.close()
            await client.read()
        await proxy.wait_for_flows()

    play(tmp_path, INJECT, scenario)
