"""Named rules that derive values of a profile from other values: ``rule: {name: ratio, ratio: 0.5}``.

A rule takes the values of ``from:`` in their order and its own parameters, each a number or ``{value, low, high}``,
and gives value, low and high. The ends of a rule that is monotone in each input are at corners of the input ranges.
"""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Annotated, ClassVar, Final, Literal, get_args

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from foldsim.hardware.extensions import with_extensions
from foldsim.hardware.technology import (
    COMPOUNDS,
    OPERATIONS,
    SCALABLE_NM,
    SCALABLE_V,
    Band,
    datapath_pj,
    sram_pj_per_byte,
    stillmaker_baas,
)
from foldsim.schema.quantity import Record
from foldsim.units import BITS_PER_BYTE

MB_PER_GB = 1.0e3
PJ_PER_BYTE_OF_MW_PER_MB_S = 1.0e3  # 1 mW over 1 MB/s is 1 nJ per byte


class Range(Record):
    """A parameter of a rule with its range."""

    value: float
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if not self.low <= self.value <= self.high:
            raise PydanticCustomError("range_order", "value must lie between low and high")
        return self


Parameter = float | Range
NodeNm = Annotated[float, Field(ge=SCALABLE_NM[0], le=SCALABLE_NM[1], description="Technology node.")]
VoltageV = Annotated[float, Field(ge=SCALABLE_V[0], le=SCALABLE_V[1], description="Supply voltage.")]


def band(parameter: Parameter) -> Band:
    """A parameter as a band."""
    if isinstance(parameter, Range):
        return Band(parameter.value, parameter.low, parameter.high)
    return Band(parameter, parameter, parameter)


def spread(function: Callable[..., float], *bands: Band) -> Band:
    """A function that is monotone in each argument, over all ends of its arguments.

    >>> spread(lambda a, b: a / b, Band(2, 1, 3), Band(2, 2, 4))
    Band(value=1.0, low=0.25, high=1.5)
    """
    ends = [function(*corner) for corner in itertools.product(*((b.low, b.high) for b in bands))]
    return Band(function(*(b.value for b in bands)), min(ends), max(ends))


class NamedRule(Record):
    """Base class of rules."""

    inputs: ClassVar[tuple[int, int | None]] = (0, 0)  # fewest and most inputs; None: no limit
    units: ClassVar[tuple[str, ...]] = ()  # suffixes of the keys that it may derive; empty: any

    @abstractmethod
    def give(self, numbers: Sequence[Band]) -> Band:
        """The derived value."""


class Ratio(NamedRule):
    """The value times a ratio."""

    inputs = (1, 1)
    name: Literal["ratio"]
    ratio: Parameter = Field(description="Factor on the value.")

    def give(self, numbers: Sequence[Band]) -> Band:
        return spread(lambda x, r: x * r, numbers[0], band(self.ratio))


class Sum(NamedRule):
    """The sum of all values, times a factor that converts the unit."""

    inputs = (1, None)
    name: Literal["sum"]
    factor: float = Field(default=1.0, description="Converts the unit: 8 for pJ per bit to pJ per byte.")

    def give(self, numbers: Sequence[Band]) -> Band:
        return Band(*(sum(ends) * self.factor for ends in zip(*numbers, strict=True)))


class Product(NamedRule):
    """The product of all values, times a factor that converts the unit."""

    inputs = (1, None)
    name: Literal["product"]
    factor: float = Field(default=1.0, description="Converts the unit.")

    def give(self, numbers: Sequence[Band]) -> Band:
        return spread(lambda *x: math.prod(x) * self.factor, *numbers)


class Quotient(NamedRule):
    """The first value over the second, times a factor that converts the unit."""

    inputs = (2, 2)
    name: Literal["quotient"]
    factor: float = Field(default=1.0, description="Converts the unit.")

    def give(self, numbers: Sequence[Band]) -> Band:
        return spread(lambda a, b: a / b * self.factor, *numbers)


