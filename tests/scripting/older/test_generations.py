"""Scripts of the second generation (mitmproxy 0.18 to 6): other names of events, other arguments."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest
from tests.scripting.inprocess import Bench, plain
from tests.support.flows import client, http_flow, response, server, websocket_flow

from flowdump import compat, ctx
from flowdump.options import Options
from flowdump.runtime.addons import Addons
from flowdump.runtime.hooks import fire
from flowdump.runtime.log import EventLog
from flowdump.runtime.master import Master
from flowdump.scripting.script import Script


def test_configure_start_and_done(bench: Bench) -> None:
    done = bench(
        """
        from mitmproxy import ctx

        class Second:
            def configure(self, options, updated):
                ctx.log.info("configure %s" % ("anticache" in updated and options.anticache))

            def request(self, flow):
                ctx.log.info("request")

            def done(self):
                ctx.log.info("done")

        def start():
            ctx.log.info("start")
            return Second()
        """
    )
    assert (done.code, done.log) == (0, "start\nconfigure False\nrequest\ndone\n")


def test_log(bench: Bench) -> None:
    done = bench(
        """
        from mitmproxy import ctx

        seen = []

        def log(entry):
            seen.append((entry.msg, entry.level))

        def request(flow):
            ctx.log("careful", "warn")
            flow.comment = repr(seen)
        """
    )
    assert done.flow.comment == "[('careful', 'warn')]"


@pytest.mark.parametrize(
    "text",
    [
        "log = print",
        "def log(text):\n    print(text)",
        "def log(entry, level):\n    pass",
        "def log(entry):\n    1 / 0\n\ndef done():\n    if False:\n        log(5)",
    ],
)
def test_a_function_named_log_is_no_event(bench: Bench, text: str) -> None:
    done = bench(f"from mitmproxy import ctx\n\n{text}\n\ndef request(flow):\n    ctx.log.info('x')\n")
    assert (done.code, done.log) == (0, "x\n")


def test_tick(bench: Bench) -> None:
    done = bench(
        """
        import asyncio

        class Counter:
            ticks = 0

            def tick(self):
                self.ticks += 1

            async def request(self, flow):
                while self.ticks < 3:
                    await asyncio.sleep(0)
                flow.comment = "three ticks"

        addons = [Counter()]
        """
    )
    assert (done.code, done.log, done.flow.comment) == (0, "", "three ticks")


def test_a_tick_that_the_script_calls_itself_is_no_event(bench: Bench) -> None:
    done = bench(
        """
        class Clock:
            ticks = 0

            def tick(self):
                self.ticks += 1

            def request(self, flow):
                self.tick()
                flow.comment = str(self.ticks)

        addons = [Clock()]
        """
    )
    assert (done.code, done.log, done.flow.comment) == (0, "", "1")


def test_an_error_in_tick_is_reported(bench: Bench) -> None:
    done = bench(
        """
        import asyncio

        def tick():
            1 / 0

        async def request(flow):
            await asyncio.sleep(0)
        """
    )
    assert done.code == 4
    assert "error in tick of script" in done.log


WEBSOCKET = """
import re
from mitmproxy import websocket

def websocket_handshake(flow):
    flow.metadata["handshake"] = flow.request.headers["upgrade"]

def websocket_start(flow):
    flow.metadata["start"] = len(flow.messages)

def websocket_message(flow):
    message = flow.messages[-1]
    if isinstance(message.content, str):
        message.content = re.sub(r"^Hello", "HAPPY", message.content)
    elif message.from_client:
        message.kill()

def websocket_end(flow):
    told = flow.handshake_flow
    flow.metadata["end"] = "%s %s %s" % (told.request.path, flow.close_code, flow.close_sender)
    assert isinstance(flow, websocket.WebSocketFlow) and flow.messages[-1] == flow.messages[-1]

def websocket_error(flow):
    flow.metadata["error"] = flow.error.msg
