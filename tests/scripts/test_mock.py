from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.flows import every_kind, http_flow, read_flows, request, response, run_flowdump, script, write_flows
from tests.support.live import origin
from tests.support.process import Live
from tests.support.scripts import ask


@pytest.fixture
def answers(tmp_path: Path) -> Path:
    """A folder of answers beside a file that is nobody's business."""
    files = {
        "answers/example.com/index.html": b"<p>home</p>",
        "answers/example.com/api/items.json": b"[1, 2]",
        "answers/example.com/api/items.POST.http": b"HTTP/1.1 201 Made\r\nLocation: /api/items/3\r\n\r\n",
        "answers/example.com/teapot.http": b"HTTP/1.1 418 I am one\nX-Kind: pot\nContent-Length: 99\n\nshort\n\nstout",
        "answers/example.com/broken.http": b"not HTTP",
        "answers/example.com:8443/index": b"port",
        "answers/any/health": b"fine",
        "secret": b"secret",
    }
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    (tmp_path / "answers" / "example.com" / "link").symlink_to(tmp_path / "secret")
    return tmp_path / "answers"


@pytest.mark.parametrize(
    ("method", "url", "status", "content", "kind"),
    [
        ("GET", "https://example.com/", 200, b"<p>home</p>", "text/html"),
        ("GET", "https://EXAMPLE.com/?q=1", 200, b"<p>home</p>", "text/html"),
        ("GET", "https://example.com/api/items?page=1", 200, b"[1, 2]", "application/json"),
        ("POST", "https://example.com/api/items", 201, b"", None),
        ("GET", "https://example.com/teapot", 418, b"short\n\nstout", None),
        ("GET", "https://example.com:8443/", 200, b"port", "application/octet-stream"),
        ("GET", "http://other.example.org/health", 200, b"fine", "application/octet-stream"),
        ("GET", "https://example.com/broken", 500, b"broken.http is not an answer.\n", "text/plain"),
        ("GET", "https://example.com/nothing", 404, b"There is no answer for this.\n", "text/plain"),
        ("GET", "https://example.com/../../secret", 404, None, "text/plain"),
        ("GET", "https://example.com/..%2f..%2fsecret", 404, None, "text/plain"),
        ("GET", "https://example.com/%2fetc/passwd", 404, None, "text/plain"),
        ("GET", "https://example.com/link", 404, None, "text/plain"),
        ("GET", "https://example.com/%00", 404, None, "text/plain"),
        ("GET", "https://example.com/" + "x" * 3000, 404, None, "text/plain"),
        ("../X", "https://example.com/api/items", 200, b"[1, 2]", "application/json"),
    ],
)
def test_answers(
    answers: Path, tmp_path: Path, method: str, url: str, status: int, content: bytes | None, kind: str | None
) -> None:
    saved = write_flows(tmp_path / "saved", [http_flow(request(method, url), response(599, b"recorded"))])
    command = script("mock.py", str(answers), "--only")
    run_flowdump("-q", "-r", saved, "-s", command, "-w", "changed", cwd=tmp_path, check=True)
    (flow,) = read_flows(tmp_path / "changed")
    assert flow.response.status_code == status
    assert flow.response.headers.get("content-type") == kind
    assert flow.response.headers["content-length"] == str(len(flow.response.content))
    assert b"secret" not in flow.response.content
    if content is not None:
        assert flow.response.content == content


@pytest.mark.parametrize("host", ["..", ".", "../answers/any", ""])
def test_a_host_leads_nowhere_else(answers: Path, tmp_path: Path, host: str) -> None:
    flow = http_flow(request("GET", "https://example.com/secret"))
    flow.request.headers["host"] = flow.request.host = host
    saved = write_flows(tmp_path / "saved", [flow])
    command = script("mock.py", str(answers), "--only")
    run_flowdump("-q", "-r", saved, "-s", command, "-w", "changed", cwd=tmp_path, check=True)
    assert read_flows(tmp_path / "changed")[0].response.status_code == 404


def test_a_whole_answer_keeps_its_head(answers: Path, tmp_path: Path) -> None:
    saved = write_flows(tmp_path / "saved", [http_flow("https://example.com/teapot")])
    run_flowdump("-q", "-r", saved, "-s", script("mock.py", str(answers)), "-w", "changed", cwd=tmp_path, check=True)
    (flow,) = read_flows(tmp_path / "changed")
    assert flow.response.reason == "I am one"
    assert flow.response.headers["x-kind"] == "pot"


async def test_live_with_an_origin_for_the_rest(answers: Path) -> None:
    with Live("-s", script("mock.py", str(answers))) as proxy:
        async with origin() as server:
            assert (await ask(proxy, "http://example.com/")).endswith(b"\r\n\r\n<p>home</p>")
            assert (await ask(proxy, f"http://127.0.0.1:{server.port}/health")).endswith(b"fine")
            assert server.requests == []
            assert (await ask(proxy, f"http://127.0.0.1:{server.port}/else")).endswith(b"hi")
        (answers / "any" / "else").write_bytes(b"new")
        assert (await ask(proxy, f"http://127.0.0.1:{server.port}/else")).endswith(b"new")
        head = await ask(proxy, "http://example.com/", method="HEAD")
        assert head.endswith(b"\r\n\r\n")
        assert b"content-length: 11" in head.lower()


def test_flows_of_every_kind_pass(answers: Path, tmp_path: Path) -> None:
    flows = every_kind()
    saved = write_flows(tmp_path / "saved", flows)
    run_flowdump("-q", "-r", saved, "-s", script("mock.py", str(answers)), "-w", "changed", cwd=tmp_path, check=True)
    assert [flow.id for flow in read_flows(tmp_path / "changed")] == [flow.id for flow in flows]


def test_a_folder_that_is_missing_ends_the_start(tmp_path: Path) -> None:
    done = run_flowdump("-s", script("mock.py", "nowhere"), cwd=tmp_path)
    assert done.returncode == 1
    assert "'nowhere' is not a folder" in done.stderr
