"""Header fields: case, order and repetition are kept, names compare without case, and the index never lies."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.http.headers import Headers, to_bytes, to_headers

FIELDS = ((b"A", b"1"), (b"b", b"2"), (b"a", b"3"))


def headers() -> Headers:
    return Headers(FIELDS)


# -- making ------------------------------------------------------------------------------------------------------


def test_made_of_pairs_and_keywords() -> None:
    assert Headers().fields == ()
    assert Headers(FIELDS).fields == FIELDS
    assert Headers(pair for pair in FIELDS).fields == FIELDS
    assert Headers([[b"a", b"b"]]).fields == ((b"a", b"b"),)
    assert Headers(content_type="a", Host=b"b").fields == ((b"content-type", b"a"), (b"Host", b"b"))
    assert Headers([(b"A", b"1")], a="2").fields == ((b"A", b"2"),)


@pytest.mark.parametrize("fields", [[("a", "1")], [(b"a", "1")], [("a", b"1")], [(b"a", None)], [(b"a", 1)], ["ab"]])
def test_fields_are_bytes(fields: Any) -> None:
    with pytest.raises(TypeError, match="pairs of bytes"):
        Headers(fields)


@pytest.mark.parametrize("fields", [{"name": "b"}, {b"name": b"b"}, [(b"a",)], [(b"a", b"b", b"c")]])
def test_fields_are_pairs(fields: Any) -> None:
    with pytest.raises(ValueError, match="unpack"):
        Headers(fields)


@pytest.mark.parametrize(
    "given",
    [
        {"a": "b"},
        {b"a": b"b"},
        {"a": b"b"},
        [("a", "b")],
        [(b"a", b"b")],
        iter([("a", "b")]),
        {"a": "b"}.items(),
        Headers([(b"a", b"b")]),
    ],
)
def test_what_make_takes(given: Any) -> None:
    assert to_headers(given).fields == ((b"a", b"b"),)


@pytest.mark.parametrize("given", [42, None, "abc", [("a",)], {"a": 5}, [("a", None)]])
def test_what_make_refuses(given: Any) -> None:
    with pytest.raises(TypeError, match="headers are given as"):
        to_headers(given)


def test_headers_given_to_make_are_taken_as_they_are() -> None:
    given = headers()
    assert to_headers(given) is given


# -- reading -----------------------------------------------------------------------------------------------------


def test_of_takes_known_pairs_as_they_are() -> None:
    fields = ((b"A", b"1"), (b"a", b"2"))
    assert Headers.of(fields) == Headers(fields)
    assert Headers.of(fields).fields is fields
    assert Headers.of(fields)["a"] == "1, 2"


def test_names_compare_without_case_as_str_or_bytes() -> None:
    h = headers()
    assert h["a"] == h["A"] == h[b"a"] == "1, 3"
    assert h.get("A") == h.get(b"a") == "1, 3"
    assert h.get("b") == "2"
    assert h.get("x") is None
    assert h.get("x", "default") == "default"
    assert h.get_all("a") == h.get_all(b"A") == ["1", "3"]
    assert h.get_all("x") == []
    assert "a" in h
    assert b"A" in h
    assert "x" not in h
    assert 5 not in h
    assert None not in h
    with pytest.raises(KeyError, match="zz"):
        h["zz"]


def test_repeated_fields_are_folded_once_for_each_name() -> None:
    h = headers()
    assert len(h) == 2
    assert list(h) == ["A", "b"]
    assert list(h.keys()) == ["A", "b"]
    assert list(h.values()) == ["1, 3", "2"]
    assert list(h.items()) == [("A", "1, 3"), ("b", "2")]
    assert dict(h) == {**h} == {"A": "1, 3", "b": "2"}
    assert len(h.items()) == 2
    assert sorted(h) == ["A", "b"]
    assert "A" in h.keys()  # noqa: SIM118
    assert "2" in h.values()


def test_multi_gives_every_field() -> None:
    h = headers()
    assert list(h.keys(multi=True)) == ["A", "b", "a"]
    assert list(h.values(multi=True)) == ["1", "2", "3"]
    assert list(h.items(multi=True)) == list(h.items(True)) == [("A", "1"), ("b", "2"), ("a", "3")]


def test_empty_values_are_values() -> None:
    h = Headers([(b"a", b""), (b"b", b""), (b"B", b"1")])
    assert h["a"] == h.get("a", "x") == h.setdefault("a", "z") == ""
    assert h["b"] == ", 1"


def test_as_on_the_wire() -> None:
    assert bytes(headers()) == b"A: 1\r\nb: 2\r\na: 3\r\n"
    assert bytes(Headers()) == b""


def test_no_byte_is_lost() -> None:
    h = Headers([(b"\xc3\xa4", b"\xff\xfe")])
    assert list(h.items()) == list(h.items(multi=True)) == [("ä", "\udcff\udcfe")]
    h["y"] = h["ä"]
    assert h.fields == ((b"\xc3\xa4", b"\xff\xfe"), (b"y", b"\xff\xfe"))
    h["X-Test"] = "ä"
    assert h.fields[2] == (b"X-Test", b"\xc3\xa4")


# -- changing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        (lambda h: h.__setitem__("a", "x"), ((b"A", b"x"), (b"b", b"2"))),
        (lambda h: h.__setitem__("B", "x"), ((b"A", b"1"), (b"b", b"x"), (b"a", b"3"))),
        (lambda h: h.__setitem__("b", "2"), FIELDS),
        (lambda h: h.__setitem__("Cc", "x"), (*FIELDS, (b"Cc", b"x"))),
        (lambda h: h.__setitem__(b"Cc", b"x"), (*FIELDS, (b"Cc", b"x"))),
        (lambda h: h.__delitem__("A"), ((b"b", b"2"),)),
        (lambda h: h.__delitem__(b"a"), ((b"b", b"2"),)),
        (lambda h: h.set_all("a", ["7", "8", "9"]), ((b"A", b"7"), (b"b", b"2"), (b"a", b"8"), (b"a", b"9"))),
        (lambda h: h.set_all("a", [b"7"]), ((b"A", b"7"), (b"b", b"2"))),
        (lambda h: h.set_all("a", []), ((b"b", b"2"),)),
        (lambda h: h.add("a", "z"), (*FIELDS, (b"a", b"z"))),
        (lambda h: h.insert(0, "N", "v"), ((b"N", b"v"), *FIELDS)),
        (lambda h: h.insert(1, b"N", b"v"), (FIELDS[0], (b"N", b"v"), *FIELDS[1:])),
        (lambda h: h.insert(-1, "N", "v"), (*FIELDS[:2], (b"N", b"v"), FIELDS[2])),
        (lambda h: h.insert(99, "N", "v"), (*FIELDS, (b"N", b"v"))),
        (lambda h: h.pop("a"), ((b"b", b"2"),)),
        (lambda h: h.pop("x", None), FIELDS),
        (lambda h: h.update({"B": "x", "c": "3"}), (FIELDS[0], (b"b", b"x"), FIELDS[2], (b"c", b"3"))),
        (lambda h: h.update([("c", "4")], d="5"), (*FIELDS, (b"c", b"4"), (b"d", b"5"))),
        (lambda h: h.update(Headers([(b"B", b"x"), (b"b", b"y")])), (FIELDS[0], (b"b", b"x, y"), FIELDS[2])),
        (lambda h: h.setdefault("a", "z"), FIELDS),
        (lambda h: h.setdefault("C", "z"), (*FIELDS, (b"C", b"z"))),
        (lambda h: h.clear(), ()),
    ],
)
def test_changes(change: Any, fields: Any) -> None:
    for ask_first in (False, True):
        h = headers()
        if ask_first:
            assert h["b"] == "2"
        change(h)
        assert h.fields == fields


def test_what_methods_give() -> None:
    h = headers()
    assert h.pop("a") == "1, 3"
    assert h.pop("a", "gone") == "gone"
    assert h.setdefault("B", "z") == "2"
    assert h.popitem() == ("b", "2")
    assert not h
    with pytest.raises(KeyError):
        h.pop("a")
    with pytest.raises(KeyError):
        del h["a"]


@pytest.mark.parametrize("odd", [5, None, 1.5, [5]])
def test_names_and_values_are_str_or_bytes(odd: Any) -> None:
    h = headers()
    for change in (
        lambda: h.__setitem__("a", odd),
        lambda: h.__setitem__("new", odd),
        lambda: h.__setitem__(odd, "a"),
        lambda: h.set_all("a", [odd]),
        lambda: h.add("a", odd),
        lambda: h.insert(0, odd, "a"),
    ):
        with pytest.raises(TypeError):
            change()
    assert h.fields == FIELDS
    with pytest.raises(TypeError, match="str or bytes"):
        to_bytes(odd)


def test_copies_are_independent() -> None:
    for copied in (headers().copy(), copy.copy(headers()), copy.deepcopy(headers())):
        h = headers()
        copied["a"] = "9"
        assert type(copied) is Headers
        assert copied.fields == ((b"A", b"9"), (b"b", b"2"))
        assert h.fields == FIELDS
    assert pickle.loads(pickle.dumps(headers())).fields == FIELDS


def test_a_copy_of_asked_headers_answers_for_itself() -> None:
    h = headers()
    assert h["a"] == "1, 3"
    copied = h.copy()
    h["a"] = "9"
    assert copied["a"] == "1, 3"


def test_equal_when_the_fields_are() -> None:
    assert headers() == Headers(FIELDS)
    assert Headers([(b"A", b"1")]) != Headers([(b"a", b"1")])
    assert headers() != dict(headers())
    with pytest.raises(TypeError):
        hash(headers())


def test_state() -> None:
    h = headers()
    assert h.get_state() == FIELDS
    assert h["b"] == "2"
    h.set_state([[b"b", b"d"]])
    assert h.fields == ((b"b", b"d"),)
    assert h["b"] == "d"
    assert Headers.from_state([[b"a", b"b"]])["A"] == "b"


def test_repr_shows_the_fields() -> None:
    assert repr(Headers([(b"a", b"b")])) == "Headers[(b'a', b'b')]"


# -- the index ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        lambda h: setattr(h, "fields", ((b"a", b"new"),)),
        lambda h: setattr(h, "fields", [(b"a", b"new")]),
        lambda h: h.set_state([(b"a", b"new")]),
        lambda h: h.__setitem__("a", "new"),
        lambda h: h.set_all("a", ["new"]),
        lambda h: (h.clear(), h.add("A", "new")),
        lambda h: (h.pop("a"), h.insert(0, b"a", b"new")),
        lambda h: (h.__delitem__("a"), h.update(a="new")),
        lambda h: h.replace(b"^A: 1$", b"a: new") and h.replace("^a: 3$", "gone"),
    ],
)
def test_the_index_follows_every_change(change: Any) -> None:
    h = headers()
    assert h["a"] == "1, 3"
    change(h)
    assert h["a"] == h.get("A") == "new"
    assert h.get_all("a") == ["new"]
    h.fields = (*h.fields, (b"z", b"26"))
    assert h["z"] == "26"
    del h["z"]
    assert "z" not in h


def test_a_list_as_fields_may_change_in_place() -> None:
    h = headers()
    fields: Any = [(b"a", b"1")]
    h.fields = fields
    assert h["a"] == "1"
    fields[0] = (b"a", b"2")
    assert h["a"] == "2"
    fields.append((b"b", b"3"))
    assert h["b"] == "3"
    h["b"] = "4"
    assert h.fields == ((b"a", b"2"), (b"b", b"4"))


NAMES = st.sampled_from(["a", "A", "b", "B", "cc", "Cc", b"CC", b"d"])
VALUES = st.one_of(st.text(max_size=3), st.binary(max_size=3))
PAIRS = st.tuples(NAMES.map(to_bytes), st.binary(max_size=3))
STEPS = st.tuples(
    st.sampled_from(["set", "add", "delete", "set_all", "insert", "fields", "setdefault", "pop"]),
    NAMES,
    st.lists(VALUES, min_size=1, max_size=3),
    st.integers(-2, 5),
)


class Model:
    """Headers as slowly and plainly as can be: a list of pairs, searched from the start each time."""

    def __init__(self, fields: list[tuple[bytes, bytes]]) -> None:
        self.fields = list(fields)

    def places(self, name: Any) -> list[int]:
        return [i for i, pair in enumerate(self.fields) if pair[0].lower() == to_bytes(name).lower()]

    def get(self, name: Any) -> str | None:
        values = [self.fields[i][1] for i in self.places(name)]
        return b", ".join(values).decode("utf-8", "surrogateescape") if values else None

    def delete(self, name: Any) -> None:
        self.fields = [pair for i, pair in enumerate(self.fields) if i not in self.places(name)]

    def set_all(self, name: Any, values: list[Any]) -> None:
        places = self.places(name)
        for i, value in zip(places, values, strict=False):
            self.fields[i] = (self.fields[i][0], to_bytes(value))
        gone = places[len(values) :]
        self.fields = [pair for i, pair in enumerate(self.fields) if i not in gone]
        self.fields += [(to_bytes(name), to_bytes(value)) for value in values[len(places) :]]


def _step(h: Headers, model: Model, what: str, name: Any, values: list[Any], at: int) -> None:
    value = values[0]
    if what == "set":
        h[name] = value
        model.set_all(name, [value])
    elif what == "set_all":
        h.set_all(name, values)
        model.set_all(name, values)
    elif what == "add":
        h.add(name, value)
        model.fields.append((to_bytes(name), to_bytes(value)))
    elif what == "insert":
        h.insert(at, name, value)
        model.fields.insert(at, (to_bytes(name), to_bytes(value)))
    elif what == "fields":
        h.fields = (*h.fields, (to_bytes(name), to_bytes(value)))
        model.fields.append((to_bytes(name), to_bytes(value)))
    elif what == "setdefault":
        h.setdefault(name, value)
        if not model.places(name):
            model.set_all(name, [value])
    else:
        h.pop(name, None)
        model.delete(name)


@settings(deadline=None, max_examples=300)
@given(st.lists(PAIRS, max_size=5), st.lists(STEPS, max_size=8))
def test_against_a_naive_model(fields: list[tuple[bytes, bytes]], steps: list[Any]) -> None:
    h, model = Headers(fields), Model(fields)
    for step in steps:
        _step(h, model, *step)
        assert list(h.fields) == model.fields
        for name in ("a", "B", b"cc", "d", "absent"):
            assert h.get(name) == model.get(name)
            assert (name in h) == bool(model.places(name))
            assert len(h.get_all(name)) == len(model.places(name))
        assert len(h) == len({name.lower() for name, _ in model.fields})
        assert bytes(h) == b"".join(name + b": " + value + b"\r\n" for name, value in model.fields)


# -- replace -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "replaced", "fields"),
    [
        ((b"2", b"9"), 1, ((b"A", b"1"), (b"b", b"9"), (b"a", b"3"))),
        (("[ab]: ", "n: "), 2, ((b"A", b"1"), (b"n", b"2"), (b"n", b"3"))),
        (("[ab]: ", "n: ", 0, 2), 3, ((b"n", b"1"), (b"n", b"2"), (b"n", b"3"))),
        (("[ab]: ", "n: ", 1), 1, ((b"A", b"1"), (b"n", b"2"), (b"a", b"3"))),
        ((r"(\w): (\d)", r"\2: \1", 2), 2, ((b"1", b"A"), (b"2", b"b"), (b"a", b"3"))),
        (("^b: 2$", "nothing left"), 1, ((b"A", b"1"), (b"a", b"3"))),
        (("absent", "x"), 0, FIELDS),
        (("x*", "-", 2), 2, ((b"-A-", b"1"), (b"b", b"2"), (b"a", b"3"))),
    ],
)
def test_replace(arguments: Any, replaced: int, fields: Any) -> None:
    h = headers()
    assert h["a"] == "1, 3"
    assert h.replace(*arguments) == replaced
    assert h.fields == fields


def test_replace_leaves_other_lines_alone() -> None:
    h = Headers([(b"odd: name", b"v"), (b"", b""), (b"x", b"1: 2")])
    assert h.replace("2", "3") == 1
    assert h.fields == ((b"odd: name", b"v"), (b"", b""), (b"x", b"1: 3"))
    before = h.fields
    assert h.replace("absent", "") == 0
    assert h.fields is before


def test_replace_takes_str_and_bytes_alike() -> None:
    for pattern, repl in (("ä", "ö"), ("ä".encode(), "ö".encode()), ("ä", "ö".encode())):
        h = Headers([(b"x", "ä".encode())])
        assert h.replace(pattern, repl) == 1
        assert h["x"] == "ö"