"""


def test_websocket_flows(bench: Bench) -> None:
    done = bench(WEBSOCKET, [websocket_flow("Hello you", b"\x00", b"\x01", error="lost")])
    assert (done.code, done.log) == (0, "")
    messages = done.flow.websocket.messages
    assert [(m.content, m.dropped) for m in messages] == [(b"HAPPY you", False), (b"\x00", False), (b"\x01", True)]
    assert done.flow.metadata == {"handshake": "websocket", "start": 0, "end": "/live 1000 client", "error": "lost"}


def test_other_flows_are_no_websocket_flows(bench: Bench) -> None:
    done = bench(
        WEBSOCKET + "\ndef response(flow):\n    flow.comment = repr([hasattr(flow, 'messages'), "
        "hasattr(flow, 'handshake_flow'), isinstance(flow, websocket.WebSocketFlow)])\n",
        [plain(), http_flow(error="refused")],
    )
    assert done.flows is not None
    assert done.flows[0].comment == "[False, False, False]"
    assert [flow.metadata for flow in done.flows] == [{}, {}]


def test_make_and_replace(bench: Bench) -> None:
    done = bench(
        """
        from mitmproxy import http

        def request(flow):
            if flow.request.path == "/made":
                flow.response = http.HTTPResponse.make(418, b"short", {"Content-Type": "text/plain"})
            if flow.request.path == "/built":
                headers = http.Headers(a="b")
                flow.response = http.HTTPResponse("HTTP/1.1", 201, "Fine", headers, b"built")

        def response(flow):
            assert isinstance(flow.response, http.HTTPResponse) and isinstance(flow.request, http.HTTPRequest)
            flow.comment = str(flow.response.replace("t", "T"))
        """,
        [http_flow("https://example.com/made"), http_flow("https://example.com/built")],
    )
    assert done.log == ""
    made, built = done.flows or []
    assert (made.response.status_code, made.response.content, made.comment) == (418, b"shorT", "8")
    assert made.response.headers["ConTenT-Type"] == "TexT/plain"
    assert (built.response.status_code, built.response.reason, built.response.content) == (201, "Fine", b"builT")


CONNECTIONS = """
heard = []

def clientconnect({context}root_layer):
    heard.append("clientconnect %s %s" % {client})

def clientdisconnect({context}root_layer):
    heard.append("clientdisconnect")

def serverconnect({context}server_conn):
    heard.append("serverconnect %s" % server_conn.address[0])
    server_conn.address = ("other.example", 80)

def serverdisconnect({context}server_conn):
    heard.append("serverdisconnect %s" % server_conn.ip_address[0])
"""


class Data:
    """The argument of server events."""

    def __init__(self) -> None:
        self.client, self.server = client(), server()


@pytest.mark.parametrize(
    ("context", "told"),
    [
        ("", "(root_layer.client_conn.address[0], root_layer.tls_established)"),
        ("context, ", "(root_layer.address[0], '')"),
    ],
    ids=["second", "first"],
)
@pytest.mark.filterwarnings("ignore:Client.address:DeprecationWarning")
def test_connection_events(bench: Bench, monkeypatch: pytest.MonkeyPatch, context: str, told: str) -> None:
    """They belong to live connections, so they are fired by hand here."""
    module, data = loaded(bench, CONNECTIONS.format(context=context, client=told), monkeypatch), Data()
    table = module.addons.table
    for handlers, argument in (
        (table.client_connected, data.client),
        (table.server_connect, data),
        (table.server_disconnected, data),
        (table.client_disconnected, data.client),
    ):
        asyncio.run(fire(handlers, argument))
    assert module.script.module.heard == [
        f"clientconnect 127.0.0.1 {'' if context else False}",
        "serverconnect example.com",
        "serverdisconnect 192.0.2.1",
        "clientdisconnect",
    ]
    assert data.server.address == ("other.example", 80)


class Loaded:
    """A script and the table of its handlers."""

    def __init__(self, path: str) -> None:
        self.script: Any = Script(path, self.errors.append)
        self.script.load()
        self.addons = Addons(Options())
        self.addons.script_addons = self.script.addons
        self.addons.rebuild()

    errors: list[str] = []  # noqa: RUF012 - of the one test


def loaded(bench: Bench, text: str, monkeypatch: pytest.MonkeyPatch) -> Loaded:
    log = EventLog(io.StringIO())
    monkeypatch.setattr(ctx, "log", log, raising=False)
    monkeypatch.setattr(ctx, "master", Master(Options(), log), raising=False)
    compat.install()
    try:
        return Loaded(str(bench.write("script.py", text)))
    finally:
        compat.uninstall()


def test_older_names_of_connections(bench: Bench) -> None:
    done = bench(
        """
        def request(flow):
            flow.comment = repr([
                flow.server_conn.ip_address, flow.server_conn.cert, flow.client_conn.cipher_name,
                flow.client_conn.ssl_established, flow.server_conn.source_address,
                flow.client_conn.alpn_proto_negotiated,
                flow.server_conn.timestamp_ssl_setup,
            ])
        """,
        [http_flow(answer=response())],
    )
    assert done.log == ""
    assert done.flow.comment == repr([("192.0.2.1", 443), None, None, False, None, None, None])


def test_start_replaces_the_module_by_something_older(bench: Bench) -> None:
    done = bench(
        """
        class Older:
            def websocket_error(self, flow):
                flow.comment = "heard"

        def start():
            return Older()
        """,
        [websocket_flow("x", error="lost")],
    )
    assert done.flow.comment == "heard"
