from __future__ import annotations

import json
from pathlib import Path

import pytest
from scripts.har_by_host import MOST
from tests.support.cli import wait_until
from tests.support.flows import every_kind, http_flow, response, run_flowdump, script, websocket_flow, write_flows
from tests.support.live import origin
from tests.support.process import Live
from tests.support.scripts import ask

from flowdump.formats import open_input


def _written(folder: Path, *flows: object, more: tuple[str, ...] = ()) -> dict[str, list[str]]:
    saved = write_flows(folder / "saved", flows)  # type: ignore[arg-type]
    command = script("har_by_host.py", "hars", *more)
    done = run_flowdump("--flow-detail", "0", "-r", saved, "-s", command, cwd=folder, check=True)
    found = {}
    for path in sorted((folder / "hars").iterdir()):
        har = open_input(str(path))
        found[path.name] = [flow.request.url for flow in har.flows(pytest.fail)]  # type: ignore[attr-defined]
        har.close()
    count = sum(len(urls) for urls in found.values())
    assert f"flows written to hars: {count}, hosts: {len(found)}" in done.stderr
    return found


def test_a_file_per_host(tmp_path: Path) -> None:
    flows = [
        http_flow("https://example.com/a", response()),
        http_flow("https://example.org/b", error="refused"),
        http_flow("https://Example.com/c"),
        http_flow("https://example.com:8443/d", response()),
        http_flow("http://example.com:443/e", response()),
        websocket_flow("hello", url="https://example.org/f"),
    ]
    assert _written(tmp_path, *flows) == {
        "example.com.har": ["https://example.com/a", "https://example.com/c"],
        "example.com_443.har": ["http://example.com:443/e"],
        "example.com_8443.har": ["https://example.com:8443/d"],
        "example.org.har": ["https://example.org/b", "https://example.org/f"],
    }
    assert json.loads((tmp_path / "hars" / "example.org.har").read_bytes())["log"]["version"] == "1.2"
    assert (tmp_path / "hars" / "example.org.har").stat().st_mode & 0o777 == 0o600


def test_compressed(tmp_path: Path) -> None:
    found = _written(tmp_path, http_flow("https://example.com/a", response()), more=("--compress",))
    assert found == {"example.com.zhar": ["https://example.com/a"]}
    with pytest.raises(UnicodeDecodeError):
        (tmp_path / "hars" / "example.com.zhar").read_text()


def test_flows_of_every_kind(tmp_path: Path) -> None:
    found = _written(tmp_path, *every_kind())
    assert sum(map(len, found.values())) == len([flow for flow in every_kind() if flow.type == "http"])


@pytest.mark.parametrize("host", ["..", ".", "a/../../b", "-x", "%2e%2e"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, host: str) -> None:
    flow = http_flow("https://example.com/", response())
    flow.request.headers.clear()
    flow.request.host = host
    flow.request.headers["host"] = host
    saved = write_flows(tmp_path / "saved", [flow])
    run_flowdump("-r", saved, "-s", script("har_by_host.py", "hars"), cwd=tmp_path, check=True)
    assert len(list((tmp_path / "hars").glob("*.har"))) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"saved", "hars"}


def test_files_stay_few(tmp_path: Path) -> None:
    found = _written(tmp_path, *[http_flow(f"https://h{n}.example/", response()) for n in range(MOST + 3)])
    assert len(found) == MOST + 1
    assert len(found["others.har"]) == 3


async def test_live_files_can_be_read_at_any_moment(tmp_path: Path) -> None:
    with Live("-s", script("har_by_host.py", str(tmp_path / "hars"))) as proxy:
        async with origin() as server:
            har = tmp_path / "hars" / f"127.0.0.1_{server.port}.har"
            assert (await ask(proxy, f"http://127.0.0.1:{server.port}/a")).endswith(b"hi")
            wait_until(lambda: len(json.loads(har.read_bytes())["log"]["entries"]) == 1)


def test_a_folder_that_cannot_be_made_ends_the_start(tmp_path: Path) -> None:
    saved = write_flows(tmp_path / "saved", [http_flow()])
    done = run_flowdump("-r", saved, "-s", script("har_by_host.py", "saved/hars"), cwd=tmp_path)
    assert done.returncode == 1
    assert "cannot make the folder 'saved/hars'" in done.stderr
