"""Profiles from text and from files that a test writes."""

from __future__ import annotations

from textwrap import dedent

import pytest

from foldsim import data
from foldsim.hardware.profile import load_profile, profile_findings
from foldsim.schema import read_yaml


class Files:
    """Profile files in a folder of their own."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, text):
        """Write a file; its path."""
        path = self.folder / name
        path.write_text(dedent(text).lstrip("\n"), encoding="utf-8")
        return path

    def load(self, name, text):
        """The profile that the text gives."""
        return load_profile(self.write(name, text))

    def findings(self, name, text):
        """Everything that is wrong with the text."""
        return profile_findings(read_yaml(self.write(name, text)))[1]


@pytest.fixture(scope="session", params=sorted(data.shipped("hw_profiles")))
def shipped_profile(request):
    """Every shipped profile in turn."""
    return load_profile(request.param)


@pytest.fixture
def files(tmp_path):
    """A folder for profiles."""
    return Files(tmp_path)
