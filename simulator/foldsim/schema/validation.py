"""Check a document against a strict pydantic model, and report everything that is wrong with it at its place."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from foldsim.schema._explain import explain_errors
from foldsim.schema.findings import Finding, InputError, Path, Problem, excerpt, format_path, position_order
from foldsim.schema.reader import MAX_FINDINGS, Document

M = TypeVar("M", bound=BaseModel)


def validate_document(document: Document, model: type[M], checks: Sequence[Callable[[M], Iterable[Problem]]] = ()) -> M:
    """Return the document as an instance of `model`.

    `checks` see the finished instance and yield what no single field can know; they run only if the model accepts the
    document. Raises `InputError` with every finding, in the order of the file, if one of them is an error. Warnings
    alone do not raise; `collect_findings` returns them.
    """
    instance, findings = collect_findings(document, model, checks)
    if instance is None:
        raise InputError(findings)
    return instance


def collect_findings(
    document: Document, model: type[M], checks: Sequence[Callable[[M], Iterable[Problem]]] = ()
) -> tuple[M | None, list[Finding]]:
    """Return the validated instance and all findings, warnings too, in the order of the file.

    The instance is None exactly if some finding is an error. Does not raise, whatever the document holds. After
    `MAX_FINDINGS` errors of the model the rest are only counted, so that a hostile file is refused quickly.
    """
    instance: M | None = None
    unexplained = 0
    try:
        # As JSON, because strict validation of Python objects would refuse a list where a tuple is declared and text
        # where an enum is. YAML's data is JSON's, so nothing changes on the way.
        instance = model.model_validate_json(json.dumps(document.data))
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        unexplained = max(0, len(errors) - MAX_FINDINGS)
        del errors[MAX_FINDINGS:]
        problems = explain_errors(model, document.data, errors, lambda path: _source_at(document, path))
    else:
        problems = [problem for check in checks for problem in check(instance)]
    findings = sorted((locate(document, problem) for problem in problems), key=position_order)
    if unexplained:
        findings.append(
            Finding(document.file, None, None, "", f"there are {unexplained} more errors; correct these first")
        )
    if any(finding.severity == "error" for finding in findings):
        instance = None
    return instance, findings


def locate(document: Document, problem: Problem) -> Finding:
    """Give a problem its line and column.

    Where the document has no value at the problem's path, the position is that of the nearest enclosing value. In a
    document laid over another the file is the one in which the value was written.
    """
    home, path = document.home(problem.path)
    position = home.key_positions.get(path) if problem.at_key else None
    while position is None:
        position = home.value_positions.get(path)
        if not path:
            break
        path = path[:-1]
    line, column = position if position is not None else (None, None)
    return Finding(
        file=home.file,
        line=line,
        column=column,
        path=format_path(problem.path),
        message=problem.message,
        allowed=problem.allowed,
        suggestion=problem.suggestion,
        severity=problem.severity,
        snippet=excerpt(home.lines, line) if line is not None else None,
    )


def part_problems(document: Document, path: Path, model: type[BaseModel]) -> tuple[Any, list[Problem]]:
    """Check the value at a path of a document against a model of its own; the instance, or None, and its problems.

    For parts that the document's own model leaves open, such as the parameters of a rule.
    """
    data = document.data
    for key in path:
        data = data[key]
    try:
        return model.model_validate_json(json.dumps(data)), []
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)[:MAX_FINDINGS]
    problems = explain_errors(model, data, errors, lambda inner: _source_at(document, (*path, *inner)))
    return None, [replace(problem, path=(*path, *problem.path)) for problem in problems]


def _source_at(document: Document, path: Path) -> str | None:
    home, path = document.home(path)
    position = home.value_positions.get(path)
    if position is None or position[0] > len(home.lines):
        return None
    return home.lines[position[0] - 1][position[1] - 1 :][:200]
