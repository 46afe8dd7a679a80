"""The same script on the same flows, run by flowdump and by a real mitmdump: the same flows come out.

Bodies are compared decoded: the two programs may compress the same text to different bytes. What each writes must be
consistent in itself: the length in the header is that of the body.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.mitmproxy import Mitmproxy
from tests.support.notation import decoded, differences, exact
from tests.support.states import BASES, variants
from tests.support.traffic import states

from flowdump.formats import open_flows
from flowdump.formats.flowfile import tnetstring

Flowdump = Callable[..., str]

REPLACER = '''
"""Replaces bytes in every body, request path and message."""

import sys

OLD, NEW = b"html", b"faketml"


def replaced(content):
    return None if content is None else content.replace(OLD, NEW)


def request(flow):
    flow.request.content = replaced(flow.request.get_content(strict=False))
    flow.request.path = flow.request.path.replace("html", "faketml")


def response(flow):
    flow.response.content = replaced(flow.response.get_content(strict=False))


def websocket_message(flow):
    message = flow.websocket.messages[-1]
    message.content = replaced(message.content)


def tcp_message(flow):
    message = flow.messages[-1]
    message.content = replaced(message.content)


udp_message = tcp_message
'''

EVERYTHING = '''
"""Uses a good deal of the scripting API, and leaves traces of it in the flows."""

import json

from mitmproxy import ctx, flowfilter, http


class Traces:
    def __init__(self):
        self.seen = 0

    def load(self, loader):
        loader.add_option("word", str, "none", "A word.")

    def running(self):
        self.matching = flowfilter.parse("~c 200 & ~u example")

    def _leave(self, flow, event):
        flow.metadata.setdefault("events", []).append(event)

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self.seen += 1
        self._leave(flow, "requestheaders")

    def request(self, flow: http.HTTPFlow) -> None:
        self._leave(flow, "request")
        request = flow.request
        request.headers["X-Word"] = ctx.options.word
        request.headers.add("x-added", "1")
        request.headers["x-url"] = request.pretty_url
        request.headers["x-cookies"] = json.dumps(list(request.cookies.items()))
        request.headers["x-parts"] = "/".join(request.path_components)
        request.query["added"] = "a b&c"
        if request.urlencoded_form:
            request.urlencoded_form["new"] = "ü"
        if request.method == "M-SEARCH":
            flow.response = http.Response.make(503, "not today", {"Content-Type": "text/plain"})
            flow.response.timestamp_start = flow.response.timestamp_end = 5.0

    def responseheaders(self, flow):
        self._leave(flow, "responseheaders")

    def response(self, flow):
        self._leave(flow, "response")
        response = flow.response
        response.headers["x-host"] = flow.request.pretty_host
        response.headers["x-reason"] = response.reason
        response.headers["x-type"] = response.headers.get("content-type", "none")
        response.headers["x-matching"] = str(bool(flowfilter.match(self.matching, flow)))
        if "server" in response.headers:
            del response.headers["server"]
        try:
            text = response.get_text(strict=True)
        except ValueError as error:
            flow.metadata["undecodable"] = True
        else:
            if text is not None:
                response.text = text.upper()
        flow.comment = f"flow"
        flow.marked = ":default:"

    def error(self, flow):
        self._leave(flow, "error")
        flow.metadata["message"] = flow.error.msg

    def _count(self, flow):
        flow.metadata["count"] = flow.metadata.get("count", 0) + 1

    tcp_start = tcp_message = tcp_end = udp_start = udp_message = udp_end = tcp_error = udp_error = _count
    websocket_start = websocket_message = websocket_end = dns_request = dns_response = dns_error = _count


addons = [Traces()]
'''


#: Setting the query of ``*`` makes mitmproxy lose the target, and that of a URL without a scheme puts the URL into it.
NOT_THE_SAME = ("request.path 1", "request.scheme 1")


def plain(state: dict[str, Any]) -> bool:
    """Whether mitmproxy writes a flow once and in its place: with a response and an error it does so twice."""
    return state["error"] is None and state.get("response", True) is not None


@pytest.fixture(scope="module")
def source(mitmproxy: Mitmproxy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    flows = [state for _, state in variants() if plain(state) and mitmproxy.knows(state)]
    flows += [*states(60), *({**base(), "id": f"last {kind}"} for kind, base in BASES.items())]
    path = tmp_path_factory.mktemp("scripts") / "in.mitm"
    path.write_bytes(b"".join(map(tnetstring.dumps, flows)))
    return path


@pytest.mark.parametrize(
    ("text", "arguments"), [(REPLACER, ()), (EVERYTHING, ("--set", "word=chosen"))], ids=["replacer", "everything"]
)
def test_scripts_do_the_same(
    text: str, arguments: tuple[str, ...], source: Path, mitmproxy: Mitmproxy, flowdump: Flowdump, tmp_path: Path
) -> None:
    script, ours, theirs = (tmp_path / name for name in ("script.py", "ours.mitm", "theirs.mitm"))
    script.write_text(text)
    flowdump("-q", "-r", source, "-s", script, "-w", ours, *arguments)
    mitmproxy.mitmdump("-q", "-r", source, "-s", script, "-w", theirs, *arguments, confdir=tmp_path)
    read = mitmproxy.read([ours, theirs])
    assert (read[ours].error, read[theirs].error) == (None, None)
    found, wanted = (list(map(decoded, read[path].flows)) for path in (ours, theirs))
    assert [state["id"] for state in found] == [state["id"] for state in wanted]
    assert len(found) > 700
    pairs = zip(found, wanted, strict=True)
    wrong = {want["id"]: differences(want, flow) for flow, want in pairs if exact(flow) != exact(want)}
    assert {name: lines for name, lines in wrong.items() if not name.endswith(NOT_THE_SAME)} == {}


def test_the_scripts_change_something(source: Path, flowdump: Flowdump, tmp_path: Path) -> None:
    script, out = tmp_path / "script.py", tmp_path / "out.mitm"
    script.write_text(REPLACER)
    flowdump("-q", "-r", source, "-s", script, "-w", out)
    before, after = (list[Any](open_flows(str(path))) for path in (source, out))
    changed = [new for old, new in zip(before, after, strict=True) if old.get_state() != new.get_state()]
    assert {flow.type for flow in changed} >= {"http", "tcp"}
    bodies = [flow.response.get_content(strict=False) or b"" for flow in after if flow.type == "http"]
    assert sum(b"faketml" in body for body in bodies) > 200
    assert not any(b"<html" in body for body in bodies)