class GeometricMean(NamedRule):
    """The geometric mean of all values; the range covers all of them."""

    inputs = (2, None)
    name: Literal["geometric_mean"]

    def give(self, numbers: Sequence[Band]) -> Band:
        value = math.exp(sum(math.log(x.value) for x in numbers) / len(numbers))
        return Band(value, min(x.low for x in numbers), max(x.high for x in numbers))


class Envelope(NamedRule):
    """The first value, with a range that covers all of them: sources that disagree, the best one first."""

    inputs = (2, None)
    name: Literal["envelope"]

    def give(self, numbers: Sequence[Band]) -> Band:
        return Band(numbers[0].value, min(x.low for x in numbers), max(x.high for x in numbers))


class StillmakerBaas(NamedRule):
    """An energy scaled to another voltage of its node, or to another node as gates scale.

    Source: Stillmaker and Baas, Integration 58 (2017) 74-81. Valid for logic of 130 to 7 nm at 0.4 to 1.3 V (below 7 nm
    with the square root of the node). Across nodes this is the gain of gates; products, with wires and clocks, gained
    about its square root from 45 to 7 nm (Horowitz ISSCC 2014 against Jouppi ISCA 2021). The value is between these.
    """

    inputs = (1, 1)
    name: Literal["stillmaker_baas"]
    node_nm: NodeNm
    voltage_v: VoltageV
    from_node_nm: NodeNm
    from_voltage_v: VoltageV

    def give(self, numbers: Sequence[Band]) -> Band:
        voltage = stillmaker_baas(self.from_node_nm, self.voltage_v) / stillmaker_baas(
            self.from_node_nm, self.from_voltage_v
        )
        node = stillmaker_baas(self.node_nm, self.voltage_v) / stillmaker_baas(self.from_node_nm, self.voltage_v)
        low, value, high = sorted(voltage * node**power for power in (1.0, 0.75, 0.5))
        return spread(lambda x, gain: x * gain, numbers[0], Band(value, low, high))


class Datapath(NamedRule):
    """Energy of an operation at a node and voltage, from published tables, times an overhead.

    Horowitz (ISSCC 2014, 45 nm) and Jouppi (ISCA 2021, 7 nm) with Stillmaker and Baas between and below; their
    disagreement is the range. The tables are for bare arithmetic: accelerators use 3 to 8 times as much with registers,
    control, clocks and local buffers (Coral 6.6, GAP9 7 to 13). Valid from 65 to 2 nm.
    """

    units = ("pj", "pj_per_mac")
    name: Literal["datapath"]
    operation: Literal[tuple(sorted((*OPERATIONS, *COMPOUNDS)))] = Field(description="Operation.")  # type: ignore[valid-type]
    node_nm: NodeNm
    voltage_v: VoltageV
    overhead_ratio: Parameter = Field(default=1.0, description="Energy of the whole over that of the arithmetic.")

    def give(self, numbers: Sequence[Band]) -> Band:
        bare = datapath_pj(str(self.operation), self.node_nm, self.voltage_v)
        return spread(lambda x, r: x * r, bare, band(self.overhead_ratio))


class Sram(NamedRule):
    """Energy per byte of an SRAM macro, from CACTI 7 and published tables; range about 2 either way.

    CACTI 7 (itrs-lstp, 330 K, one port) at 45 and 22 nm; Horowitz ISSCC 2014 and Jouppi ISCA 2021 bound it from above.
    Valid from 8 KiB to 8 MiB and 65 to 2 nm; without the interconnect between macro and user.
    """

    units = ("pj_per_byte",)
    name: Literal["sram"]
    capacity_bytes: float = Field(ge=1024, le=2**26, description="Capacity of one macro (bank).")
    node_nm: NodeNm
    voltage_v: VoltageV
    port_bits: Literal[64, 128] = Field(default=64, description="Width of an access.")
    access: Literal["read", "write"] = Field(default="read", description="Kind of access.")
    overhead_ratio: Parameter = Field(default=1.0, description="Energy with interconnect over that of the macro.")

    def give(self, numbers: Sequence[Band]) -> Band:
        macro = sram_pj_per_byte(
            self.capacity_bytes, self.node_nm, self.voltage_v, self.port_bits, self.access == "write"
        )
        return spread(lambda x, r: x * r, macro, band(self.overhead_ratio))


