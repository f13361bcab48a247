"""Every unit conversion in foldsim, by name.

Names in code, YAML keys and result columns end in their unit, from the closed list in ``UNIT_SUFFIXES``.
"""

from __future__ import annotations

from typing import Final

PJ_PER_UJ: Final = 1.0e6
PJ_PER_J: Final = 1.0e12
PJ_PER_MW_S: Final = 1.0e9  # one milliwatt for one second
UJ_PER_J: Final = 1.0e6
MW_PER_W: Final = 1.0e3
UW_PER_MW: Final = 1.0e3
MS_PER_S: Final = 1.0e3
US_PER_S: Final = 1.0e6
HZ_PER_MHZ: Final = 1.0e6
BYTES_PER_GB: Final = 1.0e9  # decimal, as memory bandwidths are quoted
BYTES_PER_KB: Final = 1.0e3
BYTES_PER_KIB: Final = 1024
BYTES_PER_MIB: Final = 1024**2
BYTES_PER_MB: Final = 1.0e6
BITS_PER_BYTE: Final = 8
PERCENT_PER_UNIT: Final = 100.0

UNIT_SUFFIXES: Final[dict[str, str]] = {
    "bytes": "bytes",
    "bits": "bits",
    "ms": "milliseconds",
    "s": "seconds",
    "hz": "hertz",
    "v": "volts",
    "mw": "milliwatts",
    "uj": "microjoules",
    "pj": "picojoules",
    "pj_per_byte": "picojoules per byte",
    "pj_per_mac": "picojoules per multiply-accumulate",
    "gb_per_s": "gigabytes (1e9 bytes) per second",
    "uw_per_mhz_v2": "microwatts per megahertz per volt squared",
    "per_cycle": "per clock cycle and core",
    "per_s": "per second",
    "mt_per_s": "million transfers per second",
    "nm": "nanometres",
    "tokens": "tokens",
    "frames": "feature frames",
    "ratio": "a fraction between 0 and 1 unless stated otherwise",
    "count": "a count",
}


def unit_of(name: str) -> str | None:
    """Return the unit that a name ends in, in words, or None if the name has no unit suffix.

    >>> unit_of("read_pj_per_byte")
    'picojoules per byte'
    """
    for suffix in sorted(UNIT_SUFFIXES, key=len, reverse=True):
        if name == suffix or name.endswith("_" + suffix):
            return UNIT_SUFFIXES[suffix]
    return None
