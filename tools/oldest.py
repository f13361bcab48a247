"""Print pins of the oldest versions that pyproject.toml allows for the core dependencies, one per line.

python tools/oldest.py > constraints.txt
pip install --constraint constraints.txt .
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"

# A requirement as this project writes them: a name and one lower bound.
REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)>=(?P<version>[0-9.]+)")


def oldest(requirements: list[str]) -> list[str]:
    """Pins of the lower bounds: ``numpy>=1.26`` becomes ``numpy==1.26``.

    Raises
    ------
    ValueError
        If a requirement is anything else than a name and one lower bound.

    >>> oldest(["numpy>=1.26"])
    ['numpy==1.26']
    """
    pins = []
    for requirement in requirements:
        match = REQUIREMENT.fullmatch(requirement)
        if match is None:
            raise ValueError(f"{requirement!r}: a core dependency is written name>=version")
        pins.append(f"{match['name']}=={match['version']}")
    return pins


def main() -> int:
    """Print the pins; the exit code."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    print("\n".join(oldest(project["dependencies"])))
    return 0


if __name__ == "__main__":
    sys.exit(main())
