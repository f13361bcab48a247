"""Mutation testing: change one expression of a module at a time, and check that the tests of the module fail.

    make mutants ARGS="--module 'model/*' --sample 150 --seed 1"

mutmut 3 replaces functions by trampolines, which changes the signatures that tests/test_units.py inspects, and
cosmic-ray edits the working tree in place and starts a new interpreter per mutant; neither draws a seeded sample. Here
each mutant is compiled in a forked process that has already imported the heavy dependencies, and no file is changed.

Survivors that no test can kill are listed with a reason in tools/mutants_equivalent.toml and not counted.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: a fork copies no threads

import argparse
import ast
import difflib
import importlib.machinery
import importlib.util
import random
import signal
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np  # noqa: F401  (imported once, before the forks)
import pandas as pd  # noqa: F401
import pydantic  # noqa: F401
import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "simulator" / "foldsim"
EQUIVALENT = Path(__file__).with_name("mutants_equivalent.toml")

# Modules below simulator/foldsim and the tests that must detect a change in them, in the order they run.
TESTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("model/tiling.py", ("model/test_tiling.py", "model/test_tile_room.py", "model/test_traffic.py")),
    ("model/*.py", ("model", "test_units.py", "hardware/test_power_law.py")),
    ("workload/attention/*.py", ("workload/test_attention_vectors.py", "workload/test_layers.py", "workload")),
    ("workload/layers/*.py", ("workload/test_layers.py", "workload")),
    ("hardware/dram*.py", ("hardware/test_dram.py",)),
    ("explore/engine.py", ("explore/test_space.py", "explore/test_results.py", "explore/test_properties.py")),
)
TIMEOUT_RATIO, TIMEOUT_S = 3.0, 10.0  # of the unchanged tests, and on top
ADDRESS_SPACE_BYTES = 16 * 1024**3
IMPORTED = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # of hypothesis, which is imported before pytest runs
SURVIVED, KILLED, TIMED_OUT = "survived", "killed", "timed out"

OPERATORS: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.Mod: ast.Mult,
    ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPPOSITES: dict[type[ast.AST], type[ast.AST]] = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt}
FUNCTIONS = {"minimum": "maximum", "min": "max", "argmin": "argmax", "ceil": "floor", "any": "all", "zeros": "ones"}
FUNCTIONS |= {other: name for name, other in FUNCTIONS.items()}


@dataclass(frozen=True)
class Mutant:
    """A node of a syntax tree and its replacement."""

    file: str  # below simulator/foldsim
    line: int
    tree: ast.Module
    statement: ast.stmt
    holder: ast.AST | list[Any]
    field: str | int
    replacement: ast.AST

    def swap(self, node: Any) -> Any:
        """Put ``node`` in place; returns the node that was there."""
        if isinstance(self.holder, list):
            before, self.holder[int(self.field)] = self.holder[int(self.field)], node
        else:
            before = getattr(self.holder, str(self.field))
            setattr(self.holder, str(self.field), node)
        return before

    def __str__(self) -> str:
        changes = (
            f"  {sign} {line}" for sign, text in zip("-+", self.lines(), strict=True) for line in text.splitlines()
        )
        return "\n".join((f"simulator/foldsim/{self.file}:{self.line}", *changes))

    def lines(self) -> tuple[str, str]:
        """The changed lines of the statement, before and after, without indentation."""
        before = ast.unparse(self.statement).splitlines()
        original = self.swap(self.replacement)
        after = ast.unparse(self.statement).splitlines()
        self.swap(original)
        changed = [x for x in difflib.ndiff(before, after) if x[0] in "-+"]
        old, new = ([x[2:].strip() for x in changed if x[0] == sign] for sign in "-+")
        return "\n".join(old), "\n".join(new)


def replacements(node: ast.AST) -> Iterator[ast.AST]:
    """Small changes of one node."""
    if isinstance(node, ast.BinOp | ast.BoolOp):
        yield from _of_operation(node)
    elif isinstance(node, ast.Compare) and len(node.ops) == 1:
        kinds = (table.get(type(node.ops[0])) for table in (OPERATORS, OPPOSITES))
        yield from (_with(node, ops=[kind()]) for kind in kinds if kind)
    elif isinstance(node, ast.UnaryOp):
        yield node.operand
    elif isinstance(node, ast.Constant):
        yield from _of_constant(node.value)
    elif isinstance(node, ast.Attribute) and node.attr in FUNCTIONS:
        yield _with(node, attr=FUNCTIONS[node.attr])
    elif isinstance(node, ast.Name) and node.id in FUNCTIONS:
        yield _with(node, id=FUNCTIONS[node.id])
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "np.where" and len(node.args) == 3:
        yield _with(node, args=[node.args[0], node.args[2], node.args[1]])
    elif isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.UnaryOp):
        yield _with(node, test=ast.UnaryOp(ast.Not(), node.test))
    elif isinstance(node, ast.AugAssign | ast.Continue) or isinstance(getattr(node, "value", None), ast.Call):
        if isinstance(node, ast.AugAssign | ast.Continue | ast.Expr):
            yield ast.Pass()


def _of_operation(node: ast.BinOp | ast.BoolOp) -> Iterator[ast.AST]:
    """Another operator, or one operand less."""
    if type(node.op) in OPERATORS:
        yield _with(node, op=OPERATORS[type(node.op)]())
    if isinstance(node, ast.BoolOp):
        for index in range(len(node.values)):
            rest = node.values[:index] + node.values[index + 1 :]
            yield rest[0] if len(rest) == 1 else _with(node, values=rest)
    elif isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.BitAnd | ast.BitOr):
        yield node.left
        if not isinstance(node.op, ast.Sub):
            yield node.right


def _of_constant(value: object) -> Iterator[ast.AST]:
    if isinstance(value, bool):
        yield ast.Constant(not value)
    elif isinstance(value, int | float):
        yield ast.Constant(value + 1)
        if abs(value) > 1:
            yield ast.Constant(value - 1 if isinstance(value, int) else value * 0.5)


def _with(node: ast.AST, **changes: Any) -> ast.AST:
    return type(node)(**{**{name: getattr(node, name) for name in node._fields}, **changes})


def mutants(path: Path) -> list[Mutant]:
    """All mutants of a file, in the order of its syntax tree."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[Mutant] = []
    file = path.relative_to(PACKAGE).as_posix()

    def visit(node: ast.AST, statement: ast.stmt | None) -> None:
        for name, value in ast.iter_fields(node):
            if name in ("annotation", "returns", "decorator_list"):
                continue
            children = value if isinstance(value, list) else [value]
            for index, child in enumerate(children):
                if not isinstance(child, ast.AST) or isinstance(child, ast.Raise | ast.Assert | ast.ImportFrom):
                    continue
                if isinstance(child, ast.keyword) and child.arg == "strict":
                    continue
                inside = child if isinstance(child, ast.stmt) else statement
                holder, field = (value, index) if isinstance(value, list) else (node, name)
                if inside is not None:
                    # A replaced statement is shown as part of the one around it.
                    shown = statement if child is inside and statement is not None else inside
                    line = getattr(child, "lineno", inside.lineno)
                    found.extend(Mutant(file, line, tree, shown, holder, field, new) for new in replacements(child))
                visit(child, inside)

    visit(tree, None)
    return found


