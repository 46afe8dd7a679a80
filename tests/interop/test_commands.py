"""The same commands on the same flows, called by one script in flowdump and in a real mitmdump: the same comes out.

The formats for a shell are not compared: they differ on purpose, and tests/addons/test_export.py runs them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.support.flows import http_flow, request, response, websocket_flow, write_flows
from tests.support.mitmproxy import Mitmproxy

SCRIPT = r"""
import json
from collections.abc import Sequence

import mitmproxy.types
from mitmproxy import command, ctx, exceptions, flow

CUTS = (
    "request.method,request.url,request.host,request.content,"
    "request.header[x-one],response.status_code,response.text,"
    "response.header[nope],client_conn.peername.host,"
    "server_conn.address.port,request.timestamp_start,marked,comment,nope,client_conn.tls_established,id"
)
LINES = (
    "test.join 'a b' \"c d\" e ''", r"test.join a\nb '\x41' \d", "test.add 1", "test.add 1 2", "test.add x",
    "test.none", "test.choose red", "test.choose blue",
    "test.flag true", "test.flag 1", "test.list 'a, b,c'", "test.bytes '\\x00z'",
)


class Commands:
    @command.command("test.join")
    def join(self, *words: str) -> str:
        return "|".join(words)

    @command.command("test.add")
    def add(self, a: int, b: int = 3) -> int:
        return a + b

    @command.command("test.choose")
    @command.argument("colour", type=mitmproxy.types.Choice("test.colours"))
    def choose(self, colour: str) -> str:
        return colour

    @command.command("test.colours")
    def colours(self) -> Sequence[str]:
        return ["red", "green"]

    @command.command("test.flag")
    def flag(self, value: bool) -> str:
        return repr(value)

    @command.command("test.list")
    def list(self, words: Sequence[str]) -> Sequence[str]:
        return list(words)

    @command.command("test.bytes")
    def bytes(self, data: bytes) -> str:
        return repr(data)

    def running(self):
        for line in LINES:
            try:
                print(json.dumps([line, ctx.master.commands.execute(line)]))
            except exceptions.CommandError:
                print(json.dumps([line, "CommandError"]))

    def response(self, flow):
        call = ctx.master.commands.call
        for name in ("raw", "raw_request", "raw_response"):
            print(json.dumps([name, call("export", name, flow)]))
        if flow.websocket is None:  # its messages are the content of the request there
            print(json.dumps(call("cut", [flow], CUTS.split(",")), default=repr))
        call("flow.mark", [flow], ":red_circle:")
        call("flow.comment", [flow], "seen")
        call("flow.encode", [flow], "response", "gzip")
        print(json.dumps(list(flow.response.headers.items(multi=True))[-1]))
        call("flow.decode", [flow], "response")
        call("flow.set", [flow], "status_code", "404")
        call("flow.set", [flow], "url", "https://b.example:1/y")
        response, request = flow.response, flow.request
        print(json.dumps([flow.marked, flow.comment, response.status_code, response.reason, request.url]))


addons = [Commands()]
"""


def test_commands_do_the_same(mitmproxy: Mitmproxy, flowdump: Callable[..., str], tmp_path: Path) -> None:
    flows = [
        http_flow(request("POST", "https://a.example/x?y", b"ab", {"X-One": "1"}), response(200, "häß")),
        http_flow(request("GET", "http://a.example:81/"), response(404, b"gone", {"Content-Encoding": "gzip"})),
        http_flow(request("POST", "http://a.example/", b"abc", {"Transfer-Encoding": "chunked"}), response(204)),
        websocket_flow("hello", "you"),
    ]
    source = write_flows(tmp_path / "saved", flows)
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    ours = flowdump("-q", "-r", source, "-s", script).splitlines()
    theirs = mitmproxy.mitmdump("-q", "-r", source, "-s", script, confdir=tmp_path).splitlines()
    assert ours == theirs
    assert len(ours) > 30
