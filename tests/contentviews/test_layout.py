from __future__ import annotations

from flowdump.contentviews.layout import Pairs, Plain, indent, scalar, split_lines, tree


def test_indentation_stops_growing() -> None:
    assert indent(2) == "    "
    assert indent(-1) == ""
    assert indent(10**9) == indent(40)


def test_tree_of_lists_in_lists() -> None:
    value = [1, [2, [3]], Pairs([("a b", "x"), ("", Pairs([(b"\0", [])]))])]
    assert list(tree(value)) == ["- 1", "-", "  - 2", "  -", "    - 3", "-", '  a b: "x"', '  "":', "    <00>: []"]


def test_tree_of_a_scalar() -> None:
    assert list(tree("x")) == ['"x"']
    assert list(tree(Pairs())) == ["{}"]


def test_tree_is_as_deep_as_it_must_be() -> None:
    value: list[object] = []
    for _ in range(50_000):
        value = [value]
    assert sum(1 for _ in tree(value)) == 50_000


def test_scalars() -> None:
    assert [scalar(value) for value in (None, True, 1, 0, 1.5, "ä\n", Plain("x"), b"ab")] == [
        *("null", "true", "1", "0", "1.5", '"ä\\n"', "x", "<61 62>")
    ]
    assert scalar(bytes(100)).endswith("00 … 100 bytes>")


def test_inner_lines_stay() -> None:
    assert list(split_lines("  ", "a\r\n b\nc")) == ["  a", " b", "c"]
    assert list(split_lines("  ", "")) == []