class Bus(NamedRule):
    """Peak bandwidth of an interface: width [bits] times transfers per second [MT/s], the two inputs."""

    inputs = (2, 2)
    units = ("gb_per_s",)
    name: Literal["bus"]

    def give(self, numbers: Sequence[Band]) -> Band:
        return spread(lambda bits, rate: bits / BITS_PER_BYTE * rate / MB_PER_GB, *numbers)


class Rail(Record):
    """A supply of a DRAM with its data sheet currents."""

    voltage_v: float = Field(gt=0, description="Supply voltage.")
    active_ma: float = Field(ge=0, description="Active current: IDD4R, IDD4W, IDD0, or that of the state.")
    standby_ma: float = Field(default=0.0, ge=0, description="Current subtracted as standby: IDD3N.")
    precharged_ma: float | None = Field(default=None, ge=0, description="idd_activate: IDD2N.")


class Idd(NamedRule):
    """Energy per byte of a DRAM from data sheet currents: sum of V (IDD4 - IDD3N) over the data rate.

    As in Micron TN-46-12 and DRAMPower. Data sheet currents are maxima. If it is not clear whether they are for a
    device of 16 or 32 bits, width_bits is a range.
    """

    units = ("pj_per_byte",)
    name: Literal["idd"]
    rails: list[Rail] = Field(min_length=1, description="Supplies of the currents.")
    data_rate_mt_per_s: float = Field(gt=0, description="Data rate at which the currents are specified.")
    width_bits: Parameter = Field(description="Width of the device with these currents.")

    def give(self, numbers: Sequence[Band]) -> Band:
        power_mw = sum(rail.voltage_v * (rail.active_ma - rail.standby_ma) for rail in self.rails)

        def energy(bits: float) -> float:
            return PJ_PER_BYTE_OF_MW_PER_MB_S * power_mw / (self.data_rate_mt_per_s * bits / BITS_PER_BYTE)

        return spread(energy, band(self.width_bits))


class IddPower(NamedRule):
    """Power of a state of a DRAM: sum of V times the data sheet current of the state."""

    units = ("mw",)
    name: Literal["idd_power"]
    rails: list[Rail] = Field(min_length=1, description="Supplies of the currents.")

    def give(self, numbers: Sequence[Band]) -> Band:
        return band(sum(rail.voltage_v * (rail.active_ma - rail.standby_ma) for rail in self.rails))


class IddActivate(NamedRule):
    """Energy of opening and closing one row: V (IDD0 tRC - IDD3N tRAS - IDD2N (tRC - tRAS)), summed over supplies."""

    units = ("pj",)
    name: Literal["idd_activate"]
    rails: list[Rail] = Field(min_length=1, description="Supplies of the currents.")
    row_cycle_ns: float = Field(gt=0, description="tRC.")
    row_active_ns: float = Field(gt=0, description="tRAS.")

    def give(self, numbers: Sequence[Band]) -> Band:
        active, cycle = self.row_active_ns, self.row_cycle_ns
        energy_pj = 0.0
        for rail in self.rails:
            closed_ma = rail.standby_ma if rail.precharged_ma is None else rail.precharged_ma
            background = rail.standby_ma * active + closed_ma * (cycle - active)
            energy_pj += rail.voltage_v * (rail.active_ma * cycle - background)
        return band(energy_pj)


