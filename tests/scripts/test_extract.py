from __future__ import annotations

from pathlib import Path

import pytest
from tests.support.flows import every_kind, http_flow, request, response, run_flowdump, script, write_flows

HTML, PNG = {"content-type": "text/html; charset=utf-8"}, {"content-type": "image/png"}


def _extracted(folder: Path, flows: list[object], *arguments: str) -> dict[str, bytes]:
    saved = write_flows(folder / "saved", flows)  # type: ignore[arg-type]
    run_flowdump("-r", saved, "-s", script("extract.py", "out", *arguments), cwd=folder, check=True)
    return {str(path.relative_to(folder / "out")): path.read_bytes() for path in sorted((folder / "out").rglob("*"))}


def test_bodies_of_responses_become_files(tmp_path: Path) -> None:
    coded = HTML | {"content-encoding": "gzip"}
    flows = [
        http_flow("https://example.com/", response(200, b"<p>", coded)),
        http_flow("https://example.com/css/site.css?v=1#top", response(200, b"p {}", {"content-type": "text/css"})),
        http_flow("https://example.com/logo", response(200, b"\x89PNG", PNG)),
        http_flow("http://example.org:8080/data", response(200, b"?")),
        http_flow("https://example.com/empty", response(204)),
    ]
    assert _extracted(tmp_path, [*flows]) == {
        "example.com_index.html": b"<p>",
        "example.com_css_site.css": b"p {}",
        "example.com_logo.png": b"\x89PNG",
        "example.org_data.bin": b"?",
    }


HOSTILE_PATHS = [
    "/../../../../evil.html",
    "/..%2f..%2fevil.html",
    "//evil.html",
    "/a/..",
    "/..",
    "/\\..\\..\\evil.html",
    "/%00evil.html\x00.html",
    "/" + "x" * 5000 + ".html",
    "/a." + "x" * 5000,
    "/\udcff\n.html",
    "evil",
    "",
    "*",
]
HOSTILE_HOSTS = ["..", "../..", "/etc/passwd", "", "-", "a/../b"]


def test_no_url_leads_out_of_the_folder(tmp_path: Path) -> None:
    flows = []
    for host, path in [("example.com", path) for path in HOSTILE_PATHS] + [(host, "/x.txt") for host in HOSTILE_HOSTS]:
        flows.append(http_flow(answer=response(200, f"{host} {path}".encode("utf-8", "surrogateescape"), HTML)))
        flows[-1].request.path, flows[-1].request.data.host = path, host
    folder = tmp_path / "a" / "b" / "c"
    folder.mkdir(parents=True)
    files = _extracted(folder, [*flows])
    assert sorted(files.values()) == sorted(flow.response.content for flow in flows)
    for name in files:
        assert not name.startswith((".", "-"))
        assert not {"/", "\\", "\n", "\0"} & set(name)
        assert len(name.encode()) < 255
    everything = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert everything == sorted(["saved", *files])


def test_taken_names_get_numbers_and_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "example.com_a-2.css").write_bytes(b"mine")
    (tmp_path / "out" / "example.com_a-3.css").symlink_to(tmp_path / "outside")
    flows = [http_flow("https://example.com/a.css", response(200, b"%d" % i)) for i in (1, 2, 3)]
    files = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir() if not p.is_symlink()}
    assert files == {"example.com_a-2.css": b"mine"}
    saved = write_flows(tmp_path / "saved", flows)
    done = run_flowdump("-r", saved, "-s", script("extract.py", "out"), cwd=tmp_path, check=True)
    files = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir() if not p.is_symlink()}
    assert files == {
        "example.com_a.css": b"1",
        "example.com_a-2.css": b"mine",
        "example.com_a-4.css": b"2",
        "example.com_a-5.css": b"3",
    }
    assert not (tmp_path / "outside").exists()
    assert "bodies written to out: 3" in done.stderr


def test_type_filter(tmp_path: Path) -> None:
    flows = [
        http_flow("https://example.com/a", response(200, b"<p>", HTML)),
        http_flow("https://example.com/b", response(200, b"png", {"content-type": "IMAGE/PNG"})),
        http_flow("https://example.com/c", response(200, b"?")),
    ]
    assert list(_extracted(tmp_path, [*flows], "--type", "^image/")) == ["example.com_b.png"]


def test_requests_instead(tmp_path: Path) -> None:
    asked = request("POST", "https://example.com/api/login", b"{}", {"content-type": "application/json"})
    flows = [http_flow(asked, response(200, b"no")), http_flow(answer=response(200, b"no"))]
    assert _extracted(tmp_path, [*flows], "--requests") == {"example.com_api_login.json": b"{}"}


@pytest.mark.parametrize("arguments", [(), ("--requests",)])
def test_flows_of_every_kind_pass(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    flows = every_kind()
    messages = [f.request if arguments else f.response for f in flows if f.type == "http"]  # type: ignore[attr-defined]
    expected = [m.get_content(strict=False) for m in messages if m and m.raw_content]
    assert sorted(_extracted(tmp_path, [*flows], *arguments).values()) == sorted(expected)


@pytest.mark.parametrize(
    ("arguments", "message"), [((), "required: folder"), (("out", "--type", "("), "'('"), (("saved",), "saved")]
)
def test_wrong_arguments_end_the_start(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    saved = write_flows(tmp_path / "saved", [http_flow(answer=response(200, b"x"))])
    done = run_flowdump("-r", saved, "-s", script("extract.py", *arguments), cwd=tmp_path)
    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_that_cannot_be_made_is_told_with_the_usage(tmp_path: Path) -> None:
    saved = write_flows(tmp_path / "saved", [http_flow()])
    done = run_flowdump("-r", saved, "-s", script("extract.py", "saved"), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "usage: extract.py [-h]" in done.stderr
    assert "extract.py: error: cannot make the folder 'saved': File exists\n" in done.stderr
