"""``netlib.http.semantics``: what a body is that was not stored."""

from flowdump.compat.shims.older_http import CONTENT_MISSING

__all__ = ["CONTENT_MISSING"]
