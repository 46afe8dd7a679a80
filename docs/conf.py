"""How the documentation is built: ``python -m sphinx -W -b html docs OUTPUT`` with the extra ``docs`` installed."""

from flowdump.version import __version__

project = "flowdump"
copyright = "the authors of flowdump"
version = release = __version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
nitpicky = True
# A block may be a session in a terminal or what a program printed.
highlight_language = "text"

html_theme = "alabaster"
html_theme_options = {"description": "Record, transform and show HTTP(S) traffic.", "page_width": "72em"}
html_show_copyright = False
html_copy_source = False
