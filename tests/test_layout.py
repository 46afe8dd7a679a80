"""The rules of the house that a machine can check: who imports whom, sizes, docstrings, what a start loads, events.

Layers, from the inside out. The *data* modules know flows and what is in them; the *frame* (options, hooks, the event
log and the like) knows data; ``formats``, ``contentviews``, ``engine``, ``addons``, ``scripting``, ``compat`` and
``test`` stand on these; ``app`` sees all, and ``cli`` sees ``app``. An import inside a function or under
``TYPE_CHECKING`` counts like any other, and so does the dotted name of a module in a string, as for
:func:`importlib.import_module`.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.support.states import BASES, http_state

from flowdump import hooks, lifecycle
from flowdump.flow import Flow
from flowdump.formats import tnetstring

SOURCE = Path(__file__).resolve().parent.parent / "src" / "flowdump"
MODULES = sorted(str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py"))

FRAME = {"command", "command_types", "ctx", "hooks", "lifecycle", "log", "master", "option_table", "options"}
OUTER = {"__main__", "app", "cli"}
PACKAGES = {path.name for path in SOURCE.iterdir() if path.is_dir() and any(path.glob("*.py"))}

#: What each layer may import beside itself; "data" and "frame" are the flat modules of these kinds.
MAY_IMPORT = {
    "data": set[str](),
    "frame": {"data"},
    "formats": {"data"},
    "contentviews": {"data"},
    "engine": {"data", "hooks", "options"},
    "addons": {"data", "command", "command_types", "ctx", "options", "filters", "formats", "contentviews"},
    "scripting": {"data", "frame"},
    # Façades name what scripts know of every part; the command line only where a program runs it under an older name.
    "compat": {"data", "frame", "engine", "formats", "contentviews", "addons", "scripting", "test", "cli", "app"},
    "test": {"data", "frame", "formats", "contentviews", "addons", "scripting"},
    "app": {"data", "frame", "engine", "formats", "contentviews", "addons", "scripting", "compat"},
    "cli": {"data", "frame", "app", "formats"},
    "__main__": {"cli"},
    # What programs import: the package itself hands out the proxy for them.
    "": {"data", "app"},
}

#: Packages that only some may import: layers or modules.
ONLY_IN = {
    "click": {"cli", "addons/progress.py"},
    "asyncio": {"app", "engine", "scripting", "compat", "test", "master.py", "addons/proxyauth.py"},
    "h11": {"engine"},
    "h2": {"engine"},
    "wsproto": {"engine"},
    "ssl": {"engine"},
    "socket": {"engine"},
    "yaml": {"options.py", "compat/shims/options.py"},
    "mitmproxy": {"compat"},
}

MAX_FUNCTION_LINES = 60
MAX_FILE_LINES = 480
MAX_PARAMETERS = 6


# reading the source


@cache
def tree(module: str) -> ast.Module:
    return ast.parse((SOURCE / module).read_text(encoding="utf-8"), module)


def dotted(module: str) -> str:
    """``formats/har_read.py`` -> ``flowdump.formats.har_read``."""
    return ".".join(["flowdump", *module.removesuffix(".py").split("/")]).removesuffix(".__init__")


NAMES = {dotted(module) for module in MODULES}


def imports(module: str) -> Iterator[str]:
    """Every module that a module imports in whatever way, by its absolute name."""
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported_from(module, node)
        elif isinstance(node, ast.Constant) and node.value in NAMES and node.value != "flowdump":
            yield node.value


def _imported_from(module: str, node: ast.ImportFrom) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        package = dotted(module).split(".")[: len(module.split("/")) + 1 - node.level]
        base = ".".join([*package, *filter(None, [node.module])])
    for alias in node.names:
        # ``from flowdump.formats import state`` names a module, ``from flowdump.flow import Flow`` what is in one.
        yield f"{base}.{alias.name}" if f"{base}.{alias.name}" in NAMES else base


def layer(name: str) -> str:
    """The layer of a module by its absolute name; a flat module is of the data where it is not listed elsewhere."""
    if name == "flowdump":
        return ""
    first = [*name.split("."), ""][1]
    if first in PACKAGES or first in OUTER:
        return first
    return "frame" if first in FRAME else "data"


def functions(module: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (node for node in ast.walk(tree(module)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


# imports


def allowed(module: str, name: str) -> bool:
    own, other = layer(dotted(module)), layer(name)
    return own == other or other in MAY_IMPORT[own] or name.split(".")[1] in MAY_IMPORT[own]


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_inwards(module: str) -> None:
    own = [name for name in imports(module) if name.startswith("flowdump.")]
    assert [name for name in own if not allowed(module, name)] == []


@pytest.mark.parametrize("module", MODULES)
def test_packages_stay_where_they_belong(module: str) -> None:
    places = {layer(dotted(module)), module}
    tops = {name.partition(".")[0] for name in imports(module)}
    assert [top for top in tops if top in ONLY_IN and not ONLY_IN[top] & places] == []


def test_every_layer_is_known() -> None:
    assert {layer(name) for name in NAMES} <= MAY_IMPORT.keys()
    assert {path.stem for path in SOURCE.glob("*.py")} >= FRAME


def test_the_rule_can_fail() -> None:
    assert not allowed("http.py", "flowdump.formats.state")
    assert not allowed("formats/state.py", "flowdump.addons.save")
    assert not allowed("flow.py", "flowdump.options")
    assert allowed("addons/save.py", "flowdump.formats.flowfile")


# tests

TESTS = Path(__file__).resolve().parent
TEST_FILES = sorted(str(path.relative_to(TESTS)) for path in TESTS.rglob("*.py") if "corpus" not in path.parts)
TEST_MODULES = {Path(path).stem for path in TEST_FILES if Path(path).name.startswith("test_")}


def imported_tests(source: str) -> list[str]:
    """The test modules that a file of tests imports."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module or ''}.{alias.name}" for alias in node.names]
    parts = [(name, name.split(".")) for name in found]
    return [name for name, words in parts if words[0] == "tests" and any(map(TEST_MODULES.__contains__, words))]


