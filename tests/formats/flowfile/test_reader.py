"""The native flow file: reading whatever stands in one, writing so that nothing is lost."""

from __future__ import annotations

import io
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support import states
from tests.support.cli import wait_until
from tests.support.flows import (
    ROOT,
    T0,
    dns_flow,
    environment,
    every_kind,
    http_flow,
    read_flows,
    record,
    response,
    run_flowdump,
    tcp_flow,
    websocket_flow,
)
from tests.support.memory import traced

from flowdump.exceptions import FlowFileError
from flowdump.flow import Flow
from flowdump.formats.flowfile import reader
from flowdump.formats.flowfile.reader import (
    FlowFile,
    FlowReader,
    FlowWriter,
    Problem,
    encode_flow,
    looks_native,
    tnetstring,
)
from flowdump.formats.flowfile.state import complete

# -- reading: helpers ----------------------------------------------------------------------------------------------


def read(data: bytes) -> tuple[list[str], list[Problem]]:
    """The ids of the flows in ``data``, and what was reported."""
    problems: list[Problem] = []
    flows = list(FlowReader(io.BytesIO(data), report=problems.append))
    return [flow.id for flow in flows], problems


def read_file(path: Path, data: bytes) -> tuple[list[str], list[Problem]]:
    """The same by way of a file on disk."""
    path.write_bytes(data)
    problems: list[Problem] = []
    with path.open("rb") as fo:
        return [flow.id for flow in FlowReader(fo, report=problems.append)], problems


def read_pipe(data: bytes) -> tuple[list[str], list[Problem]]:
    """The same by way of a pipe."""
    receiver, sender = os.pipe()
    problems: list[Problem] = []

    def write() -> None:
        with os.fdopen(sender, "wb") as out:
            out.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    with os.fdopen(receiver, "rb") as fo:
        ids = [flow.id for flow in FlowReader(fo, report=problems.append)]
    writer.join()
    return ids, problems


def named(name: str, content: bytes = b"body") -> Flow:
    return http_flow(f"https://example.com/{name}", response(200, content), id=name)


def records(*names: str) -> list[bytes]:
    return [record(named(name)) for name in names]


def restated(flow: Flow, **changes: Any) -> bytes:
    """The record of a flow whose state was changed by hand."""
    return tnetstring.dumps(complete(flow.get_state()) | changes)


# -- reading -------------------------------------------------------------------------------------------------------


def test_an_empty_file_has_no_flows() -> None:
    assert read(b"") == ([], [])


def test_every_kind_of_flow_comes_back() -> None:
    flows = every_kind()
    back = read_flows(record(*flows))
    assert [complete(flow.get_state()) for flow in back] == [complete(flow.get_state()) for flow in flows]


def test_versions_may_be_mixed() -> None:
    """Only the number differs here; what older versions look like is the business of the migrations."""
    flows = [restated(named(f"v{version}"), version=version) for version in (21, 20, 19, 21)]
    assert read(b"".join(flows)) == (["v21", "v20", "v19", "v21"], [])


def test_recorded_files_of_every_version_may_be_joined(shared_data: Path, tmp_path: Path) -> None:
    files = [path.read_bytes() for path in sorted((shared_data / "generated").glob("*.mitm"))]
    counts = [len(read(data)[0]) for data in files]
    ids, problems = read_file(tmp_path / "all", b"".join(files))
    assert problems == []
    # Handshakes and WebSockets of the releases that stored them apart find each other across the border as well.
    assert len(ids) == sum(counts)


def test_order_of_keys_does_not_matter() -> None:
    state = complete(named("a").get_state())
    assert read(tnetstring.dumps(dict(sorted(state.items()))))[0] == ["a"]


def test_without_report_the_first_problem_raises() -> None:
    first, second = records("a", "b")
    reader = FlowReader(io.BytesIO(first + second[:-5]), path="cut.flows")
    assert next(iter(reader)).id == "a"
    with pytest.raises(FlowFileError) as caught:
        list(reader)
    assert (caught.value.path, caught.value.offset, caught.value.flows_read) == ("cut.flows", len(first), 1)
    assert f"at byte {len(first)}" in str(caught.value)


