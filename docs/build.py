"""Make the generated pages of docs/ from the code: field references and the glossary.

python docs/build.py            write the pages
python docs/build.py --check    write nothing; exit 1 and name the pages that are out of date
"""

from __future__ import annotations

import argparse
import csv
import inspect
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent / "simulator"), str(DOCS)]

import validation_page  # noqa: E402
from pydantic import AfterValidator, BaseModel  # noqa: E402
from pydantic.fields import FieldInfo  # noqa: E402
from pydantic_core import PydanticUndefined  # noqa: E402

from foldsim.evidence.validation_targets import Group  # noqa: E402
from foldsim.hardware.spec import ProfileSpec  # noqa: E402
from foldsim.schema import quantity  # noqa: E402
from foldsim.schema.quantity import Quantity  # noqa: E402
from foldsim.sweeps.columns import columns  # noqa: E402
from foldsim.sweeps.options import DesignFile  # noqa: E402
from foldsim.units import unit_of  # noqa: E402
from foldsim.workload.attention import ATTENTION_KINDS, Attention  # noqa: E402
from foldsim.workload.layers import LAYER_KINDS, Layer  # noqa: E402
from foldsim.workload.layers.convolution import Convolution  # noqa: E402
from foldsim.workload.spec import WorkloadSpec  # noqa: E402

NOTICE = "<!-- Made by docs/build.py. Do not edit: change the code and run `make docs`. -->"

PLAIN_TYPES = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}

# Units whose words would fill the table.
SHORT_UNITS = {unit_of("ratio"): "ratio", unit_of("count"): "count"}

# Bounds of quantities, by the alias that sets them in foldsim.schema.quantity.
QUANTITY_BOUNDS = {
    "Positive": "above 0",
    "NonNegative": "at least 0",
    "Share": "0 to 1",
    "PositiveShare": "above 0, at most 1",
    "Count": "whole, at least 1",
}

GROUP_TITLES = {
    "by": "Rows that `--by` divides a design into",
    "design": "The design",
    "size": "Size",
    "work": "Work",
    "verdict": "Verdicts",
    "traffic": "Traffic",
    "time": "Time",
    "energy": "Energy",
    "power": "Power",
    "saving": "Saving against the plain design (unfolded, not compressed)",
    "validation": "Predictions compared with published numbers, in `foldsim validate -o`",
    "tipping": "Tipping points, in `foldsim tipping-point -o`",
}

VOCABULARY = (
    ("frame", "A feature vector of the front end. Most front ends make one every 10 ms."),
    ("token", "A step of the encoder, after subsampling. A front end that subsamples by 4 makes a token every 40 ms."),
    ("chunk", "The audio that one run of the encoder takes in, in ms or tokens. Emformer papers say segment."),
    ("left context", "Tokens before the chunk that attention still sees. They are kept, not computed again."),
    (
        "right context",
        "Tokens after the chunk that attention sees, also called lookahead. They are computed again as part of the next"
        " chunk.",
    ),
    ("memory bank", "A few vectors, each of which sums up one earlier chunk (augmented-memory transformer, Emformer)."),
    (
        "state",
        "Everything that one chunk hands to the next: key and value caches, LSTM h and c, samples and features that"
        " wait, and a copy for every hypothesis of the beam.",
    ),
    (
        "folding factor N",
        "A token of width D is cut into N sub-tokens of width D/N. One attention of width D/N, shared by all of them,"
        " runs over N times as many rows.",
    ),
    ("component", "A part of the recogniser that runs at a rate of its own: front end, encoder, predictor, joiner."),
    ("invocation", "One run of a component."),
    ("op", "The smallest thing that has a cost: a matrix product, or a piece of vector, table or state work."),
    (
        "memory level",
        "One store of the chip, counted from the inside. Registers belong to the arithmetic. The outermost level is"
        " DRAM, or flash or MRAM on a microcontroller.",
    ),
    ("home", "The memory level where a tensor that outlives an invocation (weights, state) stays between invocations."),
    ("traffic", "Bytes that cross the border between a memory level and the next one out."),
    ("operating point", "A pair of frequency and voltage."),
    ("real-time factor, RTF", "Busy time per chunk over the chunk's duration. Above 1 the device falls behind."),
)


