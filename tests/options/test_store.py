"""Options: typed values, updated all or none, kept for scripts that declare them later, read from a config.yaml."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Optional

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.flows import ROOT

from flowdump.exceptions import OptionsError
from flowdump.options.store import FOREIGN, Options, listing, load_config, parse_size, type_name
from flowdump.options.table import GROUPS, OPTIONS, REFUSED, TYPES, Spec

SPECS = {spec.name: spec for spec in OPTIONS}


def parse(*assignments: str, **keywords: Any) -> Options:
    options = Options()
    options.set(*assignments, **keywords)
    return options


def changed(options: Options) -> dict[str, Any]:
    return {name: value for name, value in options.items() if options.has_changed(name)}


# -- the table ---------------------------------------------------------------------------------------------------


def test_the_table_is_sound() -> None:
    assert len(SPECS) == len(OPTIONS)
    flags = [flag for spec in OPTIONS for flag in spec.flags]
    assert len(flags) == len(set(flags))
    for spec in OPTIONS:
        assert spec.type in TYPES
        assert spec.help.strip()
        assert "\n" not in spec.help
        assert not spec.flags or spec.group in GROUPS
        assert not spec.choices or spec.default in spec.choices
        bounded = spec.name in ("listen_port", "websocket_message_limit", "websocket_kept_limit")
        assert (spec.default is None) == spec.type.endswith("?") or bounded


def test_every_default_is_a_legal_value() -> None:
    options = Options()
    options.update(**{name: spec.default for name, spec in SPECS.items()})
    assert changed(options) == {}


@pytest.fixture(scope="module")
def reference() -> list[tuple[list[str], list[str], list[str]]]:
    """Names, types and defaults of each row of the reference table."""
    page = ROOT.parent / "shared" / "options.md"
    if not page.is_file():
        pytest.skip("the reference table of options (../shared/options.md) is not beside this checkout")
    rows = [line.strip("|").split("|")[:3] for line in page.read_text(encoding="utf-8").splitlines() if line[:1] == "|"]
    assert rows[0] == [" option ", " type ", " default "]
    return [(_names(names), _listed(types), _listed(defaults)) for names, types, defaults in rows[2:]]


def _names(cell: str) -> list[str]:
    """``"a_b (-x) / _c, d_min/max"`` -> ``["a_b", "a_c", "d_min", "d_max"]``."""
    names: list[str] = []
    for word in re.split(r"[/,]", re.sub(r"\([^)]*\)", "", cell)):
        name = word.strip()
        if name == "max":
            name = names[-1].removesuffix("min") + "max"
        elif name.startswith("_"):
            name = next(head + name for head in _heads(names[-1]) if head + name in SPECS)
        names.append(name)
    return names


def _heads(name: str) -> Iterator[str]:
    while "_" in name:
        name = name.rpartition("_")[0]
        yield name


def _listed(cell: str) -> list[str]:
    return [item.strip() for item in cell.split(" / ")]


_WRITTEN = {"[regex]": "[str]", "path?": "str?"}


def _type(text: str) -> tuple[str, tuple[str, ...]]:
    """What a row says of a type, and the choices if it lists them."""
    first = text.split(" ")[0]
    known = _WRITTEN.get(first, first)
    return (known, ()) if known in TYPES else ("str", tuple(text.split(" ")))


def _default(text: str, kind: str) -> Any:
    if text == "\N{EN DASH}":
        return [] if kind == "[str]" else None
    value = yaml.safe_load(text)
    return value if kind != "str" else str(value)


def test_the_reference_table_is_fulfilled(reference: list[tuple[list[str], list[str], list[str]]]) -> None:
    seen = []
    for names, types, defaults in reference:
        for i, name in enumerate(names):
            if name in REFUSED:
                continue
            seen.append(name)
            spec = SPECS[name]
            if types[0]:
                kind, choices = _type(types[i % len(types)])
                assert spec.type == kind, name
                assert not choices or spec.choices == choices, name
                assert spec.default == _default(defaults[i % len(defaults)], kind), name
    assert len(seen) == len(set(seen)) > 90
    assert {"rfile", "server_replay_ignore_port", "tls_version_server_max", "protobuf_definitions"} < set(seen)


@pytest.mark.parametrize("name", REFUSED)
def test_refused_options_say_why(name: str) -> None:
    options = Options()
    with pytest.raises(OptionsError, match="leaked key"):
        options.set(f"{name}=true")
    options.set(f"{name}=true", defer=True)
    with pytest.raises(OptionsError, match="leaked key"):
        options.check_leftovers()


# -- reading -----------------------------------------------------------------------------------------------------


def test_values_are_attributes() -> None:
    options = Options()
    assert (options.flow_detail, options.showhost, options.mode, options.dumper_filter) == (1, False, ["regular"], None)
    assert options.get("flow_detail") == 1
    assert options.get("unheard_of", "default") == "default"
    assert "showhost" in options
    assert "unheard_of" not in options
    assert set(options) == options.keys() == set(SPECS)
    assert ("flow_detail", 1) in options.items()
    assert options.default("mode") == ["regular"]
    assert options.spec("flow_detail").choices == (0, 1, 2, 3, 4)
    assert [spec.name for spec in options.specs()] == list(SPECS)


def test_unknown_names_are_told_with_the_nearest() -> None:
    options = Options()
    with pytest.raises(AttributeError, match="unknown option 'shwohost'; did you mean 'showhost'"):
        options.shwohost  # noqa: B018
    for ask in (
        lambda: options.spec("flow_detial"),
        lambda: options.update(flow_detial=1),
        lambda: options.set("flow_detial=1"),
        lambda: setattr(options, "flow_detial", 1),
        lambda: options.default("flow_detial"),
    ):
        with pytest.raises(OptionsError, match="unknown option 'flow_detial'; did you mean 'flow_detail'"):
            ask()
    with pytest.raises(OptionsError, match=r"unknown option 'xyzzy'$"):
        options.set("xyzzy=1")


def test_lists_are_not_shared() -> None:
    mine = ["a"]
    options = Options()
    options.update(scripts=mine)
    mine.append("b")
    assert options.scripts == ["a"]
    options.mode.append("socks5")
    assert Options().mode == ["regular"]
    options.default("mode").append("socks5")
    assert options.default("mode") == ["regular"]
    options.update(scripts=("x", "y"))
    assert options.scripts == ["x", "y"]


# -- values as text ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("assignments", "values"),
    [
        (["showhost"], {"showhost": True}),
        (["showhost=true"], {"showhost": True}),
        (["showhost=YES"], {"showhost": True}),
        (["showhost=1"], {"showhost": True}),
        (["showhost=on", "showhost=off"], {}),
        (["server=false"], {"server": False}),
        (["server=no"], {"server": False}),
        (["server=0"], {"server": False}),
        (["showhost=toggle"], {"showhost": True}),
        (["server=Toggle"], {"server": False}),
        ([" showhost = true"], {"showhost": True}),
        (["flow_detail=3"], {"flow_detail": 3}),
        (["listen_port=81"], {"listen_port": 81}),
        (["listen_port"], {"listen_port": None}),
        (["listen_port="], {"listen_port": None}),
        (["client_replay_concurrency=-1"], {"client_replay_concurrency": -1}),
        (["hardump=a=b"], {"hardump": "a=b"}),
        (["hardump=x", "hardump"], {}),
        (["save_stream_file=x"], {"save_stream_file": "x"}),
        (["save_stream_file"], {}),
        (["dumper_filter=~u a"], {"dumper_filter": "~u a"}),
        (["dumper_filter=~u a", "dumper_filter"], {}),
        (["scripts=a", "scripts=b c"], {"scripts": ["a", "b c"]}),
        (["mode="], {"mode": []}),
        (["mode"], {"mode": []}),
        (["body_size_limit=3M"], {"body_size_limit": "3M"}),
        (["termlog_verbosity=debug"], {"termlog_verbosity": "debug"}),
    ],
)
def test_set(assignments: list[str], values: dict[str, Any]) -> None:
    assert changed(parse(*assignments)) == values


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("showhost=", "option 'showhost' is true or false, not ''"),
        ("showhost=maybe", "option 'showhost' is true or false, not 'maybe'"),
        ("flow_detail", "option 'flow_detail' needs a value"),
        ("flow_detail=", "option 'flow_detail' is a whole number, not ''"),
        ("flow_detail=x", "option 'flow_detail' is a whole number, not 'x'"),
        ("flow_detail=1.5", "option 'flow_detail' is a whole number, not '1.5'"),
        ("flow_detail=5", "option 'flow_detail' is one of 0, 1, 2, 3, 4, not 5"),
        ("tcp_timeout=-1", "option 'tcp_timeout' is 0 or more, not -1"),
        ("termlog_verbosity=loud", "option 'termlog_verbosity' is one of error, warn, info, alert, debug, not 'loud'"),
        ("body_size_limit=1.5m", "option 'body_size_limit': '1.5m' is not a size"),
        ("dumper_filter=~nope", "option 'dumper_filter': "),
        ("=x", "unknown option ''"),
        ("", "unknown option ''"),
    ],
)
def test_set_refuses(assignment: str, message: str) -> None:
    with pytest.raises(OptionsError, match=re.escape(message)):
        parse("anticache=true", assignment)


def test_a_refused_set_changes_nothing() -> None:
    options = Options()
    for bad in ("flow_detail=9", "unheard_of=1", "showhost=maybe"):
        with pytest.raises(OptionsError):
            options.set("anticache=true", bad)
    assert changed(options) == {}


# -- values as values --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("showhost", "true"),
        ("showhost", 1),
        ("showhost", None),
        ("flow_detail", "1"),
        ("flow_detail", True),
        ("flow_detail", 1.0),
        ("flow_detail", None),
        ("flow_detail", 9),
        ("listen_port", "80"),
        ("listen_port", True),
        ("hardump", None),
        ("hardump", b"x"),
        ("save_stream_file", 5),
        ("scripts", "a"),
        ("scripts", None),
        ("scripts", [1]),
        ("scripts", {"a"}),
        ("body_size_limit", "x"),
        ("body_size_limit", -5),
        ("body_size_limit", True),
        ("dumper_filter", "("),
        ("termlog_verbosity", "warning"),
    ],
)
def test_update_refuses(name: str, value: Any) -> None:
    options = Options()
    with pytest.raises(OptionsError, match=f"option '{name}'"):
        options.update(anticache=True, **{name: value})
    with pytest.raises(OptionsError, match=f"option '{name}'"):
        setattr(options, name, value)
    assert changed(options) == {}


def test_what_is_not_part_of_this_version_is_refused_unless_it_is_the_default() -> None:
    options = Options()
    missing = [spec for spec in OPTIONS if spec.missing]
    for spec in missing:
        options.update(**{spec.name: spec.default})
    options._specs["future"] = Spec("future", "str", "", "h", missing="the future")
    options.__dict__["future"] = ""
    with pytest.raises(OptionsError, match="'future': the future is not part of this version"):
        options.update(future="now")


def test_what_was_given() -> None:
    options = Options()
    assert not options.was_given("listen_port")
    options.update(listen_port=8080)
    assert options.was_given("listen_port")
    assert not options.has_changed("listen_port")
    options.reset()
    assert not options.was_given("listen_port")


def test_assignment_reset_and_toggler() -> None:
    options = Options()
    options.flow_detail = 3
    options.listen_port = None
    toggle = options.toggler("anticache")
    toggle()
    assert changed(options) == {"flow_detail": 3, "listen_port": None, "anticache": True}
    toggle()
    assert not options.anticache
    options.reset()
    assert changed(options) == {}
    with pytest.raises(OptionsError, match="not a bool"):
        options.toggler("flow_detail")
    with pytest.raises(OptionsError, match="unknown option"):
        options.toggler("nope")


# -- parsed once -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("10", 10), ("5k", 5120), ("5K", 5120), ("3m", 3 << 20), ("3M", 3 << 20), ("2g", 2 << 30),
     ("2G", 2 << 30), (" 5 ", 5), ("3 m", 3 << 20), ("3mb", 3 << 20), ("7KB", 7 << 10)],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert parse(f"body_size_limit={text}").size("body_size_limit") == size


@pytest.mark.parametrize("text", ["x", "m", "1.5m", "-1", "+1", "3kk", "3t", "3 m m", "0x10", "1e3", "1_000", "k3"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(OptionsError, match="is not a size"):
        parse_size(text)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**12), st.sampled_from("kmgKMG"))
def test_sizes_are_1024_based(number: int, unit: str) -> None:
    assert parse_size(f"{number}{unit}") == number * 1024 ** ("kmg".index(unit.lower()) + 1)


def test_the_parsed_size_follows_the_option() -> None:
    options = Options()
    assert options.size("body_size_limit") is None
    for value, size in (("3m", 3 << 20), (5, 5), ("", None), ("1k", 1024), (None, None), (0, 0)):
        options.update(body_size_limit=value)
        assert options.size("body_size_limit") == size
    options.reset()
    assert options.size("body_size_limit") is None


def test_the_compiled_filter_follows_the_option() -> None:
    options = Options()
    assert options.filter("dumper_filter") is None
    options.update(dumper_filter="~all")
    everything = options.filter("dumper_filter")
    assert everything is not None
    with pytest.raises(OptionsError):
        options.update(dumper_filter="~nope")
    assert options.filter("dumper_filter") is everything
    options.update(showhost=True)
    assert options.filter("dumper_filter") is everything
    options.update(dumper_filter="")
    assert options.filter("dumper_filter") is None


# -- all or none -------------------------------------------------------------------------------------------------


def test_subscribers_are_told_what_changed() -> None:
    options, told = Options(), []
    options.subscribe(told.append)
    options.update(showhost=True, anticache=False, flow_detail=1)
    options.update(showhost=True)
    options.set("flow_detail=2", "anticache")
    options.reset()
    assert told == [{"showhost"}, {"flow_detail", "anticache"}, {"showhost", "flow_detail", "anticache"}]


@pytest.mark.parametrize("error", [OptionsError("no"), ValueError("a bug")])
def test_when_a_subscriber_objects_the_old_values_come_back(error: Exception) -> None:
    options = Options()
    options.update(body_size_limit="1k", dumper_filter="~all")
    everything = options.filter("dumper_filter")

    def object_to(names: set[str]) -> None:
        assert options.showhost
        assert options.size("body_size_limit") == 2048
        raise error

    options.subscribe(object_to)
    before = options.items()
    with pytest.raises(type(error)):
        options.update(showhost=True, body_size_limit="2k", dumper_filter=None)
    assert options.items() == before
    assert options.size("body_size_limit") == 1024
    assert options.filter("dumper_filter") is everything


def test_an_update_that_changes_nothing_tells_nobody() -> None:
    options, told = Options(), []
    options.subscribe(told.append)
    options.update()
    options.update(mode=["regular"], showhost=False)
    options.update(mode=("regular",))
    assert told == []


# -- declaring, and values for later -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typespec", "name"),
    [
        (str, "str"),
        (bool, "bool"),
        (int, "int"),
        (Optional[str], "str?"),  # noqa: UP045
        (Optional[int], "int?"),  # noqa: UP045
        (str | None, "str?"),
        (None | int, "int?"),
        (float, "float"),
        (float | None, "float?"),
        (bool | None, "bool?"),
        (Sequence[str], "[str]"),
        (list[str], "[str]"),
        (tuple[str, ...], "[str]"),
        ("size?", "size?"),
    ],
)
def test_type_names(typespec: Any, name: str) -> None:
    assert type_name(typespec) == name


@pytest.mark.parametrize("typespec", [dict, Sequence[int], dict | None, dict[str, str], str | int, list, set[str]])
def test_types_an_option_cannot_have(typespec: Any) -> None:
    with pytest.raises(OptionsError, match="cannot be of type"):
        type_name(typespec)
    with pytest.raises(OptionsError, match="cannot be of type"):
        Options().add_option("mine", typespec, "", "help")


@pytest.mark.parametrize(
    ("typespec", "text", "value"),
    [
        (float, "=2.5", 2.5),
        (float, "=1e-3", 0.001),
        (float, "=3", 3.0),
        (float | None, "=.5", 0.5),
        (float | None, "=", None),
        (float | None, "", None),
        (bool | None, "=false", False),
        (bool | None, "", True),
    ],
)
def test_options_that_only_scripts_declare(typespec: Any, text: str, value: Any) -> None:
    options = Options()
    options.add_option("mine", typespec, 1.5 if "float" in str(typespec) else None, "help")
    options.set("mine" + text)
    assert options.mine == value
    assert type(options.mine) is type(value)
    for wrong in ("mine=x", "mine=nan", "mine=1.5.2"):
        with pytest.raises(OptionsError, match=r"is (a number|true or false), not"):
            options.set(wrong)
    with pytest.raises(OptionsError, match="is of type"):
        options.update(mine="text")


def test_add_option() -> None:
    options = Options()
    options.add_option("mine", Sequence[str], ["a"], "Help for mine.", ())
    options.add_option("choice", str, "a", "", ["a", "b"])
    assert (options.mine, options.choice) == (["a"], "a")
    options.set("mine=x", "mine=y", "choice=b")
    assert (options.mine, options.choice) == (["x", "y"], "b")
    assert options.spec("mine").help == "Help for mine."
    with pytest.raises(OptionsError, match="one of a, b, not 'c'"):
        options.update(choice="c")


def test_two_options_objects_share_no_declarations() -> None:
    options = Options()
    options.add_option("mine", int, 1, "help")
    assert "mine" not in Options()


@pytest.mark.parametrize(("typespec", "default"), [(int, "1"), (str, None), (bool, 0), (Sequence[str], "a")])
def test_a_default_must_fit(typespec: Any, default: Any) -> None:
    options = Options()
    with pytest.raises(OptionsError, match="option 'mine'"):
        options.add_option("mine", typespec, default, "help")
    assert "mine" not in options


def test_declaring_again() -> None:
    options = Options()
    options.add_option("mine", int, 1, "help")
    options.update(mine=2)
    options.add_option("mine", int, 5, "new help")
    assert (options.mine, options.default("mine"), options.spec("mine").help) == (2, 5, "new help")
    with pytest.raises(OptionsError, match="declared already, as int"):
        options.add_option("mine", str, "", "help")
    with pytest.raises(OptionsError, match="declared already, as bool"):
        options.add_option("showhost", bool, False, "help")


def test_a_script_that_was_edited_declares_anew() -> None:
    options = Options()

    def declare(name: str, typespec: Any, default: Any, choices: Sequence[str] = ()) -> None:
        options.add_option(name, typespec, default, "help", choices, "script.py")

    declare("mine", int, 1)
    declare("mine", int, 2)
    assert (options.mine, options.has_changed("mine")) == (2, False)
    options.update(mine=3)
    declare("mine", int, 4)
    assert options.mine == 3
    declare("mine", str, "new")
    assert options.mine == "new"
    options.update(mine="b")
    declare("mine", str, "a", ("a", "b"))
    assert options.mine == "b"
    declare("mine", str, "c", ("a", "c"))
    assert options.mine == "c"
    with pytest.raises(OptionsError, match=r"declared already, as str by script\.py, and as int by other\.py"):
        options.add_option("mine", int, 1, "help", (), "other.py")


def test_values_wait_for_their_declaration() -> None:
    options = parse("mine=1", "mine=2", "list=a", "list=b", "flag", "showhost", defer=True)
    assert options.showhost
    assert "mine" not in options
    options.add_option("mine", int, 0, "")
    options.add_option("list", Sequence[str], [], "")
    options.add_option("flag", bool, False, "")
    assert (options.mine, options.list, options.flag) == (2, ["a", "b"], True)
    options.check_leftovers()


def test_update_defer_takes_values() -> None:
    options = Options()
    options.update_defer(showhost=True, number=5, flag=True, words=["a", "b"], nothing=None)
    options.add_option("number", int, 0, "")
    options.add_option("flag", bool, False, "")
    options.add_option("words", Sequence[str], [], "")
    options.add_option("nothing", str | None, "x", "")
    assert (options.showhost, options.number, options.flag) == (True, 5, True)
    assert (options.words, options.nothing) == (["a", "b"], None)


def test_a_waiting_value_must_fit() -> None:
    options = parse("mine=x", defer=True)
    with pytest.raises(OptionsError, match="option 'mine' is a whole number, not 'x'"):
        options.add_option("mine", int, 0, "")


def test_leftovers_are_an_error() -> None:
    options = parse("showhots=1", defer=True)
    with pytest.raises(OptionsError, match="--set: unknown option 'showhots'; did you mean 'showhost'"):
        options.check_leftovers()
    Options().check_leftovers()


def test_update_known_gives_the_rest_back() -> None:
    options = Options()
    assert options.update_known(showhost=True, other=5) == {"other": 5}
    assert options.showhost
    with pytest.raises(OptionsError):
        options.update_known(showhost=5, other=5)


# -- config.yaml -------------------------------------------------------------------------------------------------


def loaded(folder: Path, text: str) -> Options:
    (folder / "config.yaml").write_text(text, encoding="utf-8")
    options = Options()
    load_config(options, str(folder / "config.yaml"))
    return options


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("", {}),
        ("# only a comment\n", {}),
        ("showhost: on\nflow_detail: 3\n", {"showhost": True, "flow_detail": 3}),
        ("scripts: one.py\n", {"scripts": ["one.py"]}),
        ("scripts:\n  - one.py\n  - two.py a b\n", {"scripts": ["one.py", "two.py a b"]}),
        ("body_size_limit: 5k\n", {"body_size_limit": "5k"}),
        ("body_size_limit: 5\n", {"body_size_limit": "5"}),
        ("save_stream_file: 5\n", {"save_stream_file": "5"}),
        ("server_replay_extra: 404\n", {"server_replay_extra": "404"}),
        ("dumper_filter: null\nlisten_port:\n", {"listen_port": None}),
        ("console_palette: dark\nweb_port: 8081\nview_filter: x\nintercept: y\nintercept_active: true\n", {}),
    ],
)
def test_config(tmp_path: Path, text: str, values: dict[str, Any]) -> None:
    options = loaded(tmp_path, text)
    assert changed(options) == values
    options.check_leftovers()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [\n", "not valid YAML"),
        ("- showhost\n", "a mapping of option names to values is expected"),
        ("showhost: 5\n", "option 'showhost' is of type bool, 5 is not"),
        ("dumper_filter: ~nope\n", "option 'dumper_filter'"),
        ("!!python/object/apply:os.getcwd []\n", "not valid YAML"),
    ],
)
def test_bad_config(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(OptionsError, match=re.escape(str(tmp_path / "config.yaml"))) as caught:
        loaded(tmp_path, text)
    assert message in str(caught.value)


def test_unknown_names_in_a_config_wait_for_scripts(tmp_path: Path) -> None:
    options = loaded(tmp_path, "mine: true\nlist: [1, b]\nempty:\n")
    with pytest.raises(OptionsError, match=r"config\.yaml: unknown option 'mine'"):
        options.check_leftovers()
    options.add_option("mine", bool, False, "")
    options.add_option("list", Sequence[str], [], "")
    options.add_option("empty", str | None, "x", "")
    assert (options.mine, options.list, options.empty) == (True, ["1", "b"], None)
    options.check_leftovers()


def test_no_config_is_fine_and_an_unreadable_one_is_not(tmp_path: Path) -> None:
    load_config(Options(), str(tmp_path / "none.yaml"))
    with pytest.raises(OptionsError, match="cannot read"):
        load_config(Options(), str(tmp_path))
    (tmp_path / "latin.yaml").write_bytes(b"hardump: \xff\n")
    with pytest.raises(OptionsError, match="cannot read"):
        load_config(Options(), str(tmp_path / "latin.yaml"))


def test_none_of_our_names_is_taken_for_another_programs() -> None:
    assert [name for name in SPECS if FOREIGN.fullmatch(name)] == []
    assert FOREIGN.fullmatch("websocket") is None


# -- the listing -------------------------------------------------------------------------------------------------


def test_the_listing_is_a_config(tmp_path: Path) -> None:
    options = parse("showhost", "scripts=a 'b c'", "hardump=ä: #x", "body_size_limit=3m", "dumper_filter=~u 'a b'")
    assert loaded(tmp_path, listing(options)).items() == options.items()
    assert loaded(tmp_path, listing(Options())).items() == Options().items()


def test_the_listing_says_what_there_is() -> None:
    text = listing(Options())
    assert [line.split(":")[0] for line in text.splitlines() if line and line[0] != "#"] == sorted(SPECS)
    assert "# Type: int. One of 0, 1, 2, 3, 4.\nflow_detail: 1\n" in text
    for spec in OPTIONS:
        assert spec.help in text
        assert spec.missing in text


def test_a_setter() -> None:
    options = Options()
    options.setter("showhost")(True)
    assert options.showhost
    with pytest.raises(OptionsError, match="nonsense"):
        options.setter("nonsense")
