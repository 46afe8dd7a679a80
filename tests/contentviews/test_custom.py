"""Views that scripts bring along, in both forms."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.flows import every_kind, http_flow, response, run_flowdump, tcp_flow, websocket_flow, write_flows

from flowdump import ctx
from flowdump.compat.shims import contentviews
from flowdump.contentviews import custom
from flowdump.contentviews.custom import Contentview, InteractiveContentview, Metadata, View, metadata_of, render
from flowdump.test import taddons

SCRIPT = """
from mitmproxy import contentviews


class SwapCase(contentviews.Contentview):
    def prettify(self, data: bytes, metadata: contentviews.Metadata) -> str:
        where = metadata.flow.request.path if metadata.http_message else "message"
        return where + ": " + data.swapcase().decode()

    def render_priority(self, data: bytes, metadata: contentviews.Metadata) -> float:
        return 2 if metadata.content_type == "text/example" else 0


contentviews.add(SwapCase)


class ViewOlder(contentviews.View):
    name = "reversed"

    def __call__(self, data, *, content_type=None, flow=None, http_message=None, **unknown):
        return "reversed text", contentviews.format_text(data[::-1])

    def render_priority(self, data, *, content_type=None, **unknown_metadata) -> float:
        return 2 if content_type == "text/older" else 0


view = ViewOlder()


def load(l):
    contentviews.add(view)


def done():
    contentviews.remove(view)
"""


def shown(tmp_path: Any, *arguments: str) -> str:
    (tmp_path / "script.py").write_text(SCRIPT)
    kinds = ("text/example; a=b", "text/older", "text/plain")
    flows = [
        http_flow(f"https://example.com/{n}", response(200, b"Body", {"content-type": kind}))
        for n, kind in enumerate(kinds)
    ]
    write_flows(tmp_path / "in", [*flows, websocket_flow("Text"), tcp_flow(b"Raw")])
    done = run_flowdump("-r", "in", "-s", "script.py", "--flow-detail", "3", *arguments, cwd=tmp_path, check=True)
    return done.stdout


def test_auto_asks_how_well_a_view_suits(tmp_path: Any) -> None:
    out = shown(tmp_path)
    assert "  /0: bODY\n" in out
    assert "  ydoB\n" in out
    assert "  Body\n" in out
    assert "  Text\n" in out


def test_a_view_by_its_name(tmp_path: Any) -> None:
    out = shown(tmp_path, "--set", "dumper_default_contentview=swapcase")
    assert [line for line in out.splitlines() if line.endswith("bODY")] == [f"  /{n}: bODY" for n in range(3)]
    assert "  message: tEXT\n" in out
    assert "  message: rAW\n" in out
    assert "  ydoB\n" in shown(tmp_path, "--set", "dumper_default_contentview=Reversed")


def test_an_unknown_view(tmp_path: Any) -> None:
    write_flows(tmp_path / "in", [http_flow()])
    done = run_flowdump("-r", "in", "--set", "dumper_default_contentview=swapcase", cwd=tmp_path)
    assert done.returncode == 1
    assert "There is no content view 'swapcase'" in done.stderr


class Failing(Contentview):
    """Neither says how well it suits nor shows anything."""

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        raise ValueError(data)

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        return 3 if data == b"shown" else 1 / 0


class Marking(View):
    name = "marking"

    def __call__(self, data: bytes, **metadata: Any) -> Any:
        return "marking", [[("header", "a: "), ("text", b"\x1b[0m")]]

    def render_priority(self, data: bytes, **metadata: Any) -> float:
        return 1


def test_a_view_that_fails_gives_way() -> None:
    views = [Failing(), Marking()]
    for data in (b"shown", b"other"):
        rendered = render(views, "auto", data, Metadata())
        assert rendered is not None
        assert (rendered.name, list(rendered.lines)) == ("marking", ["a: \\x1b[0m"])
    assert render(views, "failing", b"x", Metadata()) is None
    assert render([Contentview(), View()], "auto", b"x", Metadata()) is None


def test_names_come_from_classes() -> None:
    class SwapCaseContentview(Contentview):
        pass

    assert (SwapCaseContentview().name, Failing().name) == ("SwapCase", "Failing")
    for view in (Contentview(), InteractiveContentview()):
        with pytest.raises(NotImplementedError, match="prettify"):
            view.prettify(b"", Metadata())
    with pytest.raises(NotImplementedError, match="reencode"):
        InteractiveContentview().reencode("", Metadata())
    with pytest.raises(NotImplementedError, match="called"):
        View()(b"")


def test_adding_and_removing() -> None:
    with taddons.context():
        contentviews.add(Failing)
        contentviews.add(Marking())
        contentviews.add(Failing())
        assert [view.name for view in ctx.master.contentviews] == ["Failing", "marking"]
        contentviews.remove(Marking)
        contentviews.remove(Marking())
        assert [view.name for view in ctx.master.contentviews] == ["Failing"]
        with pytest.raises(TypeError, match="a content view has a name"):
            contentviews.add(object())


def test_a_script_may_be_imported_where_nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(ctx, "master", raising=False)
    contentviews.add(Failing)
    contentviews.remove(Failing)


def test_metadata_of_every_kind_of_message() -> None:
    kinds = set()
    for flow in every_kind():
        messages = (
            getattr(flow, "messages", ())
            if flow.type != "http"
            else (flow.websocket.messages if flow.websocket else ())
        )  # type: ignore[attr-defined]
        message: Any = messages[0] if messages else getattr(flow, "request", None)
        facts = metadata_of(message, flow)
        kinds |= {name for name, value in vars(facts).items() if value is message and message is not None}
    assert kinds == {"http_message", "tcp_message", "udp_message", "websocket_message", "dns_message"}
    assert metadata_of(None, None) == Metadata()


def test_older_helpers() -> None:
    assert list(custom.format_dict({b"a": "b"})) == [[("header", "a: "), ("text", "b")]]
    assert list(custom.format_text("a\nb")) == [[("text", "a")], [("text", "b")]]
