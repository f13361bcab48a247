"""``validate`` and ``schema`` of profiles and workloads."""

from __future__ import annotations

import json
from collections.abc import Sequence

import typer

from foldsim.cli.guard import FINDINGS, say
from foldsim.data import Kind, resolve
from foldsim.schema.findings import Finding, InputError, format_findings
from foldsim.schema.reader import read_yaml


def run_validate_files(kind: Kind, names: Sequence[str]) -> None:
    """Check every file, print findings to stdout, and exit 1 if any is an error."""
    from foldsim.hardware.profile import profile_findings
    from foldsim.workload.workload import workload_findings

    failed = 0
    for name in names:
        path = resolve(kind, name)
        findings: Sequence[Finding]
        try:
            document = read_yaml(path)
            findings = (profile_findings(document) if kind == "hw_profiles" else workload_findings(document))[1]
        except InputError as error:
            findings = error.findings
        errors = sum(f.severity == "error" for f in findings)
        failed += bool(errors)
        if findings:
            print(format_findings(findings))
        warnings = len(findings) - errors
        counts = ", ".join(f"{n} {word}{'s' * (n != 1)}" for n, word in ((errors, "error"), (warnings, "warning")) if n)
        say(f"{name}: {counts or 'valid'}")
    if failed:
        raise typer.Exit(FINDINGS)


def print_schema(kind: Kind) -> None:
    """Print the JSON Schema of a format."""
    from foldsim.hardware.spec import ProfileSpec
    from foldsim.schema.jsonschema import json_schema
    from foldsim.workload.spec import WorkloadSpec

    model, word = (ProfileSpec, "profile") if kind == "hw_profiles" else (WorkloadSpec, "workload")
    print(json.dumps(json_schema(model, f"foldsim {word}", f"urn:foldsim:{word}"), indent=2))
