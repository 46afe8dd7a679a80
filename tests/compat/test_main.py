"""``python -m flowdump.compat`` and the pytest plugin: programs and test suites run on flowdump."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests.support.flows import environment

#: The files of a script with a test suite for mitmproxy.
SUITE = {
    "conftest.py": "import mitmproxy.http\n",
    "addon.py": """
        from mitmproxy import ctx, http

        class Blocker:
            def load(self, loader):
                loader.add_option("blocked", str, "example.com", "Which host.")

            def request(self, flow: http.HTTPFlow):
                if flow.request.pretty_host == ctx.options.blocked:
                    flow.response = http.Response.make(403, b"no")

        addons = [Blocker()]
    """,
    "test_addon.py": """
        from mitmproxy import http
        from mitmproxy.test import taddons, tflow, tutils

        import addon
        import flowdump.http

        def test_blocked():
            blocker = addon.Blocker()
            with taddons.context(blocker) as tctx:
                flow = tflow.tflow(req=tutils.treq(host="example.com"))
                blocker.request(flow)
                assert flow.response.status_code == 403
                tctx.configure(blocker, blocked="other")
                flow = tflow.tflow(req=tutils.treq(host="example.com"))
                blocker.request(flow)
                assert flow.response is None

        def test_that_flowdump_runs_it():
            assert http.HTTPFlow is flowdump.http.HTTPFlow

        def test_as_a_script():
            with taddons.context() as tctx:
                loaded = tctx.script("addon.py")
                assert type(loaded).__name__ == "Blocker" and tctx.options.blocked == "example.com"
    """,
}


@pytest.mark.parametrize(
    "command",
    [["-m", "flowdump.compat", "pytest"], ["-m", "pytest", "-p", "flowdump.compat"]],
    ids=["command", "plugin"],
)
def test_test_suites_run_by_the_command_and_by_the_plugin(command: list[str], tmp_path: Path) -> None:
    for name, text in SUITE.items():
        (tmp_path / name).write_text(textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, *command, "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "conftest"),
    [
        pytest.param(["-m", "flowdump.compat", "pytest", "-n", "2"], "", id="workers"),
        pytest.param(["-m", "pytest"], 'pytest_plugins = ["flowdump.compat"]\n', id="conftest"),
    ],
)
def test_test_suites_run_with_workers_and_with_the_plugin_of_a_conftest(
    arguments: list[str], conftest: str, tmp_path: Path
) -> None:
    for name, text in (SUITE | {"conftest.py": conftest}).items():
        (tmp_path / name).write_text(textwrap.dedent(text))
    done = subprocess.run(
        [sys.executable, *arguments, "-q", "-p", "no:cacheprovider", "-W", "error"],
        cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_a_program_runs_with_its_folder_on_the_path_and_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("from mitmproxy.http import HTTPFlow\n")
    text = "import sys, beside\nprint(beside.HTTPFlow.__module__, sys.argv[1:], __name__)\nsys.exit(5)\n"
    (tmp_path / "program.py").write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "flowdump.compat", str(tmp_path / "program.py"), "a", "-b"],
        env=environment(), capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (5, "flowdump.http.flow ['a', '-b'] __main__\n"), done.stderr


def test_the_command_without_arguments_prints_its_usage() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flowdump.compat"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith("usage: python -m flowdump.compat MODULE")
