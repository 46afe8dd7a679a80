"""Every harness of this folder, on inputs that hypothesis makes: ``fuzz_*.py`` with a function ``one_input(data)``."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

HARNESSES = sorted(path.stem for path in Path(__file__).parent.glob("fuzz_*.py"))


@pytest.mark.parametrize("name", HARNESSES)
def test_any_input_is_taken(name: str) -> None:
    harness = importlib.import_module(f"tests.fuzz.{name}")

    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=500))
    def run(data: bytes) -> None:
        harness.one_input(data)

    run()


def test_there_are_harnesses() -> None:
    assert HARNESSES
