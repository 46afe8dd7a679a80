"""Filters against a real mitmproxy: the same expressions on the same flows.

The other side runs in its own interpreter, named by the environment variable FLOWDUMP_MITMPROXY_PYTHON. It reads every
recorded file, writes the flows again in the current format, so that both sides have the same states, and tells which
expressions match which flow.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from flowdump.exceptions import FilterError
from flowdump.filters import CODES, parse
from flowdump.flow import Flow
from flowdump.formats import open_flows

PYTHON = os.environ.get("FLOWDUMP_MITMPROXY_PYTHON", "")

pytestmark = pytest.mark.skipif(not PYTHON, reason="FLOWDUMP_MITMPROXY_PYTHON names no interpreter that has mitmproxy")

#: Reads {"files", "expressions", "folder"} from stdin; writes one flow file per input into the folder, and to stdout
#: {"files": [[path, [marks per flow]]], "invalid": [expressions]}. A mark is 1, 0, or e where matching raised.
OTHER_SIDE = """
import io, json, os, sys
from mitmproxy import flowfilter
from mitmproxy.io import FlowReader, FlowWriter

def mark(match, flow):
    try:
        return "1" if match(flow) else "0"
    except Exception:
        return "e"

task = json.load(sys.stdin)
filters, invalid, files = [], [], []
for expression in task["expressions"]:
    try:
        filters.append(flowfilter.parse(expression))
    except ValueError:
        invalid.append(expression)
        filters.append(lambda flow: False)
for number, path in enumerate(task["files"]):
    kept, marks = io.BytesIO(), []
    writer = FlowWriter(kept)
    try:
        with open(path, "rb") as file:
            for flow in FlowReader(file).stream():
                writer.add(flow)
                marks.append("".join([mark(match, flow) for match in filters]))
    except Exception as error:
        print(path, error, file=sys.stderr)
    if marks:
        target = os.path.join(task["folder"], f"{number}.mitm")
        with open(target, "wb") as file:
            file.write(kept.getvalue())
        files.append([target, path, marks])
