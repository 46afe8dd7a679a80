"""Filter expressions: ``parse`` makes a function of one, ``match`` applies it to a flow.

``grammar.py`` has the operators and the parser, ``codes.py`` the one table of codes (``~u``, ``~m`` and so on).
"""

from flowdump.filters.codes import CASE_VARIABLES, CODES, Filter, TFilter, help_rows, match, match_all, parse

__all__ = ["CASE_VARIABLES", "CODES", "Filter", "TFilter", "help_rows", "match", "match_all", "parse"]
