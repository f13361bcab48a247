"""What autodoc needs to read this project's docstrings and signatures.

Sections (``Parameters``, ``Attributes``, ``Raises``) become lists. Their entries are ``name : meaning``, not
``name : type``, so that the usual NumPy parsers do not fit. Types in signatures that the site does not document stay
plain text; a reference that somebody wrote in a docstring or on a page must exist.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docutils.nodes import Element
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx

ENTRY = re.compile(r"(?P<names>[\w, ]+?)(?: : (?P<meaning>.*))?")


def is_heading(lines: list[str], index: int) -> bool:
    """Whether a line is underlined with hyphens."""
    return index + 1 < len(lines) and bool(lines[index].strip()) and set(lines[index + 1].strip()) == {"-"}


def entries(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Names and meanings of a section: ``name : meaning``, or a name with its meaning indented below."""
    names, meaning = "", ""
    for line in lines:
        if line.startswith(" "):
            meaning = f"{meaning} {line.strip()}".strip()
            continue
        if names:
            yield names, meaning
        match = ENTRY.fullmatch(line)
        if match is None:
            raise ValueError(f"no entry 'name : meaning': {line!r}")
        names, meaning = match["names"], match["meaning"] or ""
    yield names, meaning


def with_lists(lines: list[str]) -> list[str]:
    """A docstring whose sections are reStructuredText lists."""
    lines = inspect.cleandoc("\n".join(lines)).split("\n")
    made: list[str] = []
    index = 0
    while index < len(lines):
        if not is_heading(lines, index):
            made.append(lines[index])
            index += 1
            continue
        end = next((i for i in range(index + 2, len(lines)) if not lines[i].strip()), len(lines))
        made += [f".. rubric:: {lines[index].strip()}", ""]
        for names, meaning in entries(lines[index + 2 : end]):
            code = ", ".join(f"``{name.strip()}``" for name in names.split(","))
            made += [f"* {code}: {meaning}"]
        index = end
    return [*made, ""]


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect to autodoc, and to the search for missing references."""

    def rewrite(app: Sphinx, what: str, name: str, item: object, options: object, lines: list[str]) -> None:
        lines[:] = with_lists(lines)

    def plain_type(app: Sphinx, env: object, node: pending_xref, content: Element) -> Element | None:
        from_signature = "refexplicit" not in node  # every role and link sets it
        return content if from_signature else None

    app.connect("autodoc-process-docstring", rewrite)
    app.connect("missing-reference", plain_type)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
