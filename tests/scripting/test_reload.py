"""Scripts that change are loaded again, under load, and with mistakes in them."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support.live import Running, running

from flowdump import compat, ctx
from flowdump.runtime.master import Loader
from flowdump.scripting.reload import Reloader
from flowdump.scripting.script import Script

#: Answers every request with its version, or with what is wrong with it.
SCRIPT = """
import helper
from mitmproxy import ctx, http

state = []

def load(loader):
    state.append("load")
    loader.add_option("reloaded", int, 7, "A number.")

def configure(updated):
    state.append("configure")
    assert ctx.options.reloaded == 7

def running():
    state.append("running")

async def done():
    state.append("done")
    helper.ended.append({version})

def request(flow):
    complete = state == ["load", "configure", "running"]
    flow.response = http.Response.make(200, f"{version} {{complete}} {{helper.WORD}}")
"""
HELPER = "WORD = {word!r}\nended = []\n"


@pytest.fixture(autouse=True)
def _names() -> Iterator[None]:
    """What scripts import, and nothing of it left behind."""
    compat.install()
    before, path = set(sys.modules), list(sys.path)
    yield
    compat.uninstall()
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name == "helper" or name.startswith("__flowdump_script__"):
            del sys.modules[name]


def save(path: Path, text: str) -> None:
    """As editors do: a new file that takes the place of the old one."""
    new = path.with_suffix(".new")
    new.write_text(text)
    os.replace(new, path)


@asynccontextmanager
async def scripted(folder: Path) -> AsyncIterator[tuple[Running, Reloader, list[Script]]]:
    save(folder / "helper.py", HELPER.format(word="first"))
    save(folder / "answer.py", SCRIPT.format(version=0))
    async with running() as proxy:
        master = proxy.master
        script = Script(str(folder / "answer.py"), proxy.log.append)
        script.load()
        for one in script.addons:
            one.load(Loader(master))
        master.addons.script_addons = list(script.addons)
        master.addons.rebuild()
        for one in script.addons:
            one.configure(ctx.options.keys())
            one.running()
        scripts = [script]
        yield proxy, Reloader(master, scripts), scripts


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
    writer.write(b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n")
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), head
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    return (await reader.readexactly(length)).decode()


async def once(proxy: Running) -> str:
    reader, writer = await proxy.connect()
    try:
        return await ask(reader, writer)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_two_hundred_reloads_under_load_lose_no_request(tmp_path: Path) -> None:
    async with scripted(tmp_path) as (proxy, reloader, scripts):
        answers: list[str] = []
        over = asyncio.Event()

        async def load() -> None:
            reader, writer = await proxy.connect()
            while not over.is_set():
                answers.append(await ask(reader, writer))
            writer.close()
            await writer.wait_closed()

        clients = [asyncio.create_task(load()) for _ in range(8)]
        for version in range(1, 201):
            save(tmp_path / "answer.py", SCRIPT.format(version=version))
            await reloader.look()
            seen = len(answers)
            while len(answers) < seen + 8:  # those that were under way, and some after them
                await asyncio.sleep(0)
        over.set()
        await asyncio.gather(*clients)
        assert [answer for answer in answers if answer.split()[1:] != ["True", "first"]] == []
        assert {int(answer.split()[0]) for answer in answers} >= set(range(1, 201))
        assert importlib.import_module("helper").ended == []
        assert len(scripts) == 1
        assert not [line for line in proxy.log if line.startswith("error")]


async def test_a_module_beside_the_script_is_watched_too(tmp_path: Path) -> None:
    async with scripted(tmp_path) as (proxy, reloader, _):
        assert await once(proxy) == "0 True first"
        old = sys.modules["helper"]
        await reloader.look()
        assert sys.modules["helper"] is old, "nothing has changed"
        save(tmp_path / "helper.py", HELPER.format(word="other"))
        await reloader.look()
        assert await once(proxy) == "0 True other"
        assert old.ended == [0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("def request(flow:\n", "SyntaxError", id="syntax"),
        pytest.param("import helper\n1 / 0\n", "ZeroDivisionError", id="import"),
        pytest.param("def load(loader):\n    raise ValueError('no')\n", "ValueError: no", id="load"),
        pytest.param(
            "def configure(updated):\n    from mitmproxy import exceptions\n"
            "    raise exceptions.OptionsError('not so')\n",
            "not so",
            id="configure",
        ),
        pytest.param("import sys\nsys.exit(3)\n", "exit code 3", id="exit"),
    ],
)
async def test_a_mistake_leaves_the_old_script_in_place(tmp_path: Path, text: str, said: str) -> None:
    async with scripted(tmp_path) as (proxy, reloader, scripts):
        old = scripts[0]
        save(tmp_path / "answer.py", text)
        await reloader.look()
        assert scripts == [old]
        (line,) = [line for line in proxy.log if "has changed" in line]
        assert said in line
        assert "the old one goes on" in line
        assert (await once(proxy)).startswith("0 ")
        await reloader.look()
        assert len([line for line in proxy.log if "has changed" in line]) == 1, "said once"
        save(tmp_path / "answer.py", SCRIPT.format(version=5))
        await reloader.look()
        assert await once(proxy) == "5 True first"


async def test_an_option_that_was_edited_is_what_the_script_says_now(tmp_path: Path) -> None:
    text = SCRIPT.replace("assert ctx.options.reloaded == 7", "state.append(str(ctx.options.reloaded))")
    text = text.replace('["load", "configure", "running"]', '["load", "configure", "8.5", "running"]')

    async with scripted(tmp_path) as (proxy, reloader, _):
        save(tmp_path / "answer.py", text.format(version=1).replace("int, 7", "float, 8.5"))
        await reloader.look()
        assert await once(proxy) == "1 True first"
        assert ctx.options.reloaded == 8.5


async def test_a_file_that_is_gone_for_a_moment_is_no_change(tmp_path: Path) -> None:
    async with scripted(tmp_path) as (proxy, reloader, _):
        path = tmp_path / "answer.py"
        text = path.read_text()
        path.unlink()
        await reloader.look()
        assert await once(proxy) == "0 True first"
        path.write_text(text)
        await reloader.look()
        assert await once(proxy) == "0 True first"
        assert not [line for line in proxy.log if line.startswith("error")]


ADDING = """
from mitmproxy import ctx, http

class Added:
    def request(self, flow):
        flow.response = http.Response.make(200, "{version} " + str(len(ctx.master.addons)))

def load(loader):
    ctx.master.addons.add(Added())
    {trouble}

def configure(updated):
    pass

def running():
    pass
"""


async def test_addons_that_a_script_has_added_are_exchanged_with_it(tmp_path: Path) -> None:
    async with scripted(tmp_path) as (proxy, reloader, _):
        seen = []
        for version, trouble in enumerate(["", "", "1 / 0", ""]):
            save(tmp_path / "answer.py", ADDING.format(version=version, trouble=trouble))
            await reloader.look()
            seen.append(await once(proxy))
        versions, counts = zip(*[answer.split() for answer in seen], strict=True)
        assert versions == ("0", "1", "1", "3")
        assert len(set(counts)) == 1
