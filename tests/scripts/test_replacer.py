from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.support.flows import SCRIPTS, every_kind, http_flow, read_flows, response, run_flowdump, script, write_flows

PAGE = b'<html><a href="/about.html">html</a> \xff</html>'


def _replaced(folder: Path, answer: Any, *arguments: str) -> Any:
    saved = write_flows(folder / "saved", [http_flow(answer=answer)])
    run_flowdump("-r", saved, "-s", script("replacer.py", *arguments), "-w", "changed", cwd=folder, check=True)
    (flow,) = read_flows(folder / "changed")
    return flow.response


def test_the_documented_command(tmp_path: Path) -> None:
    """The command as the documentation has it, word for word, run where the scripts folder is."""
    (tmp_path / "scripts").symlink_to(SCRIPTS)
    write_flows(tmp_path / "saved", [http_flow(answer=response(200, PAGE, {"content-type": "text/html"}))])
    run_flowdump("-r", "saved", "-s", "scripts/replacer.py html faketml", "-w", "changed", cwd=tmp_path, check=True)
    (flow,) = read_flows(tmp_path / "changed")
    assert flow.response.content == PAGE.replace(b"html", b"faketml")
    assert flow.response.headers["content-type"] == "text/faketml"
    assert flow.response.headers["content-length"] == str(len(PAGE.replace(b"html", b"faketml")))


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_compressed_bodies_stay_compressed(tmp_path: Path, coding: str) -> None:
    answer = response(200, PAGE, {"content-encoding": coding})
    replaced = _replaced(tmp_path, answer, "html", "faketml")
    assert replaced.headers["content-encoding"] == coding
    assert replaced.raw_content != replaced.content
    assert replaced.content == PAGE.replace(b"html", b"faketml")
    assert replaced.headers["content-length"] == str(len(replaced.raw_content))


def test_regular_expression_and_groups(tmp_path: Path) -> None:
    replaced = _replaced(tmp_path, response(200, b"a1 a22", {"x-page": "a3"}), r"a(\d+)", r"<\1>")
    assert replaced.content == b"<1> <22>"
    assert replaced.headers["x-page"] == "<3>"


def test_text_beyond_ascii(tmp_path: Path) -> None:
    replaced = _replaced(tmp_path, response(200, "Grüße".encode()), "üß", "ues")
    assert replaced.content == b"Gruese"


def test_requests_stay_as_they_are(tmp_path: Path) -> None:
    saved = write_flows(tmp_path / "saved", [http_flow("https://example.com/a.html", response(200, PAGE))])
    run_flowdump("-r", saved, "-s", script("replacer.py", "html", "x"), "-w", "changed", cwd=tmp_path, check=True)
    before, after = read_flows(saved)[0], read_flows(tmp_path / "changed")[0]
    assert after.request == before.request
    assert after.response != before.response


def test_file_without_a_match_comes_out_byte_for_byte(tmp_path: Path) -> None:
    saved = write_flows(tmp_path / "saved", every_kind())
    command = script("replacer.py", "not in there", "x")
    run_flowdump("-q", "-r", saved, "-s", command, "-w", "changed", cwd=tmp_path, check=True)
    assert (tmp_path / "changed").read_bytes() == saved.read_bytes()


def test_flows_of_every_kind_pass(tmp_path: Path) -> None:
    flows = every_kind()
    saved = write_flows(tmp_path / "saved", flows)
    command = script("replacer.py", "html", "faketml")
    run_flowdump("-q", "-r", saved, "-s", command, "-w", "changed", cwd=tmp_path, check=True)
    assert [flow.id for flow in read_flows(tmp_path / "changed")] == [flow.id for flow in flows]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "the following arguments are required: src, dst"),
        (("html",), "the following arguments are required: dst"),
        (("html", "faketml", "more"), "unrecognized arguments: more"),
        (("(html", "faketml"), "'(html' -> 'faketml'"),
        (("html", r"\1"), "invalid group reference 1"),
        (("html", r"\g<name>"), "unknown group name 'name'"),
        (("(?u)html", "x"), "cannot use 'u' flag"),
    ],
)
def test_wrong_arguments_end_the_start(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    saved = write_flows(tmp_path / "saved", [http_flow()])
    done = run_flowdump("-r", saved, "-s", script("replacer.py", *arguments), "-w", "changed", cwd=tmp_path)
    assert done.returncode == 1
    assert "usage: replacer.py [-h] src dst\n" in done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "changed").exists()


def test_help_ends_well(tmp_path: Path) -> None:
    done = run_flowdump("-s", script("replacer.py", "-h"), "-r", write_flows(tmp_path / "saved", []), cwd=tmp_path)
    assert "usage: replacer.py [-h] src dst" in done.stdout + done.stderr
    assert done.returncode == 0
