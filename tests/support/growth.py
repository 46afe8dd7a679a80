"""Whether the time that something takes grows no faster than what it is given."""

from __future__ import annotations

import gc
from collections.abc import Callable


def is_linear(small: Callable[[], float], large: Callable[[], float]) -> bool:
    """Four times the body takes four times as long, a quadratic view sixteen times. The best of up to ten runs counts,
    so that what else the machine does can at most make this slow. The collector, which looks at whatever other tests
    have left too, is not measured.
    """
    shorter = longer = float("inf")
    gc.disable()
    try:
        for _ in range(10):
            shorter, longer = min(shorter, small()), min(longer, large())
            if longer < 8 * max(shorter, 0.001):
                return True
            gc.collect()
    finally:
        gc.enable()
    return False
