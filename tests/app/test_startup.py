"""What a start of the command line imports: an offline run without scripts needs little, and stays quick by that."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support.states import http_state

from flowdump.formats.flowfile import tnetstring

#: Runs the command line, then prints what was imported.
DRIVER = """
import json, sys
from flowdump.cli import main
try:
    main()
except SystemExit as end:
    code = end.code
print(json.dumps([code or 0, sorted(sys.modules)]), file=sys.stderr)
"""

#: Costly or foreign to an offline run without scripts: some milliseconds or megabytes each.
UNNEEDED = {
    "asyncio", "brotli", "cryptography", "email", "h11", "h2", "hypothesis", "logging", "msgpack", "multiprocessing",
    "socket", "sqlite3", "ssl", "subprocess", "unittest", "urllib", "wsproto", "yaml", "zstandard",
}  # fmt: skip
UNNEEDED_OWN = {"compat", "contentviews", "engine", "filters", "scripting", "test", "formats.har"}


def loaded(folder: Path, *arguments: str) -> set[str]:
    """The modules that a run over one plain flow imports."""
    source = folder / "one.mitm"
    source.write_bytes(tnetstring.dumps(http_state()))
    command = [sys.executable, "-c", DRIVER, "-n", "--confdir", str(folder), "-r", str(source), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules)


def below(packages: set[str], modules: set[str]) -> list[str]:
    return sorted(name for name in modules if any(name == top or name.startswith(f"{top}.") for top in packages))


@pytest.mark.parametrize("arguments", [(), ("-w", "out.mitm"), ("-q",)], ids=["show", "write", "quiet"])
def test_an_offline_run_loads_what_it_needs(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    placed = [str(tmp_path / word) if word.endswith(".mitm") else word for word in arguments]
    modules = loaded(tmp_path, *placed)
    assert "flowdump.formats.flowfile" in modules
    assert below(UNNEEDED, modules) == []
    assert below({f"flowdump.{name}" for name in UNNEEDED_OWN}, modules) == []


def test_what_is_needed_is_loaded(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("def request(flow):\n    pass\n")
    modules = loaded(tmp_path, "-s", str(script))
    assert {"asyncio", "flowdump.scripting.script"} <= modules
    assert below({"flowdump.engine", "cryptography", "yaml"}, modules) == []
