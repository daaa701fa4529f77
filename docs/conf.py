"""Sphinx configuration. The build needs no network unless asked for links."""

import inspect
import os
import re
from importlib.metadata import version as installed_version
from pathlib import Path

from sphinx.errors import ExtensionError

import sklearn_ntk

project = "sklearn_ntk"
author = "sklearn_ntk developers"
copyright = f"2026, {author}"
version = release = installed_version("sklearn-ntk")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "auto_examples/*.md5"]
default_role = "py:obj"

autosummary_generate = True
autodoc_member_order = "bysource"
autodoc_typehints = "none"
numpydoc_show_class_members = False

# Links to other projects' documentation are looked up on their servers. Without
# them scikit-learn's glossary is unknown.
suppress_warnings = ["ref.term"]
if os.environ.get("SKLEARN_NTK_DOCS_LINKS"):
    suppress_warnings = []
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "joblib": ("https://joblib.readthedocs.io/en/stable", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "python": ("https://docs.python.org/3", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
    }

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    "ignore_pattern": r"/(benchmarks/|__init__|_)",
    "doc_module": ("sklearn_ntk",),
    "backreferences_dir": "generated/backreferences",
    "abort_on_example_error": True,
    "plot_gallery": True,
    "show_memory": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "sklearn_ntk"
html_theme_options = {
    "show_prev_next": False,
    "show_toc_level": 2,
    "navbar_end": ["theme-switcher"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_show_sourcelink = False


def _is_foreign(member):
    """Whether a class member was written in scikit-learn and not here."""
    function = member.fget if isinstance(member, property) else inspect.unwrap(member)
    module = getattr(function, "__module__", None) or ""
    return module.startswith("sklearn.")


def skip_foreign_members(app, what, name, obj, skip, options):
    """Document what this package adds; scikit-learn documents the rest."""
    return True if _is_foreign(obj) else None


def check_api_is_complete(app):
    """Refuse a build in which a public name is not on the API page."""
    listed = re.findall(r"^   (\w+)$", Path(app.srcdir, "api.rst").read_text(), re.M)
    modules = {"dynamics", "inspection", "networks"}
    public = {*sklearn_ntk.__all__}.union(
        *(getattr(sklearn_ntk, module).__all__ for module in modules)
    )
    public -= modules
    if missing := public - set(listed):
        raise ExtensionError(f"docs/api.rst must list {sorted(missing)}.")


def setup(app):
    app.connect("builder-inited", check_api_is_complete)
    app.connect("autodoc-skip-member", skip_foreign_members)
