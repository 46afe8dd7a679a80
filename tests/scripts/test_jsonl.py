from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.support.flows import (
    T0,
    dns_flow,
    environment,
    every_kind,
    http_flow,
    read_flows,
    record,
    request,
    response,
    run_flowdump,
    script,
    tcp_flow,
    udp_flow,
    websocket_flow,
    write_flows,
)


def _lines(folder: Path, *flows: Any, env: dict[str, str] | None = None) -> list[dict[str, Any]]:
    saved = write_flows(folder / "saved", flows)
    done = run_flowdump("-q", "-r", saved, "-s", script("jsonl.py"), cwd=folder, check=True, env=env)
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_http_flow(tmp_path: Path) -> None:
    asked = request("POST", "https://example.com/a?b=c", b"x=1", [("X-A", "1"), ("X-A", "2")])
    answer = response(404, "née".encode(), {"content-type": "text/plain; charset=utf-8", "content-encoding": "gzip"})
    flow = http_flow(asked, answer, id="f1", comment="say", marked=":default:")
    text, length = "text/plain; charset=utf-8", str(len(answer.raw_content))
    assert _lines(tmp_path, flow) == [
        {
            "type": "http",
            "id": "f1",
            "started": T0,
            "client": ["127.0.0.1", 50000],
            "server": ["example.com", 443],
            "error": None,
            "marked": ":default:",
            "comment": "say",
            "request": {
                "method": "POST",
                "url": "https://example.com/a?b=c",
                "http_version": "HTTP/1.1",
                "headers": [["Host", "example.com"], ["X-A", "1"], ["X-A", "2"], ["content-length", "3"]],
                "body": "x=1",
                "base64": False,
            },
            "response": {
                "status_code": 404,
                "reason": "Not Found",
                "http_version": "HTTP/1.1",
                "headers": [["content-type", text], ["content-encoding", "gzip"], ["content-length", length]],
                "body": "née",
                "base64": False,
            },
            "websocket": None,
        }
    ]


def test_websocket_flow_is_written_once_with_its_messages(tmp_path: Path) -> None:
    (line,) = _lines(tmp_path, websocket_flow("hi", b"\x00\xff", error="connection lost"))
    assert line["error"] == "connection lost"
    assert line["response"]["status_code"] == 101
    assert line["websocket"] == {
        "close_code": 1000,
        "messages": [
            {"from_client": True, "timestamp": T0 + 1, "body": "hi", "base64": False},
            {"from_client": False, "timestamp": T0 + 2, "body": "AP8=", "base64": True},
        ],
    }


def test_tcp_udp_and_dns_flows(tmp_path: Path) -> None:
    tcp, udp, dns = _lines(tmp_path, tcp_flow(b"a", b"b"), udp_flow(b"\x01"), dns_flow("a.example", "192.0.2.7"))
    assert tcp["type"] == "tcp"
    assert tcp["server"] == ["example.com", 9000]
    assert [m["body"] for m in tcp["messages"]] == ["a", "b"]
    assert udp["messages"] == [{"from_client": True, "timestamp": T0, "body": "AQ==", "base64": True}]
    assert dns["request"]["questions"] == ["a.example A"]
    assert dns["response"] == {
        "id": 7,
        "response_code": "NOERROR",
        "questions": ["a.example A"],
        "answers": ["a.example A 192.0.2.7"],
    }


def test_every_flow_is_one_line_in_the_order_of_the_file(tmp_path: Path) -> None:
    flows = every_kind()
    lines = _lines(tmp_path, *flows)
    assert [line["id"] for line in lines] == [flow.id for flow in flows]
    assert [line["error"] for line in lines] == [flow.error.msg if flow.error else None for flow in flows]
    assert [line["type"] for line in lines] == [flow.type for flow in flows]


def test_bodies_that_are_no_text(tmp_path: Path) -> None:
    flows = every_kind()
    lines = {line["id"]: line for line in _lines(tmp_path, *flows)}
    for flow in flows:
        answer = lines[flow.id].get("response")
        if flow.type != "http" or answer is None:
            continue
        content = flow.response.get_content(strict=False)
        if content is None:
            assert (answer["body"], answer["base64"]) == (None, False)
        elif answer["base64"]:
            assert base64.b64decode(answer["body"]) == content
        else:
            assert answer["body"].encode() == content
    assert (
        sum(line["response"]["base64"] for line in lines.values() if line["type"] == "http" and line["response"]) == 2
    )


def test_output_is_plain_ascii_whatever_the_terminal_takes(tmp_path: Path) -> None:
    flow = http_flow(
        "https://example.com/", response(200, "😀€".encode(), {"content-type": "text/plain; charset=utf-8"})
    )
    (line,) = _lines(tmp_path, flow, env={"PYTHONIOENCODING": "ascii"})
    assert line["response"]["body"] == "😀€"


def test_file_holds_what_was_read_this_time(tmp_path: Path) -> None:
    flows = every_kind()
    saved = write_flows(tmp_path / "saved", flows)
    (tmp_path / "out.jsonl").write_text("old\n")
    run_flowdump("-r", saved, "-s", script("jsonl.py", "out.jsonl"), "-w", "copy", cwd=tmp_path, check=True)
    lines = (tmp_path / "out.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [flow.id for flow in flows]
    assert len(read_flows(tmp_path / "copy")) == len(flows)


def test_a_start_that_fails_leaves_the_file_alone(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl").write_text("old\n")
    done = run_flowdump("-r", "missing", "-s", script("jsonl.py", "out.jsonl"), cwd=tmp_path)
    assert done.returncode == 1
    assert (tmp_path / "out.jsonl").read_text() == "old\n"


def test_file_that_cannot_be_made(tmp_path: Path) -> None:
    saved = write_flows(tmp_path / "saved", [])
    done = run_flowdump("-r", saved, "-s", script("jsonl.py", "no/such/folder.jsonl"), cwd=tmp_path)
    assert done.returncode == 1
    assert "no/such/folder.jsonl" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_line_comes_out_while_more_flows_may_follow() -> None:
    """Flows come through a pipe that stays open; the line of the first one is there all the same."""
    command = [sys.executable, "-m", "flowdump", "-q", "-r", "-", "-s", script("jsonl.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(record(http_flow(answer=response(), id="first")))
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == "first"
        process.stdin.close()
        assert process.stdout.read() == b""
    assert process.returncode == 0


def test_reader_that_has_seen_enough(tmp_path: Path) -> None:
    """As with ``… | head -1``: the run ends quietly."""
    page = response(200, b"x" * 10_000)
    saved = write_flows(tmp_path / "saved", [http_flow(answer=page) for _ in range(100)])
    command = [sys.executable, "-m", "flowdump", "-q", "-r", str(saved), "-s", script("jsonl.py")]
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""


def test_a_file_that_cannot_be_made_is_told_with_the_usage(tmp_path: Path) -> None:
    saved = write_flows(tmp_path / "saved", [http_flow()])
    done = run_flowdump("-r", saved, "-s", script("jsonl.py", "missing/lines"), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "usage: jsonl.py [-h]" in done.stderr
    assert "jsonl.py: error: cannot write 'missing/lines': No such file or directory\n" in done.stderr
