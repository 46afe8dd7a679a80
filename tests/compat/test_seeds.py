"""Examples for saved flows from the documentation of mitmproxy's generations, run on the command line.

The scripts are in Python 3 spelling and import mitmproxy's module names.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.support.flows import http_flow, raw, read_flows, response, run_flowdump, write_flows

ADD_HEADER = """
def response(flow):
    flow.response.headers["newheader"] = "foo"
"""

USING_CLASSES = """
class AddHeader:
    def response(self, flow):
        flow.response.headers["newheader"] = "foo"

def start():
    return AddHeader()
"""

HANDLING_ARGUMENTS = """
import argparse

class Replacer:
    def __init__(self, src, dst):
        self.src, self.dst = src, dst

    def response(self, flow):
        flow.response.replace(self.src, self.dst)

def start():
    parser = argparse.ArgumentParser()
    parser.add_argument("src", type=str)
    parser.add_argument("dst", type=str)
    args = parser.parse_args()
    return Replacer(args.src, args.dst)
"""

LOGGING = '''
"""
It is recommended to use `ctx.log` for logging within a script.
This goes to the event log in mitmproxy and to stdout in mitmdump.

If you want to help us out: https://github.com/mitmproxy/mitmproxy/issues/1530 :-)
"""
from mitmproxy import ctx

def start():
    ctx.log.info("This is some informative text.")
    ctx.log.error("This is an error.")
'''

CONCURRENT = """
import time

from mitmproxy.script import concurrent

@concurrent  # Remove this and see what happens
def request(flow):
    # You don't want to use mitmproxy.ctx from a different thread
    print("handle request: %s%s" % (flow.request.host, flow.request.path))
    time.sleep(0.05)
    print("start  request: %s%s" % (flow.request.host, flow.request.path))
"""

STREAMING = '''
def modify(chunks):
    """
    chunks is a generator that can be used to iterate over all chunks.
    """
    for chunk in chunks:
        yield chunk.replace(b"foo", b"bar")

def responseheaders(flow):
    """
    Enables streaming for all responses.
    """
    flow.response.stream = modify
'''

EVENTS = """
from mitmproxy import ctx

def configure(options, updated):
    ctx.log.info("configure %s" % ("rfile" in updated and options is ctx.options))

def request(flow):
    ctx.log.info("request %s" % flow.request.path)

def response(flow):
    ctx.log.info("response %d" % flow.response.status_code)

def error(flow):
    ctx.log.info("error %s" % flow.error.msg)

def done():
    ctx.log.info("done")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    page = {"content-type": "text/html", "content-encoding": "gzip"}
    flows = [
        http_flow("https://example.com/1", response(200, b"<html>foo</html>", page)),
        http_flow("https://example.com/2", error="refused"),
    ]
    write_flows(tmp_path / "saved", flows)
    return tmp_path


def run(folder: Path, script: str, *arguments: str) -> Any:
    (folder / "script.py").write_text(script)
    return run_flowdump(*arguments, cwd=folder, check=True)


@pytest.mark.parametrize("script", [ADD_HEADER, USING_CLASSES], ids=["simple", "classes"])
def test_add_header(folder: Path, script: str) -> None:
    run(folder, script, "-r", "saved", "-s", "script.py", "-w", "changed")
    answered, failed = read_flows(folder / "changed")
    assert answered.response.headers["newheader"] == "foo"
    assert failed.response is None


def test_replacer(folder: Path) -> None:
    """``mitmdump -dd -s "./arguments.py html fakehtml" -r saved -w changed``"""
    done = run(folder, HANDLING_ARGUMENTS, "-dd", "-s", "./script.py html fakehtml", "-r", "saved", "-w", "changed")
    answered, _ = read_flows(folder / "changed")
    assert answered.response.content == b"<fakehtml>foo</fakehtml>"
    assert answered.response.headers["content-type"] == "text/fakehtml"
    assert "  <fakehtml>" in done.stdout


def test_logging(folder: Path) -> None:
    done = run(folder, LOGGING, "-s", "script.py", "-r", "saved")
    assert done.stderr == "This is some informative text.\nThis is an error.\n"
    assert len(done.stdout.splitlines()) == 2


def test_concurrent(folder: Path) -> None:
    done = run(folder, CONCURRENT, "-q", "-s", "script.py", "-r", "saved")
    words = [f"{word} request: example.com/{n}" for n in (1, 2) for word in ("handle", "start ")]
    assert done.stdout.splitlines() == words


def test_streaming_leaves_saved_bodies_unchanged(folder: Path) -> None:
    """A saved flow has its whole body, so there is nothing to stream."""
    run(folder, STREAMING, "-s", "script.py", "-r", "saved", "-w", "changed")
    assert read_flows(folder / "changed")[0].response.content == b"<html>foo</html>"


def test_events(folder: Path) -> None:
    done = run(folder, EVENTS, "--flow-detail", "0", "-s", "script.py", "-r", "saved")
    heard = ["configure True", "request /1", "response 200", "request /2", "error refused", "done"]
    assert done.stderr.splitlines() == heard


def test_har_both_ways(folder: Path) -> None:
    """``mitmproxy -r example.har``, ``mitmdump --set hardump=dump.har``, ``mitmdump -q --set hardump=-``"""
    run(folder, "", "-r", "saved", "--set", "hardump=dump.har")
    done = run(folder, "", "-q", "-r", "dump.har", "--set", "hardump=-")
    entries = json.loads(raw(done.stdout))["log"]["entries"]
    assert [entry["request"]["url"] for entry in entries] == ["https://example.com/1", "https://example.com/2"]
    assert entries[0]["response"]["content"]["text"] == "<html>foo</html>"
    done = run(folder, ADD_HEADER, "-q", "-r", "dump.har", "-s", "script.py", "--set", "hardump=-")
    names = [header["name"] for header in json.loads(raw(done.stdout))["log"]["entries"][0]["response"]["headers"]]
    assert "newheader" in names
