"""Sphinx configuration of the documentation site; `make site` builds it into build/site.

The source folder is the repository's root, so that links between docs/, plots/ and examples/ are the same on the site
and on a code host. `include_patterns` lists what belongs to the site.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "simulator"), str(ROOT / "docs" / "_ext")]

from foldsim import __version__  # noqa: E402

project = "foldsim"
author = "The foldsim authors"
project_copyright = "The foldsim authors, Apache-2.0"
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "myst_nb",
    "sphinx_design",
    "cli_reference",
    "docstrings",
    "gallery_cards",
]


def inputs_hash() -> str:
    """Hash of the code and data that a notebook's results depend on."""
    files = [
        f for folder in ("simulator", "workloads", "hw_profiles", "validation") for f in (ROOT / folder).rglob("*")
    ]
    wanted = sorted(f for f in files if f.suffix in (".py", ".yaml", ".csv"))
    return hashlib.sha256(b"".join(f.read_bytes() for f in wanted)).hexdigest()[:16]


# ---- pages ---------------------------------------------------------------------------------------------------------

root_doc = "docs/site/index"
include_patterns = [
    "docs/*.md",
    "docs/site/*.md",
    "docs/variants/*.md",
    "plots/README.md",
    "benchmarks/README.md",
    "examples/*.ipynb",
    "examples/*.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
]
# The list of pages for readers of the repository; the site has its own navigation.
exclude_patterns = ["docs/index.md", "**/.*", "build", "foldsim-results"]
nitpicky = True
smartquotes = False  # `--` is an option, not a dash
if not any((ROOT / "examples").glob("*")):
    exclude_patterns.append("docs/site/examples.*")
    suppress_warnings = ["toc.excluded"]

# ---- Markdown and notebooks ----------------------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4  # the anchors that code hosts give to headings
nb_execution_mode = "cache"
nb_execution_cache_path = str(ROOT / "build" / "notebooks" / inputs_hash())
nb_execution_raise_on_error = True
nb_execution_timeout = 300

# ---- Python interface ----------------------------------------------------------------------------------------------

add_module_names = False
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"

# ---- HTML ----------------------------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "foldsim"
html_static_path = ["_static"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
html_additional_pages = {"index": "home.html"}  # index.html of the site leads to the root page
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system
html_sidebars = {"docs/tutorial": []}  # a section of one page
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "foldsim"},
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "navbar_persistent": ["search-button"],
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["sphinx-version"],
    "show_prev_next": True,
    "navigation_with_keys": False,
    "show_toc_level": 2,
}
