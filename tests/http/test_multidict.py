"""Ordered mappings with repeated keys: owned pairs, and views on pairs that live elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdump.http.multidict import MultiDict, MultiDictView

PAIRS = (("a", "1"), ("b", "2"), ("a", "3"))


def made(kind: str, pairs: Any = PAIRS) -> Any:
    """A multi-dict that owns the pairs, or a view on a list that holds them."""
    if kind == "owned":
        return MultiDict(pairs)
    store = [tuple(pairs)]
    return MultiDictView(lambda: store[0], lambda fields: store.__setitem__(0, fields))


BOTH = pytest.mark.parametrize("kind", ["owned", "view"])


# -- reading -----------------------------------------------------------------------------------------------------


@BOTH
def test_the_first_value_is_the_value(kind: str) -> None:
    d = made(kind)
    assert d["a"] == "1"
    assert d.get("a") == "1"
    assert d.get("z") is None
    assert d.get("z", "default") == "default"
    assert d.get_all("a") == ["1", "3"]
    assert d.get_all("z") == []
    with pytest.raises(KeyError, match="z"):
        d["z"]


@BOTH
def test_each_key_counts_once(kind: str) -> None:
    d = made(kind)
    assert len(d) == 2
    assert list(d) == ["a", "b"]
    assert "b" in d
    assert "z" not in d
    assert dict(d) == {"a": "1", "b": "2"}
    assert list(d.keys()) == ["a", "b"]
    assert list(d.values()) == ["1", "2"]
    assert list(d.items()) == [("a", "1"), ("b", "2")]


@BOTH
def test_multi_gives_every_pair(kind: str) -> None:
    d = made(kind)
    assert list(d.keys(multi=True)) == ["a", "b", "a"]
    assert list(d.values(multi=True)) == ["1", "2", "3"]
    assert list(d.items(multi=True)) == [("a", "1"), ("b", "2"), ("a", "3")]
    assert d.fields == PAIRS


@BOTH
def test_nothing_is_false(kind: str) -> None:
    assert not made(kind, ())
    assert made(kind)


# -- changing ----------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("change", "fields"),
    [
        (lambda d: d.__setitem__("a", "9"), (("a", "9"), ("b", "2"))),
        (lambda d: d.__setitem__("c", "9"), (*PAIRS, ("c", "9"))),
        (lambda d: d.set_all("a", ["7", "8"]), (("a", "7"), ("b", "2"), ("a", "8"))),
        (lambda d: d.set_all("a", ["7", "8", "9"]), (("a", "7"), ("b", "2"), ("a", "8"), ("a", "9"))),
        (lambda d: d.set_all("a", ["7"]), (("a", "7"), ("b", "2"))),
        (lambda d: d.set_all("a", []), (("b", "2"),)),
        (lambda d: d.__delitem__("a"), (("b", "2"),)),
        (lambda d: d.add("b", "9"), (*PAIRS, ("b", "9"))),
        (lambda d: d.insert(0, "z", "9"), (("z", "9"), *PAIRS)),
        (lambda d: d.insert(-1, "z", "9"), (*PAIRS[:2], ("z", "9"), PAIRS[2])),
        (lambda d: d.insert(99, "z", "9"), (*PAIRS, ("z", "9"))),
        (lambda d: d.clear(), ()),
        (lambda d: d.pop("a"), (("b", "2"),)),
        (lambda d: d.pop("z", None), PAIRS),
        (lambda d: d.update({"b": "9", "c": "8"}), (("a", "1"), ("b", "9"), ("a", "3"), ("c", "8"))),
        (lambda d: d.update([("c", "8")], d="7"), (*PAIRS, ("c", "8"), ("d", "7"))),
        (lambda d: d.setdefault("a", "9"), PAIRS),
        (lambda d: d.setdefault("c", "9"), (*PAIRS, ("c", "9"))),
    ],
)
def test_changes(kind: str, change: Any, fields: Any) -> None:
    d = made(kind)
    change(d)
    assert d.fields == fields


@BOTH
def test_what_methods_give(kind: str) -> None:
    d = made(kind)
    assert d.setdefault("a", "9") == "1"
    assert d.pop("a") == "1"
    assert d.popitem() == ("b", "2")
    with pytest.raises(KeyError):
        d.pop("a")
    with pytest.raises(KeyError):
        del d["a"]


def test_a_change_makes_a_new_tuple() -> None:
    d = MultiDict(PAIRS)
    before = d.fields
    d["a"] = "9"
    assert before == PAIRS
    assert d.fields is not before


# -- making, copying, comparing ----------------------------------------------------------------------------------


def test_made_of_pairs_dicts_and_lists() -> None:
    assert MultiDict().fields == ()
    assert MultiDict({"a": "1"}).fields == (("a", "1"),)
    assert MultiDict([["a", "1"]]).fields == (("a", "1"),)


def test_state() -> None:
    d = MultiDict(PAIRS)
    assert d.get_state() == PAIRS
    assert MultiDict.from_state([["a", "1"]]).fields == (("a", "1"),)
    d.set_state([["x", "y"]])
    assert d.fields == (("x", "y"),)


@BOTH
def test_copies_are_independent(kind: str) -> None:
    d = made(kind)
    copy = d.copy()
    copy["a"] = "9"
    assert d.fields == PAIRS
    assert copy.fields == (("a", "9"), ("b", "2"))
    assert type(copy) is MultiDict


@BOTH
def test_equal_when_the_pairs_are(kind: str) -> None:
    assert made(kind) == MultiDict(PAIRS)
    assert made(kind) != MultiDict(PAIRS[:2])
    assert made(kind) != dict(PAIRS)
    with pytest.raises(TypeError):
        hash(made(kind))


def test_repr_shows_the_pairs() -> None:
    assert repr(MultiDict([("a", "1")])) == "MultiDict[('a', '1')]"
    assert repr(made("view", [("a", "1")])) == "MultiDictView[('a', '1')]"


def test_a_view_reads_what_is_there_now() -> None:
    store: list[tuple[tuple[str, str], ...]] = [(("a", "1"),)]
    view = MultiDictView(lambda: store[0], lambda fields: store.__setitem__(0, fields))
    store[0] = (("b", "2"),)
    assert view.fields == (("b", "2"),)
    view["b"] = "3"
    assert store[0] == (("b", "3"),)


# -- against a naive model ---------------------------------------------------------------------------------------

KEYS = st.sampled_from("abc")
VALUES = st.text(max_size=2)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.tuples(KEYS, VALUES), max_size=6),
    st.lists(st.tuples(st.sampled_from(["set", "del", "add", "all"]), KEYS, st.lists(VALUES, max_size=3)), max_size=6),
)
def test_against_a_list_of_pairs(pairs: list[tuple[str, str]], steps: list[tuple[str, str, list[str]]]) -> None:
    d, model = MultiDict(pairs), list(pairs)
    for step, key, values in steps:
        if step == "add":
            d.add(key, "v")
            model.append((key, "v"))
        elif step == "del":
            model = [pair for pair in model if pair[0] != key]
            if key in d:
                del d[key]
        else:
            wanted = values if step == "all" else ["v"]
            d.set_all(key, wanted) if step == "all" else d.__setitem__(key, "v")
            model = _replaced(model, key, wanted)
        assert list(d.fields) == model
        assert d.get_all(key) == [v for k, v in model if k == key]
        assert len(d) == len(dict(model))


def _replaced(model: list[tuple[str, str]], key: str, values: list[str]) -> list[tuple[str, str]]:
    places = [i for i, pair in enumerate(model) if pair[0] == key]
    keep = dict(zip(places, values, strict=False))
    kept = [(key, keep[i]) if i in keep else pair for i, pair in enumerate(model) if i in keep or pair[0] != key]
    return kept + [(key, value) for value in values[len(places) :]]