def test_offset_is_behind_the_last_flow() -> None:
    parts = records("a", "b", "c")
    reader = FlowReader(io.BytesIO(b"".join(parts)))
    assert [reader.offset for _ in reader] == [len(b"".join(parts[: n + 1])) for n in range(3)]
    assert reader.flows_read == 3


def test_a_prefix_counts_as_read() -> None:
    data = b"".join(records("a", "b"))
    fo = io.BytesIO(data)
    prefix = fo.read(100)
    assert [flow.id for flow in FlowReader(fo, prefix=prefix)] == ["a", "b"]


@pytest.mark.parametrize("beginning", [0, 7, 1000])
def test_a_file_may_have_been_read_from_before(tmp_path: Path, beginning: int) -> None:
    """As by ``(read line; flowdump -r -) < file``; after damage the reader looks ahead at offsets of the file."""
    good, torn, last = records("a", "b", "c")
    path = tmp_path / "shifted"
    path.write_bytes(b"x" * beginning + good + torn[:-30] + last)
    problems: list[Problem] = []
    with path.open("rb") as fo:
        fo.read(beginning)
        assert [flow.id for flow in FlowReader(fo, report=problems.append)] == ["a", "c"]
    assert [problem.offset for problem in problems] == [len(good)]


def test_a_file_may_grow_while_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "growing"
    first = record(named("a", b"x" * reader.CHUNK))
    path.write_bytes(first)
    with path.open("rb") as fo:
        flows = FlowReader(fo)
        with path.open("ab") as more:
            more.write(b"".join(record(named(name, b"y" * reader.CHUNK)) for name in "bc"))
        assert [flow.id for flow in flows] == ["a", "b", "c"]


# -- truncated, damaged --------------------------------------------------------------------------------------------


def test_cut_at_every_byte() -> None:
    parts = [record(flow) for flow in (named("a"), tcp_flow(b"ping", id="b"), dns_flow(id="c"))]
    data = b"".join(parts)
    ends = [0, *(len(b"".join(parts[: n + 1])) for n in range(len(parts)))]
    for size in range(len(data)):
        ids, problems = read(data[:size])
        whole = sum(size >= end for end in ends[1:])
        assert ids == ["a", "b", "c"][:whole]
        assert [problem.offset for problem in problems] == ([] if size in ends else [ends[whole]])


def test_a_cut_record_says_what_is_missing() -> None:
    (data,) = records("a")
    assert read(data[:-10])[1] == [
        Problem(0, f"the record says it has {len(data)} bytes, but only {len(data) - 10} are left")
    ]