@pytest.mark.parametrize("path", TEST_FILES)
def test_what_tests_share_is_no_test_module(path: str) -> None:
    """Such a module would be loaded twice, and its tests might run twice; ``tests/support`` is where to look."""
    assert imported_tests((TESTS / path).read_text(encoding="utf-8")) == []


def test_a_test_module_is_known_by_its_name() -> None:
    assert imported_tests("from tests.engine.test_dns import flow_of") == ["tests.engine.test_dns.flow_of"]
    assert imported_tests("def f():\n    from tests import test_live") == ["tests.test_live"]
    assert imported_tests("import tests.engine.test_dns as other") == ["tests.engine.test_dns"]
    assert imported_tests("from tests.support.process import Live\nimport flowdump.test.tutils") == []


# sizes and words


@pytest.mark.parametrize("module", MODULES)
def test_modules_say_what_they_are_and_stay_small(module: str) -> None:
    text = (SOURCE / module).read_text(encoding="utf-8")
    assert ast.get_docstring(tree(module))
    assert len(text.splitlines()) <= MAX_FILE_LINES
    assert [word for word in ("TODO", "FIXME") if word in text] == []


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    return [argument.arg for argument in every if argument.arg not in ("self", "cls")]


@pytest.mark.parametrize("module", MODULES)
def test_functions_stay_small(module: str) -> None:
    sizes = {function.name: (function.end_lineno or 0) - function.lineno + 1 for function in functions(module)}
    assert {name: size for name, size in sizes.items() if size > MAX_FUNCTION_LINES} == {}
    assert [function.name for function in functions(module) if len(parameters(function)) > MAX_PARAMETERS] == []


