"""The command line: its flags, mistakes in them, options, configuration and help."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.support.cli import URLS, fails, flow, shell, urls, work_in
from tests.support.flows import environment, read_flows, run_flowdump, write_flows

from flowdump.options.table import GROUPS, OPTIONS
from flowdump.version import __version__


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return work_in(tmp_path, monkeypatch)


# -- mistakes ------------------------------------------------------------------------------------------------------

MISTAKES = {
    "unknown option": (["--set", "flow_detial=2"], "unknown option 'flow_detial'; did you mean 'flow_detail'?"),
    "far from any option": (["--set", "qqqqqqq"], "unknown option 'qqqqqqq'"),
    "not a number": (["--set", "flow_detail=much"], "'flow_detail'"),
    "not one of the choices": (["--set", "termlog_verbosity=loud"], "error, warn, info, alert, debug"),
    "too large a level": (["--flow-detail", "7"], "0, 1, 2, 3, 4"),
    "not a bool": (["--set", "anticache=maybe"], "'anticache' is true or false"),
    "not a size": (["--set", "body_size_limit=3q"], "'3q' is not a size"),
    "number without value": (["--set", "flow_detail"], "'flow_detail' needs a value"),
    "no such view": (["--set", "dumper_default_contentview=nosuch"], "dumper_default_contentview"),
    "not part of this version": (["--set", "protobuf_definitions=x.proto"], "not part of this version"),
    "unknown filter": (["~nosuch"], "~nosuch\n  ^"),
    "open parenthesis": (["(~u a"], "(~u a"),
    "bad expression": (["~u ["], "regular expression"),
    "bad filter in an option": (["--set", "save_stream_filter=~c abc"], "'save_stream_filter'"),
    "bad sticky filter": (["--stickycookie", "~"], "'stickycookie'"),
    "no script": (["-s", "missing.py"], "cannot read script 'missing.py'"),
    "empty script": (["-s", ""], "empty script"),
    "open quote": (["-s", "'syntax.py"], "quotation"),
    "folder as script": (["-s", "."], "cannot read script '.'"),
    "syntax error": (["-s", "syntax.py"], "syntax.py:2: SyntaxError"),
    "bytes": (["-s", "saved"], "saved"),
    "import error": (["-s", "imports.py"], "imports.py:3: loading failed: ModuleNotFoundError: No module named 'nos"),
    "missing part of mitmproxy": (["-s", "facade.py"], "mitmproxy.tools.web belongs to a user interface"),
    "argparse": (["-s", "arguments.py one"], "the following arguments are required: dst"),
    "exit with a message": (["-s", "leave.py"], "not today"),
    "error in load": (["-s", "load.py"], "load.py:2: "),
    "error in configure": (["-s", "configure.py"], "limit is too low"),
    "bad value of a script's option": (["-s", "declares.py", "--set", "mine=x"], "'mine' is a whole number"),
    "option declared twice": (["-s", "declares.py", "-s", "again.py"], "'mine' is declared already"),
    "unknown beside a script": (["-s", "declares.py", "--set", "mime=1"], "option 'mime'; did you mean 'mine'"),
    "no name": (["--set", "=3"], "--set"),
    "missing configuration is fine, broken is not": (["--set", "confdir=conf"], "conf/config.yaml"),
    "output is a folder": (["-w", "conf"], "cannot write 'conf'"),
    "output below a file": (["-w", "saved/out"], "cannot write"),
    "har is a folder": (["--hardump", "conf"], "cannot write 'conf'"),
    "har below a file": (["--hardump", "saved/out"], "cannot write"),
}  # fmt: skip

SCRIPTS = {
    "syntax.py": "import os\ndef x(:\n",
    "imports.py": "import os\n\nimport nosuch\n",
    "facade.py": "import mitmproxy.tools.web\n",
    "arguments.py": "import argparse\np = argparse.ArgumentParser()\np.add_argument('src')\np.add_argument('dst')\n"
    "def start():\n    p.parse_args()\n",
    "leave.py": "import sys\nsys.exit('not today')\n",
    "load.py": "def load(loader):\n    1 / 0\n",
    "configure.py": "from mitmproxy import exceptions\n"
    "def configure(updated):\n    raise exceptions.OptionsError('limit is too low')\n",
    "declares.py": "def load(loader):\n    loader.add_option('mine', int, 1, 'help')\n",
    "again.py": "def load(loader):\n    loader.add_option('mine', str, '', 'help')\n",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_cost_nothing(home: Path, mistake: str) -> None:
    """One clear message, exit code 1, and no output is made or touched."""
    for name, text in SCRIPTS.items():
        Path(name).write_text(text)
    Path("conf").mkdir()
    Path("conf/config.yaml").write_text("flow_detail: [\n")
    Path("old").write_bytes(b"old")
    arguments, says = MISTAKES[mistake]
    outputs = [] if {"-w", "--hardump"} & {*arguments} else ["-w", "old", "--hardump", "out.har"]
    said = fails("-r", "saved", *outputs, *arguments, says=says)
    assert "flowdump: " in said


@pytest.mark.parametrize("arguments", [["--nosuch"], ["-r"], ["--set"], ["--anticache=1"]])
def test_click_usage(home: Path, arguments: list[str]) -> None:
    said = fails("-w", "out", *arguments, code=2, says="Error: ")
    assert "flowdump" in said or "option" in said.lower()


def test_nothing_to_do(home: Path) -> None:
    fails("-n", "-w", "out", says="-r")


# -- flags ---------------------------------------------------------------------------------------------------------


def test_levels_of_detail(home: Path) -> None:
    lengths = []
    for arguments in (["-q"], ["--flow-detail", "0"], [], ["-d"], ["-dd"], ["-ddd"], ["-dddddd"]):
        done = run_flowdump("-r", "saved", *arguments, check=True)
        assert done.stderr == ""
        lengths.append(len(done.stdout))
    silent, zero, one, two, three, four, more = lengths
    assert silent == zero == 0 < one < two < three < four == more
    outputs = [
        run_flowdump("-r", "saved", *a).stdout for a in (["-d"], ["--set", "flow_detail=2"], ["--flow-detail", "2"])
    ]
    assert len(set(outputs)) == 1
    assert "> GET /a HTTP/1.1" in outputs[0]
    assert len(run_flowdump("-r", "saved", "-d", "--flow-detail", "1").stdout) == two


def test_verbosity(home: Path) -> None:
    Path("logs.py").write_text(
        "import logging\nfrom mitmproxy import ctx\n"
        "def request(flow):\n    ctx.log.debug('deb')\n    ctx.log.info('inf')\n    logging.warning('war')\n"
        "    ctx.log.error('err')\n"
    )
    said = {}
    for arguments in ([], ["-v"], ["-q"], ["--set", "termlog_verbosity=warn"]):
        done = run_flowdump("-r", "saved", "-s", "logs.py", *arguments, check=True)
        assert not any(word in done.stdout for word in ("deb", "inf", "war", "err"))
        said[" ".join(arguments)] = [word for word in ("deb", "inf", "war", "err") if word in done.stderr]
    assert said == {
        "": ["inf", "war", "err"],
        "-v": ["deb", "inf", "war", "err"],
        "-q": ["err"],
        "--set termlog_verbosity=warn": ["war", "err"],
    }


def test_the_filter_limits_everything(home: Path) -> None:
    Path("seen.py").write_text("def request(flow):\n    print('seen', flow.request.path)\n")
    words = ["~u", "/b$", "|", "~u", "/c$"]
    for filter_ in (words, [" ".join(words)], ["-r", "saved", "~u /b$ | ~u /c$"]):
        sources = [] if "-r" in filter_ else ["-r", "saved"]
        done = run_flowdump("-s", "seen.py", *sources, "-w", "out", "--hardump", "out.har", *filter_, check=True)
        assert urls("out") == URLS[1:]
        assert len(json.loads(Path("out.har").read_bytes())["log"]["entries"]) == 2
        assert [line.split()[:2] for line in done.stdout.splitlines()[::2]] == [["seen", "/b"], ["seen", "/c"]]
        assert "/a" not in done.stdout


def test_each_filter_for_itself(home: Path) -> None:
    done = run_flowdump(
        "-r", "saved", "-w", "out", "--readfile-filter", "!~u /a", "--save-stream-filter", "~u /c",
        "--dumper-filter", "~u /b", check=True,
    )  # fmt: skip
    assert urls("out") == [URLS[2]]
    assert [line.split()[3] for line in done.stdout.splitlines()] == [URLS[1]]


def test_filters_see_what_scripts_made_of_a_flow(home: Path) -> None:
    Path("marks.py").write_text(
        "def response(flow):\n    flow.response.status_code = 500 if flow.request.path == '/b' else 200\n"
    )
    run_flowdump("-q", "-r", "saved", "-s", "marks.py", "--save-stream-filter", "~c 500", "-w", "out", check=True)
    assert urls("out") == [URLS[1]]


def test_flags_that_change_flows(home: Path) -> None:
    first, second = flow("http://example.com/login"), flow("http://example.com/next")
    first.request.headers["if-none-match"] = "x"
    first.request.headers["accept-encoding"] = "gzip"
    first.request.headers["authorization"] = "Basic x"
    first.response.headers["set-cookie"] = "session=1"
    write_flows("cookies", [first, second])
    flags = ["--anticache", "--anticomp", "--stickycookie", "~all", "--stickyauth", "~all"]
    run_flowdump("-q", "-r", "cookies", *flags, "-w", "out", check=True)
    one, two = read_flows("out")
    assert "if-none-match" not in one.request.headers
    assert one.request.headers.get("accept-encoding") in (None, "identity")
    assert two.request.headers["cookie"] == "session=1"
    assert two.request.headers["authorization"] == "Basic x"
    run_flowdump("-q", "-r", "cookies", "--no-anticache", "--set", "anticomp=false", "-w", "same", check=True)
    assert Path("same").read_bytes() == Path("cookies").read_bytes()


def test_showhost(home: Path) -> None:
    odd = flow("http://127.0.0.1/x")
    odd.request.headers["host"] = "pretty.example"
    write_flows("odd", [odd])
    assert " http://127.0.0.1/x " in run_flowdump("-r", "odd", check=True).stdout
    assert " http://pretty.example/x " in run_flowdump("-r", "odd", "--showhost", check=True).stdout


def test_forms_of_set(home: Path) -> None:
    Path("shows.py").write_text(
        "from mitmproxy import ctx\n"
        "def load(loader):\n"
        "    loader.add_option('mine', int, 1, 'help')\n    loader.add_option('text', str, 'x', 'help')\n"
        "def running():\n    o = ctx.options\n"
        "    print([o.mine, o.text, o.anticache, o.showhost, o.body_size_limit, o.ignore_hosts, o.listen_port])\n"
    )
    done = run_flowdump(
        "-q", "-n", "-r", "saved", "--set", "mine=7", "-s", "shows.py", "--set", "text=a=b ü", "--set", "anticache",
        "--set", "showhost=TRUE", "--set", "body_size_limit=3m", "--set", "ignore_hosts=a", "--set", "ignore_hosts=b,c",
        "--set", "listen_port=", check=True,
    )  # fmt: skip
    assert done.stdout == "[7, 'a=b ü', True, True, '3m', ['a', 'b,c'], None]\n"


# -- configuration, options, help --------------------------------------------------------------------------------------


def config(text: str) -> dict[str, str]:
    folder = Path("home/.flowdump")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(text)
    return {"HOME": str(Path("home").absolute())}


def test_a_configuration_is_used(home: Path) -> None:
    env = config(
        "rfile: [saved]\nflow_detail: 2\nshowhost: true\nsave_stream_file: out\nview_order: size\nweb_port: 1\n"
    )
    assert "> GET /a" in run_flowdump("-n", env=env, check=True).stdout
    assert urls("out") == URLS
    assert "> GET" not in run_flowdump("-n", "--flow-detail", "1", env=env, check=True).stdout
    Path("conf").mkdir()
    os.rename("home/.flowdump/config.yaml", "conf/config.yaml")
    for arguments in (["--set", "confdir=conf"], ["--confdir", "conf"]):
        assert "> GET /a" in run_flowdump("-n", *arguments, check=True).stdout


def test_lists_in_a_configuration(home: Path) -> None:
    Path("one.py").write_text("print('one')\n")
    Path("two.py").write_text("import sys\nprint('two', sys.argv[1:])\n")
    env = config("scripts:\n  - one.py\n  - two.py 'a b'\nignore_hosts: single\n")
    assert run_flowdump("-q", "-r", "saved", env=env, check=True).stdout == "one\ntwo ['a b']\n"
    listed = yaml.safe_load(run_flowdump("--options", env=env, check=True).stdout)
    assert listed["ignore_hosts"] == ["single"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("flow_detail: [1\n", "not valid YAML"),
        ("- flow_detail\n", "mapping"),
        ("just text", "mapping"),
        ("flow_detial: 2\n", "did you mean 'flow_detail'"),
        ("flow_detail: much\n", "'flow_detail'"),
        ("flow_detail: [1]\n", "'flow_detail'"),
        ("anticache: 7\n", "'anticache'"),
        ("dumper_filter: '~nosuch'\n", "~nosuch"),
        ("!!python/object/apply:os.system ['touch hacked']\n", "config.yaml"),
        ("\x00", "config.yaml"),
    ],
)
def test_a_bad_configuration_is_named(home: Path, text: str, says: str) -> None:
    env = config(text)
    said = fails("-r", "saved", "-w", "out", env=env, says="config.yaml")
    assert says in said


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_an_empty_configuration_is_fine(home: Path, text: str) -> None:
    assert run_flowdump("-q", "-r", "saved", env=config(text), check=True).stderr == ""


def test_options_are_yaml_and_a_configuration(home: Path) -> None:
    arguments = [
        "--set",
        "ignore_hosts=a: b",
        "--set",
        "body_size_limit=3m",
        "--set",
        'dumper_filter=~u "ü" & !~q',
        "--options",
    ]
    first = run_flowdump(*arguments, check=True)
    assert first.stderr == ""
    listed = yaml.safe_load(first.stdout)
    assert set(listed) == {spec.name for spec in OPTIONS}
    assert listed["ignore_hosts"] == ["a: b"]
    assert listed["dumper_filter"] == '~u "ü" & !~q'
    assert all(f"# {spec.help}" in first.stdout for spec in OPTIONS)
    second = run_flowdump("--options", env=config(first.stdout), check=True)
    assert second.stdout == first.stdout


def test_options_of_scripts_are_listed_too(home: Path) -> None:
    declares = "def load(loader):\n    print('loading')\n    loader.add_option('teapot', str, 'green', 'Which pot.')\n"
    Path("pots.py").write_text(declares)
    done = run_flowdump("--options", "-s", "pots.py", "--set", "teapot=brown", check=True)
    assert done.stderr == "loading\n"
    assert yaml.safe_load(done.stdout)["teapot"] == "brown"
    assert "# Which pot.\n# Type: str.\nteapot:" in done.stdout
    fails("--options", "-s", "missing.py", says="cannot read script 'missing.py'")


def test_help_has_sections_and_examples(home: Path) -> None:
    for flag in ("--help", "-h"):
        said = run_flowdump(flag, check=True).stdout
        assert all(f"\n{group}:\n" in said for group in GROUPS)
        assert all(name in said for spec in OPTIONS for name in spec.flags)
        assert all(name in said for name in ("--set", "--options", "--version", "-d", "-q", "-v", "-n"))
        assert "Examples:" in said
        assert "~u" in said
        assert max(map(len, said.splitlines())) <= 120


def test_the_examples_of_the_help_work(home: Path) -> None:
    """Those that read what is there: each line after the first word, run by a shell."""
    said = run_flowdump("--help", check=True).stdout
    Path("replacer.py").write_text("def response(flow):\n    flow.response.text = 'replaced'\n")
    run_flowdump("-q", "-r", "saved", "--hardump", "example.har", check=True)
    lines = [
        line.strip().split("   ")[0] for line in said.splitlines() if line.startswith("  flowdump ") and "-r" in line
    ]
    assert len(lines) >= 4
    for line in lines:
        done = shell(line)
        assert (done.returncode, done.stderr) == (0, b""), line
    assert all(Path(name).stat().st_size for name in ("changed", "saved.har", "example.flows"))


def test_version() -> None:
    assert run_flowdump("--version", check=True).stdout == f"flowdump {__version__}\n"


# -- what a run does not do ------------------------------------------------------------------------------------------

AUDITED = """
import runpy, sys
def watch(event, arguments):
    if event.startswith("socket.") or event in ("subprocess.Popen", "os.fork", "os.system"):
        sys.__stderr__.write(f"audit: {event}\\n")