DAMAGES = {
    "bytes removed": lambda data: data[: len(data) // 2] + data[len(data) // 2 + 9 :],
    "head removed": lambda data: data[40:],
    "end removed": lambda data: data[:-1],
    "overwritten": lambda data: data[:100] + b"\xff" * 50 + data[150:],
    "garbage inserted": lambda data: data[:200] + b"some 12:garbage; 3:abc" + data[200:],
    "zeroed": lambda data: bytes(len(data)),
    "zeroed and longer": lambda data: bytes(5000),
    "newline after": lambda data: data + b"\n",
    "length too large": lambda data: b"9" + data,
    "length too small": lambda data: data[1:],
    "length huge": lambda data: b"999999999999:" + data,
    "length with a sign": lambda data: b"+" + data,
    "tag changed": lambda data: data[:-1] + b"]",
    "unknown tag": lambda data: data[:-1] + b"?",
    "another record's beginning": lambda data: data[:300] + data,
    "a list": lambda data: b"3:0:~]",
    "no version": lambda data: data.replace(b"7:version;2:21#", b"7:wersion;2:21#"),
    "unknown type": lambda data: data.replace(b"4:type;4:http;", b"4:type;4:hptt;"),
    "newer version": lambda data: data.replace(b"7:version;2:21#", b"7:version;2:99#"),
    "no request": lambda data: data.replace(b"7:request;", b"7:requesT;"),
    "bad utf-8": lambda data: data.replace(b"2:id;1:b;", b"2:id;1:\xff;"),
    "odd dict": lambda data: b"4:1:a;}",
    "deeply nested": lambda data: _nested(400),
}


def _nested(depth: int) -> bytes:
    data = b"0:~"
    for _ in range(depth):
        data = b"%d:%b]" % (len(data), data)
    return b"%d:1:x;%b}" % (len(data) + 4, data)


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_around_damage_is_read(tmp_path: Path, damage: str) -> None:
    before, broken, *after = records("a", "b", "c", "d")
    data = before + DAMAGES[damage](broken) + b"".join(after)
    ids, problems = read(data)
    # Where bytes were put around a record, it is whole, and comes out as well.
    assert ids in (["a", "c", "d"], ["a", "b", "c", "d"])
    assert problems
    # A newline after a record is found after it; all else, at its beginning.
    assert problems[0].offset == len(before) + (len(broken) if damage == "newline after" else 0)
    assert len(before) <= problems[-1].offset < len(data) - len(after[-1])
    assert read_file(tmp_path / "damaged", data) == (ids, problems)
    assert read_pipe(data) == (ids, problems)


@pytest.mark.parametrize("name", ["newline after", "length with a sign", "length huge", "another record's beginning"])
def test_a_whole_record_beside_damage_is_read(name: str) -> None:
    parts = records("a", "b", "c")
    parts[1] = DAMAGES[name](parts[1])
    assert read(b"".join(parts))[0] == ["a", "b", "c"]


def test_each_damaged_record_is_reported() -> None:
    parts = records(*"abcdef")
    for n in (1, 2, 4):
        parts[n] = parts[n].replace(b"4:type;4:http;", b"4:type;4:hptt;")
    ids, problems = read(b"".join(parts))
    assert ids == ["a", "d", "f"]
    assert [problem.offset for problem in problems] == [len(b"".join(parts[:n])) for n in (1, 2, 4)]


def test_a_record_appended_behind_a_torn_one_is_read(tmp_path: Path) -> None:
    """What ``-w +path`` makes of a file whose last writer was killed, wherever that happened."""
    first, torn, appended = records("a", "b", "c")
    for size in range(1, len(torn)):
        ids, problems = read(first + torn[:size] + appended)
        assert ids == ["a", "c"], size
        assert [problem.offset for problem in problems] == [len(first)], size


def test_damage_beyond_one_chunk(tmp_path: Path) -> None:
    big = b"x" * (2 * reader.CHUNK)
    parts = [record(named(name, big)) for name in "abc"]
    parts[1] = parts[1][:-10] + parts[1][-9:]
    expected = ["a", "c"], [len(parts[0])]
    for ids, problems in (read(b"".join(parts)), read_file(tmp_path / "big", b"".join(parts))):
        assert (ids, [problem.offset for problem in problems]) == expected


def test_a_newer_version_alone_ends_the_reading() -> None:
    data = restated(named("a"), version=22)
    with pytest.raises(FlowFileError, match=r"version 22 is newer than 21.*update flowdump") as caught:
        read(data)
    assert caught.value.offset == 0


def embedding(*, backup: bool = False, cut: bool = False) -> bytes:
    """A record with whole flow files in its bodies."""
    inner = b"".join(records("inner 1", "inner 2", "inner 3"))
    outer = http_flow("https://example.com/outer", response(200, inner[:-7] if cut else inner), id="outer")
    outer.request.content = inner
    if backup:
        outer.backup()
        outer.comment = "changed"
    return record(outer)


@pytest.mark.parametrize("backup", [False, True])
@pytest.mark.parametrize("damage", ["head removed", "overwritten", "end removed", "tag changed"])
def test_flow_files_in_bodies_are_not_mistaken_for_records(tmp_path: Path, damage: str, backup: bool) -> None:
    before, after, last = records("a", "c", "d")
    data = before + DAMAGES[damage](embedding(backup=backup)) + after + last
    for ids, problems in (read(data), read_file(tmp_path / "embedded", data)):
        assert ids == ["a", "c", "d"]
        assert problems[0].offset == len(before)


def test_a_framed_record_is_skipped_as_a_whole() -> None:
    before, after = records("a", "c")
    outer = embedding(cut=True)
    broken = outer.replace(b"7:version;2:21#", b"7:version;2:2x#")[:-1] + b"}"
    at = broken.rindex(b"6:method;3:GET,")
    broken = broken[:at] + b"6:method;9:GET," + broken[at + 15 :]
    ids, problems = read(before + broken + after)
    assert ids == ["a", "c"]
    assert [problem.offset for problem in problems] == [len(before)]


def test_flow_files_in_messages_are_not_mistaken_for_records() -> None:
    inner = b"".join(records("inner 1", "inner 2"))
    parts = [record(named("a")), record(websocket_flow(inner, inner, id="b")), record(tcp_flow(inner, id="c"))]
    broken = [parts[0], parts[1][:-1], parts[2][:-1], parts[0]]
    assert read(b"".join(parts)) == (["a", "b", "c"], [])
    assert read(b"".join(broken))[0] == ["a", "a"]


# -- hostile -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"999999999999:",
        b"999999999999:9:websocket;0:~",
        b"9999999999999:}",
        b"4000000000:9:websocket;0:~",
        b"0:}",
        b"0:~",
        b":}",
        b"5:hello,",
        b"12:",
        b"12",
        b"-1:}",
        b"1" * 5000 + b":}",
        b"\x00",
        b"\n",
        _nested(1000),
        b"".join(b"%d:" % n for n in range(2000, 0, -1)),
    ],
    ids=lambda data: repr(data[:20]),
)
def test_hostile_records_are_problems(tmp_path: Path, data: bytes) -> None:
    for ids, problems in (read(data), read_file(tmp_path / "hostile", data)):
        assert ids == []
        assert [problem.offset for problem in problems] == [0]
    assert read(data + record(named("a")))[0] == ["a"]