# ---- types in words ------------------------------------------------------------------------------------------------


def quantity_aliases() -> dict[int, str]:
    """Bounds in words by the identity of the validator that enforces them."""
    words = {}
    for name, alias in vars(quantity).items():
        if get_origin(alias) is Annotated and get_args(alias)[0] is Quantity:
            words[id(get_args(alias)[1])] = QUANTITY_BOUNDS[name]
    return words


ALIASES = quantity_aliases()


def bounds_of(metadata: Sequence[Any]) -> list[str]:
    """Limits in words that pydantic metadata sets."""
    limits: dict[str, Any] = {}
    words = []
    for item in metadata:
        if isinstance(item, FieldInfo):
            words += bounds_of(item.metadata)
        elif isinstance(item, AfterValidator):
            words += [ALIASES[id(item)]] if id(item) in ALIASES else []
        else:
            limits.update({k: getattr(item, k) for k in ("gt", "ge", "lt", "le", "min_length") if hasattr(item, k)})
            if getattr(item, "pattern", None):
                words.append(f"matches `{item.pattern}`")
    if "ge" in limits and "le" in limits:
        words.append(f"{limits['ge']:,} to {limits['le']:,}")
    else:
        words += [f"{say} {limits[k]:,}" for k, say in (("gt", "above"), ("ge", "at least")) if k in limits]
        words += [f"{say} {limits[k]:,}" for k, say in (("lt", "below"), ("le", "at most")) if k in limits]
    if "min_length" in limits:
        words.append("not empty")
    return words


def title_of(record: type[BaseModel]) -> str:
    """Heading of a record's section: ``ComputeUnit`` is ``Compute unit``."""
    if issubclass(record, Layer):
        return f"`{kind_of(record)}`"
    if issubclass(record, Attention):
        return f"attention `{kind_of(record)}`"
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", record.__name__.removesuffix("Spec"))
    return words.capitalize()


def kind_of(record: type[BaseModel]) -> str:
    """The ``kind`` that names a layer or an attention variant in YAML."""
    return str(get_args(record.model_fields["kind"].annotation)[0])


def slug(heading: str) -> str:
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def link(record: type[BaseModel]) -> str:
    """A link to a record's section."""
    if record is Quantity:
        return "[number with range](#quantity)"
    return f"[{title_of(record).lower()}](#{slug(title_of(record))})"


def type_words(annotation: Any) -> tuple[str, list[str]]:
    """A type in words, and the limits that stand inside it."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        words, limits = type_words(args[0])
        return words, limits + bounds_of(args[1:])
    if origin is Literal:
        return "one of " + ", ".join(f"`{a}`" for a in args), []
    if origin in (Union, UnionType):
        kept = [a for a in args if a is not NoneType]
        if all(isinstance(a, type) and issubclass(a, Layer) for a in kept):
            return "[layer](#layer-kinds)", []
        if all(isinstance(a, type) and issubclass(a, Attention) for a in kept):
            return "[attention variant](#attention-variants)", []
        parts = [type_words(a) for a in kept]
        return " or ".join(dict.fromkeys(words for words, _ in parts)), [x for _, limits in parts for x in limits]
    if origin is list:
        words, limits = type_words(args[0])
        return f"list: {words}", [f"each {x}" for x in limits]
    if origin is dict:
        (keys, _), (values, limits) = type_words(args[0]), type_words(args[1])
        return f"mapping: {keys} to {values}", [f"each {x}" for x in limits]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return link(annotation), []
    return PLAIN_TYPES[annotation], []


def allowed_words(field: FieldInfo) -> str:
    """All limits of a field."""
    return ", ".join([*bounds_of(field.metadata), *type_words(field.annotation)[1]])


def default_words(field: FieldInfo) -> str:
    """Required, optional, or the default."""
    if field.is_required():
        return "required"
    value = field.default if field.default is not PydanticUndefined else field.get_default(call_default_factory=True)
    if value is None:
        return "optional"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, Attention):
        return f"`{{kind: {kind_of(type(value))}}}`"
    return f"`[{', '.join(map(str, value))}]`" if isinstance(value, list) else f"`{value}`"


def cell(text: str) -> str:
    """Text that fits in a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(cell(c) for c in row) + " |" for row in rows]
    return "\n".join(lines)


