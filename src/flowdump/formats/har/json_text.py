"""JSON as HAR entries are written in: compact, in UTF-8, without NaN."""

from __future__ import annotations

import json
from typing import Any

#: A JSON object.
Json = dict[str, Any]

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def dumps(value: Any) -> str:
    """JSON without blanks. Raises ValueError for NaN, cycles and too deep a nesting, TypeError for what JSON lacks."""
    try:
        return _encode(value)
    except RecursionError:
        raise ValueError("nested too deeply") from None
