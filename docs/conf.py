"""How the documentation site is built: `make docs`."""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

project = "ImageDataExtractor"
author = "ImageDataExtractor developers"
copyright = "ImageDataExtractor developers"
version = release = version_of("imagedataextractor")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click", "made"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns = ["_build", "_extensions"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
napoleon_google_docstring = False
autodoc_typehints = "none"  # the docstrings say the types, with shapes and units
autodoc_member_order = "bysource"
nitpicky = False

html_theme = "furo"
html_title = "ImageDataExtractor"
html_show_sphinx = False
