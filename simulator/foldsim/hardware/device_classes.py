"""Device classes: the kinds of product that carry a chip, which order and label profiles; they change no result.

A package adds a class by an entry point of the group ``foldsim.device_classes``, a string that describes the class.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from foldsim.hardware.extensions import with_extensions

GROUP: Final = "foldsim.device_classes"
BUILT_IN: Final = {
    "phone": "handset or tablet",
    "wearable": "watch, earbud or glasses",
    "edge": "mains-powered or vehicle computer",
    "microcontroller": "on-chip SRAM and flash, no operating system",
}


@lru_cache(maxsize=1)
def device_classes() -> dict[str, str]:
    """Descriptions by name, in the order of ``foldsim profile list``: built-in classes, then those of packages.

    Raises
    ------
    ExtensionError
        If an entry point cannot be used.
    """
    return with_extensions(BUILT_IN, GROUP, _problem)


def _problem(name: str, loaded: object) -> str | None:
    return None if isinstance(loaded, str) and loaded else "is not a string that describes the class"