class _Loader(importlib.machinery.SourceFileLoader):
    """Loads one module from a syntax tree instead of its file."""

    tree: ast.Module

    def get_code(self, fullname: str) -> Any:
        return compile(ast.fix_missing_locations(self.tree), self.path, "exec")


class _Finder:
    """Finds the changed module before the import system does."""

    def __init__(self, path: Path, tree: ast.Module) -> None:
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        self.name = ".".join(part for part in parts if part != "__init__")
        self.loader = _Loader(self.name, str(path))
        self.loader.tree = tree

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> Any:
        if name != self.name:
            return None
        return importlib.util.spec_from_file_location(name, self.loader.path, loader=self.loader)


def run_tests(paths: Sequence[str], mutant: Mutant | None, timeout_s: float) -> str:
    """Run tests in a forked process, on a mutant if there is one: survived, killed or timed out."""
    process = os.fork()
    if process == 0:
        try:
            os._exit(_child(paths, mutant, timeout_s))
        except BaseException:
            os._exit(1)
    _, status = os.waitpid(process, 0)
    if os.WIFSIGNALED(status):
        return TIMED_OUT if os.WTERMSIG(status) == signal.SIGALRM else KILLED
    return KILLED if os.WEXITSTATUS(status) else SURVIVED


def _child(paths: Sequence[str], mutant: Mutant | None, timeout_s: float) -> int:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE_BYTES, ADDRESS_SPACE_BYTES))
    signal.alarm(round(timeout_s))  # not handled: ends the process
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    if mutant is not None:
        mutant.swap(mutant.replacement)
        sys.meta_path.insert(0, _Finder(PACKAGE / mutant.file, mutant.tree))  # type: ignore[arg-type]
    # No shrinking: the first example that fails is enough.
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutants", deadline=None, derandomize=True, database=None, phases=phases)
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=mutants", *IMPORTED, *paths]))