def field_table(record: type[BaseModel], leave_out: Sequence[str] = ()) -> str:
    """The fields of a record."""
    rows = []
    for name, field in record.model_fields.items():
        if name in leave_out:
            continue
        key = field.alias or name
        unit = unit_of(key) or ""
        rows.append(
            [
                f"`{key}`",
                type_words(field.annotation)[0],
                SHORT_UNITS.get(unit, unit),
                default_words(field),
                allowed_words(field),
                field.description or "",
            ]
        )
    return table(("field", "type", "unit", "required or default", "allowed", "meaning"), rows)


# ---- pages ---------------------------------------------------------------------------------------------------------


def records_below(root: type[BaseModel]) -> dict[type[BaseModel], list[str]]:
    """Every record that a document can hold, root first, with the paths where it stands. Layers are left out."""
    paths: dict[type[BaseModel], list[str]] = {root: []}

    def walk(annotation: Any, path: str) -> None:
        origin, args = get_origin(annotation), get_args(annotation)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            if issubclass(annotation, Layer):
                return
            known = annotation in paths
            paths.setdefault(annotation, []).append(path)
            if not known:
                fields(annotation, path)
        elif origin is list:
            walk(args[0], path + "[]")
        elif origin is dict:
            walk(args[1], path + ".NAME")
        elif origin is Annotated:
            walk(args[0], path)
        elif origin in (Union, UnionType):
            for arg in args:
                walk(arg, path)

    def fields(record: type[BaseModel], path: str) -> None:
        for name, field in record.model_fields.items():
            walk(field.annotation, f"{path}.{name}" if path else name)

    fields(root, "")
    if Quantity in paths:
        paths[Quantity] = paths.pop(Quantity)  # last: everything refers to it
    return paths


def summary(record: type[BaseModel]) -> str:
    """The docstring of a record, reST quoting turned into Markdown's."""
    text = inspect.cleandoc(record.__doc__ or "")
    return re.sub(r":class:`([^`]+)`", r"`\1`", text).replace("``", "`")


def record_sections(root: type[BaseModel]) -> list[str]:
    """A section per record."""
    sections = []
    for record, paths in records_below(root).items():
        where = "Top level of the file." if not paths else "At " + ", ".join(f"`{p}`" for p in paths) + "."
        if len(paths) > 6:
            where = "Wherever a type says *number with range*."
        sections.append(f"## {title_of(record)}\n\n{summary(record)}\n\n{where}\n\n{field_table(record)}")
    return sections


def reference(title: str, intro: str, root: type[BaseModel], more: Sequence[str] = ()) -> str:
    """A reference page."""
    return "\n\n".join([NOTICE, f"# {title}", intro, *record_sections(root), *more]) + "\n"


def profile_page() -> str:
    """docs/profile-reference.md."""
    return reference(
        "Hardware profile reference",
        "Every field of a hardware profile (`hw_profiles/*.yaml`). Unknown keys are errors. How to write one:"
        " [authoring.md](authoring.md). What the numbers do: [model.md](model.md).",
        ProfileSpec,
    )


def workload_page() -> str:
    """docs/workload-reference.md."""
    shared = table(
        ("field", "type", "required or default", "allowed", "meaning"),
        (
            (f"`{name}`", type_words(f.annotation)[0], default_words(f), allowed_words(f), f.description)
            for name, f in Layer.model_fields.items()
            if f.description
        ),
    )
    layers = [
        "## Layer kinds\n\nA layer is one entry of `components[].layers`. `kind` picks the section below."
        f" All kinds share:\n\n{shared}"
    ]
    layers += [
        f"### {title_of(kind)}\n\n{summary(kind)}\n\n{field_table(kind, tuple(Layer.model_fields))}"
        for kind in LAYER_KINDS
    ]
    layers += [f"## {title_of(Convolution)}\n\n{summary(Convolution)}\n\n{field_table(Convolution)}"]
    layers += [
        "## Attention variants\n\nThe `attention` of an encoder layer; `kind` picks the section. What each is for:"
        " [variants](variants/README.md)."
    ]
    layers += [f"### {title_of(kind)}\n\n{summary(kind)}\n\n{field_table(kind)}" for kind in ATTENTION_KINDS]
    return reference(
        "Workload reference",
        "Every field of a workload (`workloads/*.yaml`) and every layer kind. Unknown keys are errors. How to write"
        " one: [authoring.md](authoring.md). From layers to ops: [model.md](model.md#2-lowering-from-layers-to-ops).",
        WorkloadSpec,
        layers,
    )


