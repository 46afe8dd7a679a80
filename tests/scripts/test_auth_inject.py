from __future__ import annotations

import base64
from pathlib import Path

import pytest
from tests.support.flows import every_kind, http_flow, read_flows, request, run_flowdump, script, write_flows
from tests.support.live import origin
from tests.support.process import Live
from tests.support.scripts import ask

SECRETS = {"API_TOKEN": "s3cr3t", "LOGIN": "anna:pw"}
BASIC = "Basic " + base64.b64encode(b"anna:pw").decode()


def _sent(folder: Path, url: str, *arguments: str, headers: dict[str, str] | None = None) -> dict[str, str]:
    """The headers of a request after the script, without Host."""
    saved = write_flows(folder / "saved", [http_flow(request(url=url, headers=headers or {}))])
    command = script("auth_inject.py", *arguments)
    run_flowdump("-q", "-r", saved, "-s", command, "-w", "changed", cwd=folder, env=SECRETS, check=True)
    (flow,) = read_flows(folder / "changed")
    return {name: value for name, value in flow.request.headers.items() if name != "Host"}


@pytest.mark.parametrize(
    ("arguments", "sent"),
    [
        (("api.example.org",), {"Authorization": "Bearer s3cr3t"}),
        (("api.example.org", "--env", "LOGIN", "--basic"), {"Authorization": BASIC}),
        (("api.example.org", "--header", "X-Api-Key"), {"X-Api-Key": "s3cr3t"}),
        (("other.example.org", "API.example.org"), {"Authorization": "Bearer s3cr3t"}),
    ],
)
def test_what_is_sent(tmp_path: Path, arguments: tuple[str, ...], sent: dict[str, str]) -> None:
    assert _sent(tmp_path, "https://api.example.org/", *arguments) == sent


@pytest.mark.parametrize(
    ("url", "host", "added"),
    [
        ("https://api.example.org/", "example.org", False),
        ("https://api.example.org/", ".example.org", True),
        ("https://example.org/", ".example.org", True),
        ("https://API.Example.org/", ".example.org", True),
        ("https://notexample.org/", ".example.org", False),
        ("https://example.org.evil.example/", ".example.org", False),
        ("http://example.org/", "example.org", False),
    ],
)
def test_who_gets_it(tmp_path: Path, url: str, host: str, added: bool) -> None:
    assert bool(_sent(tmp_path, url, host)) == added


def test_the_host_header_does_not_decide(tmp_path: Path) -> None:
    sent = _sent(tmp_path, "https://evil.example/", "api.example.org", headers={"host": "api.example.org"})
    assert "Authorization" not in sent


def test_what_the_client_sends_stays(tmp_path: Path) -> None:
    own = {"authorization": "Bearer mine"}
    assert _sent(tmp_path, "https://api.example.org/", "api.example.org", headers=own) == own


async def test_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cr3t")

    with Live("-s", script("auth_inject.py", "127.0.0.1", "--plain")) as proxy:
        async with origin() as server:
            assert (await ask(proxy, f"http://127.0.0.1:{server.port}/")).endswith(b"hi")
            assert b"\r\nAuthorization: Bearer s3cr3t\r\n" in server.received


def test_flows_of_every_kind_pass(tmp_path: Path) -> None:
    saved = write_flows(tmp_path / "saved", every_kind())
    command = script("auth_inject.py", "nowhere.example")
    run_flowdump("-q", "-r", saved, "-s", command, "-w", "changed", cwd=tmp_path, env=SECRETS, check=True)
    assert (tmp_path / "changed").read_bytes() == saved.read_bytes()


@pytest.mark.parametrize(
    ("arguments", "env", "message"),
    [
        ((), SECRETS, "required: host"),
        (("a",), {}, "the environment variable API_TOKEN is not set"),
        (("a", "--env", "OTHER"), SECRETS, "the environment variable OTHER is not set"),
        (("a",), {"API_TOKEN": "a\nb: c"}, "holds characters that no header can"),
        (("a", "--basic"), SECRETS, "--basic needs user:password in API_TOKEN"),
    ],
)
def test_wrong_arguments_end_the_start(
    tmp_path: Path, arguments: tuple[str, ...], env: dict[str, str], message: str
) -> None:
    saved = write_flows(tmp_path / "saved", [http_flow()])
    done = run_flowdump("-r", saved, "-s", script("auth_inject.py", *arguments), cwd=tmp_path, env=env)
    assert done.returncode == 1
    assert message in done.stderr
    assert "s3cr3t" not in done.stderr
    assert "Traceback" not in done.stderr
