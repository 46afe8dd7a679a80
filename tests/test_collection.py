"""Every test has one name, whichever process collects it and when: pytest-xdist runs nothing otherwise.

What breaks it is data in the names of parametrised tests: the time in a gzip header, the order of a set, an address.
"""

import os
import subprocess
import sys
from pathlib import Path

COLLECT = ("-m", "pytest", "--collect-only", "-q", "-p", "no:xdist", "-o", "addopts=--import-mode=importlib")


def collected(hash_seed: int) -> list[str]:
    """The names of all tests, by a process of its own. One after the other, so the clock differs too."""
    environment = os.environ | {"PYTHONHASHSEED": str(hash_seed)}
    root = Path(__file__).parent.parent
    done = subprocess.run((sys.executable, *COLLECT), cwd=root, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if "::" in line]


def test_names_are_the_same_in_every_process() -> None:
    first = collected(1)
    assert any(line.startswith("tests/test_collection.py::") for line in first)
    assert collected(2) == first
