"""Scripts run inside the test's own process: thirty times faster than a process each, and the objects can be looked at.

``bench`` is a fixture: ``bench("def request(flow): …", flows)`` writes the script and the flows to a folder, runs
flowdump over them and gives an ``Outcome``. Errors are those of the command line, by way of exit codes and log.
"""

from __future__ import annotations

import io
import sys
import textwrap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests.support.flows import http_flow, read_flows, response, write_flows

from flowdump import app
from flowdump.flow import Flow
from flowdump.options import Options
from flowdump.runtime.log import EventLog


class Outcome(NamedTuple):
    """What a run came to: exit code, log, and the flows it wrote (None when it made no file)."""

    code: int
    log: str
    flows: list[Any] | None

    @property
    def flow(self) -> Any:
        assert self.flows is not None
        (flow,) = self.flows
        return flow


class Bench:
    """A folder with a flow file, and runs of scripts over it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.verbosity = "info"

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return path

    def __call__(
        self, text: str, flows: Iterable[Flow] = (), arguments: str = "", sets: tuple[str, ...] = (), **values: Any
    ) -> Outcome:
        """Run one script, given as text, over ``flows`` (one plain exchange where none are given)."""
        path = self.write("script.py", text)
        return self.run([f"{path} {arguments}"], flows, sets, **values)

    def run(self, scripts: list[str], flows: Iterable[Flow] = (), sets: tuple[str, ...] = (), **values: Any) -> Outcome:
        """Run scripts, given as on the command line. ``sets`` are as for ``--set``, ``values`` are options."""
        source = write_flows(self.folder / "in.mitm", list(flows) or [plain()])
        target = self.folder / "out.mitm"
        target.unlink(missing_ok=True)
        stream = io.StringIO()
        options = Options()
        options.set(*sets, defer=True)
        own: dict[str, Any] = {"rfile": [str(source)], "scripts": scripts, "save_stream_file": str(target)}
        options.update(**(own | {"flow_detail": 0, "server": False} | values))
        try:
            code = app.start(options, EventLog(stream, self.verbosity))
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Outcome(code, stream.getvalue(), read_flows(target) if target.exists() else None)


def plain(url: str = "https://example.com/", content: bytes = b"hello") -> Any:
    return http_flow(url, response(200, content, {"content-type": "text/html"}))


def restored() -> Iterator[None]:
    """What scripts leave behind in the interpreter is taken away again."""
    path, argv, modules = sys.path.copy(), sys.argv, set(sys.modules)
    yield
    sys.path[:], sys.argv = path, argv
    for name in set(sys.modules) - modules:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if ("flowdump" not in name.partition(".")[0] and "pytest-of" in file) or name.startswith("__flowdump_script__"):
            del sys.modules[name]
