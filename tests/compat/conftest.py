"""The bench of the tests of scripting."""

from tests.scripting.conftest import bench

__all__ = ["bench"]
