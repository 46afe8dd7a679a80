"""What the README shows is what happens; see :mod:`tests.support.blocks`.

Blocks marked ``sh setup`` make a virtual environment and install packages. They are listed in ``SETUP`` below, so that
nothing is left out by accident; their flowdump commands are run by themselves.
"""

from __future__ import annotations

import itertools
import re

import pytest
from tests.support.blocks import Block, Ran, as_packed, blocks, furnish, run, write
from tests.support.flows import ROOT

SETUP = [
    'python3 -m venv .venv && .venv/bin/pip install -q . && .venv/bin/flowdump -r examples/sample.flows -s "scripts/'
    'replacer.py html faketml" -w changed',
    'python3 -m venv .venv && .venv/bin/pip install -q -e ".[dev]" && .venv/bin/python -m pytest -q',
    ".venv/bin/ruff check && .venv/bin/ruff format --check && .venv/bin/mypy",
    ".venv/bin/python -m pytest -q",
]

BLOCKS = blocks(ROOT / "README.md")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Ran]:
    """Every ``sh`` block by its line, run in the order of the README."""
    folder = tmp_path_factory.mktemp("readme")
    furnish(folder)
    ran = {}
    for block in BLOCKS:
        if block.language in ("python", "yaml"):
            write(folder, block)
        elif block.language == "sh":
            ran[block.line] = run(folder, _without_setup(block))
    return ran


def _without_setup(block: Block) -> str:
    """The text of a block; of a set-up block only the flowdump commands."""
    if "setup" not in block.marks:
        return block.text
    steps = [step.strip() for step in re.split(r"&&|\n", block.text)]
    return "\n".join(step for step in steps if step.split(" ")[0].endswith("flowdump"))


SHELL = [block for block in BLOCKS if block.language == "sh"]
SHOWN = [(before, after) for before, after in itertools.pairwise(BLOCKS) if after.language == "text"]


@pytest.mark.parametrize("block", SHELL, ids=[f"line {block.line}" for block in SHELL])
def test_commands_work(block: Block, outcomes: dict[int, Ran]) -> None:
    ran = outcomes[block.line]
    assert ran.code == block.code, ran.output


@pytest.mark.parametrize(("shell", "shown"), SHOWN, ids=[f"line {after.line}" for _, after in SHOWN])
def test_output_is_as_shown(shell: Block, shown: Block, outcomes: dict[int, Ran]) -> None:
    assert shell.language == "sh"
    assert as_packed(outcomes[shell.line].output.rstrip()) == as_packed(shown.text.rstrip())


def test_only_known_commands_are_left_out() -> None:
    lines = [line for block in SHELL if "setup" in block.marks for line in block.text.splitlines()]
    assert lines == SETUP


def test_readme_has_what_it_is_for() -> None:
    """Guards against blocks that the search above does not see."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("```") == 2 * len(BLOCKS)
    assert sum(block.text.count("flowdump ") for block in SHELL) >= 15


def test_links_lead_somewhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / target).exists(), target
