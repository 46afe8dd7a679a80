"""``python -m flowdump``."""

from flowdump.cli import main

main()
