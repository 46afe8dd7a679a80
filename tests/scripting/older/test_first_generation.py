"""Scripts of the first generation (mitmproxy up to 0.17): a context comes first, and older names are understood."""

from __future__ import annotations

import pytest
from tests.scripting.inprocess import Bench, plain
from tests.support.flows import http_flow, request, response, tcp_flow

from flowdump.http import Request

EVENTS = """
def start(context, argv):
    context.heard = ["start " + " ".join(argv[1:])]

def request(context, flow):
    context.heard.append("request " + flow.request.path)

def responseheaders(context, flow):
    context.heard.append("responseheaders")

def response(context, flow):
    context.heard.append("response %d %s" % (flow.response.code, flow.response.msg))

def error(context, flow):
    context.heard.append("error " + flow.error.msg)

def done(context):
    context.log(", ".join(context.heard))
"""


def test_events(bench: Bench) -> None:
    done = bench(
        EVENTS, [http_flow("https://example.com/a", response(404)), http_flow(error="refused")], "one 'two three'"
    )
    assert (done.code, done.log) == (
        0,
        "start one two three, request /a, responseheaders, response 404 Not Found, request /, error refused\n",
    )


@pytest.mark.parametrize("argument", ["context", "ctx", "sc"])
def test_start_alone(bench: Bench, argument: str) -> None:
    done = bench(f"def start({argument}):\n    {argument}.log('started', 'error')\n")
    assert (done.code, done.log) == (0, "started\n")


def test_one_context_per_script(bench: Bench) -> None:
    text = "def start(context):\n    context.name = __file__\n"
    text += "def request(context, flow):\n    flow.comment += context.name\n"
    paths = [bench.write(name, text) for name in ("a.py", "b.py")]
    assert bench.run(list(map(str, paths))).flow.comment == f"{paths[0]}{paths[1]}"


def test_what_start_returns_replaces_nothing(bench: Bench) -> None:
    done = bench("def start(context):\n    return context\ndef request(context, flow):\n    flow.comment = 'heard'\n")
    assert done.flow.comment == "heard"


def test_concurrent_and_errors(bench: Bench) -> None:
    done = bench(
        """
        from libmproxy.script import concurrent

        @concurrent
        def request(context, flow):
            context.log(flow.request.pretty_host(hostheader=True))

        def response(context, flow):
            flow.response.nonsense()
        """
    )
    assert done.code == 4
    assert done.log.startswith("example.com\nerror in response of script")
    assert 'script.py", line 9, in response\n' in done.log


PRETTY = """
def request(context, flow):
    told = flow.request
    flow.comment = "|".join([
        told.pretty_host, told.pretty_host(), told.pretty_host(hostheader=False),
        told.pretty_url(), told.pretty_url(False),
    ])
    assert told.pretty_host == "shown.example" and told.pretty_host.endswith("example")
"""


def test_pretty_host_is_a_method(bench: Bench) -> None:
    asked = request(url="http://192.0.2.1/p")
    asked.headers["host"] = "shown.example"
    done = bench(PRETTY, [http_flow(asked)])
    assert done.log == ""
    shown = "http://shown.example/p"
    assert done.flow.comment == f"shown.example|shown.example|192.0.2.1|{shown}|http://192.0.2.1/p"


def test_only_scripts_of_that_generation_see_that(bench: Bench) -> None:
    first = bench.write(
        "first.py", "def request(context, flow):\n    flow.metadata['old'] = callable(flow.request.pretty_host)\n"
    )
    now = bench.write(
        "now.py",
        "def request(flow):\n    flow.comment = f'{type(flow.request).__name__} {type(flow.request.pretty_host)}'\n",
    )
    done = bench.run([str(first), str(now)])
    assert done.flow.metadata == {"old": True}
    assert done.flow.comment == "Request <class 'str'>"


def test_an_error_leaves_the_request_as_it_was(bench: Bench) -> None:
    first = bench.write("first.py", "def request(context, flow):\n    1 / 0\n")
    now = bench.write("now.py", "def request(flow):\n    flow.comment = type(flow.request).__name__\n")
    assert bench.run([str(first), str(now)]).flow.comment == Request.__name__


