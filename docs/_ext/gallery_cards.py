"""The directive ``gallery-cards``: a card for every kind of figure, with its picture and the question it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from foldsim.plotting import KINDS

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx

GALLERY = "/plots/README.md"


def cards() -> str:
    """A grid of cards as Markdown."""
    parts = ["::::{grid} 1 2 2 3", ":gutter: 3", ""]
    for kind in KINDS.values():
        parts += [
            f":::{{grid-item-card}} {kind.title}",
            f":img-top: /plots/gallery/{kind.name}.png",
            f":img-alt: {kind.title}",
            "",
            f"[{kind.question}]({GALLERY}#{kind.name})",
            ":::",
            "",
        ]
    return "\n".join([*parts, "::::"])


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    from sphinx.util.docutils import SphinxDirective

    class GalleryCards(SphinxDirective):
        """Put the cards where the directive is."""

        def run(self) -> list[Node]:
            return self.parse_text_to_nodes(cards())

    app.add_directive("gallery-cards", GalleryCards)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
