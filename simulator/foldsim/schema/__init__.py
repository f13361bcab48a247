"""YAML in, located errors out, JSON Schema.

Names are loaded on first use: `import foldsim.schema` costs nothing, and only validation loads pydantic.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from foldsim.schema.findings import Finding, InputError, Path, Problem, Severity, format_findings, format_path
    from foldsim.schema.jsonschema import json_schema
    from foldsim.schema.reader import MAX_BYTES, MAX_DEPTH, MAX_NODES, Document, parse_yaml, read_yaml
    from foldsim.schema.validation import collect_findings, locate, validate_document

_HOMES = {
    "findings": ("Finding", "InputError", "Path", "Problem", "Severity", "format_findings", "format_path"),
    "jsonschema": ("json_schema",),
    "reader": ("MAX_BYTES", "MAX_DEPTH", "MAX_NODES", "Document", "parse_yaml", "read_yaml"),
    "validation": ("collect_findings", "locate", "validate_document"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_NODES",
    "Document",
    "Finding",
    "InputError",
    "Path",
    "Problem",
    "Severity",
    "collect_findings",
    "format_findings",
    "format_path",
    "json_schema",
    "locate",
    "parse_yaml",
    "read_yaml",
    "validate_document",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
