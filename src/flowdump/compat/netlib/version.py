"""``netlib.version``: the last release of that name."""

IVERSION = (0, 17)
VERSION = "0.17"