class Pins(NamedRule):
    """Energy per byte of an interface without termination: C V^2 for each rising edge.

    A bit of random data rises in a quarter of cases. Valid for LPDDR2 and LPDDR3 without termination.
    """

    units = ("pj_per_byte",)
    name: Literal["pins"]
    capacitance_pf: Parameter = Field(description="Load of one line: both pins and the trace.")
    voltage_v: float = Field(gt=0, description="Swing, the supply of the drivers.")
    rising_ratio: float = Field(default=0.25, gt=0, le=1, description="Rising edges per bit.")

    def give(self, numbers: Sequence[Band]) -> Band:
        return spread(lambda c: c * self.voltage_v**2 * self.rising_ratio * BITS_PER_BYTE, band(self.capacitance_pf))


class DramAccess(NamedRule):
    """Energy per byte of a DRAM: core + I/O + controller + activation / (row bytes x share of a row that is used).

    Takes the values in this order. The last term distributes the energy of opening a row over the bytes read from it
    before it is closed.
    """

    inputs = (6, 6)
    units = ("pj_per_byte",)
    name: Literal["dram_access"]

    def give(self, numbers: Sequence[Band]) -> Band:
        return spread(
            lambda core, io, controller, row, size, used: core + io + controller + row / (size * used), *numbers
        )


class IddRefresh(NamedRule):
    """Average power of refreshing a die: V (IDD5 - IDD3N), summed over supplies, for tRFC of every tREFI."""

    units = ("mw",)
    name: Literal["idd_refresh"]
    rails: list[Rail] = Field(min_length=1, description="Supplies; active_ma is IDD5, standby_ma IDD3N.")
    refresh_cycle_ns: float = Field(gt=0, description="tRFC.")
    refresh_interval_ns: float = Field(gt=0, description="tREFI.")

    def give(self, numbers: Sequence[Band]) -> Band:
        power_mw = sum(rail.voltage_v * (rail.active_ma - rail.standby_ma) for rail in self.rails)
        return band(power_mw * self.refresh_cycle_ns / self.refresh_interval_ns)


class Dies(NamedRule):
    """Power of all dies of a DRAM: the powers of one, times the width of the interface over that of a die.

    The last two inputs are the two widths; those before are summed. With counted, the last input is the number of dies.
    """

    inputs = (2, 4)
    units = ("mw",)
    name: Literal["dies"]
    counted: bool = Field(default=False, description="The last input is the number of dies.")

    def give(self, numbers: Sequence[Band]) -> Band:
        if self.counted:
            return spread(lambda *x: sum(x[:-1]) * x[-1], *numbers)
        return spread(lambda *x: sum(x[:-2]) * x[-2] / x[-1], *numbers)


_BUILT_IN: Final[tuple[type[NamedRule], ...]] = (
    *(Ratio, Sum, Product, Quotient, GeometricMean, Envelope, StillmakerBaas, Datapath, Sram, Bus),
    *(Idd, IddPower, IddActivate, Pins, DramAccess, IddRefresh, Dies),
)
RULES: Final = {str(get_args(rule.model_fields["name"].annotation)[0]): rule for rule in _BUILT_IN}
"""Built-in rules by name."""
GROUP: Final = "foldsim.profile_rules"


@lru_cache(maxsize=1)
def all_rules() -> dict[str, type[NamedRule]]:
    """Rules by name: built-in ones, then those of installed packages (entry points ``foldsim.profile_rules``).

    Raises
    ------
    ExtensionError
        If an entry point cannot be used.
    """
    return with_extensions(RULES, GROUP, _rule_problem)


def _rule_problem(name: str, loaded: object) -> str | None:
    if not (isinstance(loaded, type) and issubclass(loaded, NamedRule)):
        return "is not a subclass of foldsim.hardware.derivation.NamedRule"
    field = loaded.model_fields.get("name")
    return None if field and get_args(field.annotation) == (name,) else f'lacks the field name: Literal["{name}"]'
