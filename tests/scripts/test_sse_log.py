from __future__ import annotations

import asyncio
import itertools
import json
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from scripts.sse_log import LONGEST, Event, EventStream
from tests.support.flows import every_kind, http_flow, response, run_flowdump, script, write_flows
from tests.support.live import origin
from tests.support.process import Live
from tests.support.scripts import ask, asking

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n"
EVENT_STREAM = {"content-type": "text/event-stream"}


def events(*pieces: bytes) -> list[Event]:
    stream = EventStream()
    return [event for piece in pieces for event in stream.feed(piece)]


async def test_events_are_printed_as_they_pass_and_pass_as_they_are() -> None:
    first, second = b'event: price\nid: 7\ndata: {"acme": 12}\n\n', b": still here\r\n\r\ndata: a\rdata:b\r\r"

    seen = asyncio.Event()

    async def stream(reader: Any, writer: Any) -> None:
        writer.write(HEAD + first)
        await seen.wait()
        writer.write(second + b"data: cut")
        writer.close()

    with Live("--flow-detail", "0", "-s", script("sse_log.py")) as proxy:
        async with origin(stream) as server:
            url = f"http://127.0.0.1:{server.port}/prices"
            async with asking(proxy, url, "Accept: text/event-stream", "Accept-Encoding: br") as reader:
                await reader.readuntil(b"12}\n\n")
                proxy.wait_for(r'/prices price id=7 "{\\"acme\\": 12}"$')
                seen.set()
                assert second in await reader.read()
            assert b"accept-encoding: identity" in server.received.lower()
        assert proxy.end() == 0
        assert [line for line in proxy.lines if " message " in line] == [rf'{url} message id=7 "a\nb"']


async def test_a_compressed_stream_is_printed_when_it_has_ended() -> None:
    packed = response(200, b"data: hello\n\n", {**EVENT_STREAM, "content-encoding": "gzip"}).raw_content
    assert packed is not None
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"

    with Live("--flow-detail", "0", "-s", script("sse_log.py")) as proxy:
        async with origin(head % len(packed) + packed) as server:
            assert (await ask(proxy, f"http://127.0.0.1:{server.port}/")).endswith(packed)
        proxy.wait_for(' message "hello"$')


def test_saved_streams(tmp_path: Path) -> None:
    flows = [
        *every_kind(),
        http_flow("https://example.com/a", response(200, b"data: 1\n\ndata: 2\n\n", EVENT_STREAM)),
        http_flow("https://example.com/b", response(200, b"data: 3\n\n", {"content-type": "text/event-streams"})),
        http_flow("https://example.com/c", response(200, "data: \x1b[2Jgrün\n\n".encode(), EVENT_STREAM)),
    ]
    saved = write_flows(tmp_path / "saved", flows)
    done = run_flowdump("--flow-detail", "0", "-r", saved, "-s", script("sse_log.py"), cwd=tmp_path, check=True)
    assert [line.split(" ", 2) for line in done.stdout.splitlines()] == [
        ["https://example.com/a", "message", '"1"'],
        ["https://example.com/a", "message", '"2"'],
        ["https://example.com/c", "message", json.dumps("\x1b[2Jgrün")],
    ]


def test_fields() -> None:
    assert events(b"data\n\n") == [Event("message", "", "")]
    assert events(b"event: a\n\ndata: b\n\n") == [Event("message", "", "b")]
    assert events(b"id: 1\ndata:  two\n\ndata:c\nid: x\0y\n\n") == [
        Event("message", "1", " two"),
        Event("message", "1", "c"),
    ]
    assert events(b"\xef\xbb\xbfdata: mark\n\n") == [Event("message", "", "mark")]
    assert events(b"data: cut\n") == []


@given(st.text("da:t \r\nidevn", max_size=60).map(str.encode), st.lists(st.integers(0, 60)))
def test_pieces_do_not_matter(data: bytes, cuts: list[int]) -> None:
    borders = [0, *sorted(cuts), len(data)]
    pieces = [data[start:end] for start, end in itertools.pairwise(borders)]
    assert events(*pieces, b"\n") == events(data, b"\n")


def test_an_endless_line_is_bounded() -> None:
    stream = EventStream()
    for _ in range(40):
        assert list(stream.feed(b"data: " + b"x" * (LONGEST // 8))) == []
    assert len(stream.line) <= LONGEST


def test_an_endless_event_is_bounded() -> None:
    stream = EventStream()
    for _ in range(40):
        assert list(stream.feed(b"data: " + b"x" * (LONGEST // 8) + b"\n")) == []
    (event,) = stream.feed(b"\n")
    assert LONGEST <= len(event.data) <= LONGEST + 40
