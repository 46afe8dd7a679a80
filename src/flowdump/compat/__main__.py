"""``python -m flowdump.compat MODULE ARGUMENT…``: run a module, such as pytest, on flowdump instead of mitmproxy.

The path of a program does as well: ``python -m flowdump.compat program.py``.
"""

from __future__ import annotations

import os
import runpy
import sys

from flowdump import compat


def main() -> None:
    """Run the module or the file that the first argument names; its exit code is ours."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(
            "usage: python -m flowdump.compat MODULE ARGUMENT…, for example: python -m flowdump.compat pytest tests"
        )
    del sys.argv[0]
    compat.install()
    if sys.argv[0].endswith(".py"):
        sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))  # as for python FILE
        runpy.run_path(sys.argv[0], run_name="__main__")
        return
    if "" not in sys.path:  # as for python -m MODULE
        sys.path.insert(0, "")
    if sys.argv[0] == "pytest":  # whose workers (xdist) are processes of their own, and are told of plugins only
        sys.argv[1:1] = ["-p", "flowdump.compat.plugin"]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
