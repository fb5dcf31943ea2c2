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

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click", "made"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}
root_doc = "index"
exclude_patterns = ["_build", "_extensions"]

# Notebooks are kept without outputs and run here; one that fails fails the build. What is unchanged is not run again.
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parents[1] / "build" / "notebooks")
nb_execution_raise_on_error = True
nb_execution_timeout = 900  # s a cell: a loaded machine with one core
nb_merge_streams = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
napoleon_google_docstring = False
autodoc_typehints = "none"  # the docstrings say the types, with shapes and units
autodoc_member_order = "bysource"
nitpicky = False

html_theme = "furo"
html_title = "ImageDataExtractor"
html_static_path = ["_static"]
html_css_files = ["guide.css"]
html_show_sphinx = False