HEADERS = """
def response(context, flow):
    headers = flow.response.headers
    headers["newheader"] = ["foo"]
    headers["twice"] = ["a", "b"]
    flow.comment = repr([
        headers["newheader"], headers.get_first("TWICE"), headers.get_first("none", "-"), headers.get_all("twice"),
        headers.in_any("twice", "B", True), headers.match_re("^new.*foo"), headers.lst[-1],
    ])
    headers.extend([("more", "1")])
"""


def test_headers(bench: Bench) -> None:
    done = bench(HEADERS)
    assert done.log == ""
    assert done.flow.comment == repr(["foo", "a", "-", ["a", "b"], True, True, ["twice", "b"]])
    assert done.flow.response.headers["more"] == "1"


FORMS = """
from libmproxy.protocol.http import decoded

def request(context, flow):
    query = flow.request.get_query()
    if query:
        query["mitmproxy"] = ["rocks"]
        flow.request.set_query(query)
    if "application/x-www-form-urlencoded" in flow.request.headers["content-type"]:
        form = flow.request.get_form_urlencoded()
        form["mitmproxy"] = ["sure rocks"]
        flow.request.set_form_urlencoded(form)
    flow.request.set_path_components(flow.request.get_path_components() + ["end"])

def response(context, flow):
    with decoded(flow.response):
        flow.response.content = flow.response.content.replace(b"html", b"text")
    flow.comment = flow.response.get_decoded_content().decode() + str(flow.response.httpversion)
"""


def test_query_form_path_and_decoded(bench: Bench) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    asked = request("POST", "https://example.com/a?x=1", b"f=1", form)
    coded = response(200, b"<html>", {"content-encoding": "gzip"})
    done = bench(FORMS, [http_flow(asked, coded)])
    assert done.log == ""
    assert done.flow.request.path == "/a/end?x=1&mitmproxy=rocks"
    assert done.flow.request.content == b"f=1&mitmproxy=sure+rocks"
    assert done.flow.comment == "<text>(1, 1)"
    assert done.flow.response.content == b"<text>"
    assert done.flow.response.headers["content-encoding"] == "gzip"


REPLY = """
from libmproxy.protocol.http import HTTPResponse
from netlib.odict import ODictCaseless

def request(context, flow):
    if flow.request.pretty_host(hostheader=True).endswith("example.com"):
        resp = HTTPResponse([1, 1], 200, "OK", ODictCaseless([["Content-Type", "text/html"]]), b"helloworld")
        flow.reply(resp)
"""


def test_reply(bench: Bench) -> None:
    answer = bench(REPLY, [http_flow()]).flow.response
    assert (answer.http_version, answer.status_code, answer.reason, answer.content) == (
        "HTTP/1.1",
        200,
        "OK",
        b"helloworld",
    )
    assert answer.headers["content-type"] == "text/html"


CONTROL = """
def request(context, flow):
    other = context.duplicate_flow(flow)
    other.request.path = "/other"
    flow.comment = "%s %s" % (flow.request.path, other.id != flow.id)

def response(context, flow):
    context.kill_flow(flow)
"""


def test_killing_a_saved_flow_is_an_error_of_the_script(bench: Bench) -> None:
    done = bench(CONTROL, [plain()])
    assert (done.code, done.flow.comment) == (4, "/ True")
    assert "ControlException: Flow is not killable." in done.log


def test_match(bench: Bench) -> None:
    done = bench(
        "def request(context, flow):\n    flow.comment = repr([flow.match('~u example'), flow.match('~m PUT')])\n"
    )
    assert done.flow.comment == "[True, False]"


@pytest.mark.parametrize(
    "text",
    [
        "def error(text, code):\n    pass\n",
        "def start(host, port):\n    pass\n",
        "class A:\n    pass\n\ndef request(context, flow):\n    1 / 0\n\naddons = [A()]\n",
    ],
)
def test_functions_that_are_called_alike_do_not_make_a_generation(bench: Bench, text: str) -> None:
    done = bench(f"{text}\ndef response(flow):\n    flow.comment = type(flow.request).__name__\n")
    assert done.flow.comment == "Request"


def test_other_flows_pass(bench: Bench) -> None:
    assert bench(EVENTS, [tcp_flow(b"x")]).code == 0


def test_a_handler_of_today_beside_them(bench: Bench) -> None:
    done = bench("def request(context, flow):\n    pass\n\ndef response(flow):\n    flow.comment = 'ran'\n")
    assert (done.log, done.flow.comment) == ("", "ran")
