"""``hardump``: finished HTTP flows go into a HAR, on disk or to stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from flowdump.formats.har_write import HarWriter

if TYPE_CHECKING:
    from flowdump.flow import Flow
    from flowdump.options import Options


class HarDump:
    pass