#: Without a record, each as bad as it gets for another part of the search.
GARBAGE = {
    "zeros": b"\0" * 16,
    "random": bytes((n * 7919 + n * n) % 256 for n in range(4099)),
    "digits": b"1234567890123456",
    "colons": b"1:",
    "heads that reach beyond the end": b"999999999999:2:id;",
    "heads that reach far": b"90000:2:id;...",
    "heads that end like records": b"}080007:2:id;",
    "heads that are followed by heads": b"22:2:id;0:~7:version;0:~}",
}


def _seconds(garbage: bytes, size: int, way: Any) -> float:
    data = (garbage * (size // len(garbage) + 1))[:size]
    started = time.process_time()
    ids, problems = way(data)
    assert ids == []
    assert problems
    return time.process_time() - started


@pytest.mark.parametrize("kind", GARBAGE)
def test_the_search_for_a_record_is_linear(tmp_path: Path, kind: str) -> None:
    for way in (read, lambda data: read_file(tmp_path / "garbage", data)):
        small, large = (_seconds(GARBAGE[kind], size << 16, way) for size in (2, 8))
        # Four times the bytes; a quadratic search takes sixteen times as long.
        assert large < 9 * small + 0.1


def test_20_megabytes_of_garbage_take_seconds() -> None:
    assert _seconds(GARBAGE["random"], 20 << 20, read) < 5


def test_records_behind_garbage_are_found(tmp_path: Path) -> None:
    for garbage in GARBAGE.values():
        data = record(named("a")) + garbage * (1 + 270_000 // len(garbage)) + record(named("b"), named("c"))
        assert read_file(tmp_path / "after", data)[0] == ["a", "b", "c"]


SAMPLE = record(*every_kind())


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.integers(0, len(SAMPLE) * 8 - 1)), min_size=1, max_size=4))
def test_bit_flips_are_problems_at_worst(flips: list[tuple[int]]) -> None:
    data = bytearray(SAMPLE)
    for (bit,) in flips:
        data[bit // 8] ^= 1 << bit % 8
    ids, _ = read(bytes(data))
    # Each flip damages at most the record that it is in, and the one that its length may reach into.
    assert len(ids) >= len(every_kind()) - 2 * len(flips)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300), st.integers(0, len(SAMPLE)), st.integers(0, 300))
