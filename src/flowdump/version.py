"""The version of flowdump, read by the build and by ``flowdump --version``."""

__version__ = "0.1.0"
