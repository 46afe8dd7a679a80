"""Scripts in the style of today's API, each run over saved flows by flowdump and by a real mitmdump.

What is written, printed and put into files has to be the same. Bodies are compared decoded, and times that were made
during the run count as equal.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from tests.support.corpus import Ran, run_all, sample, scripts
from tests.support.flows import T0, write_flows
from tests.support.mitmproxy import Mitmproxy
from tests.support.notation import decoded, differences, exact

SCRIPTS = [path.name for path in scripts("modern")]

#: mitmdump has its event log on stdout; ours is on stderr.
_EVENT_LOG = re.compile(r"^\[\d\d:\d\d:\d\d\.\d+\] .*\n", re.MULTILINE).sub

#: Later than this is: during the test.
NOW = T0 + 10**6

#: What a script gets on its command line.
ARGUMENTS = {"options_script.py": ["--set", "add_text=chosen", "--set", "add_many=x", "--set", "add_many=y"]}


class Both(NamedTuple):
    """What both programs made of a script: runs, and states of the flows they wrote."""

    ours: Ran
    theirs: Ran
    found: list[dict[str, Any]]
    wanted: list[dict[str, Any]]


@pytest.fixture(scope="module")
def results(mitmproxy: Mitmproxy, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Both]:
    """Every script, run by both."""
    top = tmp_path_factory.mktemp("corpus")
    source = write_flows(top / "in.mitm", sample())
    paths = scripts("modern")

    def jobs(who: str) -> list[tuple[Path, list[str]]]:
        common = ["-n", "-q", "--set", f"confdir={top / 'conf'}", "-r", str(source), "-w", "out.mitm"]
        return [(top / who / p.stem, [*common, "-s", str(p), *ARGUMENTS.get(p.name, [])]) for p in paths]

    ours = run_all(sys.executable, ("flowdump.cli", "main"), jobs("ours"))
    theirs = run_all(mitmproxy.python, ("mitmproxy.tools.main", "mitmdump"), jobs("theirs"))
    read = mitmproxy.read([run.folder / "out.mitm" for run in (*ours, *theirs)])
    states = [read[run.folder / "out.mitm"].flows for run in (*ours, *theirs)]
    both = zip(paths, ours, theirs, states[: len(paths)], states[len(paths) :], strict=True)
    return {path.name: Both(*rest) for path, *rest in both}


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_does_the_same(script: str, results: dict[str, Both]) -> None:
    both = results[script]
    assert both.ours.code == 0
    assert both.ours.out == _EVENT_LOG("", both.theirs.out)
    assert both.ours.files() == both.theirs.files()
    found, wanted = (list(map(comparable, flows)) for flows in (both.found, both.wanted))
    assert [state["id"] for state in found] == [state["id"] for state in wanted]
    assert len(found) == len(sample())
    pairs = zip(found, wanted, strict=True)
    assert {want["id"]: differences(want, flow) for flow, want in pairs if exact(flow) != exact(want)} == {}


def test_most_scripts_change_or_print_something(results: dict[str, Both]) -> None:
    """A script that leaves no trace would be compared in vain."""
    before = results["kill_saved.py"]
    unmoved = [
        name
        for name, both in results.items()
        if not both.ours.out and not both.ours.files() and name != "kill_saved.py" and both.found == before.found
    ]
    assert unmoved == []
    assert len(results) >= 40


def comparable(state: dict[str, Any]) -> dict[str, Any]:
    """A state with bodies decoded, and without times of the run itself."""
    state = decoded(state)
    for part in ("request", "response"):
        message = state.get(part) or {}
        for name in ("timestamp_start", "timestamp_end"):
            if (message.get(name) or 0) > NOW:
                message[name] = "during the run"
    if state.get("backup"):
        state["backup"] = "some"
    return state
