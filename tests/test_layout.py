"""The rules of the house that a machine can check: who imports whom, no circles, where foreign packages belong.

An import inside a function or under ``TYPE_CHECKING`` counts like any other, and so does the dotted name of a module
in a string, as for :func:`importlib.import_module`.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from flowdump.moved import MOVED

TESTS = Path(__file__).resolve().parent
SOURCE = TESTS.parent / "src" / "flowdump"


def dotted(path: Path) -> str:
    """``formats/har/read.py`` -> ``formats.har.read``, ``engine/__init__.py`` -> ``engine``."""
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {dotted(path): path for path in sorted(SOURCE.rglob("*.py"))}

DOTTED = {f"flowdump.{name}" for name in MODULES}

#: Layers from the inside out: packages and modules, and the layers that each may import beside itself.
LAYERS: dict[str, tuple[set[str], set[str]]] = {
    "values": (
        {"certs", "connection", "dns", "escaping", "exceptions", "flow", "http", "proxy_mode", "server_spec", "tcp"}
        | {"udp", "version", "websocket"},
        set(),
    ),
    "filters": ({"filters"}, {"values"}),
    "options": ({"options"}, {"values", "filters"}),
    "hooks": ({"runtime.hooks", "runtime.hook_data"}, {"values"}),
    "runtime": ({"runtime", "ctx"}, {"values", "filters", "options", "hooks"}),
    "formats": ({"formats"}, {"values"}),
    "contentviews": ({"contentviews"}, {"values"}),
    "engine": ({"engine"}, {"values", "filters", "options", "hooks"}),
    "addons": ({"addons"}, {"values", "filters", "options", "hooks", "runtime", "formats", "contentviews"}),
    "scripting": ({"scripting"}, {"values", "filters", "options", "hooks", "runtime"}),
    "test": ({"test"}, {"values", "options", "hooks", "runtime", "formats", "contentviews", "addons", "scripting"}),
    # The façade names what scripts know of every part.
    "compat": (
        {"compat"},
        {"values", "filters", "options", "hooks", "runtime", "formats", "contentviews", "engine", "addons"}
        | {"scripting", "test", "app", "command line"},
    ),
    "app": (
        {"app"},
        {"values", "filters", "options", "hooks", "runtime", "formats", "contentviews", "engine", "addons"}
        | {"scripting", "compat"},
    ),
    "command line": ({"cli", "__main__"}, {"values", "filters", "options", "runtime", "formats", "app"}),
    # What programs import: the package hands out the proxy for them.
    "package": ({"__init__", "moved"}, {"values", "app"}),
}

#: Foreign packages that only some modules and packages may import.
ONLY_IN = {
    "asyncio": {"addons.proxyauth", "app", "compat", "engine", "runtime.addons", "runtime.master", "scripting", "test"},
    "click": {"addons.progress", "cli"},
    "h11": {"engine"},
    "h2": {"engine.http2"},
    "mitmproxy": {"compat"},
    "socket": {"engine"},
    "ssl": {"engine"},
    "wsproto": {"engine.websocket"},
    "yaml": {"compat.shims.options", "options"},
}


def is_below(name: str, packages: set[str]) -> bool:
    return any(f"{name}.".startswith(f"{package}.") for package in packages)


def layer(name: str) -> str:
    """The layer of a module by its name below ``flowdump``; the most specific entry counts."""
    found = [
        (len(place), layer) for layer, (places, _) in LAYERS.items() for place in places if is_below(name, {place})
    ]
    assert found, f"{name} is in no layer"
    return max(found)[1]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports(module: str) -> Iterator[str]:
    """Every module that a module imports, by its absolute name."""
    for node in ast.walk(tree(MODULES[module])):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{module}: a relative import"
            for alias in node.names:
                # ``from flowdump.formats import har`` names a module, ``from flowdump.flow import Flow`` a class.
                full = f"{node.module}.{alias.name}"
                yield full if full.removeprefix("flowdump.") in MODULES else str(node.module)
        elif isinstance(node, ast.Constant) and node.value in DOTTED:
            yield node.value


def own_imports(module: str) -> set[str]:
    """The modules of flowdump that a module imports, below ``flowdump``; itself excepted."""
    names = {name.removeprefix("flowdump.") for name in imports(module) if name.startswith("flowdump.")}
    return (names & MODULES.keys()) - {module}


def test_imports_go_inwards() -> None:
    wrong = [
        f"{module} ({layer(module)}) imports {name} ({layer(name)})"
        for module in MODULES
        for name in own_imports(module)
        if layer(name) not in LAYERS[layer(module)][1] | {layer(module)}
    ]
    assert wrong == []


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules that import each other, directly or by way of others (Tarjan's components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in arrows[module]:
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            group = stack[stack.index(module) :]
            del stack[stack.index(module) :]
            if len(group) > 1:
                found.append(sorted(group))

    for module in arrows:
        if module not in index:
            visit(module)
    return found


def test_no_modules_import_each_other() -> None:
    """An interface that both sides name lives below both; imports for type hints are no exception."""
    assert circles({module: own_imports(module) for module in MODULES}) == []


def test_circles_are_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"]]
    assert circles({"a": {"b"}, "b": set()}) == []


def test_foreign_packages_stay_where_they_belong() -> None:
    wrong = [
        f"{module} imports {name}"
        for module in MODULES
        for name in imports(module)
        if name.partition(".")[0] in ONLY_IN and not is_below(module, ONLY_IN[name.partition(".")[0]])
    ]
    assert wrong == []


def test_every_module_says_what_it_is() -> None:
    assert [module for module, path in MODULES.items() if not ast.get_docstring(tree(path))] == []
    unfinished = [module for module, path in MODULES.items() if "TODO" in path.read_text(encoding="utf-8")]
    assert unfinished == []


def test_former_names_are_served_and_new() -> None:
    """No former name hides a module, and each gives the module under its present name."""
    assert MODULES.keys() & MOVED.keys() == set()
    for former, present in MOVED.items():
        assert importlib.import_module(f"flowdump.{former}") is importlib.import_module(f"flowdump.{present}")


# tests


def imported_tests(source: str) -> list[str]:
    """The test modules that a file of tests imports."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [f"{node.module or ''}.{alias.name}" for alias in node.names]
    return [name for name in found if name.startswith("tests.") and ".test_" in name]


def test_no_test_module_is_imported() -> None:
    """It would be loaded twice, and its tests might run twice; what tests share is in ``tests/support``."""
    files = [path for path in TESTS.rglob("*.py") if "corpus" not in path.parts]
    wrong = {str(path.relative_to(TESTS)): imported_tests(path.read_text(encoding="utf-8")) for path in files}
    assert {path: names for path, names in wrong.items() if names} == {}


def test_a_test_module_is_known_by_its_name() -> None:
    assert imported_tests("from tests.engine.test_dns import flow_of") == ["tests.engine.test_dns.flow_of"]
    assert imported_tests("def f():\n    from tests import test_live") == ["tests.test_live"]
    assert imported_tests("from tests.support.process import Live\nimport flowdump.test.tutils") == []
