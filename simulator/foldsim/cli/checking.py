"""``validate`` and ``schema`` of profiles and workloads."""

from __future__ import annotations

import json
from collections.abc import Sequence

import typer

from foldsim.cli.guard import FINDINGS, USAGE, check_choice, say
from foldsim.data import Kind, resolve
from foldsim.schema.findings import Finding, InputError, finding_dict, format_findings, format_github
from foldsim.schema.reader import Document, read_yaml

FORMATS = ("text", "json", "github")


def run_validate_files(kind: Kind, names: Sequence[str], strict: bool = False, output_format: str = "text") -> None:
    """Check every file, print findings to stdout, and exit 1 if any is an error, 2 if a file cannot be read."""
    check_choice("--format", output_format, FORMATS)
    all_findings: list[Finding] = []
    files = []
    unreadable = False
    for name in names:
        path = resolve(kind, name)
        findings: Sequence[Finding]
        try:
            findings = _findings(kind, read_yaml(path), strict)
        except InputError as error:
            findings = error.findings
            unreadable = unreadable or all(f.line is None for f in findings)
        errors = sum(f.severity == "error" for f in findings)
        warnings = len(findings) - errors
        all_findings += findings
        files.append({"file": str(path), "errors": errors, "warnings": warnings})
        if findings and output_format == "text":
            print(format_findings(findings), flush=True)
        counts = ", ".join(f"{n} {word}{'s' * (n != 1)}" for n, word in ((errors, "error"), (warnings, "warning")) if n)
        say(f"{name}: {counts or 'valid'}")
    if output_format == "json":
        print(json.dumps({"files": files, "findings": [finding_dict(f) for f in all_findings]}, indent=2))
    elif output_format == "github" and all_findings:
        print(format_github(all_findings))
    if unreadable or any(file["errors"] for file in files):
        raise typer.Exit(USAGE if unreadable else FINDINGS)


def _findings(kind: Kind, document: Document, strict: bool) -> Sequence[Finding]:
    """All findings of a document; a file with a die width is the record of a DRAM type."""
    from foldsim.hardware.profile import dram_findings, profile_findings
    from foldsim.workload.workload import workload_findings

    if kind == "workloads":
        return workload_findings(document)[1]
    if isinstance(document.data, dict) and "die_width_bits" in document.data:
        return dram_findings(document)
    return profile_findings(document, strict)[1]


def print_schema(kind: Kind, dram: bool = False) -> None:
    """Print the JSON Schema of workloads, of profiles, or of records of DRAM types."""
    from foldsim.hardware.json_schema import dram_schema, profile_schema
    from foldsim.schema.jsonschema import json_schema
    from foldsim.workload.spec import WorkloadSpec

    if kind == "workloads":
        schema = json_schema(WorkloadSpec, "foldsim workload", "urn:foldsim:workload")
    else:
        schema = dram_schema() if dram else profile_schema()
    print(json.dumps(schema, indent=2))
