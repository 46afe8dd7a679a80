"""The documentation: it is built without a warning, complete, up to date, and what it shows is what happens.

How blocks of code are run is in :mod:`tests.support.blocks` and :mod:`tests.support.sessions`; each page has a folder
of its own.
"""

from __future__ import annotations

import importlib.util
import itertools
import re
import subprocess
import sys
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.support.blocks import Block, Ran, as_packed, blocks, furnish, run, write
from tests.support.flows import ROOT, SCRIPTS, environment
from tests.support.sessions import Outcome, Session, possible

from flowdump import filters
from flowdump.options.table import OPTIONS
from flowdump.runtime.hooks import EVENT_NAMES

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
TEXTS = {page.name: page.read_text(encoding="utf-8") for page in PAGES}
BLOCKS = {page.name: blocks(page) for page in PAGES}
ADDONS = sorted(path.stem for path in (ROOT / "src/flowdump/addons").glob("*.py") if path.stem != "__init__")

#: Pages that are run at the same time.
AT_ONCE = 4

Outcomes = dict[tuple[str, int], Ran | list[Outcome]]


# -- what the blocks do ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """Every block that does something, by page and line; pages by several threads, each in the order of its blocks."""
    found: Outcomes = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        waiting: list[Future[Outcomes]] = [
            pool.submit(_run_page, name, tmp_path_factory.mktemp(name.removesuffix(".md"))) for name in BLOCKS
        ]
        for one in waiting:
            found.update(one.result())
    return found


def _run_page(name: str, folder: Path) -> Outcomes:
    furnish(folder)
    found: Outcomes = {}
    for block in BLOCKS[name]:
        if block.language == "sh":
            found[name, block.line] = run(folder, block.text)
        elif block.language == "console":
            found[name, block.line] = Session(folder, block.text).run() if possible() else []
        elif block.text.startswith("# "):
            write(folder, block)
    return found


def _cases(*languages: str) -> list[Any]:
    found = [(name, block) for name in BLOCKS for block in BLOCKS[name] if block.language in languages]
    return [pytest.param(name, block, id=f"{name}:{block.line}") for name, block in found]


@pytest.mark.parametrize(("page", "block"), _cases("sh"))
def test_commands_work(page: str, block: Block, outcomes: Outcomes) -> None:
    ran = outcomes[page, block.line]
    assert isinstance(ran, Ran)
    assert ran.code == block.code, ran.output


SHOWN = [
    pytest.param(name, before, after, id=f"{name}:{after.line}")
    for name in BLOCKS
    for before, after in itertools.pairwise(BLOCKS[name])
    if after.language == "text"
]


@pytest.mark.parametrize(("page", "shell", "shown"), SHOWN)
def test_output_is_as_shown(page: str, shell: Block, shown: Block, outcomes: Outcomes) -> None:
    ran = outcomes[page, shell.line]
    assert isinstance(ran, Ran)
    assert as_packed(ran.output.rstrip()) == as_packed(shown.text.rstrip())


@pytest.mark.parametrize(("page", "block"), _cases("console"))
def test_sessions_go_as_shown(page: str, block: Block, outcomes: Outcomes) -> None:
    if not possible():
        pytest.skip("sessions need curl")
    found = outcomes[page, block.line]
    assert isinstance(found, list)
    assert len(found) >= block.text.count("\n$ ") + 1
    assert [outcome.problem() for outcome in found if outcome.problem()] == []


@pytest.mark.parametrize("page", sorted(BLOCKS))
def test_every_block_does_something(page: str) -> None:
    """Files are used by a later command, and no block is of a kind that nobody runs."""
    assert TEXTS[page].count("```") == 2 * (len(BLOCKS[page]) + TEXTS[page].count("```{toctree}"))
    for index, block in enumerate(BLOCKS[page]):
        if block.language in ("python", "yaml"):
            assert block.text.startswith("# "), block
            name = Path(block.text.partition("\n")[0][2:])
            later = [other.text for other in BLOCKS[page][index + 1 :] if other.language in ("sh", "console")]
            assert any(name.name in text or str(name.parent) in re.split(r"[\s\"]", text) for text in later), name
        else:
            assert block.language in ("sh", "console", "text"), block


# -- complete and up to date -------------------------------------------------------------------------------------------


def _generator() -> Any:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_parts_are_up_to_date() -> None:
    generator = _generator()
    old = [name for name, text in TEXTS.items() if generator.rewritten(text) != text]
    assert old == [], "run: python docs/generate.py"
    used = {found[2] for text in TEXTS.values() for found in generator.PART.finditer(text)}
    assert used == set(generator.PARTS)


def test_pictures_are_up_to_date() -> None:
    pictures = _generator().pictures
    old = [name for name, draw in pictures.PICTURES.items() if (DOCS / name).read_text(encoding="utf-8") != draw()]
    assert old == [], "run: python docs/generate.py"


def test_everything_appears() -> None:
    everything = "\n".join(TEXTS.values())
    wanted = [*EVENT_NAMES, *(spec.name for spec in OPTIONS), *filters.CODES, *ADDONS]
    assert [word for word in wanted if not re.search(rf"`{re.escape(word)}[`( ]", everything)] == []


def test_every_script_has_a_recipe() -> None:
    recipes = TEXTS["recipes.md"]
    for script in SCRIPTS.glob("*.py"):
        assert re.search(rf"^## .*`{script.name}`", recipes, re.MULTILINE), script.name
        commands = [b.text for b in BLOCKS["recipes.md"] if b.language in ("sh", "console")]
        assert any(f"scripts/{script.name}" in text for text in commands), script.name


def test_no_page_is_long_or_tells_of_a_machine() -> None:
    for name, text in TEXTS.items():
        assert re.search(r"/(tmp|work|root)/", text) is None, name
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        assert max(len(line) for line in prose.splitlines() if not line.startswith("|")) <= 120, name


def test_it_is_built_without_a_warning(tmp_path: Path) -> None:
    if not all(importlib.util.find_spec(name) for name in ("sphinx", "myst_parser")):
        pytest.skip('needs the extra: pip install ".[docs]"')
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-d", tmp_path / "doctrees"]
    done = subprocess.run(
        [*command, DOCS, tmp_path / "html"], capture_output=True, text=True, env=environment(), timeout=300, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {path.stem for path in PAGES} <= {path.stem for path in (tmp_path / "html").glob("*.html")}