def tests_of(path: Path) -> tuple[str, ...]:
    """Test files of a module, its own first."""
    for pattern, tests in TESTS:
        if path.relative_to(PACKAGE).match(pattern):
            own = f"{tests[0].split('/')[0]}/test_{path.stem}.py"
            names = dict.fromkeys((own, *tests))
            return tuple(f"tests/{name}" for name in names if (ROOT / "tests" / name).exists())
    return ()


def equivalent(mutant: Mutant, listed: Sequence[dict[str, str]]) -> bool:
    """Whether a mutant is on the list of those that change no result."""
    old, new = mutant.lines()
    return any((entry["file"], entry["line"], entry["mutant"]) == (mutant.file, old, new) for entry in listed)


def main() -> int:
    """Run a sample of mutants, and report those that survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", default="*", metavar="GLOB", help="modules below simulator/foldsim: 'model/*'")
    parser.add_argument("--sample", type=int, default=50, metavar="N", help="mutants to run (default 50; 0: all)")
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    args = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT / "simulator"))
    paths = [p for p in sorted(PACKAGE.rglob("*.py")) if tests_of(p) and _matches(p, args.module)]
    if not paths:
        print(f"no module matches {args.module!r}; the table in {Path(__file__).name} lists those with tests")
        return 2
    every = [mutant for path in paths for mutant in mutants(path)]
    random.Random(args.seed).shuffle(every)
    listed = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8")).get("equivalent", [])
    counted = [m for m in every[: args.sample or None] if not equivalent(m, listed)]
    left_out = min(len(every), args.sample or len(every)) - len(counted)
    timeouts: dict[tuple[str, ...], float] = {}
    results: dict[str, list[Mutant]] = {SURVIVED: [], KILLED: [], TIMED_OUT: []}
    for mutant in counted:
        tests = tests_of(PACKAGE / mutant.file)
        if tests not in timeouts:
            start = time.monotonic()
            if run_tests(tests, None, 3600.0) != SURVIVED:
                print(f"the unchanged {mutant.file} fails {' '.join(tests)}")
                return 1
            timeouts[tests] = TIMEOUT_RATIO * (time.monotonic() - start) + TIMEOUT_S
        result = run_tests(tests, mutant, timeouts[tests])
        results[result].append(mutant)
        if result == SURVIVED:
            print(mutant, flush=True)
    dead = len(results[KILLED]) + len(results[TIMED_OUT])
    print(
        f"{len(counted)} of {len(every)} mutants (seed {args.seed}), {left_out} equivalent left out: "
        f"{dead} killed ({len(results[TIMED_OUT])} by the time limit), {len(results[SURVIVED])} survived, "
        f"{dead / max(len(counted), 1):.1%} killed"
    )
    return 0


def _matches(path: Path, pattern: str) -> bool:
    return path.relative_to(PACKAGE).match(pattern)


if __name__ == "__main__":
    sys.exit(main())
