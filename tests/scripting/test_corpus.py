"""Scripts in the style of the two older generations, run over saved flows from the command line.

There is no program of today to compare them with, so each has an expression that tells what it must come to: ``flows``
are the flows that were written, ``before`` those that were read, ``out`` and ``log`` what was printed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.corpus import CORPUS, Ran, run_all, sample, scripts
from tests.support.flows import read_flows, write_flows

HTTP = "[f for f in flows if f.type == 'http']"
ANSWERED = "[f for f in flows if f.type == 'http' and f.response and not f.websocket]"

#: Script -> its arguments, and what must hold.
EXPECTED = {
    "first/add_header.py": ("", f"all(f.response.headers['newheader'] == 'foo' for f in {ANSWERED})"),
    "first/stub.py": (
        "",
        "log.splitlines()[:4] == ['start', 'request', 'responseheaders', 'response'] and log.endswith('done\\n') "
        "and log.count('error') == 1 and log.count('connect') == 0",
    ),
    "first/modify_querystring.py": (
        "",
        "flows[1].request.query['mitmproxy'] == 'rocks' and '?' not in flows[0].request.path",
    ),
    "first/modify_form.py": ("", "flows[3].request.content == b'user=world&password=a%26b&mitmproxy=rocks'"),
    "first/modify_response_body.py": (
        "world bananas",
        "b'bananas' in flows[0].response.content and flows[2].response.json()['name'] == 'bananas' "
        "and flows[2].response.headers['content-encoding'] == 'gzip'",
    ),
    "first/redirect_requests.py": (
        "",
        "flows[2].response.content == b'helloworld' and flows[2].response.headers['content-type'] == 'text/html' "
        "and flows[13].request.host == 'mitmproxy.org' == flows[13].request.headers['host'].split(':')[0]",
    ),
    "first/redirect_010.py": (
        "",
        "[f.id for f in flows if f.type == 'http' and f.response and f.response.content == b'helloworld'] "
        "== ['flow-03', 'flow-04']",
    ),
    "first/dup_and_replay.py": ("", "log.splitlines()[0] == '/ /changed' and flows[0].request.path == '/'"),
    "first/flowwriter.py": (
        "own.flows",
        f"[f.id for f in read_flows('own.flows')] == [f.id for f in {HTTP} if f.response]",
    ),
    "first/nonblocking.py": (
        "",
        "log.splitlines()[:2] == [w + ' request: example.com/' for w in ('handle', 'start ')]",
    ),
    "first/url_log.py": (
        "",
        "\"(404, 'Not Found', 'https://example.com/none', (1, 1))\" in out and 'x-json' in flows[2].response.headers",
    ),
    "first/stream.py": (
        "",
        "[f.response.raw_content for f in flows[:3]] == [f.response.raw_content for f in before[:3]]",
    ),
    "second/add_header_class.py": ("", f"all(f.response.headers['newheader'] == 'foo' for f in {ANSWERED})"),
    "second/arguments.py": (
        "html faketml",
        "flows[0].response.content.startswith(b'<faketml>') "
        "and flows[0].response.headers['content-type'] == 'text/faketml; charset=utf-8'",
    ),
    "second/opts_start.py": ("'a path'", f"all(f.request.headers['x-path'] == 'a path' for f in {HTTP})"),
    "second/events.py": (
        "",
        "log.splitlines()[:4] == ['configure True', 'requestheaders', 'request', 'response'] "
        "and 'requestheaders\\nwebsocket_handshake\\nrequest\\nresponse\\nwebsocket_start\\n' in log "
        "and \"websocket_message 'Hello server'\" in log and log.endswith('done\\n')",
    ),
    "second/fail_with_500.py": (
        "",
        f"all((f.response.status_code, f.response.content) == (500, b'') for f in {ANSWERED})",
    ),
    "second/send_reply_from_proxy.py": (
        "",
        "(flows[1].response.status_code, flows[1].response.content) == (418, b'Hello World') "
        "and flows[0].response.status_code == 200",
    ),
    "second/models_response.py": (
        "",
        "(flows[3].response.status_code, flows[3].response.reason, flows[3].response.headers['x-made']) "
        "== (401, 'Unauthorized', '1')",
    ),
    "second/websocket_edit.py": (
        "",
        "[(m.content, m.dropped) for m in flows[15].websocket.messages] == [(b'HAPPY server', False), "
        "(b'HAPPY secret', False), (b'bin', False), (b'FOOBAR', True)] and out == 'example.com 1000\\n'",
    ),
    "second/har_like.py": (
        "",
        "json.loads(out)[0] == {'ip': '192.0.2.1', 'tls': True, 'cipher': 'TLS_AES_128_GCM_SHA256', 'server': True, "
        "'size': 77, 'cookies': [], 'binary': False, 'version': True} "
        "and json.loads(out)[11]['cookies'] == ['session', 'b'] and json.loads(out)[6]['binary']",
    ),
    "second/options_of_then.py": (
        "--set addheader=7",
        f"all(f.response.headers['addheader'] == '7' for f in {ANSWERED})",
    ),
    "second/internet_in_mirror.py": ("", "b'scaleX(-1)' in flows[0].response.content"),
    "second/log_events.py": ("", "flows[0].comment == \"('warn', 'from request')\" and 'This is an error.\\n' in log"),
    "second/kill_by_reply.py": ("", "flows[6].comment == 'tried' and flows[6].error is None"),
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """Every script, run in one process."""
    top = tmp_path_factory.mktemp("corpus")
    source = write_flows(top / "in", sample())

    def job(name: str) -> tuple[Path, list[str]]:
        arguments, _ = EXPECTED[name]
        script = str(CORPUS / name)
        more = arguments.split() if arguments.startswith("--") else []
        command = [
            "-n",
            "--set",
            f"confdir={top}",
            "--set",
            "flow_detail=0",
            "-r",
            str(source),
            "-w",
            "out.mitm",
            *more,
        ]
        return top / name, [*command, "-s", script if more else f"{script} {arguments}"]

    results = run_all(sys.executable, ("flowdump.cli", "main"), list(map(job, EXPECTED)))
    return dict(zip(EXPECTED, results, strict=True))


@pytest.mark.parametrize("name", EXPECTED)
def test_an_older_script(name: str, runs: dict[str, Ran], monkeypatch: pytest.MonkeyPatch) -> None:
    done = runs[name]
    monkeypatch.chdir(done.folder)
    assert (done.code, "error in" in done.log) == (0, False), done.log
    facts: dict[str, Any] = {
        "before": sample(),
        "out": done.out,
        "log": done.log,
        "read_flows": read_flows,
        "json": json,
    }
    assert eval(EXPECTED[name][1], facts | {"flows": read_flows("out.mitm")}), (done.out, done.log)


def test_every_script_is_run() -> None:
    found = {str(path.relative_to(CORPUS)) for generation in ("first", "second") for path in scripts(generation)}
    assert found == set(EXPECTED)
