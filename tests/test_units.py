"""Units: names end in them, constants convert them, and the model obeys them.

The last part is dimensional analysis by experiment: every input of the model is expressed in other units of
time, energy, information and voltage, by the unit in its name; every output must then have those units, by the unit
in its name.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import fields, is_dataclass
from functools import cache
from typing import get_args

import numpy as np
import pint
import pytest
from pydantic import BaseModel

import foldsim.model
from foldsim import simulate, units
from foldsim.hardware.spec import ProfileSpec
from foldsim.model.energy import Activity, Supply, busy_terms, idle_terms
from foldsim.model.evaluate import evaluate
from foldsim.schema.quantity import Quantity
from foldsim.sweeps.columns import columns
from foldsim.workload.spec import WorkloadSpec

REGISTRY: pint.UnitRegistry = pint.UnitRegistry()

# Every unit of foldsim as pint spells it.
SUFFIXES = {
    "bytes": "byte",
    "bits": "bit",
    "ms": "millisecond",
    "s": "second",
    "hz": "hertz",
    "v": "volt",
    "mw": "milliwatt",
    "uj": "microjoule",
    "pj": "picojoule",
    "pj_per_byte": "picojoule / byte",
    "pj_per_mac": "picojoule",
    "gb_per_s": "gigabyte / second",
    "uw_per_mhz_v2": "microwatt / megahertz / volt ** 2",
    "per_cycle": "",
    "per_s": "1 / second",
    "mt_per_s": "megahertz",
    "nm": "nanometer",
    "tokens": "",
    "frames": "",
    "ratio": "",
    "count": "",
}
# The node only determines which energies of a profile are plausible.
NEVER_IN_THE_MODEL = {"nm"}
# A unit followed by what it is counted over.
COMPOUND = {
    "bytes_per_s": "byte / second",
    "bytes_per_audio_s": "byte / second",
    "bytes_per_chunk": "byte",
    "bytes_per_element": "byte",
    "ms_per_chunk": "millisecond",
    "per_audio_s": "1 / second",
}
# Numbers without a unit in their name, and why.
BARE = {
    # shapes and counts of matrix products, as everybody writes them
    "m": "", "k": "", "n": "", "batch": "", "steps": "", "repeat": "",
    # counts that are words of the vocabulary
    "kernels": "", "params": "", "macs": "", "invocations_per_chunk": "", "macs_per_chunk": "", "wakes": "",
    # elements of vector work, by kind
    "vector": "",
    # flags as numbers, and shares of a set that lie outside a level
    "input_outside": "", "output_outside": "", "activation_outside": "",
    # bytes by direction: of Traffic and of TileTraffic
    "inward": "byte", "outward": "byte",
    "first_in": "byte", "second_in": "byte", "partial_in": "byte", "result_out": "byte",
    # columns of the results: a factor, a number format, a ratio that has a name
    "fold_factor": "", "rtf": "",
}  # fmt: skip
# Arguments of public functions of the model without a unit, and why: ends of terms (ratio_band takes any unit), and
# generic arguments that take numbers of any unit.
BARE_ARGUMENTS = {"top", "bottom", "values"}
NUMERIC = ("Number", "FloatArray", "float", "tuple[FloatArray", "tuple[Number", "tuple[tuple[FloatArray")


@cache
def unit_in(name: str) -> pint.Unit | None:
    """Unit in a name, by its longest suffix."""
    for table in (COMPOUND, SUFFIXES):
        for suffix in sorted(table, key=len, reverse=True):
            if name == suffix or name.endswith("_" + suffix):
                return REGISTRY.Unit(table[suffix])
    return REGISTRY.Unit(BARE[name]) if name in BARE else None


def model_modules():
    return [importlib.import_module(f"foldsim.model.{m.name}") for m in pkgutil.iter_modules(foldsim.model.__path__)]


def defined_in(module, want):
    return [x for x in vars(module).values() if want(x) and getattr(x, "__module__", None) == module.__name__]


RECORDS = [c for m in model_modules() for c in defined_in(m, lambda x: inspect.isclass(x) and is_dataclass(x))]
FUNCTIONS = [f for m in model_modules() for f in defined_in(m, inspect.isfunction) if not f.__name__.startswith("_")]


def is_numeric(annotation) -> bool:
    return str(annotation).startswith(NUMERIC)


# ---- names --------------------------------------------------------------------------------------------------


def test_the_list_of_suffixes_is_closed():
    assert set(SUFFIXES) == set(units.UNIT_SUFFIXES)


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: r.__name__)
def test_numbers_in_records_of_the_model_end_in_their_unit(record):
    wrong = [f.name for f in fields(record) if is_numeric(f.type) and unit_in(f.name) is None]
    assert wrong == []


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_numbers_given_to_functions_of_the_model_end_in_their_unit(function):
    wrong = [
        p.name
        for p in inspect.signature(function).parameters.values()
        if is_numeric(p.annotation) and unit_in(p.name) is None and p.name not in BARE_ARGUMENTS
    ]
    # Both take the shares outside the level as one tuple of three.
    shares = {("tiled_traffic", "outside"), ("swept_traffic", "outside")}
    assert [name for name in wrong if (function.__name__, name) not in shares] == []


def test_nothing_on_the_list_of_exceptions_is_stale():
    used = {f.name for r in RECORDS for f in fields(r)} | set(columns())
    used |= {p for f in FUNCTIONS for p in inspect.signature(f).parameters}
    assert set(BARE) <= used
    assert used >= BARE_ARGUMENTS


COLUMN_UNITS = {
    "bytes": "byte", "bytes/s": "byte / second", "ms": "millisecond", "mW": "milliwatt", "uJ": "microjoule",
    "bits": "bit", "MAC/s": "1 / second", "1/s": "1 / second", "ratio": "", "tokens": "", "count": "", "MAC": "",
    "rows": "", "elements": "", "columns": "", "products": "",
}  # fmt: skip


@pytest.mark.parametrize("column", columns().values(), ids=lambda c: c.name)
def test_result_columns_end_in_the_unit_that_they_state(column):
    """Text and verdicts have none."""
    if not column.unit:
        assert unit_in(column.name) in (None, REGISTRY.Unit("")), "a unit in the name, none in the dictionary"
        return
    assert unit_in(column.name) == REGISTRY.Unit(COLUMN_UNITS[column.unit])


def quantity_keys(model, seen=None):
    """Keys of every Quantity that a YAML may hold."""
    seen = set() if seen is None else seen
    if model in seen:
        return
    seen.add(model)
    for name, field in model.model_fields.items():
        for kind in flattened(field.annotation):
            if inspect.isclass(kind) and issubclass(kind, Quantity):
                yield name
            elif inspect.isclass(kind) and issubclass(kind, BaseModel):
                yield from quantity_keys(kind, seen)


def flattened(annotation):
    yield annotation
    for inner in get_args(annotation):
        yield from flattened(inner)


@pytest.mark.parametrize("spec", [ProfileSpec, WorkloadSpec])
def test_yaml_keys_of_numbers_end_in_their_unit(spec):
    keys = list(quantity_keys(spec))
    assert len(keys) >= (40 if spec is ProfileSpec else 1)
    assert [key for key in keys if units.unit_of(key) is None] == []


def test_unit_of_takes_the_longest_suffix():
    assert units.unit_of("read_pj_per_byte") == "picojoules per byte"
    assert units.unit_of("exp_per_cycle") == "per clock cycle and core"
    assert units.unit_of("wake_s") == "seconds"
    assert units.unit_of("s") == "seconds"
    assert units.unit_of("levels") is None
    assert units.unit_of("class") is None


# ---- constants ----------------------------------------------------------------------------------------------

CONVERSIONS = {
    "PJ_PER_UJ": ("microjoule", "picojoule"),
    "PJ_PER_J": ("joule", "picojoule"),
    "PJ_PER_MW_S": ("milliwatt * second", "picojoule"),
    "UJ_PER_J": ("joule", "microjoule"),
    "MW_PER_W": ("watt", "milliwatt"),
    "UW_PER_MW": ("milliwatt", "microwatt"),
    "MS_PER_S": ("second", "millisecond"),
    "US_PER_S": ("second", "microsecond"),
    "HZ_PER_MHZ": ("megahertz", "hertz"),
    "BYTES_PER_GB": ("gigabyte", "byte"),
    "BYTES_PER_KB": ("kilobyte", "byte"),
    "BYTES_PER_MB": ("megabyte", "byte"),
    "BYTES_PER_KIB": ("kibibyte", "byte"),
    "BYTES_PER_MIB": ("mebibyte", "byte"),
    "BITS_PER_BYTE": ("byte", "bit"),
    "PERCENT_PER_UNIT": ("dimensionless", "percent"),
}


def constants():
    return {name: value for name, value in vars(units).items() if name.isupper() and isinstance(value, (int, float))}


def test_every_conversion_constant_is_checked():
    assert set(constants()) <= set(CONVERSIONS)


@pytest.mark.parametrize("name", sorted(constants()))
def test_conversion_constants(name):
    given, wanted = CONVERSIONS[name]
    assert constants()[name] == pytest.approx(REGISTRY.Quantity(1, given).to(wanted).magnitude, rel=1e-12)


# ---- expressions --------------------------------------------------------------------------------------------


def amount(text):
    return REGISTRY.Quantity(text)


def test_bytes_over_bandwidth_and_bytes_times_energy(data_dir):
    """The matched job: 3,219,584 bytes at 16 GB/s and 120 pJ/B once per 160 ms."""
    job = simulate(data_dir / "matched_job_workload.yaml", data_dir / "matched_job_profile.yaml", placement="dram")
    moved = amount("3219584 byte")
    assert job.time_terms_ms["dram"] == pytest.approx((moved / amount("16 GB/s")).to("ms").magnitude, rel=1e-9)
    power = moved * amount("120 pJ/byte") / amount("160 ms")
    assert job.totals["power_dram_mw"] == pytest.approx(power.to("mW").magnitude, rel=1e-9)
    energy = amount("399.1262912 uJ")
    assert job.totals["energy_per_chunk_uj"] == pytest.approx(energy.to("uJ").magnitude, rel=1e-9)
    assert job.totals["power_mw"] == pytest.approx((energy / amount("160 ms")).to("mW").magnitude, rel=1e-9)
    assert job.totals["dram_bytes_per_audio_s"] == pytest.approx(
        (moved / amount("160 ms")).to("byte/s").magnitude, rel=1e-9
    )


def in_pj(terms):
    return {t.name: float(np.ravel(t.energy_pj)[0]) for t in terms}


def test_the_power_law(load_profile):
    """1.2 x 350.3 uW/MHz/V^2 x 2.4 GHz x (0.94 V)^2 for 3 ms, and 133.4 mW."""
    hardware = load_profile("pixel5-cpu").bands("int8").nominal
    one, levels = np.ones(1), len(hardware.levels)
    done = Activity(
        (0 * one,), ((0 * one,) * 4,), (3e-3 * one,), (3e-3 * one,), (0 * one,) * levels, (0 * one,) * levels, 0 * one
    )
    found = in_pj(busy_terms(done, hardware, Supply(1.0, 0.94, 1.0, np.nan * one)))
    law = 1.2 * amount("350.3 uW/MHz/V**2") * amount("2.4 GHz") * amount("0.94 V") ** 2 * amount("3 ms")
    assert found["power law, computing"] == pytest.approx(law.to("pJ").magnitude, rel=1e-12)
    static = amount("133.4 mW") * amount("3 ms")
    assert found["power law, static"] == pytest.approx(static.to("pJ").magnitude, rel=1e-12)


def test_sleeping_and_waking(load_profile):
    """Half of 2.6 mW of self-refresh and 3 mW of system for 0.12 s; 100 uJ per wake."""
    hardware = load_profile("phone-npu").bands("int8").nominal
    found = in_pj(
        idle_terms(np.array([0.12]), np.zeros(1), np.ones(1), hardware, Supply(1.0, 0.75, 1.0, np.array([np.nan])))
    )
    refresh = amount("1.3 mW") * amount("120 ms")
    assert found["dram background, idle"] == pytest.approx(refresh.to("pJ").magnitude, rel=1e-12)
    assert found["system idle"] == pytest.approx((amount("3 mW") * amount("120 ms")).to("pJ").magnitude, rel=1e-12)
    assert found["waking"] == pytest.approx(amount("100 uJ").to("pJ").magnitude, rel=1e-12)


# ---- dimensions ---------------------------------------------------------------------------------------------


def dimensions():
    """A registry with the four independent dimensions of foldsim."""
    registry: pint.UnitRegistry = pint.UnitRegistry(None)
    for line in (
        "milli- = 1e-3", "micro- = 1e-6", "pico- = 1e-12", "giga- = 1e9", "mega- = 1e6",
        "second = [time]", "joule = [energy]", "byte = [information]", "volt = [potential]",
        "bit = byte / 8", "watt = joule / second", "hertz = 1 / second",
    ):  # fmt: skip
        registry.define(line)
    return registry


DIMENSIONS = dimensions()
# Powers of two, so that rounding cannot differ.
SCALE = {"[time]": 4.0, "[energy]": 2.0**-7, "[information]": 2.0**11, "[potential]": 32.0}


@cache
def scale_of(name: str) -> float:
    """Factor of a number in the other units, from the unit in its name."""
    unit = unit_in(name)
    assert unit is not None, f"{name} has no known unit"
    factor = 1.0
    for dimension, power in DIMENSIONS.Unit(f"{unit:D}" if str(unit) != "dimensionless" else "").dimensionality.items():
        factor *= SCALE[dimension] ** power
    return factor


def rescaled(value, name=""):
    """A record in the other units, field by field."""
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(**{f.name: rescaled(getattr(value, f.name), f.name) for f in fields(value)})
    if isinstance(value, tuple):
        return tuple(rescaled(v, name) for v in value)
    if isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f"):
        return value * scale_of(name)
    return value


def numbers(value, name="", path=""):
    """Every float array of a record with its path and the name of its field."""
    if is_dataclass(value):
        for f in fields(value):
            yield from numbers(getattr(value, f.name), f.name, f"{path}.{f.name}")
    elif isinstance(value, tuple):
        for i, v in enumerate(value):
            yield from numbers(v, name, f"{path}[{i}]")
    elif isinstance(value, float) or (isinstance(value, np.ndarray) and value.dtype.kind == "f"):
        yield path, name, np.asarray(value)


@pytest.mark.parametrize("policy", ["race-to-idle", "slowest-real-time"])
def test_the_model_keeps_its_units(emformer, shipped_profile, policy):
    """In other units of time, energy, bytes and volts every output follows the unit in its name."""
    recogniser = emformer.fold(2).lower([1, 4, 16, 32]).recogniser
    bands = shipped_profile.bands("int8")
    plain = evaluate(recogniser, bands, policy)
    other = evaluate(rescaled(recogniser), rescaled(bands), policy)
    assert (plain.point == other.point).all()
    assert (plain.bottleneck == other.bottleneck).all()
    checked = 0
    for (path, name, before), (_, _, after) in zip(numbers(plain), numbers(other), strict=True):
        expected = before * scale_of(name)
        assert np.allclose(after, expected, rtol=1e-9, atol=0, equal_nan=True), path
        checked += 1
    assert checked > 100


def test_the_scales_tell_units_apart():
    """No two units of different dimension scale alike, or the test above could not see them mixed up."""
    factors = {suffix: scale_of(suffix) for suffix in SUFFIXES if suffix not in NEVER_IN_THE_MODEL}
    assert factors["s"] == factors["ms"] == 4
    assert factors["pj"] == factors["uj"] == factors["pj_per_mac"] == 2.0**-7
    kinds = {f"{DIMENSIONS.Unit(SUFFIXES[s].replace('GB', 'gigabyte')).dimensionality}": f for s, f in factors.items()}
    assert len(set(kinds.values())) == len(kinds)
