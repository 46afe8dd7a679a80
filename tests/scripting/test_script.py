"""Loading scripts: what becomes an addon, arguments, folders, and what can go wrong before the first flow."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from tests.scripting.inprocess import Bench, plain

MARK = 'flow.comment += "%s "\n'


# -- what is an addon ------------------------------------------------------------------------------------------------


def test_a_module_with_handlers(bench: Bench) -> None:
    done = bench("def response(flow):\n    flow.response.headers['newheader'] = 'foo'\n")
    assert (done.code, done.flow.response.headers["newheader"], done.log) == (0, "foo", "")


def test_every_kind_of_addon_gets_events_module_first(bench: Bench) -> None:
    done = bench(
        """
        import types

        class Plain:
            def __init__(self, name):
                self.name = name
            def request(self, flow):
                flow.comment += self.name + " "

        class Static:
            @staticmethod
            def request(flow):
                flow.comment += "static "

        class ClassMethod:
            @classmethod
            def request(cls, flow):
                flow.comment += cls.__name__ + " "

        class Bare:
            def request(flow):
                flow.comment += "bare "

        nested = Plain("outer")
        nested.addons = [Plain("inner"), Static]
        module = types.ModuleType("made")
        module.request = lambda flow: setattr(flow, "comment", flow.comment + "made ")

        def request(flow):
            flow.comment += "module "

        addons = [nested, ClassMethod, Bare, module]
        """
    )
    assert done.flow.comment.split() == ["module", "outer", "inner", "static", "ClassMethod", "bare", "made"]
    assert (done.code, done.log) == (0, "")


def test_an_addon_listed_twice_or_in_a_circle_gets_events_once(bench: Bench) -> None:
    done = bench(
        """
        import sys

        class Addon:
            def request(self, flow):
                flow.comment += "once "

        one = Addon()
        one.addons = [one]
        addons = [one, one, sys.modules[__name__]]
        """
    )
    assert (done.code, done.flow.comment) == (0, "once ")


def test_start_returns_the_real_addon(bench: Bench) -> None:
    done = bench(
        """
        class Real:
            def __len__(self):  # false, and an addon all the same
                return 0
            def request(self, flow):
                flow.comment += "real "

        def start():
            return Real()

        def request(flow):
            flow.comment += "module "
        """
    )
    assert (done.code, done.flow.comment) == (0, "real ")


@pytest.mark.parametrize("result", ["None", "module"])
def test_start_that_returns_nothing_leaves_the_module(bench: Bench, result: str) -> None:
    done = bench(
        f"""
        import sys

        def start():
            global started
            started = True
            module = sys.modules[__name__]
            return {result}

        def request(flow):
            flow.comment = str(started)
        """
    )
    assert (done.code, done.flow.comment) == (0, "True")


@pytest.mark.parametrize(
    "younger",
    ["addons = [Addon()]", "def load(loader):\n    pass", "async_ = 1\nasync def start():\n    exit(1)"],
    ids=["addons", "load", "async"],
)
def test_a_helper_called_start_in_a_younger_script_is_left_alone(bench: Bench, younger: str) -> None:
    text = "import sys\n\nclass Addon:\n    def request(self, flow):\n        flow.comment = 'ran'\n\n"
    text += "def start():\n    sys.exit('called')\n\nrequest = Addon().request\n\n" + younger + "\n"
    done = bench(text)
    assert (done.code, done.log, done.flow.comment) == (0, "", "ran")


def test_a_helper_with_arguments_called_start_is_left_alone(bench: Bench) -> None:
    done = bench("def start(host, port):\n    1 / 0\n\ndef request(flow):\n    flow.comment = 'ran'\n")
    assert (done.code, done.flow.comment) == (0, "ran")


def test_start_may_ask_for_the_options(bench: Bench) -> None:
    done = bench(
        "def start(opts):\n    global o\n    o = opts\n\ndef request(flow):\n    flow.comment = repr(o.flow_detail)"
    )
    assert (done.code, done.flow.comment) == (0, "0")


@pytest.mark.parametrize(
    "imported", ["from json import load", "from logging import error", "class request(Exception): pass", "done = 3"]
)
def test_what_only_looks_like_a_handler(bench: Bench, imported: str) -> None:
    flow = plain()
    flow.error = None
    done = bench(f"{imported}\n\ndef response(flow):\n    flow.comment = 'ran'\n")
    assert (done.code, done.log, done.flow.comment) == (0, "", "ran")


def test_handlers_imported_from_a_module_beside_it(bench: Bench) -> None:
    bench.write("shared_handlers.py", "def request(flow):\n    flow.comment = 'shared'\n")
    done = bench("from shared_handlers import request\n")
    assert (done.code, done.flow.comment) == (0, "shared")


# -- arguments and paths ---------------------------------------------------------------------------------------------


def test_arguments_are_quoted_as_in_a_shell(bench: Bench) -> None:
    path = bench.write("my script.py", "import sys\n\ndef request(flow):\n    flow.comment = repr(sys.argv[1:])\n")
    done = bench.run([f"'{path}' a 'b c' \"d'e\" f\\ g ''"])
    assert done.flow.comment == repr(["a", "b c", "d'e", "f g", ""])


def test_paths_are_relative_or_in_the_home_folder(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("here.py", "import sys\n\ndef request(flow):\n    flow.comment += f'{sys.argv[0]} {__file__}\\n'\n")
    monkeypatch.chdir(bench.folder)
    monkeypatch.setenv("HOME", str(bench.folder))
    done = bench.run(["here.py", "~/here.py", "./here.py"])
    path = bench.folder / "here.py"
    assert done.flow.comment.splitlines() == [f"here.py {path}", f"~/here.py {path}", f"./here.py {path}"]


def test_argv_is_the_scripts_while_its_handlers_run(bench: Bench) -> None:
    """Decision 14: import and plain handlers, an async handler until its first await, never ``@concurrent``."""
    before = sys.argv
    done = bench(
        """
        import asyncio, sys
        from flowdump.scripting import concurrent

        seen = {"import": sys.argv[1:]}

        def running():
            seen["running"] = sys.argv[1:]

        async def request(flow):
            seen["async, first"] = sys.argv[1:]
            await asyncio.sleep(0)
            seen["async, then"] = sys.argv[1:]

        def response(flow):
            seen["plain"] = sys.argv[1:]

        @concurrent
        def error(flow):
            seen["concurrent"] = sys.argv[1:]
            flow.metadata["seen"] = seen
        """,
        [failed()],
        "one 'two 2'",
    )
    seen = done.flow.metadata["seen"]
    own = ["one", "two 2"]
    assert {name for name, argv in seen.items() if argv == own} == {"import", "running", "async, first", "plain"}
    assert seen["async, then"] == seen["concurrent"] == before[1:]
    assert sys.argv is before


def failed() -> object:
    flow = plain()
    flow.error = __import__("flowdump.flow").flow.Error("cut", 1.0)
    return flow


def test_each_script_sees_its_own_arguments(bench: Bench) -> None:
    path = bench.write("args.py", "import sys\n\ndef request(flow):\n    flow.comment += f'{sys.argv[1]} '\n")
    assert bench.run([f"{path} 1", f"{path} 2", f"{path} 3"]).flow.comment == "1 2 3 "


def test_the_script_is_a_module_of_its_own(bench: Bench) -> None:
    done = bench(
        """
        import dataclasses, pickle, sys

        @dataclasses.dataclass
        class Point:
            x: "int"

        def request(flow):
            assert __name__ != "__main__"
            assert sys.modules[__name__].Point is Point
            assert pickle.loads(pickle.dumps(Point(3))) == Point(3)
            flow.comment = __spec__.name == __name__ and "fine"
        """
    )
    assert (done.code, done.flow.comment) == (0, "fine")


def test_two_scripts_of_one_name_with_classes_of_one_name(bench: Bench) -> None:
    text = "class Addon:\n    def request(self, flow):\n        flow.comment += '%s '\n\naddons = [Addon()]\n"
    first, second = bench.write("a/same.py", text % "first"), bench.write("b/same.py", text % "second")
    done = bench.run([str(first), str(second)])
    assert (done.code, done.flow.comment) == (0, "first second ")


# -- modules beside the script ---------------------------------------------------------------------------------------


def test_modules_beside_the_script(bench: Bench) -> None:
    bench.write("beside_a.py", "WORD = 'eager'\n")
    bench.write("beside_package/__init__.py", "from .part import WORD\n")
    bench.write("beside_package/part.py", "WORD = 'package'\n")
    bench.write("beside_b.py", "WORD = 'lazy'\n")
    done = bench(
        """
        import beside_a, beside_package

        def request(flow):
            import beside_b
            flow.comment = f"{beside_a.WORD} {beside_package.WORD} {beside_b.WORD}"
        """
    )
    assert (done.code, done.flow.comment) == (0, "eager package lazy")


def test_scripts_from_two_folders_import_their_own_helpers(bench: Bench) -> None:
    text = "import namesake, namesake_package.part as part\n\ndef request(flow):\n"
    text += "    flow.comment += f'{namesake.WORD}{part.WORD} '\n"
    paths = []
    for folder in ("a", "b"):
        bench.write(f"{folder}/namesake.py", f"WORD = '{folder}'\n")
        bench.write(f"{folder}/namesake_package/__init__.py", "")
        bench.write(f"{folder}/namesake_package/part.py", f"WORD = '{folder}!'\n")
        paths.append(str(bench.write(f"{folder}/main.py", text)))
    assert bench.run(paths).flow.comment == "aa! bb! "


def test_the_folder_is_first_only_while_the_script_is_imported(bench: Bench) -> None:
    done = bench("import sys\nfirst = sys.path[0]\n\ndef request(flow):\n    flow.comment = f'{first} {sys.path[0]}'\n")
    first, later = done.flow.comment.split()
    assert first == str(bench.folder)
    assert later != first
    assert sys.path.count(first) == 1


def test_a_script_may_change_the_path_itself(bench: Bench) -> None:
    done = bench(
        "import os, sys\nsys.path.remove(os.path.dirname(__file__))\n\ndef request(flow):\n    flow.comment = 'ran'\n"
    )
    assert (done.code, done.flow.comment) == (0, "ran")


# -- what can go wrong -----------------------------------------------------------------------------------------------

#: Script, and what the one message says; ``{path}`` is the script.
BROKEN = {
    "syntax": ("x = 1\ndef request(flow:\n", "{path}:2: SyntaxError: "),
    "indentation": ("def request(flow):\nreturn\n", "{path}:2: IndentationError: "),
    "null byte": ("x = 1\0\n", "{path}"),
    "import": (
        "import nothing_of_this_name\n",
        "{path}:1: loading failed: ModuleNotFoundError: No module named 'nothing",
    ),
    "exception": ("x = 1\n\n1 / 0\n", "{path}:3: loading failed: ZeroDivisionError: division by zero"),
    "library": ("import json\n\njson.loads('[')\n", "{path}:3: loading failed: JSONDecodeError: "),
    "eval": ("x = 1\neval('1 +')\n", "{path}:2: SyntaxError: "),
    "exit": ("import sys\nsys.exit(3)\n", "{path}:2: the script ended itself with exit code 3"),
    "exit well": ("import sys\nsys.exit()\n", "{path}:2: the script ended itself with exit code 0"),
    "exit with words": ("import sys\n\nsys.exit('no token')\n", "{path}:3: no token"),
    "start": ("def start():\n    raise ValueError('why')\n", "{path}:2: loading failed: ValueError: why"),
    "load": ("def load(loader):\n    raise ValueError('why')\n", "{path}:2: load failed: ValueError: why"),
    "configure": ("def configure(updated):\n    raise KeyError('x')\n", "{path}:2: configure failed: KeyError: 'x'"),
    "async load": ("async def load(loader):\n    pass\n", "{path}:1: load has to be a plain function"),
    "async configure": ("\nasync def configure(u):\n    pass\n", "{path}:2: configure has to be a plain function"),
    "async add_log": ("async def add_log(entry):\n    pass\n", "{path}:1: add_log has to be a plain function"),
    "class": (
        "class A:\n    def request(self, flow):\n        pass\naddons = [A]\n",
        "{path}:2: request needs an instance",
    ),
    "no list": ("class A: pass\naddons = A()\n", "{path}: addons has to be a list, not A"),
    "Python 2": ("import os\n\nprint 'x'\n", "{path}:3: SyntaxError: Missing parentheses"),
    "module of Python 2": (
        "import urlparse\n",
        "{path}:1: loading failed: ModuleNotFoundError: No module named 'urlparse' (of Python 2: the script",
    ),
    "name of Python 2": (
        "x = unicode('y')\n",
        "{path}:1: loading failed: NameError: name 'unicode' is not defined (of P",
    ),
    "method of Python 2": (
        "{}.has_key('a')\n",
        "{path}:1: loading failed: AttributeError: 'dict' object has no attribute 'has_key' (of Python 2: the",
    ),
    "first start": ("\ndef start(context):\n    1 / 0\n", "{path}:3: loading failed: ZeroDivisionError"),
    "concurrent": (
        "from flowdump.scripting import concurrent\n\n@concurrent\nasync def request(flow):\n    pass\n",
        "{path}:3: loading failed: TypeError: @concurrent is for plain functions",
    ),
    "options": (
        "from mitmproxy import exceptions\ndef configure(updated):\n    raise exceptions.OptionsError('not so')\n",
        "not so",
    ),
}


@pytest.mark.parametrize(("text", "message"), BROKEN.values(), ids=BROKEN)
def test_a_script_that_cannot_be_loaded_stops_the_start(bench: Bench, text: str, message: str) -> None:
    done = bench(text)
    assert (done.code, done.flows) == (1, None)
    assert done.log.startswith("flowdump: " + message.format(path=bench.folder / "script.py")), done.log
    assert done.log.count("flowdump: ") == 1


def test_nothing_is_touched_when_a_script_cannot_be_loaded(bench: Bench, tmp_path: Path) -> None:
    old = tmp_path / "old.mitm"
    old.write_bytes(b"as it was")
    good = bench.write("good.py", "def done():\n    raise SystemExit('never called')\n")
    bad = bench.write("bad.py", "1 / 0\n")
    done = bench.run([str(good), str(bad)], save_stream_file=str(old), hardump=str(tmp_path / "new.har"))
    assert done.code == 1
    assert old.read_bytes() == b"as it was"
    assert not (tmp_path / "new.har").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("", "empty script specification"),
        ("'open", 'script "\'open": No closing quotation'),
        ("nowhere.py a", "cannot read script 'nowhere.py': No such file or directory"),
        (os.sep, f"cannot read script '{os.sep}': Is a directory"),
    ],
)
def test_a_script_that_cannot_be_found(bench: Bench, command: str, message: str) -> None:
    done = bench.run([command])
    assert (done.code, done.flows) == (1, None)
    assert done.log.startswith(f"flowdump: {message}")


ARGPARSE = """
import argparse

