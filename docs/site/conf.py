"""Settings of the documentation's site; `make docs` builds it from the pages as they are.

The source folder is the checkout, so that a link of a page leads where it does on disk: a page becomes a page
of the site, any other file a download.
"""

import re
from typing import Any

from mmh import __version__

project = "mmh"
author = "The mmh developers"
release = __version__
root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CONTRIBUTING.md",
    "config/README.md",
    "profiles/README.md",
    "resources/README.md",
    "docs/*.md",
    "docs/studies/README.md",
]
# Folders that are not walked: large ones, and what a run makes.
exclude_patterns = [".*", "results", "runs", "logs", "benchmarks", "chunks", "tests", "workflow"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4
myst_enable_extensions = ["html_image"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say types, shapes and units
autodoc_use_legacy_class_based = True
autosummary_generate = False
numpydoc_show_class_members = False

html_theme = "furo"
html_title = "mmh"
html_show_sourcelink = False
html_copy_source = False

CODE = re.compile(r"(``.+?``|`.+?`|^\s*\* )")  # and the star of a list
MARKS = re.compile(r"[*|]|_(?!\w)")


def escape(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Let marks of a docstring stand for themselves: (n, *shape), |x| and LID_* are no markup."""
    for place, line in enumerate(lines):
        parts = CODE.split(line)
        parts[::2] = [MARKS.sub(r"\\\g<0>", part) for part in parts[::2]]
        lines[place] = "".join(parts)


def setup(app: Any) -> None:
    """Do so before numpydoc reads the docstrings."""
    app.connect("autodoc-process-docstring", escape, priority=1)
