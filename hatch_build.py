"""Build hook: a real wheel carries the repository's YAML data folders inside the package.

`hw_profiles/**/*.yaml`, `workloads/*.yaml`, `validation/**/*.yaml` and `schemas/*.json` live at the top of the
repository, where people look for them. A wheel holds copies under `foldsim/_data/`. An editable install holds none:
`foldsim.data` then reads the checkout, so there is never a stale copy.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DATA_FOLDERS = {"hw_profiles": "yaml", "workloads": "yaml", "validation": "yaml", "schemas": "json"}


class DataFoldersHook(BuildHookInterface[BuilderConfig]):
    """Adds each data file below `<folder>` of the repository to the wheel, below `foldsim/_data/<folder>`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before the wheel is written; `version` is "standard" or "editable"."""
        if version == "editable":
            return
        for folder, suffix in DATA_FOLDERS.items():
            files = sorted(Path(self.root, folder).rglob(f"*.{suffix}"))
            if not files:
                raise FileNotFoundError(f"{folder}/*.{suffix}: none found; a wheel needs them")
            for file in files:
                inside = file.relative_to(self.root).as_posix()
                build_data["force_include"][str(file)] = f"foldsim/_data/{inside}"