def design_page() -> str:
    """docs/design-reference.md."""
    return reference(
        "Design file reference",
        "Every field of the file that `foldsim sweep DESIGN.yaml` reads. An option of the same name on the command line"
        " wins over the file.",
        DesignFile,
    )


NOMENCLATURE = DOCS / "nomenclature.csv"
HAND_WRITTEN = DOCS / "model.md"
SYMBOL_TABLE = re.compile(r"(<!-- symbols: (\w+) -->\n).*?(<!-- end of symbols -->)", re.DOTALL)


def symbols(section: str | None = None) -> str:
    """Table of the symbols of a section of docs/model.md, or of all."""
    with NOMENCLATURE.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if section in (None, row["section"])]
    keys = ("symbol", "name", "unit", "meaning", "from")
    return table(keys, [[row[key] for key in keys] for row in rows])


def model_page() -> str:
    """docs/model.md, which is written by hand, with its tables of symbols."""
    text = HAND_WRITTEN.read_text(encoding="utf-8")
    return SYMBOL_TABLE.sub(lambda found: f"{found[1]}{symbols(found[2])}\n{found[3]}", text)


def glossary_page() -> str:
    """docs/glossary.md."""
    parts = [NOTICE, "# Glossary", "## Words", table(("word", "meaning"), VOCABULARY)]
    parts += ["## Symbols", "As [model.md](model.md) uses them.", symbols(), "## Result columns"]
    parts.append(
        "Names, units and meanings of every column of a result file. *Adds up* says whether the rows of"
        " `--by component` and `--by op` sum to the total. Each `--set` path is one more column, named by the path."
    )
    groups: dict[str, list[list[str]]] = {}
    for column in columns().values():
        adds = "yes" if column.additive else "no"
        groups.setdefault(column.group, []).append(
            [f"`{column.name}`", column.unit, column.label, adds, column.meaning]
        )
    for group, rows in groups.items():
        parts.append(f"### {GROUP_TITLES[group]}")
        parts.append(table(("column", "unit", "label", "adds up", "meaning"), rows))
    return "\n\n".join(parts) + "\n"


def validation() -> str:
    """docs/validation.md."""
    return validation_page.page(NOTICE, "\n\n".join(record_sections(Group)).replace("\n## ", "\n### "))


PAGES: dict[str, Callable[[], str]] = {
    "profile-reference.md": profile_page,
    "workload-reference.md": workload_page,
    "design-reference.md": design_page,
    "glossary.md": glossary_page,
    "model.md": model_page,
    "validation.md": validation,
}


def stale_pages() -> list[str]:
    """Pages whose file is missing or differs from what the code gives."""
    stale = []
    for name, make in PAGES.items():
        file = DOCS / name
        if not file.is_file() or file.read_text(encoding="utf-8") != make():
            stale.append(name)
    return stale


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or check the pages; the exit code."""
    parser = argparse.ArgumentParser(description="Make the generated pages of docs/.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if a page is out of date")
    check = parser.parse_args(arguments).check
    stale = stale_pages()
    for name in stale:
        if check:
            print(f"docs/{name} is out of date: run `make docs`", file=sys.stderr)
        else:
            (DOCS / name).write_text(PAGES[name](), encoding="utf-8", newline="\n")
            print(f"docs/{name}", file=sys.stderr)
            if name == "validation.md":
                validation_page.picture(DOCS / validation_page.PICTURE)
    return int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
