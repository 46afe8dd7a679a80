"""The module names of mitmproxy resolve to flowdump while scripts run, and only then."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from tests.scripting.inprocess import Bench
from tests.support.flows import http_flow, read_flows, run_flowdump, write_flows

from flowdump import compat
from flowdump.compat.finder import Finder

IMPORTS = """
import mitmproxy.http
import mitmproxy
from mitmproxy import ctx, exceptions, flowfilter, http
from mitmproxy.exceptions import ControlException, OptionsError
from mitmproxy.flowfilter import TFilter, match, parse
from mitmproxy.http import Headers, HTTPFlow, Request, Response
from mitmproxy.script import concurrent

import flowdump.http, flowdump.exceptions, flowdump.ctx

def request(flow: mitmproxy.http.HTTPFlow) -> None:
    assert mitmproxy.http.HTTPFlow is HTTPFlow is flowdump.http.HTTPFlow
    assert type(flow) is HTTPFlow and type(flow.request) is Request
    assert OptionsError is exceptions.OptionsError is flowdump.exceptions.OptionsError
    assert issubclass(OptionsError, exceptions.MitmproxyException)
    assert ctx.options is flowdump.ctx.options and ctx.master is flowdump.ctx.master
    assert match("~u example", flow) and not flowfilter.match(parse("~u nowhere"), flow)
    flow.response = Response.make(200, "text", {"x": "y"})
    flow.response.headers = Headers(x="z")
"""


def test_scripts_import_flowdump_s_classes_by_mitmproxy_s_names(bench: Bench) -> None:
    done = bench(IMPORTS, [http_flow()])
    assert (done.code, done.log) == (0, "")
    assert done.flow.response.headers["x"] == "z"


@pytest.mark.parametrize("name", ["http", "ctx", "exceptions", "flowfilter", "script"])
def test_import_of_the_package_alone_is_enough(bench: Bench, name: str) -> None:
    done = bench(f"import mitmproxy\n\ndef request(flow):\n    flow.comment = mitmproxy.{name}.__name__\n")
    assert done.flow.comment == f"mitmproxy.{name}"


SCREEN = "belongs to a user interface, which is not part of a headless tool"
LAYERS = (
    "is not part of flowdump, which has no protocol layers; to let a connection pass untouched, "
    "set data.ignore_connection in tls_clienthello"
)
MISSING = "is not part of this version of flowdump"


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("import mitmproxy.proxy.layers", f"mitmproxy.proxy.layers {LAYERS}"),
        ("from mitmproxy.proxy.layers import tls", f"mitmproxy.proxy.layers {LAYERS}"),
        ("from mitmproxy.tools.console import master", f"mitmproxy.tools.console {SCREEN}"),
        ("import mitmproxy.tools.web.app", f"mitmproxy.tools.web {SCREEN}"),
        ("from libmproxy.console import common", f"libmproxy.console {SCREEN}"),
        ("from mitmproxy.net import tcp", f"mitmproxy.net.tcp {MISSING}"),
        ("import netlib.tcp", f"netlib.tcp {MISSING}"),
        ("from mitmproxy import ctx, http, nothing", f"mitmproxy.nothing {MISSING}"),
    ],
)
def test_missing_modules_are_named_with_a_reason(bench: Bench, statement: str, says: str) -> None:
    done = bench(f"\n{statement}\n")
    assert (done.code, done.flows) == (1, None)
    path = bench.folder / "script.py"
    assert done.log == f"flowdump: {path}:2: loading failed: ModuleNotFoundError: {says}\n"


def test_missing_names_of_a_module_are_named(bench: Bench) -> None:
    done = bench("from mitmproxy.http import Nonsense\n")
    assert done.code == 1
    assert "script.py:1: loading failed: ImportError: cannot import name 'Nonsense' from 'mitmproxy.http'" in done.log


def test_scripts_can_test_for_optional_modules(bench: Bench) -> None:
    done = bench(
        """
        import mitmproxy

        try:
            from mitmproxy import platform
        except ImportError:
            platform = None
        assert not hasattr(mitmproxy, "platform") and hasattr(mitmproxy, "http")

        def request(flow):
            flow.comment = repr(platform)
        """
    )
    assert (done.code, done.flow.comment) == (0, "None")


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """A folder with another mitmproxy, as if the real one were installed."""
    package = tmp_path / "site" / "mitmproxy"
    (package / "net").mkdir(parents=True)
    (package / "__init__.py").write_text("FAKE = True\n")
    (package / "http.py").write_text("FAKE = True\n")
    (package / "net" / "__init__.py").write_text("FAKE = True\n")
    return package.parent


def test_an_installed_mitmproxy_is_not_imported(fake: Path, tmp_path: Path) -> None:
    source, script = write_flows(tmp_path / "in.mitm", [http_flow()]), tmp_path / "script.py"
    script.write_text(
        "import mitmproxy, mitmproxy.http, flowdump.http\n"
        "assert not hasattr(mitmproxy, 'FAKE') and mitmproxy.http.HTTPFlow is flowdump.http.HTTPFlow\n"
        "try:\n    import mitmproxy.platform\nexcept ImportError as error:\n    words = str(error)\n"
        "def request(flow):\n    flow.comment = words\n"
    )
    environment = {"PYTHONPATH": os.pathsep.join([str(fake), *filter(None, [os.environ.get("PYTHONPATH")])])}
    run_flowdump("-r", source, "-s", script, "-w", tmp_path / "out", env=environment, check=True)
    (flow,) = read_flows(tmp_path / "out")
    assert flow.comment == "mitmproxy.platform is not part of this version of flowdump"


def test_uninstalling_restores_the_installed_mitmproxy(fake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(fake))
    import mitmproxy.http as before  # type: ignore[import-not-found,unused-ignore]

    assert before.FAKE
    compat.install()
    try:
        import mitmproxy.http as ours

        assert not hasattr(ours, "FAKE")
        compat.install()
        assert sum(isinstance(finder, Finder) for finder in sys.meta_path) == 1
    finally:
        compat.uninstall()
    import mitmproxy.http as after

    assert after.FAKE
    for name in [name for name in sys.modules if name.partition(".")[0] == "mitmproxy"]:
        del sys.modules[name]


def test_other_module_names_are_not_found_by_the_finder() -> None:
    assert Finder().find_spec("json") is None
    assert Finder().find_spec("mitmproxy_extras") is None