def test_most_functions_are_short() -> None:
    sizes = sorted((f.end_lineno or 0) - f.lineno + 1 for module in MODULES for f in functions(module))
    assert sizes[len(sizes) // 2] <= 8
    assert sizes[len(sizes) * 9 // 10] <= 30


# what a start loads

#: Runs the command line, then prints what was imported.
DRIVER = """
import json, sys
from flowdump.cli import main
try:
    main()
except SystemExit as end:
    code = end.code
print(json.dumps([code or 0, sorted(sys.modules)]), file=sys.stderr)
"""

#: Costly or foreign to an offline run without scripts: some milliseconds or megabytes each.
UNNEEDED = {
    "asyncio", "brotli", "cryptography", "email", "h11", "h2", "hypothesis", "logging", "msgpack", "multiprocessing",
    "socket", "sqlite3", "ssl", "subprocess", "unittest", "urllib", "wsproto", "yaml", "zstandard",
}  # fmt: skip
UNNEEDED_OWN = {
    "compat",
    "contentviews",
    "engine",
    "filters",
    "scripting",
    "test",
    "formats.har_read",
    "formats.har_write",
}


def loaded(folder: Path, *arguments: str) -> set[str]:
    """The modules that a run over one plain flow imports."""
    source = folder / "one.mitm"
    source.write_bytes(tnetstring.dumps(http_state()))
    command = [sys.executable, "-c", DRIVER, "-n", "--confdir", str(folder), "-r", str(source), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == 0, done.stderr
    return set(modules)


def below(packages: set[str], modules: set[str]) -> list[str]:
    return sorted(name for name in modules if any(name == top or name.startswith(f"{top}.") for top in packages))


@pytest.mark.parametrize("arguments", [(), ("-w", "out.mitm"), ("-q",)], ids=["show", "write", "quiet"])
def test_an_offline_run_loads_what_it_needs(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    placed = [str(tmp_path / word) if word.endswith(".mitm") else word for word in arguments]
    modules = loaded(tmp_path, *placed)
    assert "flowdump.formats.flowfile" in modules
    assert below(UNNEEDED, modules) == []
    assert below({f"flowdump.{name}" for name in UNNEEDED_OWN}, modules) == []


def test_what_is_needed_is_loaded(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("def request(flow):\n    pass\n")
    modules = loaded(tmp_path, "-s", str(script))
    assert {"asyncio", "flowdump.scripting.script"} <= modules
    assert below({"flowdump.engine", "cryptography", "yaml"}, modules) == []


# events

#: Events that need a connection, or belong to the life of an addon.
NOT_OF_STORED_FLOWS = {
    "load", "configure", "running", "done", "update", "add_log", "client_connected", "client_disconnected",
    "server_connect", "server_connected", "server_connect_error", "server_disconnected", "http_connect",
    "tls_clienthello", "tls_start_client", "tls_start_server", "tls_established_client", "tls_established_server",
    "tls_failed_client", "tls_failed_server", "quic_start_client", "quic_start_server", "next_layer", "socks5_auth",
    "http_connect_upstream", "http_connected", "http_connect_error",
}  # fmt: skip

_HTTP = ["requestheaders", "request", "responseheaders", "response"]
_ERROR = {"msg": "gone", "timestamp": 1.0}

#: A flow, how it differs from the plain one of its type, and the events it goes through again.
SEQUENCES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("http", {}, _HTTP),
    ("http", {"response": None}, _HTTP[:2]),
    ("http", {"response": None, "error": _ERROR}, [*_HTTP[:2], "error"]),
    ("http", {"error": _ERROR}, [*_HTTP, "error"]),
    ("websocket", {}, [*_HTTP, "websocket_start", *["websocket_message"] * 3, "websocket_end"]),
    ("websocket", {"error": _ERROR}, [*_HTTP, "websocket_start", *["websocket_message"] * 3, "websocket_end", "error"]),
    ("tcp", {}, ["tcp_start", "tcp_message", "tcp_message", "tcp_end"]),
    ("tcp", {"messages": [], "error": _ERROR}, ["tcp_start", "tcp_error"]),
    ("udp", {}, ["udp_start", "udp_message", "udp_message", "udp_end"]),
    ("udp", {"messages": [], "error": _ERROR}, ["udp_start", "udp_error"]),
    ("dns", {}, ["dns_request", "dns_response"]),
    ("dns", {"response": None, "error": _ERROR}, ["dns_request", "dns_error"]),
]


@pytest.mark.parametrize(("kind", "changes", "expected"), SEQUENCES)
def test_stored_flows_fire_their_events(kind: str, changes: dict[str, Any], expected: list[str]) -> None:
    flow: Flow = Flow.from_state(BASES[kind]() | changes)
    assert list(lifecycle.events(flow)) == expected


def test_every_event_belongs_to_a_flow_or_is_known_not_to() -> None:
    fired = {name for _, _, names in SEQUENCES for name in names}
    assert fired | NOT_OF_STORED_FLOWS == set(hooks.EVENT_NAMES)
    assert not fired & NOT_OF_STORED_FLOWS


def test_a_handler_of_every_event_is_heard() -> None:
    def handler(*arguments: object) -> None:
        raise AssertionError(arguments)

    class Everything:
        def __getattr__(self, name: str) -> Callable[..., None]:
            return handler

    table = hooks.HookTable([Everything()])
    assert all(table.handlers(name) == (handler,) for name in hooks.EVENT_NAMES)
    assert hooks.HookTable([object()]).handlers("request") == ()
    assert all(event.doc and isinstance(event.arguments, tuple) for event in hooks.EVENTS)
