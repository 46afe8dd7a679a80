"""Write those parts of the documentation that say what the code knows better.

    python docs/generate.py

A part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``; what is between is made anew. A test compares.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import pkgutil
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flowdump import addons, filters
from flowdump.contentviews import choice
from flowdump.http import message, request, response
from flowdump.options.table import GROUPS, OPTIONS, Spec
from flowdump.runtime.hooks import EVENTS

FOLDER = Path(__file__).resolve().parent
_spec = importlib.util.spec_from_file_location("docs_pictures", FOLDER / "pictures.py")
assert _spec is not None
assert _spec.loader is not None
pictures = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pictures)
PART = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->\n)", re.DOTALL)


def rewritten(text: str) -> str:
    """A page with its generated parts as they have to be. Raises KeyError for a part that nobody makes."""
    return PART.sub(lambda found: f"{found[1]}\n{PARTS[found[2]]()}\n{found[3]}", text)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(heads)]
    lines += [["---"] * len(lines[0]), *[[cell.replace("|", "\\|") for cell in row] for row in rows]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def code(text: str) -> str:
    return f"`{text}`"


def prose(text: str) -> str:
    """A docstring as a cell: its first paragraph, in one line, with the marks of Markdown."""
    first, _, rest = text.partition("\n\n")
    if first.endswith(":"):
        first += f" {rest.partition(chr(10) * 2)[0]}"
    return " ".join(first.split()).replace("``", "`")


# -- events ------------------------------------------------------------------------------------------------------------

#: Which events belong together: the first heading whose pattern fits the name.
EVENT_GROUPS = {
    "The life of an addon": "load|configure|running|done|update|add_log",
    "HTTP": "http_|request|response|error",
    "WebSocket": "websocket_",
    "TCP": "tcp_",
    "UDP": "udp_",
    "DNS": "dns_",
    "Connections": "client_|server_|socks5_",
    "TLS": "tls_|quic_",
    "Others": "",
}


def events() -> str:
    by_group: dict[str, list[list[str]]] = {title: [] for title in EVENT_GROUPS}
    for event in EVENTS:
        title = next(title for title, pattern in EVENT_GROUPS.items() if re.match(pattern, event.name))
        by_group[title].append([code(f"{event.name}({', '.join(event.arguments)})"), prose(event.doc)])
    return "\n".join(f"### {title}\n\n{table(('event', 'when'), rows)}" for title, rows in by_group.items())


# -- options -----------------------------------------------------------------------------------------------------------

#: Where options without a flag belong: the first heading whose pattern fits the name.
OPTION_GROUPS = {
    "Replay": "server_replay|client_replay",
    "Changing flows": "modify_|map_|block_list",
    "TLS and certificates": "tls_|ssl_|cert|ciphers|upstream_cert|add_upstream|request_client_cert|key_size|onboarding",
    "Limits and time": r"\w*_(timeout|limit)$|http2_ping",
    "WebSocket": "websocket|stream_websockets",
    "DNS and UDP": "dns_|udp_|strip_ech",
    "Scripts": "script_errors",
    "Display": "protobuf_definitions|export_|command_history|proxy_debug",
    "Proxy": "",
}
TYPES = {
    "str": "text", "str?": "text or unset", "bool": "true or false", "int": "number", "int?": "number or unset",
    "[str]": "list of text", "size?": "size", "filter?": "filter",
}  # fmt: skip


def options() -> str:
    titles = [*GROUPS, *[title for title in OPTION_GROUPS if title not in GROUPS]]
    by_group: dict[str, list[list[str]]] = {title: [] for title in titles}
    for spec in OPTIONS:
        title = spec.group or next(title for title, pattern in OPTION_GROUPS.items() if re.match(pattern, spec.name))
        by_group[title].append(_option(spec))
    heads = ("option", "type", "default", "meaning")
    return "\n".join(f"### {title}\n\n{table(heads, rows)}" for title, rows in by_group.items())


def _option(spec: Spec) -> list[str]:
    text = code(spec.help) if spec.help.startswith("/") else spec.help
    if spec.choices and spec.type == "str":
        text += f" One of {', '.join(map(code, spec.choices))}."
    if spec.missing:
        text += " *Not in this version.*"
    return [", ".join(map(code, (spec.name, *spec.flags))), TYPES[spec.type], _default(spec.default), text]


def _default(value: Any) -> str:
    if value in (None, "", []):
        return "unset" if value is None else "empty"
    if isinstance(value, list):
        return ", ".join(map(code, value))
    return code(str(value).lower() if isinstance(value, bool) else str(value))


def missing() -> str:
    """The options that this version knows and does not honour."""
    return "\n".join(f"* {code(spec.name)}" for spec in OPTIONS if spec.missing) + "\n"


# -- filters -----------------------------------------------------------------------------------------------------------


def filter_codes() -> str:
    return table(("code", "what it matches"), [(code(spelling), text) for spelling, text in filters.help_rows()])


# -- commands ----------------------------------------------------------------------------------------------------------


def commands() -> str:
    """What ``flowdump --commands`` says, sorted into tables by what is before the dot."""
    done = subprocess.run(
        [sys.executable, "-m", "flowdump", "--confdir", str(FOLDER), "--commands"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [entry.split("\n") for entry in done.stdout.strip().split("\n\n")]
    return table(("command", "what it does"), [(code(line), text.strip()) for line, text in rows])


# -- addons and objects ------------------------------------------------------------------------------------------------


def own_addons() -> str:
    """Every module of ``flowdump.addons`` with the beginning of its docstring."""
    rows = []
    for module in sorted(pkgutil.iter_modules(addons.__path__), key=lambda module: module.name):
        doc = inspect.getdoc(importlib.import_module(f"flowdump.addons.{module.name}")) or ""
        text = re.sub(r"^`[^`]*`:\s*", "", prose(doc))
        rows.append((code(module.name), text[:1].upper() + text[1:]))
    return table(("addon", "what it does"), rows)


#: Public for other modules of flowdump only.
INTERNAL = {"set_made_content"}


def attributes(kind: type, without: type | None = None) -> str:
    """The documented attributes and methods of a class, those that are not the other one's."""
    rows = []
    for name, member in inspect.getmembers_static(kind):
        inherited = without is not None and getattr(without, name, None) is getattr(kind, name, None)
        function = getattr(member, "fget", None) or getattr(member, "__func__", member)
        doc = inspect.getdoc(function) if inspect.isfunction(function) else None
        if name.startswith("_") or name in INTERNAL or inherited or not doc or "older" in function.__module__:
            continue
        shown = name if isinstance(member, property) else f"{name}{_arguments(function)}"
        rows.append((code(shown), prose(doc)))
    return table(("name", "what it is"), rows)


