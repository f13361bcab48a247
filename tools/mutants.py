"""Mutation testing: change one expression of a module at a time, and check that the tests of the module fail.

    make mutants ARGS="--module 'model/*' --sample 150 --seed 1"

mutmut 3 replaces functions by trampolines, which changes the signatures that tests/test_units.py inspects, and
cosmic-ray edits the working tree in place and starts a new interpreter per mutant; neither draws a seeded sample. Here
each mutant is compiled in a forked process that has already imported the heavy dependencies, and no file is changed.

Mutants that change no result are listed with a reason in tools/mutants_equivalent.toml and not counted.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy: a fork copies no threads

import argparse
import ast
import importlib.machinery
import importlib.util
import random
import signal
import sys
import time
import tomllib
from collections import Counter
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

LAYER_TESTS = tuple(
    f"workload/test_{name}.py"
    for name in (
        *("softmax_attention", "other_attentions", "layers", "attention_vectors", "vector_work"),
        *("emformer_counts", "rates", "conformer", "zipformer"),
    )
)
# Modules below simulator/foldsim and the tests that must detect a change in them, in the order they run, after the test
# file of the module's own name in the folder of the first.
TESTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("model/*.py", ("model", "test_units.py", "hardware/test_power_law.py")),
    ("workload/attention/*.py", LAYER_TESTS),
    ("workload/layers/*.py", LAYER_TESTS),
    ("hardware/memory/*.py", ("hardware/test_dram.py", "hardware/test_dram_levels.py")),
    (
        "sweeps/*.py",
        (
            "sweeps/test_engine.py",
            "sweeps/test_space.py",
            "sweeps/test_results.py",
            "sweeps/test_sums.py",
            "sweeps",
            "designs",
        ),
    ),
)
TIMEOUT_RATIO, TIMEOUT_S = 3.0, 10.0  # of the unchanged tests, and on top
ADDRESS_SPACE_BYTES = 16 * 1024**3
IMPORTED = ("-W", "ignore::pytest.PytestAssertRewriteWarning")  # of hypothesis, which is imported before pytest runs
UNCHANGED = (ast.Raise, ast.Assert, ast.Import, ast.ImportFrom)
UNCHANGED_FIELDS = ("annotation", "returns", "decorator_list")
CONTEXT = 60  # characters printed on each side of a change
SURVIVED, KILLED, TIMED_OUT = "survived", "killed", "timed out"

OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.Mod: ast.Mult,
    ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.And: ast.Or, ast.Or: ast.And,
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPPOSITES: dict[type, type] = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt}
FUNCTIONS = {"minimum": "maximum", "min": "max", "argmin": "argmax", "ceil": "floor", "any": "all", "zeros": "ones"}
FUNCTIONS |= {other: name for name, other in FUNCTIONS.items()}


@dataclass(frozen=True)
class Mutant:
    """A node of a syntax tree and its replacement."""

    file: str  # below simulator/foldsim
    line: int
    tree: ast.Module
    statement: ast.stmt
    holder: Any  # list, or attributes of a node, that contains the node
    key: Any  # its index or name there
    replacement: ast.AST

    def swap(self, node: Any) -> Any:
        """Put ``node`` in place; returns the node that was there."""
        before, self.holder[self.key] = self.holder[self.key], node
        return before

    def change(self) -> tuple[str, str]:
        """The changed part of the statement before and after, with some text around it."""
        before = " ".join(ast.unparse(self.statement).split())
        original = self.swap(self.replacement)
        after = " ".join(ast.unparse(self.statement).split())
        self.swap(original)
        start = _common(before, after)
        end = _common(before[start:][::-1], after[start:][::-1])
        first = max(0, start - CONTEXT)
        return before[first : len(before) - end + CONTEXT], after[first : len(after) - end + CONTEXT]


def _common(some: str, other: str) -> int:
    """Length of the common prefix."""
    return next((i for i, (a, b) in enumerate(zip(some, other, strict=False)) if a != b), min(len(some), len(other)))


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
    elif isinstance(node, ast.AugAssign | ast.Continue):
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
    return type(node)(**(dict(ast.iter_fields(node)) | changes))


def mutants(path: Path) -> list[Mutant]:
    """All mutants of a file, in the order of its syntax tree."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[Mutant] = []
    file = path.relative_to(PACKAGE).as_posix()

    def visit(node: ast.AST, statement: ast.stmt | None) -> None:
        for name, value in ast.iter_fields(node):
            holder, keys = (value, range(len(value))) if isinstance(value, list) else (vars(node), [name])
            for key in keys if name not in UNCHANGED_FIELDS else ():
                child = holder[key]
                if (
                    not isinstance(child, ast.AST)
                    or isinstance(child, UNCHANGED)
                    or getattr(child, "arg", "") == "strict"
                ):
                    continue
                inside = child if isinstance(child, ast.stmt) else statement
                if inside is not None:
                    shown = statement or inside  # a replaced statement is shown as part of the one around it
                    line = getattr(child, "lineno", inside.lineno)
                    found.extend(Mutant(file, line, tree, shown, holder, key, new) for new in replacements(child))
                visit(child, inside)

    visit(tree, None)
    return found