def test_any_bytes_anywhere_are_problems_at_worst(inserted: bytes, at: int, removed: int) -> None:
    read(SAMPLE[:at] + inserted + SAMPLE[at + removed :])


def test_bit_flips_in_recorded_files(shared_data: Path) -> None:
    """A few hundred in files of each release: flows, problems, or a clean FlowFileError."""
    for number, path in enumerate(sorted((shared_data / "generated").glob("factory*.mitm"))):
        original = path.read_bytes()[:60_000]
        for n in range(12):
            data = bytearray(original)
            at = (n * 7907 + number * 104_729) % len(data)
            data[at] ^= 1 << (n + number) % 8
            try:
                ids, problems = read(bytes(data))
            except FlowFileError:
                continue
            assert ids or problems


# -- pipes and memory ------------------------------------------------------------------------------------------------


def test_a_pipe_gives_flows_as_they_arrive() -> None:
    receiver, sender = os.pipe()
    with os.fdopen(receiver, "rb") as fo, os.fdopen(sender, "wb", buffering=0) as out:
        reader = iter(FlowReader(fo))
        for name in ("a", "b", "c"):
            data = record(named(name))
            # Nothing follows yet: a reader that wants to see more than the record waits here for ever.
            out.write(data[:100])
            out.write(data[100:])
            assert next(reader).id == name
        out.close()
        assert next(reader, None) is None


def test_a_pipe_in_pieces_of_any_size() -> None:
    data = record(named("a"), named("b")) + b"broken" + record(named("c"))
    whole = read(data)
    assert whole[0] == ["a", "b", "c"]
    for size in (1, 7, 100, 1000):
        problems: list[Problem] = []
        reader = FlowReader(_Pieces(data, size), report=problems.append)
        assert ([flow.id for flow in reader], problems) == whole


class _Pieces(io.BytesIO):
    """An input that gives a few bytes at a time."""

    def __init__(self, data: bytes, size: int) -> None:
        super().__init__(data)
        self._size = size

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._size)

    read1 = read


def test_what_does_not_come_is_not_allocated() -> None:
    """A length of gigabytes in a pipe that ends soon."""
    receiver, sender = os.pipe()
    os.write(sender, b"4000000000:9:websocket;0:~" + b"x" * 1000)
    os.close(sender)
    problems: list[Problem] = []
    with traced() as memory:
        with os.fdopen(receiver, "rb") as fo:
            assert list(FlowReader(fo, report=problems.append)) == []
        assert memory()[1] < 64 << 20
    assert len(problems) == 1


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """Twenty times the flows, with some damage in between."""
    part = b"".join(record(named(f"flow {n}", b"x" * 5000)) for n in range(20)) + b"damage"
    peaks = []
    for times in (2, 40):
        path = tmp_path / "large"
        path.write_bytes(part * times)
        with traced() as memory:
            with path.open("rb") as fo:
                assert sum(1 for _ in FlowReader(fo, report=lambda problem: None)) == 20 * times
            peaks.append(memory()[1])
    assert peaks[1] < 1.5 * peaks[0]


# -- telling what a file is ------------------------------------------------------------------------------------------


def test_every_beginning_of_a_flow_file_looks_native() -> None:
    for data in (*records("a"), record(tcp_flow(b"x")), b'20:{"version": [0, 5]},', b"27:7:version;14:1:0#2:10#]}"):
        for size in range(1, 64):
            assert looks_native(data[:size]), data[:size]


@pytest.mark.parametrize(
    "text",
    [
        b"GET / HTTP/1.1\r\n",
        b"hello",
        b"10:30:00 started",
        b"2024-01-01",
        b"1: first\n",
        b"12\n",
        b"\x7fELF",
        b"123, 4",
    ],
)
def test_other_files_do_not(text: bytes) -> None:
    assert not looks_native(text)


# -- writing -------------------------------------------------------------------------------------------------------


def write(path: str | Path, *flows: Flow) -> FlowFile:
    out = FlowFile(str(path))
    out.open()
    for flow in flows:
        out.add(flow)
    return out


def ids_in(path: Path) -> list[str]:
    return [flow.id for flow in read_flows(path)]


