"""The regular expressions of the package, seen together."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

import pytest

import flowdump
from flowdump import contentviews, formats


def patterns() -> Iterator[tuple[str, str, int]]:
    """Compiled ones, and strings that are to be compiled (body.py has one)."""
    for package in (contentviews, formats):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            for name, value in vars(importlib.import_module(module.name)).items():
                where = f"{module.name}.{name}"
                if isinstance(value, re.Pattern) and isinstance(value.pattern, str):
                    yield where, value.pattern, value.flags
                elif isinstance(value, str) and ")*+" in value:
                    yield where, value, 0


def open_groups(parsed: Any) -> Iterator[Any]:
    """What is repeated possessively at any depth, is more than a character and not an atomic group."""
    if isinstance(parsed, parser.SubPattern | list | tuple):
        for item in parsed:
            yield from open_groups(item)
        if len(parsed) == 2 and parsed[0] is parser.POSSESSIVE_REPEAT:
            body = parsed[1][2]
            single = {parser.LITERAL, parser.NOT_LITERAL, parser.IN, parser.ANY, parser.ATOMIC_GROUP}
            if len(body) != 1 or body[0][0] not in single:
                yield body


def broken(pattern: str, flags: int = 0) -> bool:
    return any(True for _ in open_groups(parser.parse(pattern, flags)))


@pytest.mark.parametrize("pattern", [r"(?:ab)*+", r"x(?:a(?:b|cd)++)?", r"(ab)?+", r"(?>(?:a++|b)*+)"])
def test_possessive_groups_are_found(pattern: str) -> None:
    assert broken(pattern)


@pytest.mark.parametrize("pattern", [r"(?>ab)*+", r"(?:ab)*", r"[ab]*+", r"a++.?+", r"(?:a|b)*+", r"(?>a(?>b|cd)?+)++"])
def test_characters_classes_and_atomic_groups_may_be_possessive(pattern: str) -> None:
    assert not broken(pattern)


def test_possessive_groups_are_atomic() -> None:
    """Python 3.11.2 goes on from the wrong place after others (gh-106052; the comment is in javascript.py)."""
    found = list(patterns())
    assert any(where.endswith("body._PARAMETER") for where, _, _ in found)
    assert [where for where, pattern, flags in found if broken(pattern, flags)] == []


def test_possessive_groups_are_only_where_the_test_above_looks() -> None:
    source = Path(flowdump.__file__).parent
    users = {path for path in source.rglob("*.py") if re.search(r"\)(?:[*?+]|\{[\d,]*\})\+", path.read_text("utf-8"))}
    folders = {path.relative_to(source).parts[0] for path in users}
    assert folders == {"contentviews", "formats"}
