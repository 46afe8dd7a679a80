"""How fast flowdump goes through saved flows, beside a real mitmdump in the same run.

    python benchmarks/offline.py [--flows 20000] [--pairs N] [--by cpu] [--mitmproxy-python PATH] [--rows one]

Both programs get the same arguments and the same files (``tests/support/traffic.py`` makes them up), run in turn, alone
on one core, with stdout going to a file. Only ratios of one run count: absolute times move with the machine. *wall* is
what a user waits, *cpu* what it costs; where something else keeps the core busy they drift apart. The peak is that of
the child's memory; as Linux hands a parent's peak down to its children, this program stays small and prints the floor
that is left.

Exit code 1 when a row misses what was promised first, 0 otherwise; the goal is for information.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.support.mitmproxy import Unavailable, find  # noqa: E402 - the checkout is not on the path before

REPLACER = """
def response(flow):
    content = flow.response.content
    if content is not None:
        flow.response.content = content.replace(b"html", b"faketml")
"""

#: Peak memory of four times the file over that of the file.
FLAT = 1.15


class Cost(NamedTuple):
    """What one process took: seconds of the clock, seconds of the processor, and its peak in MB."""

    wall: float
    cpu: float
    peak: float


class Row(NamedTuple):
    """One comparison: ``first`` and ``goal`` are how many times faster than mitmdump, ``peak`` is in MB."""

    arguments: tuple[str, ...]
    first: float
    goal: float
    peak: float


ROWS = {
    "replacer": Row(("-r", "traffic.mitm", "-s", "repl.py", "-w", "out.mitm"), 15, 25, 60),
    "hardump": Row(("-r", "traffic.mitm", "--set", "hardump=out.har"), 10, 15, 60),
    "har": Row(("-r", "traffic.har", "-w", "out.mitm"), 8, 12, 60),
    "print": Row(("-r", "traffic.mitm"), 12, 20, 60),
}

#: One flow, the whole process: seconds and MB that are promised first, and those that are the goal.
ONE_FIRST, ONE_GOAL = (0.2, 35.0), (0.12, 28.0)
ONE = {"one": "one.mitm", "one-tls": "tls.mitm"}

#: Rows whose peak must not grow with the file; each runs on the file and on four times the file.
GROWING = ("replacer", "hardump", "har")


class Bench:
    """Runs children in a folder of their own. ``programs`` are the commands of the two programs, by name."""

    def __init__(self, folder: Path, programs: dict[str, list[str]], core: int) -> None:
        self.folder = folder
        self.programs = programs
        self.core = core
        self.passed = True
        # Settings such as PYTHONDONTWRITEBYTECODE and PYTHONUNBUFFERED would be measured along.
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def run(self, program: str, arguments: tuple[str, ...]) -> Cost:
        """One child, alone on its core. A failing child ends the benchmark, with what it said."""
        command = [*self.programs[program], "-n", "--set", f"confdir={program}", *arguments]
        cost, status = self._child(command)
        if status != 0:
            sys.exit(f"{' '.join(command)}: exit code {status}\n{(self.folder / 'stderr').read_text()}")
        return cost

    def _child(self, command: list[str]) -> tuple[Cost, int]:
        with (self.folder / "stdout").open("wb") as out, (self.folder / "stderr").open("wb") as err:
            begin = perf_counter()
            child = subprocess.Popen(
                command, stdout=out, stderr=err, cwd=self.folder, env=self.environment, preexec_fn=self._pin
            )
            _, status, usage = os.wait4(child.pid, 0)
            wall = perf_counter() - begin
        child.returncode = os.waitstatus_to_exitcode(status)
        return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024), child.returncode

    def _pin(self) -> None:
        os.sched_setaffinity(0, {self.core})

    def floor(self) -> float:
        """The peak in MB that even a program of no size seems to have: this one's own."""
        return self._child(["true"])[0].peak

    def in_turn(self, arguments: tuple[str, ...], pairs: int) -> dict[str, Cost]:
        """The median costs of both programs, run alternately."""
        costs: dict[str, list[Cost]] = {program: [] for program in self.programs}
        for _ in range(pairs):
            for program, runs in costs.items():
                runs.append(self.run(program, arguments))
        return {program: _median(runs) for program, runs in costs.items()}

    def verdict(self, passed: bool, goal: bool) -> str:
        self.passed &= passed
        return ("PASS" if passed else "FAIL") + (", goal reached" if passed and goal else "")


def _median(costs: list[Cost]) -> Cost:
    """The median of the times, and the greatest peak."""
    middle = len(costs) // 2
    wall, cpu = (sorted(values)[middle] for values in ([c.wall for c in costs], [c.cpu for c in costs]))
    return Cost(wall, cpu, max(c.peak for c in costs))


# rows


HEAD = (
    "| row | flowdump wall s | cpu s | MB | mitmdump wall s | cpu s | MB | wall ratio | cpu ratio | first | goal | |\n"
    "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- | --- |"
)