def start():
    parser = argparse.ArgumentParser()
    parser.add_argument("src")
    parser.add_argument("--times", type=int)
    global args
    args = parser.parse_args()

def request(flow):
    flow.comment = f"{args.src} {args.times}"
"""


def test_argparse(bench: Bench) -> None:
    assert bench(ARGPARSE, arguments="'a b' --times 3").flow.comment == "a b 3"


@pytest.mark.parametrize("arguments", ["", "a b", "a --times x"])
def test_argparse_refuses(bench: Bench, capsys: pytest.CaptureFixture[str], arguments: str) -> None:
    done = bench(ARGPARSE, arguments=arguments)
    path = bench.folder / "script.py"
    assert (done.code, done.flows) == (1, None)
    assert done.log == f"flowdump: script '{path}' did not accept its arguments, see above\n"
    assert capsys.readouterr().err.startswith("usage: script.py [-h]")


def test_argparse_helps(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    done = bench(ARGPARSE, arguments="--help")
    assert (done.code, done.log, done.flows) == (0, "", None)
    assert capsys.readouterr().out.startswith("usage: script.py")


def test_a_handler_written_for_python_2(bench: Bench) -> None:
    done = bench("def request(context, flow):\n    for n in xrange(3):\n        pass\n")
    assert done.code == 4
    assert done.log.endswith(
        "NameError: name 'xrange' is not defined (of Python 2: the script is not valid Python 3)\n"
    )
