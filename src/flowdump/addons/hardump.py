"""``hardump``: finished HTTP flows go into a HAR, on disk or to stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


class HarDump:
    pass
