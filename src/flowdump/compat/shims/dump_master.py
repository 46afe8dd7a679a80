"""The program inside another one, and its command line as a function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class DumpMaster:
    """A proxy inside a program. That is not part of this version of flowdump; making one says so."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        raise NotImplementedError(
            "DumpMaster: a proxy inside another program is not part of this version of flowdump; "
            "run the command flowdump, or mitmdump(arguments) of mitmproxy.tools.main"
        )


def mitmdump(args: Sequence[str] | None = None) -> int | None:
    """Run the command line ``flowdump ARGUMENT…``; the exit code."""
    from flowdump.cli import main

    try:
        main(args)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return None