def test_a_flow_is_on_disk_as_soon_as_it_was_added(tmp_path: Path) -> None:
    path = tmp_path / "out"
    out = write(path, named("a"))
    assert ids_in(path) == ["a"]
    out.add(named("b"))
    assert ids_in(path) == ["a", "b"]
    out.close()


@pytest.mark.parametrize(("prefix", "expected"), [("", ["b"]), ("+", ["a", "b"])])
def test_a_plus_appends(tmp_path: Path, prefix: str, expected: list[str]) -> None:
    path = tmp_path / "out"
    write(path, named("a")).close()
    out = FlowFile(f"{prefix}{path}")
    out.open()
    out.add(named("b"))
    out.close()
    assert ids_in(path) == expected


def test_opening_truncates_even_when_no_flow_comes(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    write(path).close()
    assert path.read_bytes() == b""


def test_a_tilde_is_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write("~/out", named("a")).close()
    out = FlowFile("+~/out")
    out.open()
    out.add(named("b"))
    out.close()
    assert ids_in(tmp_path / "out") == ["a", "b"]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write(tmp_path / "some" / "new" / "folder" / "out", named("a")).close()
    assert ids_in(tmp_path / "some" / "new" / "folder" / "out") == ["a"]


def test_new_files_are_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write(tmp_path / "out", named("a")).close()
        (tmp_path / "there").touch(0o640)
        write(tmp_path / "there", named("a")).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "there").stat().st_mode) == 0o640


class Clock:
    """Stands for the time module: a day that ends when it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = T0
        monkeypatch.setattr(reader, "time", self)

    def time(self) -> float:
        return self.now

    def strftime(self, pattern: str) -> str:
        return time.strftime(pattern, time.gmtime(self.now))


def test_strftime_codes_rotate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    out = write(tmp_path / "%Y-%m" / "flows-%d", named("a"))
    assert out.path == str(tmp_path / "2024-03" / "flows-01")
    out.add(named("b"))
    clock.now += 86_400
    out.add(named("c"))
    clock.now += 30 * 86_400
    out.add(named("d"))
    out.close()
    written = {str(p.relative_to(tmp_path)): ids_in(p) for p in tmp_path.rglob("flows-*")}
    assert written == {"2024-03/flows-01": ["a", "b"], "2024-03/flows-02": ["c"], "2024-04/flows-01": ["d"]}


def test_rotation_truncates_old_files_and_keeps_what_this_run_wrote(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A weekday comes again, and so does an hour when the clock is set back: those flows must not be lost."""
    clock = Clock(monkeypatch)
    for day in ("Fri", "Sat"):
        (tmp_path / f"{day}.flows").write_bytes(b"from the week before")
    out = write(tmp_path / "%a.flows", named("a"))
    clock.now += 86_400
    out.add(named("b"))
    clock.now -= 86_400
    out.add(named("c"))
    out.close()
    assert ids_in(tmp_path / "Fri.flows") == ["a", "c"]
    assert ids_in(tmp_path / "Sat.flows") == ["b"]


