"""Run a harness of this folder until it finds something:

    python tests/fuzz/run.py fuzz_ws_codec [options of libFuzzer] [corpus folder]

Needs atheris, which is not among the dependencies of the tests: ``test_harnesses.py`` runs each harness on a few
hundred inputs that hypothesis makes.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[2])]


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    import atheris

    with atheris.instrument_imports(include=["flowdump"]):
        harness = importlib.import_module(sys.argv.pop(1))
    atheris.Setup(sys.argv, harness.one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
