"""Lists of names and values."""

from __future__ import annotations

from flowdump.contentviews.name_value import fields


def test_fields_align_by_the_first_names() -> None:
    assert list(fields(iter([("a", "1"), ("n" * 50, "2"), ("b", "")]))) == [f"a:{' ' * 28}1", f"{'n' * 50}: 2", "b:"]
