"""``python -m flowdump.compat MODULE ARGUMENT…``: run a module, such as pytest, on flowdump instead of mitmproxy.

To run a program: ``python -m flowdump.compat program.py``.
"""

from __future__ import annotations

import os
import runpy
import sys

from flowdump import compat


def main() -> None:
    """Run the module or the file that the first argument names, and exit with its code."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(
            "usage: python -m flowdump.compat MODULE ARGUMENT…, for example: python -m flowdump.compat pytest tests"
        )
    del sys.argv[0]
    if sys.argv[0].endswith(".py"):
        compat.install(older=True)
        sys.path.insert(0, os.path.dirname(os.path.abspath(sys.argv[0])))  # as for python FILE
        runpy.run_path(sys.argv[0], run_name="__main__")
        return
    if "" not in sys.path:  # as for python -m MODULE
        sys.path.insert(0, "")
    if sys.argv[0] == "pytest":
        # The workers of pytest-xdist are processes of their own; pytest passes only its plugins on to them.
        sys.argv[1:1] = ["-p", "flowdump.compat"]
        for name in [name for name in sys.modules if name.partition(".")[0] == "flowdump"]:
            del sys.modules[name]
    else:
        compat.install(older=True)
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
