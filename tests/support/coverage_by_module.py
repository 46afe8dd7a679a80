"""Measure each module of flowdump by the tests under its own name, and print the least covered ones first.

    python tests/support/coverage_by_module.py [PREFIX …]

``PREFIX`` limits the modules: ``engine/http1``, for example. Coverage by the whole suite says little about a module:
lines that some distant test runs by chance count like tested ones. Needs coverage.py (``pip install -e ".[dev]"``).
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src" / "flowdump"


class Row(NamedTuple):
    percent: float
    module: str
    tests: str


def tests_of(module: Path) -> list[Path]:
    """The test files under a module's name: ``tests/a/test_b.py`` and ``tests/a/test_b_*.py`` for ``a/b.py``."""
    folder = ROOT / "tests" / module.parent
    return sorted([*folder.glob(f"test_{module.stem}.py"), *folder.glob(f"test_{module.stem}_*.py")])


def measured(module: Path, tests: list[Path]) -> float:
    """The percentage of a module's lines that its own tests run, subprocesses not included."""
    with tempfile.TemporaryDirectory() as folder:
        data, report = f"--data-file={folder}/data", f"{folder}/report.json"
        target = SOURCE / module
        run = [sys.executable, "-m", "coverage", "run", data, f"--include={target}", "-m", "pytest", "-q", "-n0"]
        subprocess.run([*run, *map(str, tests)], cwd=ROOT, capture_output=True, check=False)
        done = subprocess.run(
            [sys.executable, "-m", "coverage", "json", data, "-o", report], cwd=ROOT, capture_output=True, check=False
        )
        if done.returncode:
            return 0.0
        return float(json.loads(Path(report).read_text(encoding="utf-8"))["totals"]["percent_covered"])


def main() -> None:
    prefixes = tuple(sys.argv[1:]) or ("",)
    rows = []
    for path in sorted(SOURCE.rglob("*.py")):
        module = path.relative_to(SOURCE)
        if path.name == "__init__.py" or not str(module).startswith(prefixes):
            continue
        tests = tests_of(module)
        rows.append(
            Row(measured(module, tests) if tests else 0.0, str(module), ", ".join(t.name for t in tests) or "none")
        )
        print(f"\r{len(rows)} modules", end="", file=sys.stderr)
    print(file=sys.stderr)
    for row in sorted(rows):
        print(f"{row.percent:6.1f} %  {row.module}  ({row.tests})")


if __name__ == "__main__":
    main()
