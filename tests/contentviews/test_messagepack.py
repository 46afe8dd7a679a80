from __future__ import annotations

import sys

import pytest
from tests.support.memory import traced

from flowdump.contentviews.body import Body, NeedsPackage
from flowdump.contentviews.messagepack import lines

BODY = (
    b"\x86\xa2id\xcf\xff\xff\xff\xff\xff\xff\xff\xff"  # id: 2**64-1
    b"\xa1l\x95\x01\xcb\x40\x04\0\0\0\0\0\0\xc0\xc3\x90"  # l: [1, 2.5, nil, true, []]
    b"\xa1m\x81\xa1x\xc4\x02\x00\xff"  # m: {x: bytes}
    b"\x07\xa5t\xc3\xa4x\n"  # 7: "täx\n"
    b"\x07\xd4\x05\x61"  # 7 again: extension
    b"\x92\x01\x02\x80"  # [1, 2]: {}
)


def shown(content: bytes) -> list[str]:
    return list(lines(Body(content)))


def test_tree_keeps_order_duplicates_and_keys_of_any_type() -> None:
    pytest.importorskip("msgpack")
    assert shown(BODY) == [
        "id: 18446744073709551615",
        "l:",
        "  - 1",
        "  - 2.5",
        "  - null",
        "  - true",
        "  - []",
        "m:",
        "  x: <00 ff>",
        '7: "täx\\n"',
        "7:",
        "  extension 5: <61>",
        "[1, 2]: {}",
    ]


def test_values_in_a_row() -> None:
    pytest.importorskip("msgpack")
    assert shown(b"\x01\xa1a\x91\xc2") == ["1", "---", '"a"', "---", "- false"]


def test_cut_or_other_content_is_refused() -> None:
    pytest.importorskip("msgpack")
    for content in (BODY[:-1], b"\xc1", b"\x91" * 5000):
        with pytest.raises(Exception, match=r".|^$"):
            shown(content)


def test_sizes_that_lie_take_no_memory() -> None:
    pytest.importorskip("msgpack")

    with traced() as memory:
        with pytest.raises(Exception, match=r".|^$"):
            shown(b"\xdd\x7f\xff\xff\xff" * 400)
        assert memory()[1] < 10_000_000


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "msgpack", None)
    with pytest.raises(NeedsPackage, match="msgpack"):
        shown(BODY)