def test_rotation_with_append(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    (tmp_path / "02").write_bytes(record(named("old")))
    out = FlowFile(f"+{tmp_path}/%d")
    out.open()
    clock.now += 86_400
    out.add(named("a"))
    out.close()
    assert ids_in(tmp_path / "02") == ["old", "a"]


def test_the_name_is_known_before_the_file_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever refuses to overwrite an input asks before ``open``."""
    Clock(monkeypatch)
    assert FlowFile(f"+{tmp_path}/%Y.flows").path == f"{tmp_path}/2024.flows"
    assert list(tmp_path.iterdir()) == []


def test_opening_what_cannot_be_written_names_the_path(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path, tmp_path / "file" / "below"):
        with pytest.raises(OSError, match=r"directory") as caught:
            write(path)
        assert caught.value.filename == str(path)


def test_a_full_disk_is_an_error() -> None:
    out = write("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        out.add(named("a"))
    out.close()


LIMITED = """
import resource, signal, sys
sys.path[:0] = [{root!r}]
from tests.support.flows import http_flow, response
from flowdump.formats.flowfile.reader import FlowFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
out = FlowFile("+" + sys.argv[1])
out.open()
try:
    for n in range(100):
        out.add(http_flow("https://example.com/", response(200, b"x" * 5000), id=f"flow {{n}}"))
except OSError as error:
    print(n, error.strerror)
"""


@pytest.mark.parametrize("before", [[], ["old"]])
def test_a_full_disk_leaves_whole_records_only(tmp_path: Path, before: list[str]) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"".join(records(*before)))
    code = LIMITED.format(root=str(ROOT), limit=50_000)
    done = subprocess.run(
        [sys.executable, "-c", code, path], capture_output=True, text=True, cwd=ROOT, env=environment(), check=True
    )
    count, reason = done.stdout.split(maxsplit=1)
    assert reason.strip() == "File too large"
    assert int(count) >= 5
    assert ids_in(path) == [*before, *(f"flow {n}" for n in range(int(count)))]


KILLED = """
import os, signal, sys
from tests.support.flows import http_flow, response
from flowdump.formats.flowfile.reader import FlowFile
out = FlowFile(sys.argv[1])
out.open()
real = os.write
def torn(fd, data):
    real(fd, bytes(data)[: len(data) // 2])
    os.kill(os.getpid(), signal.SIGKILL)
for n in range(100):
    if n == 7:
        os.write = torn
    out.add(http_flow("https://example.com/", response(200, b"x" * 5000), id=f"flow {n}"))
"""


def test_a_kill_in_the_middle_of_a_write_loses_one_record(tmp_path: Path) -> None:
    path = tmp_path / "out"
    killed = subprocess.run([sys.executable, "-c", KILLED, path], cwd=ROOT, env=environment(), check=False)
    assert killed.returncode == -signal.SIGKILL
    ids, problems = read(path.read_bytes())
    assert ids == [f"flow {n}" for n in range(7)]
    assert len(problems) == 1
    out = FlowFile(f"+{path}")
    out.open()
    out.add(named("next run"))
    out.close()
    assert read(path.read_bytes())[0] == [*ids, "next run"]


def test_a_run_that_is_killed_leaves_whole_records(tmp_path: Path) -> None:
    """SIGKILL from outside, in the middle of a real run over a pipe that never ends."""
    path = tmp_path / "out"
    flows = b"".join(records(*map(str, range(50))))
    run = subprocess.Popen(
        [sys.executable, "-m", "flowdump", "-q", "-r", "-", "-w", path], stdin=subprocess.PIPE, env=environment()
    )
    assert run.stdin is not None
    run.stdin.write(flows)
    run.stdin.flush()
    try:
        wait_until(lambda: path.exists() and path.stat().st_size >= len(flows) // 2)
    finally:
        run.kill()
        run.wait()
        run.stdin.close()
    ids, problems = read(path.read_bytes())
    assert ids == [str(n) for n in range(len(ids))]
    assert len(ids) >= 25
    assert len(problems) <= 1


# -- what cannot be stored ------------------------------------------------------------------------------------------


def test_unstorable_metadata_is_left_out_with_a_warning() -> None:
    flow = named("a")
    flow.metadata = {"kept": [1, {"x": b"y"}], "lost": object(), "set": {1}, 3: "three", "odd": {(1, 2): 3}}
    warnings: list[str] = []
    (back,) = read_flows(encode_flow(flow, warnings.append))
    assert back.metadata == {"kept": [1, {"x": b"y"}], 3: "three"}
    assert warnings == ["lost, set, odd"]
    assert set(flow.metadata) == {"kept", "lost", "set", 3, "odd"}


def test_a_run_warns_once_of_metadata(tmp_path: Path) -> None:
    source, script = tmp_path / "in", tmp_path / "script.py"
    source.write_bytes(b"".join(records("a", "b", "c")))
    script.write_text("def response(flow):\n    flow.metadata['me'] = flow\n    flow.metadata['kept'] = 1\n")
    done = run_flowdump("-r", source, "-s", script, "-w", tmp_path / "out", check=True)
    assert done.stderr.count("metadata") == 1
    assert "me" in done.stderr
    assert [flow.metadata for flow in read_flows(tmp_path / "out")] == [{"kept": 1}] * 3


UNSTORABLE = {
    "status": lambda flow: setattr(flow.response.data, "status_code", "two hundred"),
    "port": lambda flow: setattr(flow.request.data, "port", 0.5),
    "content": lambda flow: setattr(flow.response.data, "content", "text"),
    "path": lambda flow: setattr(flow.request.data, "path", 7),
    "headers": lambda flow: setattr(flow.request.data, "headers", None),
    "request": lambda flow: setattr(flow, "request", None),
    "client": lambda flow: setattr(flow, "client_conn", None),
    "time": lambda flow: setattr(flow.response.data, "timestamp_start", "now"),
    "metadata": lambda flow: setattr(flow, "metadata", None),
    "connection": lambda flow: setattr(flow.server_conn, "sni", 7),
    "address": lambda flow: setattr(flow.server_conn, "address", ("a", "b")),
    "certificates": lambda flow: setattr(flow.server_conn, "certificate_list", ["no certificate"]),
}


@pytest.mark.parametrize("part", UNSTORABLE)
@pytest.mark.parametrize("loaded", [False, True])
def test_a_flow_that_cannot_be_stored_leaves_the_file_whole(tmp_path: Path, part: str, loaded: bool) -> None:
    """FlowFileError and nothing written, or a record that reads back: never a broken one."""
    broken = http_flow("https://example.com/broken", response(200, b"body"))
    if loaded:
        (broken,) = read_flows(record(broken))
    UNSTORABLE[part](broken)
    out = write(tmp_path / "out", named("a"))
    expected = ["a", "b"]
    try:
        out.add(broken)
        expected.insert(1, broken.id)
    except FlowFileError:
        pass  # what it says is another test's business
    out.add(named("b"))
    out.close()
    assert read((tmp_path / "out").read_bytes()) == (expected, [])


def test_most_of_those_are_errors() -> None:
    for part in ("status", "port", "path", "request", "time", "connection"):
        flow = named("broken")
        UNSTORABLE[part](flow)
        with pytest.raises(FlowFileError, match="cannot be stored"):
            encode_flow(flow)


@pytest.mark.parametrize("name", ["comment", "marked", "id"])
def test_lone_surrogates_are_replaced(name: str) -> None:
    flow = named("a")
    setattr(flow, name, "a\udcffb\ud800")
    (back,) = read_flows(encode_flow(flow))
    assert getattr(back, name) == "a?b?"


# -- streams -------------------------------------------------------------------------------------------------------


def test_a_stream_gets_every_flow_at_once() -> None:
    receiver, sender = os.pipe()
    with os.fdopen(receiver, "rb") as fo, os.fdopen(sender, "wb") as out:
        writer, reader = FlowWriter(out), iter(FlowReader(fo))
        for name in "ab":
            writer.add(named(name))
            assert next(reader).id == name


class _Reluctant(io.BytesIO):
    """An unbuffered output that takes a few bytes at a time."""

    def write(self, data: Any) -> int:
        return super().write(bytes(data[:1000]))


def test_an_unbuffered_stream_may_take_less_than_all() -> None:
    out = _Reluctant()
    FlowWriter(out).add(named("a", b"x" * 10_000))
    assert read(out.getvalue()) == (["a"], [])


# -- both ways -----------------------------------------------------------------------------------------------------


def test_every_legal_value_survives_a_file() -> None:
    """Values of each field of a state, one at a time, come back from the file of a file as they were in the first."""
    for name, state in states.variants():
        first = tnetstring.dumps(complete(state))
        (flow,) = read_flows(first)
        assert encode_flow(flow) == first, name


def test_recorded_examples_come_out_byte_for_byte(shared_data: Path) -> None:
    paths = sorted((shared_data / "examples").glob("tiny-*.mitm"))
    assert paths
    for path in paths:
        assert record(*read_flows(path)) == path.read_bytes(), path.name


def test_a_record_of_40_megabytes() -> None:
    big = named("big", bytes(40 << 20))
    assert read(record(named("a"), big, named("b")))[0] == ["a", "big", "b"]