class _MutantLoader(importlib.machinery.SourceFileLoader):
    """Finds and loads one module from a syntax tree instead of its file."""

    def __init__(self, path: Path, tree: ast.Module) -> None:
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        super().__init__(".".join(part for part in parts if part != "__init__"), str(path))
        self.tree = tree

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> Any:
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, fullname: str) -> Any:
        return compile(ast.fix_missing_locations(self.tree), self.path, "exec")


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
        sys.meta_path.insert(0, _MutantLoader(PACKAGE / mutant.file, mutant.tree))
    # No shrinking: the first example that fails is enough.
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutants", deadline=None, derandomize=True, database=None, phases=phases)
    return int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=mutants", *IMPORTED, *paths]))


def tests_of(path: Path) -> tuple[str, ...]:
    """Tests of the first row of the table that matches a module; () if none does."""
    return next((tests for pattern, tests in TESTS if path.relative_to(PACKAGE).match(pattern)), ())


def own_first(path: Path, tests: Sequence[str]) -> list[str]:
    """Paths of tests in the order to run: the test file named as the module, then the others."""
    own = f"{tests[0].split('/')[0]}/test_{path.stem}.py"
    return [f"tests/{name}" for name in dict.fromkeys((own, *tests)) if (ROOT / "tests" / name).exists()]


def run_all(chosen: Sequence[Mutant]) -> Counter[str]:
    """Number of mutants by result; survivors are printed as they are found."""
    results: Counter[str] = Counter()
    timeouts_s: dict[tuple[str, ...], float] = {}
    for mutant in chosen:
        path = PACKAGE / mutant.file
        tests = own_first(path, tests_of(path))
        if tests_of(path) not in timeouts_s:
            start = time.monotonic()
            if run_tests(tests, None, 3600.0) != SURVIVED:
                sys.exit(f"the unchanged {mutant.file} fails {' '.join(tests)}")
            timeouts_s[tests_of(path)] = TIMEOUT_RATIO * (time.monotonic() - start) + TIMEOUT_S
        result = run_tests(tests, mutant, timeouts_s[tests_of(path)])
        results[result] += 1
        if result == SURVIVED:
            print(f"simulator/foldsim/{mutant.file}:{mutant.line}", *mutant.change(), sep="\n  ", flush=True)
    return results


def main() -> None:
    """Run a sample of mutants and report the survivors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--module", default="*", metavar="GLOB", help="modules below simulator/foldsim: 'model/*'")
    parser.add_argument("--sample", type=int, default=50, metavar="N", help="mutants to run (default 50; 0: all)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="seed of the sample (default 1)")
    args = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT / "simulator"))
    paths = [p for p in sorted(PACKAGE.rglob("*.py")) if tests_of(p) and p.relative_to(PACKAGE).match(args.module)]
    if not paths:
        sys.exit(f"no module matches {args.module!r}; allowed: {', '.join(pattern for pattern, _ in TESTS)}")
    every = [mutant for path in paths for mutant in mutants(path)]
    random.Random(args.seed).shuffle(every)
    entries = tomllib.loads(EQUIVALENT.read_text(encoding="utf-8"))["equivalent"]
    equivalent = {(entry["file"], entry["before"], entry["after"]) for entry in entries}
    sampled = every[: args.sample or None]
    counted = [mutant for mutant in sampled if (mutant.file, *mutant.change()) not in equivalent]
    results = run_all(counted)
    killed = len(counted) - results[SURVIVED]
    print(
        f"{len(sampled)} of {len(every)} mutants sampled (seed {args.seed}), {len(sampled) - len(counted)} equivalent; "
        f"{killed} killed ({results[TIMED_OUT]} by the time limit), {results[SURVIVED]} survived: "
        f"{killed / max(len(counted), 1):.1%} killed"
    )


if __name__ == "__main__":
    main()
