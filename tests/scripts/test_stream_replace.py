from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripts.stream_replace import Replacement, replaced
from tests.support.flows import http_flow, response, run_flowdump, script, write_flows
from tests.support.live import origin
from tests.support.process import Live
from tests.support.scripts import ask, asking, chunked, unchunked

FORMS = ("pieces", "chunks")


def reply(body: bytes, *fields: bytes) -> bytes:
    head = b"\r\n".join([b"HTTP/1.1 200 OK", *fields, b"Transfer-Encoding: chunked", b"", b""])
    return head + body


@pytest.mark.parametrize("form", FORMS)
async def test_text_is_replaced_across_the_borders_of_pieces(form: str) -> None:
    body = chunked(b"<ht", b"ml>", b"html", b"</h", b"t", b"ml> ht")

    with Live("-s", script("stream_replace.py", "html", "faketml", "--form", form)) as proxy:
        async with origin(reply(body, b"Content-Type: text/html")) as server:
            answer = await ask(proxy, f"http://127.0.0.1:{server.port}/", "Accept-Encoding: gzip")
            assert b"accept-encoding: identity" in server.received.lower()
        head, _, rest = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK")
        assert unchunked(rest) == b"<faketml>faketml</faketml> ht"


@pytest.mark.parametrize("form", FORMS)
async def test_the_beginning_arrives_before_the_origin_has_sent_the_end(form: str) -> None:
    seen = asyncio.Event()

    async def slowly(reader: Any, writer: Any) -> None:
        writer.write(reply(b"", b"Content-Type: text/plain") + b"6\r\nan old\r\n")
        await seen.wait()
        writer.write(b"5\r\n hat\n\r\n0\r\n\r\n")

    with Live("-s", script("stream_replace.py", "old", "new", "--form", form)) as proxy:
        async with origin(slowly) as server, asking(proxy, f"http://127.0.0.1:{server.port}/") as reader:
            await reader.readuntil(b"an new\r\n")
            seen.set()
            assert b" hat\n" in await reader.read()


@pytest.mark.parametrize("form", FORMS)
async def test_a_declared_length_gives_way(form: str) -> None:
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Length: 3\r\n\r\nold"

    with Live("-s", script("stream_replace.py", "old", "brand new", "--form", form)) as proxy:
        async with origin(page) as server:
            answer = await ask(proxy, f"http://127.0.0.1:{server.port}/")
        head, _, rest = answer.partition(b"\r\n\r\n")
        assert b"content-length" not in head.lower()
        assert unchunked(rest) == b"brand new"


@pytest.mark.parametrize(
    ("field", "warned"), [(b"Content-Type: image/png", False), (b"Content-Type: text/a\r\nContent-Encoding: br", True)]
)
async def test_what_cannot_be_searched_stays(field: bytes, warned: bool) -> None:
    with Live("-s", script("stream_replace.py", "old", "new")) as proxy:
        async with origin(b"HTTP/1.1 200 OK\r\n%b\r\nContent-Length: 3\r\n\r\nold" % field) as server:
            assert (await ask(proxy, f"http://127.0.0.1:{server.port}/")).endswith(b"\r\n\r\nold")
        assert proxy.end() == 0
        assert any("compressed" in line for line in proxy.lines) == warned


PIECES = st.lists(st.text("ab", max_size=6).map(str.encode))
SOURCES = st.text("ab", min_size=1, max_size=4).map(str.encode)


@given(PIECES, SOURCES)
def test_both_forms_are_the_same_as_replacing_the_whole(pieces: list[bytes], src: bytes) -> None:
    wanted = b"".join(pieces).replace(src, b"X")
    whole = Replacement(src, b"X")
    # An empty piece tells of the end, so there is none in the middle.
    assert b"".join([*map(whole, filter(None, pieces)), whole(b"")]) == wanted
    assert b"".join(replaced(pieces, src, b"X")) == wanted


@given(PIECES, SOURCES)
def test_no_more_is_held_back_than_needed(pieces: list[bytes], src: bytes) -> None:
    whole = Replacement(src, b"")
    for piece in filter(None, pieces):
        whole(piece)
        assert len(whole.held) < len(src)
        assert src.startswith(whole.held)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("a",), "required: dst"), (("", "b"), "src is empty"), (("a", "b", "--type", "("), "missing )")],
)
def test_wrong_arguments_end_the_start(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    saved = write_flows(tmp_path / "saved", [http_flow(answer=response())])
    done = run_flowdump("-r", saved, "-s", script("stream_replace.py", *arguments), cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr
