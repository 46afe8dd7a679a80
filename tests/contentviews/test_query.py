from __future__ import annotations

import pytest

from flowdump.contentviews.body import Body
from flowdump.contentviews.query import lines


def test_parameters_one_per_line() -> None:
    assert list(lines(Body(b"", query=[("q", "a b"), ("page", "2"), ("q", "")]))) == ["q:    a b", "page: 2", "q:"]


def test_no_query_is_refused() -> None:
    with pytest.raises(ValueError, match="no query"):
        lines(Body(b"x"))
