"""``mitmproxy.options`` and ``optmanager``: options that a program creates."""

from __future__ import annotations

import io
from importlib import import_module
from pathlib import Path

import pytest

from flowdump.exceptions import OptionsError
from flowdump.options import Options
from flowdump.test import taddons

pytestmark = pytest.mark.usefixtures("installed")


def test_programs_set_and_merge_options() -> None:
    options = import_module("mitmproxy.options").Options(anticache=True, listen_port=1)
    assert isinstance(options, Options)
    assert (options.anticache, options.listen_port) == (True, 1)
    options.merge({"ignore_hosts": ["a"], "anticomp": True, "showhost": None})
    options.merge({"ignore_hosts": ["b"]})
    assert (options.ignore_hosts, options.anticomp, options.showhost) == (["a", "b"], True, False)
    with pytest.raises(OptionsError):
        import_module("mitmproxy.options").Options(nonsense=1)


def test_programs_declare_save_and_load_their_own_options(tmp_path: Path) -> None:
    manager = import_module("mitmproxy.optmanager")
    options, heard = manager.OptManager(), []
    options.add_option("one", str, "a", "One.")
    options.add_option("two", int, 2, "Two.")
    options.subscribe(lambda opts, updated: heard.append((opts is options, sorted(updated))), ["one"])
    options.subscribe(lambda opts, updated: heard.append(sorted(updated)))
    options.update(one="b", two=3)
    options.two = 4
    assert heard == [(True, ["one"]), ["one", "two"], ["two"]]
    with pytest.raises(OptionsError):
        options.subscribe(print, ["three"])
    assert manager.dump_dicts(options)["two"] == {
        "type": "int", "default": 2, "value": 4, "help": "Two.", "choices": None
    }  # fmt: skip
    path = tmp_path / "options.yaml"
    path.write_text("other: 5\none: old\n")
    manager.save(options, path)
    assert sorted(path.read_text().splitlines()) == ["one: b", "other: 5", "two: 4"]
    options.reset()
    manager.save(options, path)
    assert path.read_text() == "other: 5\n"
    manager.save(options, path, defaults=True)
    path.write_text("one: c\n")
    manager.load_paths(options, path, tmp_path / "none.yaml")
    manager.load(options, "two: 9")
    assert (options.one, options.two) == ("c", 9)
    out = io.StringIO()
    manager.dump_defaults(options, out)
    assert "one: " in out.getvalue()
    for wrong in ("[", "5"):
        path.write_text(wrong)
        with pytest.raises(OptionsError):
            manager.save(options, path)
    path.write_bytes(b"\xff")
    with pytest.raises(OptionsError):
        manager.save(options, path)
    assert manager.relative_path("a", relative_to=tmp_path) == tmp_path / "a"


def test_invalid_options_raise_the_errors_that_test_suites_expect() -> None:
    with taddons.context() as tctx:
        with pytest.raises(KeyError, match=r"^unknown option 'bogus'$"):
            tctx.options.update(bogus=1)
        with pytest.raises(TypeError, match="is of type bool"):
            tctx.options.anticache = "x"
