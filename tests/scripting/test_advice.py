"""What is probably a mistake is told when a script is loaded, and what is meant so is not."""

from __future__ import annotations

import pytest
from tests.scripting.inprocess import Bench

#: Script, and the warning without the path in front.
MISTAKES = {
    "misspelt": (
        "def reponse(flow):\n    pass\n",
        "1: there is no event 'reponse', so nothing calls this function; did you mean 'response'?",
    ),
    "another way": ("def responce(flow):\n    pass\n", "did you mean 'response'?"),
    "with a prefix": ("def on_request(flow):\n    pass\n", "did you mean 'request'?"),
    "in capitals": ("def Request(flow):\n    pass\n", "did you mean 'request'?"),
    "headers": ("def response_headers(flow):\n    pass\n", "did you mean 'responseheaders'?"),
    "method": (
        "class A:\n    def websocket_mesage(self, flow):\n        pass\naddons = [A()]\n",
        "2: there is no event 'websocket_mesage', so nothing calls this function; did you mean 'websocket_message'?",
    ),
    "async": ("async def reqest(flow):\n    pass\n", "did you mean 'request'?"),
    "first generation": (
        "def request(context, flow):\n    pass\n\ndef reponse(context, flow):\n    pass\n",
        "4: there is no event 'reponse', so nothing calls this function; did you mean 'response'?",
    ),
    "second generation": ("def clientconnected(root_layer):\n    pass\n", "did you mean 'client_connected'?"),
    "no argument": (
        "\ndef dns_request():\n    pass\n",
        "2: dns_request() will fail: it is called as dns_request(flow)"),
    "too many": (
        "class A:\n    def dns_request(self, a, b, c):\n        pass\naddons = [A()]\n",
        "2: dns_request(a, b, c) will fail: it is called as dns_request(flow)",
    ),
    "swapped": (
        "def request(flow, context):\n    pass\n",
        "1: request(flow, context) will fail: it is called as request(flow)"),
    "layers": (
        "def next_layer(data):\n    pass\n",
        "1: next_layer is never called: flowdump has no protocol layers; to let a connection pass untouched, "
        "set data.ignore_connection in tls_clienthello, or the option ignore_hosts",
    ),
    "layers of the second generation": ("def next_layer(layer):\n    pass\n", "or the option ignore_hosts"),
    "QUIC": ("def quic_start_client(data):\n    pass\n", "quic_start_client is never called: flowdump speaks no QUIC"),
    "done": ("def done(a):\n    pass\n", "1: done(a) will fail: it is called as done()"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "says"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told(bench: Bench, text: str, says: str) -> None:
    done = bench(text)
    first = done.log.splitlines()[0]
    assert first.startswith(f"{bench.folder / 'script.py'}:")
    assert first.endswith(says)
    assert done.flows is not None


#: What is no mistake.
MEANT = {
    "called": "def requests(flow):\n    pass\n\ndef request(flow):\n    requests(flow)\n",
    "other arguments": "def loads(text, more):\n    pass\n",
    "private": "def _reponse(flow):\n    pass\n",
    "something else": "def respond(flow):\n    pass\n\ndef rerun():\n    pass\n",
    "imported": "from flowdump.filters import parse\nfrom json import loads\n",
    "defaults": "def dns_request(flow, more=None):\n    pass\n",
    "any": "def dns_request(*arguments):\n    pass\n",
    "configure": "def configure(updated):\n    pass\n\n"
    "class A:\n    def configure(self, options, updated):\n        pass\naddons = [A()]\n",
    "inherited": "import threading\n\n"
    "class A(threading.Thread):\n    def request(self, flow):\n        pass\naddons = [A()]\n",
}  # fmt: skip


@pytest.mark.parametrize("text", MEANT.values(), ids=MEANT)
def test_what_is_meant_so_is_not_told(bench: Bench, text: str) -> None:
    done = bench(text)
    assert (done.code, done.log) == (0, "")


def test_an_option_declared_twice_names_both_scripts(bench: Bench) -> None:
    text = "def load(loader):\n    loader.add_option('limit', {}, {}, 'How much.')\n"
    first, second = bench.write("first.py", text.format("int", 1)), bench.write("second.py", text.format("str", "'1'"))
    done = bench.run([str(first), f"{second} argument"])
    assert (done.code, done.flows) == (1, None)
    assert done.log == (
        f"flowdump: option 'limit' is declared already, as int by {first}, and as str by {second}: "
        "one of them has to be renamed\n"
    )
    same = bench.write("same.py", text.format("int", 1))
    assert bench.run([str(first), str(same)]).code == 0


def test_an_option_of_flowdump_is_not_declared_anew(bench: Bench) -> None:
    done = bench("def load(loader):\n    loader.add_option('anticache', str, '', 'Help.')\n")
    path = bench.folder / "script.py"
    assert done.log == (
        f"flowdump: option 'anticache' is declared already, as bool by flowdump itself, and as str by {path}: "
        "one of them has to be renamed\n"
    )
