"""The incremental reader of one array: the same elements however the document is cut, and whatever is damaged."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.memory import traced

from flowdump.formats.har.json_array import ArrayElements, JsonStreamError, inflate_chunks

PATH = ("log", "entries")
ENTRIES: list[Any] = [
    {"startedDateTime": "1", "text": 'a "quoted" {brace] and € and \\'},
    {"startedDateTime": "2", "list": [[], [{}], {"deep": [1, {"a": None}]}]},
    {"pageref": "3", "n": -1.5e3},
]
DOCUMENT = {"pages": [{"x": "]}"}], "log": {"version": "1.2", "creator": {}, "entries": ENTRIES, "end": [0]}, "z": 1}

any_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)


def cut(document: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(document), size):
        yield document[start : start + size]


def read(document: bytes, size: int = 1 << 16, **options: Any) -> tuple[list[Any], list[tuple[int | None, int, str]]]:
    problems: list[tuple[int | None, int, str]] = []
    elements = ArrayElements(cut(document, size), PATH, lambda *problem: problems.append(problem), **options)
    return list(elements), problems


def wrap(*entries: str) -> bytes:
    return ('{"log":{"entries":[' + ",".join(entries) + "]}}").encode()


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 100_000])
@pytest.mark.parametrize("indent", [None, 1, "\t"])
def test_elements_come_out_whatever_the_chunks(size: int, indent: Any) -> None:
    document = json.dumps(DOCUMENT, indent=indent, ensure_ascii=False).encode()
    assert read(document, size) == (ENTRIES, [])


@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"]
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_every_unicode_encoding_is_read(encoding: str, size: int) -> None:
    document = json.dumps(DOCUMENT, ensure_ascii=False).encode(encoding)
    assert read(document, size) == (ENTRIES, [])


def test_blanks_before_the_document_are_passed() -> None:
    assert read(b" \r\n\t\n" + json.dumps(DOCUMENT).encode(), 2) == (ENTRIES, [])


@given(st.lists(any_json, max_size=5), st.integers(1, 40), st.sampled_from([None, 2]), st.booleans())
def test_any_values_survive_any_cut(entries: list[Any], size: int, indent: Any, ascii_only: bool) -> None:
    text = json.dumps({"a": entries, "log": {"b": entries, "entries": entries}}, indent=indent, ensure_ascii=ascii_only)
    found, problems = read(text.encode("utf-8", "surrogatepass"), size)
    assert problems == []
    assert json.dumps(found) == json.dumps(
        json.loads(text.encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape"))["log"]["entries"]
    )


def test_offset_and_index_of_every_element() -> None:
    document = json.dumps(DOCUMENT, ensure_ascii=False).encode()
    for size in (5, 1000):
        elements = ArrayElements(cut(document, size), PATH, lambda *problem: pytest.fail(str(problem)))
        for number, value in enumerate(elements):
            raw = json.dumps(value, ensure_ascii=False).encode()
            assert elements.index == number
            assert document[elements.offset :].startswith(raw)


def test_offsets_count_bytes_of_other_encodings_too() -> None:
    document = json.dumps(DOCUMENT, ensure_ascii=False).encode("utf-16")
    elements = ArrayElements(cut(document, 11), PATH, lambda *problem: pytest.fail(str(problem)))
    for value in elements:
        assert document[elements.offset :].startswith(json.dumps(value, ensure_ascii=False).encode("utf-16-le"))


def test_nan_infinity_raw_control_characters_and_bad_utf8_are_tolerated() -> None:
    found, problems = read(b'{"log":{"entries":[{"a":NaN,"b":-Infinity,"c":"x\ny\xff"}]}}')
    assert problems == []
    assert str(found[0]["a"]) == "nan"
    assert found[0]["b"] == float("-inf")
    assert found[0]["c"] == "x\ny\udcff"


# -- not such a document ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"[]", "it is not a JSON object"),
        (b'{"a": {"entries": []}}', "it has no member 'log'"),
        (b"{}", "it has no member 'log'"),
        (b'{"log": []}', "its member 'log' is not a JSON object"),
        (b'{"log": {"version": "1.2"}}', "its member 'log' has no member 'entries'"),
        (b'{"log": {"entries": {}}}', "its member 'entries' is not an array"),
        (b'{"log": {"entries": ', "it ends too early"),
        (b'{"log": {"ent', "it ends too early"),
        (b'{"log": ', "it ends too early"),
        (b'{"log": {"pages": [{', "it ends too early"),
        (b'{"log" {"entries": []}}', "it is not valid JSON"),
        (b'{log: {"entries": []}}', "it is not valid JSON"),
        (b'{"lo\\q": 1}', "it is not valid JSON"),
        (b'{"a": , "log": {"entries": []}}', "it is not valid JSON"),
    ],
)
def test_documents_without_the_array_are_refused(document: bytes, message: str) -> None:
    for size in (1, 1000):
        with pytest.raises(JsonStreamError, match=message):
            read(document, size)


# -- damage -----------------------------------------------------------------------------------------------------------

GOOD = [json.dumps({"startedDateTime": str(number), "text": "x" * 40, "in": {"list": [1, "a"]}}) for number in range(4)]
VALUES = [json.loads(text) for text in GOOD]


@pytest.mark.parametrize(
    "bad",
    [
        '{"startedDateTime": tru, "in": {"a": [1]}}',
        '{"startedDateTime": "1" "text": 1}',
        '{"startedDateTime": "1", "text": "' + "x" * 60 + '", "in": {"list": [1, "a}}',  # a lost quote
        '{"startedDateTime": "1", "text": ' + "x" * 60 + '", "in": {"list": [1, "a"]}}',  # the other quote
        '{"startedDateTime": "1", "text": "' + "x" * 60 + '", "in": {"list": [1, "a"]}',  # a lost brace
        '{"startedDateTime": "1", "text": "' + "x" * 60 + '", "in": {"list": [1, "a"]}}}',  # one too many
        '{"startedDateTime": "1", "text": "bad \\q escape", "in": {"list": [1, "a"]}}',
        '{"startedDateTime": ' + "9" * 5000 + "}",
        '{"startedDateTime": ' + "[" * 200_000 + "]" * 200_000 + "}",
    ],
)
@pytest.mark.parametrize("size", [11, 200, 1 << 20])
def test_a_damaged_element_is_reported_and_the_others_are_kept(bad: str, size: int) -> None:
    document = wrap(GOOD[0], bad, GOOD[2], GOOD[3])
    found, problems = read(document, size)
    assert [value for value in found if value in VALUES] == [VALUES[0], VALUES[2], VALUES[3]]
    assert problems[0][0] in (1, None)
    assert problems[0][1] >= document.index(bad.encode())
    assert problems[0][1] <= document.index(GOOD[2].encode())


def test_the_report_names_place_and_reason() -> None:
    document = wrap(GOOD[0], '{"startedDateTime": tru, "padding": "0123456789"}', GOOD[2])
    found, problems = read(document)
    assert found == [VALUES[0], VALUES[2]]
    place = document.index(b"tru,")
    assert problems == [
        (1, document.index(b'{"startedDateTime": tru'), f"it is not valid JSON: expecting value at byte {place}")
    ]


@pytest.mark.parametrize("bad", ["tru", "}", "", ":", "\x00", "'a'"])
def test_what_is_no_value_is_passed(bad: str) -> None:
    for size in (1, 1000):
        found, problems = read(wrap(GOOD[0], bad, GOOD[2]), size)
        assert found == [VALUES[0], VALUES[2]]
        assert problems[0][:2] == (1, len(wrap(GOOD[0])) - 2)


@pytest.mark.parametrize("bad", ["]", "}]}", '{"startedDateTime": ]}', '{"startedDateTime": {}]}', "]]}}"])
def test_brackets_too_many_do_not_end_the_array(bad: str) -> None:
    for size in (1, 1000):
        found, problems = read(wrap(GOOD[0], bad, GOOD[2], GOOD[3]), size)
        assert found == [VALUES[0], VALUES[2], VALUES[3]]
        assert problems


def test_a_missing_comma_is_reported_and_both_elements_are_kept() -> None:
    found, problems = read(b'{"log":{"entries":[{"a":1} {"b":2}]}}')
    assert found == [{"a": 1}, {"b": 2}]
    assert problems == [(None, 27, "there is no comma after entry 0")]


def test_every_truncation_keeps_the_complete_elements() -> None:
    document = json.dumps(DOCUMENT).encode()
    first = document.index(b'{"startedDateTime": "1"')
    ends = [document.index(json.dumps(entry).encode()) + len(json.dumps(entry)) for entry in ENTRIES]
    for length in range(first, len(document)):
        for size in (7, 1000):
            found, problems = read(document[:length], size)
            assert found == ENTRIES[: sum(end <= length for end in ends)], length
            assert len(problems) == 1, (length, problems)
            assert problems[0][1] <= length


def test_text_behind_the_document_is_reported() -> None:
    found, problems = read(wrap("1") + b"\n\x00\x00")
    assert found == [1]
    assert problems == [(None, 24, "there is text after the end of the document")]


def test_an_element_above_the_limit_is_skipped_in_constant_memory() -> None:
    produced = 0

    def chunks() -> Iterator[bytes]:
        nonlocal produced
        yield b'{"log":{"entries":[{"startedDateTime":"0"},{"startedDateTime":"1","text":"'
        for _ in range(3000):
            produced += 1
            yield b"x" * 10_000
        yield b'"},{"startedDateTime":"2"}]}}'

    problems: list[Any] = []
    elements = ArrayElements(chunks(), PATH, lambda *problem: problems.append(problem), max_element=1_000_000)
    with traced() as memory:
        found = list(elements)
        peak = memory()[1]
    assert produced == 3000
    assert found == [{"startedDateTime": "0"}, {"startedDateTime": "2"}]
    assert problems == [(1, 43, "it is larger than 1000000 characters")]
    assert peak < 8_000_000


def test_a_large_damaged_element_does_not_swallow_the_rest() -> None:
    bad = '{"startedDateTime": "1", "text": oops "' + "x" * 3_000_000
    found, problems = read(wrap(GOOD[0], bad, GOOD[2], GOOD[3]), 50_000)
    assert found == [VALUES[0], VALUES[2], VALUES[3]]
    assert problems[0][0] == 1


@pytest.mark.parametrize(
    "text",
    [
        '{"startedDateTime":"' * 20_000,
        '{"startedDateTime":1,"a":"' * 20_000,
        '{"startedDateTime":' * 100_000,
        "," * 500_000,
        "x," * 200_000,
        "[" * 500_000,
        '{"a":{"' * 100_000,
        '{"a":"' + "x" * 5_000_000 + '" "' + '{"startedDateTime":1,"a":"' * 10_000,
        "]{" * 200_000,
    ],
    ids=lambda text: text[:24],
)
def test_hostile_documents_take_linear_time(text: str) -> None:
    """Each would take minutes or hours if every problem cost a look at what lies before or after it."""
    found, problems = read(b'{"log":{"entries":[' + text.encode(), 1 << 18)
    assert found == []
    assert problems


@given(st.data())
def test_flipped_bytes_never_raise_anything_else(data: st.DataObject) -> None:
    document = bytearray(json.dumps(DOCUMENT).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        document[data.draw(st.integers(0, len(document) - 1))] = data.draw(st.sampled_from(b'"{}[],:\\\x00x9\xff'))
    size = data.draw(st.integers(1, 50))
    try:
        found, problems = read(bytes(document), size)
    except JsonStreamError:
        return
    else:
        assert all(0 <= offset <= len(document) for _, offset, _ in problems)
        assert len(found) + len(problems) <= len(document)


@given(st.binary(max_size=60), st.integers(1, 9))
@example(b'{"log":{"entries":[{"a":1}]}}', 1)
@example(b"\xff\xfe{", 1)
def test_any_bytes_give_elements_or_a_clean_error(document: bytes, size: int) -> None:
    for prefix in (b"", b'{"log":{"entries":['):
        try:
            found, _ = read(prefix + document, size)
        except JsonStreamError:
            continue
        assert isinstance(found, list)


# -- compressed -------------------------------------------------------------------------------------------------------


def inflate(data: bytes, size: int = 1000) -> tuple[bytes, list[str]]:
    notes: list[str] = []
    return b"".join(inflate_chunks(cut(data, size), notes.append)), notes


@pytest.mark.parametrize("size", [1, 100, 10**6])
def test_zlib_and_gzip_are_inflated(size: int) -> None:
    plain = json.dumps(DOCUMENT).encode() * 50
    assert inflate(zlib.compress(plain), size) == (plain, [])
    assert inflate(gzip.compress(plain), size) == (plain, [])
    assert inflate(gzip.compress(plain) + gzip.compress(b"x"), size) == (plain + b"x", [])


def test_damaged_compression_gives_what_came_before() -> None:
    plain = b"".join(b"%d," % number for number in range(200_000))
    packed = zlib.compress(plain)
    cut_short, notes = inflate(packed[:-10])
    assert plain.startswith(cut_short)
    assert len(cut_short) > 0.9 * len(plain)
    assert notes == ["the compressed data ends too early"]
    broken = bytearray(packed)
    broken[-4:] = b"\0\0\0\0"
    assert inflate(bytes(broken))[1][0].startswith("the compressed data is damaged")
    assert inflate(packed + b"junk") == (plain, ["there are bytes after the end of the compressed data"])


def test_a_bomb_is_inflated_in_bounded_pieces() -> None:
    bomb = zlib.compress(b"[" * 50_000_000)
    assert max(map(len, inflate_chunks([bomb], pytest.fail))) <= 1 << 18


@given(st.binary(max_size=50))
def test_any_bytes_inflate_to_something_or_are_damaged(data: bytes) -> None:
    notes: list[str] = []
    plain = b"".join(inflate_chunks([data], notes.append))
    assert notes
    assert len(plain) <= 100_000
