"""``mitmproxy.net.http.cookies``: cookies in the shapes that scripts know."""

from __future__ import annotations

from importlib import import_module

import pytest

pytestmark = pytest.mark.usefixtures("installed")


def test_attributes_are_grouped_with_the_cookie_before_them() -> None:
    cookies = import_module("mitmproxy.net.http.cookies")
    pairs = [("a", "b"), ("Path", "/"), ("c", "d"), ("httponly", None), ("e", "f")]
    assert [(name, value, dict(attrs)) for name, value, attrs in cookies.group_cookies(pairs)] == [
        ("a", "b", {"Path": "/"}), ("c", "d", {"httponly": None}), ("e", "f", {})
    ]  # fmt: skip