def _arguments(function: Any) -> str:
    parameters = [one for name, one in inspect.signature(function).parameters.items() if name not in ("self", "cls")]
    return f"({', '.join(str(one.replace(annotation=one.empty, default=one.empty)) for one in parameters)})"


def views() -> str:
    return textwrap.fill(f"{', '.join(map(code, choice.names()))}.", 118) + "\n"


# -- the tree ----------------------------------------------------------------------------------------------------------


def tree() -> str:
    """Every module below ``src/flowdump`` with the first sentence of its docstring, a table for each package."""
    parts = []
    for folder in sorted({path.parent for path in pictures.SOURCE.rglob("*.py")}):
        rows = []
        for path in sorted(folder.glob("*.py")):
            doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            first = re.split(r"(?<=\.)\s", " ".join(doc.split("\n\n")[0].split()), maxsplit=1)[0].rstrip(":")
            rows.append([code(path.name), re.sub(r":\w+:`", "`", first).replace("``", "`")])
        name = "/".join(["flowdump", *folder.relative_to(pictures.SOURCE).parts])
        parts.append(f"### `{name}/`\n\n{table(('module', 'what it is'), rows)}")
    return "\n".join(parts)


PARTS: dict[str, Callable[[], str]] = {
    "tree": tree,
    "events": events,
    "options": options,
    "missing": missing,
    "filters": filter_codes,
    "commands": commands,
    "addons": own_addons,
    "views": views,
    "message": lambda: attributes(message.Message),
    "request": lambda: attributes(request.Request, message.Message),
    "response": lambda: attributes(response.Response, message.Message),
}


def main() -> None:
    for path in sorted(FOLDER.glob("*.md")):
        before = path.read_text(encoding="utf-8")
        after = rewritten(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"written: {path.name}")
    for name, draw in pictures.PICTURES.items():
        path = FOLDER / name
        drawn = draw()
        if not path.exists() or path.read_text(encoding="utf-8") != drawn:
            path.write_text(drawn, encoding="utf-8")
            print(f"written: {name}")


if __name__ == "__main__":
    main()
