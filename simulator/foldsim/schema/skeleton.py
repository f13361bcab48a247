"""A file to fill in: the data of another one under a new name, with a comment at every key."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from foldsim.errors import UserError
from foldsim.schema.annotated import annotated_yaml

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")


def skeleton(
    kind: str,
    name: str,
    preset: str,
    data: Mapping[str, Any],
    model: type[BaseModel],
    hints: Mapping[tuple[str, str], str],
    short_items: bool = True,
) -> str:
    """YAML of ``data`` under a new name, without the header of its kind.

    Parameters
    ----------
    kind : ``profile`` or ``workload``, for the message.
    name : of the new file: small letters, digits, dots and hyphens.
    preset : name of the file that the data come from.

    Raises
    ------
    UserError
        If the name is not possible, with one that is.
    """
    if not _NAME.fullmatch(name):
        possible = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")
        hint = f"; such as {possible}" if possible else ""
        raise UserError(f"{name!r} cannot name a {kind}: small letters, digits, dots and hyphens{hint}")
    named = {**data, "name": name, "title": f"{name}, started from {preset}"}
    return annotated_yaml(model, named, hints, short_items=short_items)
