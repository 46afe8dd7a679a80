"""Draw the pictures of docs/architecture.md from the source, as SVG.

``layers`` draws which package imports which, as the code does it; ``request`` draws the life of a request from the list
of steps below, whose modules and events must exist. ``docs/generate.py`` writes both, and a test compares.
"""

from __future__ import annotations

import ast
from html import escape
from pathlib import Path

from flowdump.runtime.hooks import EVENT_NAMES

SOURCE = Path(__file__).resolve().parent.parent / "src" / "flowdump"

#: Modules without a package of their own, by the box that they are drawn in.
FLAT = {"cli": "cli", "__main__": "cli", "ctx": "runtime"}
#: Importable from outside only: not drawn.
HIDDEN = {"__init__", "moved", "version"}

_STYLE = "font-family: sans-serif; font-size: 13px"
_ROW, _BOX, _GAP, _WIDTH = 78, 34, 18, 860


def box_of(module: str) -> str:
    """The box of a module: its package, ``values`` for http, dns and the flat modules that know only data."""
    first = module.partition(".")[0]
    if first in FLAT:
        return FLAT[first]
    is_package = (SOURCE / first).is_dir()
    return first if is_package and first not in ("http", "dns") else "values"


def package_imports() -> dict[str, set[str]]:
    """Box -> the boxes that it imports."""
    arrows: dict[str, set[str]] = {}
    for path in SOURCE.rglob("*.py"):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        if module.partition(".")[0] in HIDDEN:
            continue
        own = arrows.setdefault(box_of(module), set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("flowdump"):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                targets = names if node.module == "flowdump" else [node.module]
                for target in targets:
                    below = target.removeprefix("flowdump.")
                    if below.partition(".")[0] not in HIDDEN:
                        own.add(box_of(below))
        own.discard(box_of(module))
    # The façade names parts of every package, those of the app too, which starts it.
    arrows["compat"] -= {"app", "cli"}
    return arrows


def _rows(arrows: dict[str, set[str]]) -> dict[str, int]:
    """Box -> its row, counted from the bottom: above all that it imports."""
    rows: dict[str, int] = {}

    def row(box: str) -> int:
        if box not in rows:
            rows[box] = 1 + max((row(other) for other in arrows[box]), default=-1)
        return rows[box]

    for box in arrows:
        row(box)
    return rows


def _reduced(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """The arrows without those that follow from others."""

    def reached(box: str) -> set[str]:
        return arrows[box].union(*map(reached, arrows[box])) if arrows[box] else set()

    return {box: others - set().union(*map(reached, others)) if others else set() for box, others in arrows.items()}


def layers() -> str:
    """The packages in layers; an arrow goes from a package to one that it imports."""
    arrows = package_imports()
    rows = _rows(arrows)
    top = max(rows.values())
    height = (top + 1) * _ROW + 10
    places: dict[str, tuple[float, float, float]] = {}
    for level in range(top + 1):
        boxes = sorted(box for box, row in rows.items() if row == level)
        widths = [max(70, 9 * len(box) + 24) for box in boxes]
        left = (_WIDTH - sum(widths) - _GAP * 3 * (len(boxes) - 1)) / 2
        for box, width in zip(boxes, widths, strict=True):
            places[box] = (left, 10 + (top - level) * _ROW, width)
            left += width + _GAP * 3
    lines = []
    for box, others in sorted(_reduced(arrows).items()):
        x, y, width = places[box]
        for other in sorted(others):
            ox, oy, owidth = places[other]
            lines.append(_arrow(x + width / 2, y + _BOX, ox + owidth / 2, oy))
    for box, (x, y, width) in sorted(places.items()):
        lines += _labelled(x, y, width, box, "#eef3fa")
    return _svg(height, lines)


#: Who does something, and what: a module below ``engine``, a step, and the events that fire then.
STEPS: list[tuple[str, str, str]] = [
    ("listen/proxy.py", "a client connects", "client_connected"),
    ("listen/session.py", "CONNECT, or a mode, says where to", "http_connect"),
    ("tls/interception.py", "TLS with the origin and the client", "tls_clienthello"),
    ("http1/connection.py", "the request head is read", ""),
    ("exchange.py", "the exchange begins", "requestheaders"),
    ("exchange.py", "the body is read, or streamed", "request"),
    ("upstream/pool.py", "a connection is reused or made", "server_connect"),
    ("http1/outgoing.py", "the request is framed and sent", ""),
    ("exchange.py", "the response head arrives", "responseheaders"),
    ("exchange.py", "the body is read, or streamed", "response"),
    ("http1/connection.py", "the response goes to the client", ""),
    ("context.py", "the flow is recorded", ""),
]


def request() -> str:
    """The life of a request: one row per step, with its module on the left and its event on the right."""
    lines, y = [], 10
    for module, step, event in STEPS:
        if not (SOURCE / "engine" / module).is_file():
            raise ValueError(f"docs/pictures.py: there is no engine/{module}")
        if event and event not in EVENT_NAMES:
            raise ValueError(f"docs/pictures.py: there is no event {event}")
        lines += _labelled(10, y, 190, module, "#eef3fa")
        lines += _labelled(230, y, 330, step, "#ffffff")
        if event:
            lines += _labelled(590, y, 190, event, "#fdf3e1")
            lines.append(
                f'<line x1="560" y1="{y + 15}" x2="588" y2="{y + 15}" stroke="#888" marker-end="url(#arrow)"/>'
            )
        if step != STEPS[-1][1]:
            lines.append(
                f'<line x1="395" y1="{y + _BOX}" x2="395" y2="{y + 48}" stroke="#888" marker-end="url(#arrow)"/>'
            )
        y += 50
    return _svg(y, lines)


def _labelled(x: float, y: float, width: float, text: str, fill: str) -> list[str]:
    return [
        f'<rect x="{x:.0f}" y="{y:.0f}" width="{width:.0f}" height="{_BOX}" rx="5" fill="{fill}" stroke="#557"/>',
        f'<text x="{x + width / 2:.0f}" y="{y + 22:.0f}" text-anchor="middle">{escape(text)}</text>',
    ]


def _arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    ends = f'x1="{x:.0f}" y1="{y:.0f}" x2="{to_x:.0f}" y2="{to_y:.0f}"'
    return f'<line {ends} stroke="#888" marker-end="url(#arrow)"/>'


def _svg(height: float, lines: list[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height:.0f}" style="{_STYLE}">\n'
        '<defs><marker id="arrow" markerWidth="8" markerHeight="8" refX="7" refY="3" orient="auto">'
        '<path d="M0,0 L7,3 L0,6 z" fill="#888"/></marker></defs>\n'
    )
    return head + "\n".join(lines) + "\n</svg>\n"


PICTURES = {"architecture-layers.svg": layers, "architecture-request.svg": request}
