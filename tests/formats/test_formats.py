"""Opening an input: what it is, told by its first bytes, and its flows as they come."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import threading
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.flows import http_flow, record, response

from flowdump.exceptions import FlowFileError
from flowdump.formats import Input, open_flows, open_input
from flowdump.formats.flowfile.reader import Problem
from flowdump.formats.har.write import HarWriter

NAMES = ["a", "b", "c"]


def flows() -> list[Any]:
    return [http_flow(f"https://example.com/{name}", response(200, b"body")) for name in NAMES]


def native() -> bytes:
    return record(*flows())


def har() -> bytes:
    out = io.BytesIO()
    writer = HarWriter(out)
    for flow in flows():
        writer.add(flow)
    writer.close()
    return out.getvalue()


def paths(source: str | Path) -> list[str]:
    return [flow.request.path[1:] for flow in open_flows(str(source))]  # type: ignore[attr-defined]


FORMS: dict[str, Callable[[], bytes]] = {
    "native": native,
    "har": har,
    "har with a BOM": lambda: b"\xef\xbb\xbf" + har(),
    "har after blanks": lambda: b" \r\n\t" * 40 + har(),
    "har indented": lambda: json.dumps(json.loads(har()), indent=4).encode(),
    "har in UTF-16": lambda: har().decode().encode("utf-16"),
    "zhar": lambda: zlib.compress(har()),
    "zhar, fast": lambda: zlib.compress(har(), 1),
    "har in gzip": lambda: gzip.compress(har()),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["x.flows", "x.har", "x.zhar", "x"])
def test_content_tells_what_an_input_is(tmp_path: Path, form: str, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(FORMS[form]())
    opened = open_input(str(path))
    assert opened.kind == ("native" if form == "native" else "har")
    assert opened.size == path.stat().st_size
    opened.close()
    assert paths(path) == NAMES


@pytest.mark.parametrize("form", FORMS)
def test_the_same_from_stdin(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stdin = io.TextIOWrapper(io.BytesIO(FORMS[form]()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert paths("-") == NAMES
    assert not stdin.closed


def test_an_empty_input(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    opened = open_input(str(tmp_path / "empty"))
    assert (opened.kind, opened.size, list(opened.flows(pytest.fail))) == ("empty", 0, [])
    opened.close()
    assert paths("/dev/null") == []


def test_a_tilde_is_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "saved").write_bytes(native())
    assert paths("~/saved") == NAMES


@pytest.mark.parametrize(
    "content", [b"hello", b"<html>", b"\x89PNG\r\n", b"12:30 lunch", b"[]", b"PK\x03\x04", b"\x00" * 100, b"12345\n"]
)
def test_neither_of_both(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(FlowFileError, match="neither a flow file nor a HAR") as caught:
        open_input(str(path))
    assert (caught.value.path, caught.value.offset) == (str(path), 0)
    assert repr(content[:5])[1:-1] in str(caught.value)


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"hello" * 30, "neither a flow file nor a HAR: it is packed, and what is in it begins with b'hellohello"),
        (b"<html>", "neither a flow file nor a HAR: it is packed, and what is in it begins with b'<html>'"),
        (native(), "it is a packed flow file: unpack it first"),
    ],
)
def test_packed_files_that_are_no_har(
    tmp_path: Path, pack: Callable[[bytes], bytes], content: bytes, says: str
) -> None:
    path = tmp_path / "packed"
    path.write_bytes(pack(content))
    opened = open_input(str(path))
    with pytest.raises(FlowFileError) as caught:
        list(opened.flows(lambda problem: None))
    opened.close()
    assert str(caught.value).startswith(says)
    assert caught.value.path == str(path)


ALMOST = [b"{", b'{"flows": []}', b"{}", b" \n ", b"\x1f\x8bnot gzip", b"\x78\x9cnot zlib", b"\xff\xfe{"]


@pytest.mark.parametrize("content", ALMOST)
def test_what_only_begins_like_a_har(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(content)
    opened = open_input(str(path))
    with pytest.raises(FlowFileError):
        list(opened.flows(lambda problem: None))
    opened.close()


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_input(str(tmp_path / "missing"))
    with pytest.raises(IsADirectoryError):
        open_input(str(tmp_path))
    with pytest.raises(OSError, match="null byte"):
        open_input("a\0b")


def test_a_closed_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(OSError, match="standard input is closed"):
        open_input("-")


def test_damage_is_reported_or_raised(tmp_path: Path) -> None:
    data = native()
    path = tmp_path / "cut"
    path.write_bytes(data[:-5])
    problems: list[Problem] = []
    assert len(list(open_flows(str(path), problems.append))) == 2
    assert len(problems) == 1
    with pytest.raises(FlowFileError) as caught:
        list(open_flows(str(path)))
    assert caught.value.path == str(path)
    assert caught.value.offset == problems[0].offset
    assert f"at byte {problems[0].offset}" in str(caught.value)


@pytest.mark.parametrize("form", ["native", "har"])
def test_flows_come_out_of_a_pipe_as_they_arrive(form: str) -> None:
    """Each part is written only when the flow of the part before it has come out."""
    parts = [record(flow) for flow in flows()] if form == "native" else har().splitlines(keepends=True)
    receiver, sender = os.pipe()
    seen: list[str] = []
    turn = threading.Semaphore(0)

    def write() -> None:
        with os.fdopen(sender, "wb", buffering=0) as out:
            if form == "har":
                out.write(parts[0] + parts[1] + parts[2][:20])
                parts[:3] = [parts[2][20:]]
            for part in parts:
                out.write(part)
                if not turn.acquire(timeout=20):
                    return

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(receiver, "rb") as fo:
        beginning = fo.read(64)
        opened = Input("pipe", fo, beginning, form)
        assert opened.size is None
        for flow in opened.flows(pytest.fail):
            seen.append(flow.request.path[1:])
            turn.release()
        turn.release(10)
        writer.join()
    assert seen == NAMES


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    path.write_bytes(native())
    opened = open_input(str(path))
    list(opened.flows(pytest.fail))
    assert opened.tell() == opened.size == path.stat().st_size
    opened.close()
    assert opened.tell() == 0


def test_an_input_can_be_left_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "saved"
    path.write_bytes(native())
    reading = open_flows(str(path))
    next(reading)
    reading.close()  # type: ignore[attr-defined]
    with pytest.raises(StopIteration):
        next(reading)