sys.addaudithook(watch)
sys.argv[0] = "flowdump"
runpy.run_module("flowdump", run_name="__main__")
"""


@pytest.mark.parametrize("arguments", [["-nr", "saved"], ["-r", "saved"], ["-q", "-r", "saved", "--hardump", "-"]])
def test_no_socket_is_made(home: Path, arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AUDITED, *arguments],
        capture_output=True,
        env=environment(),
        stdin=subprocess.DEVNULL,
        check=True,
    )
    assert done.stderr == b""


def test_the_three_commands_of_the_issue(home: Path) -> None:
    """Transform with a script, flows to HAR, and back."""
    scripts = Path(__file__).resolve().parent.parent / "scripts"
    run_flowdump(
        "-r", "saved", "-s", f"{shlex.quote(str(scripts / 'replacer.py'))} body faketml", "-w", "changed", check=True
    )
    assert [flow.response.text for flow in read_flows("changed")] == ["<p>faketml</p>"] * 3
    done = run_flowdump("-q", "-r", "changed", "--set", "hardump=-", check=True)
    Path("example.har").write_text(done.stdout)
    run_flowdump("-q", "-r", "example.har", "-w", "example.flows", check=True)
    assert [flow.response.text for flow in read_flows("example.flows")] == ["<p>faketml</p>"] * 3
