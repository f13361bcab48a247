"""The directive ``cli-reference``: every command, argument and option, read from the application itself."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import typer

from foldsim.cli.app import app as foldsim_app

if TYPE_CHECKING:
    from docutils.nodes import Node
    from sphinx.application import Sphinx

PROGRAM = "foldsim"


def commands(command: Any, path: tuple[str, ...] = (PROGRAM,)) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below one, groups before their members, each with its path: ``("foldsim", "sweep")``."""
    yield path, command
    for name, member in getattr(command, "commands", {}).items():
        yield from commands(member, (*path, name))


def prose(text: str | None) -> str:
    """Help text as Markdown: characters of its markup and file names are plain text."""
    return re.sub(r"([\\`*_\[\]<>|#{}$])", r"\\\1", text or "")


def one_line(text: str | None) -> str:
    """Help text that fits into a cell of a table."""
    return prose(" ".join((text or "").split()))


def parameter_row(parameter: Any) -> str:
    """The row of one argument or option."""
    metavar = (parameter.metavar or "").replace("|", "\\|")
    if parameter.param_type_name == "argument":
        names = f"`{metavar or parameter.name.upper()}`"
    else:
        value = f" {metavar}" if metavar and not parameter.is_flag else ""
        names = ", ".join(f"`{name}{value}`" for name in sorted(parameter.opts, key=len))
    return f"| {names} | {one_line(parameter.help) or 'Shipped name or file.'}{default_words(parameter)} |"


def default_words(parameter: Any) -> str:
    """The default value of a parameter whose help does not say it."""
    value = parameter.default
    if value is None or value is False or callable(value) or "[default:" in (parameter.help or ""):
        return ""
    return f" Default: `{value}`."


def section(path: tuple[str, ...], command: Any) -> str:
    """The section of one command."""
    title = " ".join(path)
    parts = ["#" * (len(path) + 1) + f" `{title}`", prose(command.help)]
    shown = [p for p in command.params if not getattr(p, "hidden", False) and p.name != "help"]
    usage = [title, *(p.metavar or p.name.upper() for p in shown if p.param_type_name == "argument")]
    if hasattr(command, "commands"):
        usage.append("COMMAND")
    elif any(p.param_type_name == "option" for p in shown):
        usage.insert(1, "[OPTIONS]")
    parts.append("```text\n" + " ".join(usage) + "\n```")
    if shown:
        rows = "\n".join(map(parameter_row, shown))
        parts.append(f"| argument or option | meaning |\n|---|---|\n{rows}")
    return "\n\n".join(part for part in parts if part)


def reference() -> str:
    """The command line as Markdown, one section per command."""
    return "\n\n".join(section(path, command) for path, command in commands(typer.main.get_command(foldsim_app)))


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive."""
    from sphinx.util.docutils import SphinxDirective

    class CliReference(SphinxDirective):
        """Put the sections of all commands where the directive is."""

        def run(self) -> list[Node]:
            return self.parse_text_to_nodes(reference(), allow_section_headings=True)

    app.add_directive("cli-reference", CliReference)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