def _line(name: str, ours: Cost, theirs: Cost | None, *rest: str) -> str:
    def cells(cost: Cost | None) -> list[str]:
        return [f"{cost.wall:.2f}", f"{cost.cpu:.2f}", f"{cost.peak:.0f}"] if cost else ["", "", ""]

    ratios = [f"{theirs.wall / ours.wall:.1f}", f"{theirs.cpu / ours.cpu:.1f}"] if theirs else ["", ""]
    return "| " + " | ".join([name, *cells(ours), *cells(theirs), *ratios, *rest]) + " |"


def compare(bench: Bench, name: str, given: argparse.Namespace) -> None:
    """One of the long rows."""
    row = ROWS[name]
    cost = bench.in_turn(row.arguments, given.pairs)
    ours, theirs = cost["flowdump"], cost["mitmdump"]
    ratio = theirs.cpu / ours.cpu if given.by == "cpu" else theirs.wall / ours.wall
    verdict = bench.verdict(ratio >= row.first and ours.peak <= row.peak, ratio >= row.goal)
    promise = f"{row.first:.0f} x, {row.peak:.0f} MB"
    print(_line(name, ours, theirs, promise, f"{row.goal:.0f} x", verdict), flush=True)


def compare_one(bench: Bench, name: str, pairs: int) -> None:
    """The whole process for one flow."""
    cost = bench.in_turn(("-r", ONE[name], "-w", "o.mitm"), pairs)
    ours, theirs = cost["flowdump"], cost["mitmdump"]
    first, goal = (ours.wall <= seconds and ours.peak <= peak for seconds, peak in (ONE_FIRST, ONE_GOAL))
    words = [f"{seconds} s, {peak:.0f} MB" for seconds, peak in (ONE_FIRST, ONE_GOAL)]
    print(_line(name, ours, theirs, *words, bench.verdict(first, goal)), flush=True)


def growth(bench: Bench) -> None:
    """flowdump alone on four times the file: the peak may be a little higher than on the file."""
    for name in GROWING:
        once = ROWS[name].arguments
        more = tuple(word.replace("traffic.", "traffic4.") for word in once)
        small, large = bench.run("flowdump", once), bench.run("flowdump", more)
        passed = large.peak <= small.peak * FLAT
        promise = f"{small.peak:.0f} MB + 15 %"
        print(_line(f"{name}, file x 4", large, None, promise, "", bench.verdict(passed, False)), flush=True)


# the whole


def _arguments() -> argparse.Namespace:
    names = [*ROWS, *ONE, "flat"]
    parser = argparse.ArgumentParser(description="Compare flowdump with mitmdump on saved flows.")
    parser.add_argument("--flows", type=int, default=20_000)
    parser.add_argument("--pairs", type=int, default=1, help="pairs of runs of each long row")
    parser.add_argument("--small-pairs", type=int, default=10, help="pairs of runs of each row of one flow")
    parser.add_argument(
        "--by", choices=("wall", "cpu"), default="wall", help="which ratio decides; cpu on a busy machine"
    )
    parser.add_argument("--mitmproxy-python", help="a Python that has mitmproxy")
    parser.add_argument("--rows", default=",".join(names), help=f"some of {', '.join(names)}")
    given = parser.parse_args()
    given.rows = given.rows.split(",")
    if not set(given.rows) <= set(names):
        parser.error(f"--rows: {given.rows} are not all of {names}")
    return given


def _programs(python: str | None) -> dict[str, list[str]]:
    if python is None:
        try:
            python = find().python
        except Unavailable as reason:
            sys.exit(str(reason))
    script = Path(sys.executable).with_name("flowdump")
    own = [str(script)] if script.exists() else [sys.executable, "-m", "flowdump"]
    return {"flowdump": own, "mitmdump": [str(Path(python).with_name("mitmdump"))]}


def _prepare(bench: Bench, flows: int) -> None:
    """Files, warm caches and, for mitmdump, its certificate authority. The files are made by another process."""
    (bench.folder / "repl.py").write_text(REPLACER)
    subprocess.run([sys.executable, ROOT / "tests/support/traffic.py", bench.folder, str(flows)], check=True)
    for program in bench.programs:
        bench.run(program, ("-r", "one.mitm", "-s", "repl.py", "-w", "o.mitm", "--set", "hardump=o.har"))
    size = (bench.folder / "traffic.mitm").stat().st_size / 1e6
    print(f"{flows} flows, {size:.0f} MB; core {bench.core}; memory floor {bench.floor():.0f} MB")
    for program, command in bench.programs.items():
        version = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
        print(f"{program}: {', '.join(version.stdout.splitlines()[:3])}")


def main() -> int:
    given = _arguments()
    programs = _programs(given.mitmproxy_python)
    with tempfile.TemporaryDirectory(prefix="flowdump-bench-") as folder:
        bench = Bench(Path(folder), programs, max(os.sched_getaffinity(0)))
        _prepare(bench, given.flows)
        print(f"\n{HEAD}")
        jobs: dict[str, Callable[[str], None]] = {
            **dict.fromkeys(ROWS, lambda name: compare(bench, name, given)),
            **dict.fromkeys(ONE, lambda name: compare_one(bench, name, given.small_pairs)),
            "flat": lambda _: growth(bench),
        }
        for name in given.rows:
            jobs[name](name)
    return 0 if bench.passed else 1


if __name__ == "__main__":
    sys.exit(main())