json.dump({"files": files, "invalid": invalid}, sys.stdout)
"""

#: Both sides must agree on these, flow by flow.
EXPRESSIONS = [
    # without an argument
    "~a", "~all", "~dns", "~e", "~http", "~marked", "~q", "~replay", "~replayq", "~replays", "~s", "~tcp", "~udp",
    "~websocket",
    # bodies
    "~b ''", "~b .", "~b html", "~b HTML", "~b '<html.*</html>'", "~b ^{", "~b \\x00", "~b é", "~b message",
    "~b google", "~b 8\\.8", "~bq ''", "~bq .", "~bq =", "~bq hello", "~bs ''", "~bs .", "~bs hello", "~bs google",
    "~bs [^\\x00-\\x7f]",
    # numbers
    "~c 0", "~c 101", "~c 200", "~c 304", "~c 404", "~c 502", "~c 99999999999",
    # texts of the flow
    "~comment ''", "~comment .", "~d ''", "~d example", "~d ^127", "~d localhost$", "~d GOOGLE", "~d :", "~dst ''",
    "~dst 127.0.0.1", "~dst :443$", "~dst ^address:22$", "~dst example", "~m ''", "~m get", "~m ^GET$", "~m POST",
    "~m connect", "~marker ''", "~marker .", "~meta ''", "~src ''", "~src 127.0.0.1", "~src ^127", "~src :22$",
    "~src :5[0-9]+$",
    # headers
    "~h ''", "~h ^host:", "~h ': close'", "~h 'content-type: .*html'", "~h ^$", "~h content-length:.0", "~h é",
    "~hq ''", "~hq ^User-Agent", "~hq '^accept: [*]/[*]'", "~hq cookie", "~hs ''", "~hs ^server:", "~hs gzip",
    "~hs 'date:.*GMT'", "~t ''", "~t html", "~t ^text/", "~t json", "~t charset=", "~tq ''", "~tq form", "~ts ''",
    "~ts JSON", "~ts image",
    # URLs
    "~u ''", "~u .", "~u ^http://", "~u ^https://", "~u /path$", "~u \\?", "~u google", "~u :[0-9]+/", "~u 127.0.0.1",
    "~u EXAMPLE", "path", "'/path'", '"example"', "http://127", "a|b", "html|png",
    # grammar
    "~q ~http", "~q | ~tcp", "!~q", "! ~http", "!!~s", "~s & ~c 200 | ~tcp", "~s ~c 200 | ~tcp", "~tcp | ~s ~c 200",
    "~tcp | ~s & ~c 200", "!~s | ~c 200 ~http", "(~c 200) | (~u x)", "!(~u path)",
    "~m GET ~d example | ~tcp & ~b hello", "~c 200&~s", "~c 200|~tcp", "path example | ~udp", "~http & ! ~e",
    "~http !~e !~websocket", "'p'|~udp", "~b hello | ~h hello", "(~m get) & !(~d example)",
]  # fmt: skip

#: Errors on both sides.
INVALID = [
    "", " ", "~", "~~q", "~zzz", "~Q", "~qq", "~ufoo", "~c4", "~u", "~u ", "~u ~q", "~u (foo)", "~c", "~c -1",
    "~c foo", "~c +1",
    "~http://x", "(~u a", "~u a)", "()", "foo)", "foo(bar", "'open", "a'b", "~b [", "~u 'a(b'", "*", "~me foo", "~repl",
]  # fmt: skip

#: What only we accept, see the docstrings of filters and filter_parser.
WIDER = ["~q|~s", "~q&~s", "(~q)", "!(~q ~s)", "(a b)", "~u'foo'", "~c '404'", "~s!~q", "~u 'a\nb'"]

#: Samples that the other side reads: native files and HARs.
SAMPLES = ("*.mitm", "examples/*.mitm", "flows/*.mitm", "generated/*.mitm", "flows/*.har", "har_files/*.har")


@pytest.fixture(scope="module")
def verdicts(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    files = sorted(str(path) for pattern in SAMPLES for path in shared_data.glob(pattern))
    folder = tmp_path_factory.mktemp("states")
    task = {"files": files, "expressions": [*EXPRESSIONS, *INVALID, *WIDER], "folder": str(folder)}
    done = subprocess.run(
        [PYTHON, "-c", OTHER_SIDE], input=json.dumps(task), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_samples_are_not_few(verdicts: Any) -> None:
    assert len(verdicts["files"]) >= 40
    assert sum(len(marks) for _, _, marks in verdicts["files"]) >= 200


def test_every_code_that_is_not_our_own_is_compared() -> None:
    written = " ".join(EXPRESSIONS)
    assert [
        code for code in CODES if code not in ("~size", "~dur") and code not in written.replace("!", " ").split()
    ] == []


def test_every_verdict_is_the_same(verdicts: Any) -> None:
    filters = [parse(expression) for expression in EXPRESSIONS]
    differences = []
    compared = 0
    for target, path, marks in verdicts["files"]:
        flows: list[Flow] = list(open_flows(target))
        assert len(flows) == len(marks), path
        for number, (flow, wanted) in enumerate(zip(flows, marks, strict=True)):
            for filter, verdict in zip(filters, wanted, strict=False):
                compared += verdict != "e"
                if verdict != "e" and filter(flow) != (verdict == "1"):
                    differences.append((Path(path).name, number, filter.pattern, verdict))
    assert differences == []
    assert compared > 100 * len(EXPRESSIONS)


def test_errors_are_errors_on_both_sides(verdicts: Any) -> None:
    assert set(verdicts["invalid"]) == {*INVALID, *WIDER}
    for expression in INVALID:
        with pytest.raises(FilterError):
            parse(expression)


def test_what_only_we_accept(verdicts: Any) -> None:
    assert set(WIDER) <= set(verdicts["invalid"])
    assert [parse(expression).pattern for expression in WIDER] == WIDER
