"""Build hook: a real wheel carries the repository's YAML data folders inside the package.

`hw_profiles/*.yaml` and `workloads/*.yaml` live at the top of the repository, where people look for them.
A wheel holds copies under `foldsim/_data/`. An editable install holds none: `foldsim.data` then reads the
checkout, so there is never a stale copy.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

DATA_FOLDERS = ("hw_profiles", "workloads")


class DataFoldersHook(BuildHookInterface[BuilderConfig]):
    """Adds each `<folder>/*.yaml` of the repository to the wheel as `foldsim/_data/<folder>/*.yaml`."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before the wheel is written; `version` is "standard" or "editable"."""
        if version == "editable":
            return
        for folder in DATA_FOLDERS:
            files = sorted(Path(self.root, folder).glob("*.yaml"))
            if not files:
                raise FileNotFoundError(f"{folder}/*.yaml: none found; a wheel needs them")
            for file in files:
                build_data["force_include"][str(file)] = f"foldsim/_data/{folder}/{file.name}"
