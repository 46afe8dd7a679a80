"""``python -m flowdump.compat MODULE ARGUMENT…``: run a module, such as pytest, on flowdump instead of mitmproxy."""

from __future__ import annotations

import runpy
import sys

from flowdump import compat


def main() -> None:
    """Run the module that the first argument names; its exit code is ours."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(
            "usage: python -m flowdump.compat MODULE ARGUMENT…, for example: python -m flowdump.compat pytest tests"
        )
    del sys.argv[0]
    if "" not in sys.path:  # as for python -m MODULE
        sys.path.insert(0, "")
    compat.install()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
