"""The examples in the documentation of the pure modules give what they say."""

from __future__ import annotations

import doctest
import tomllib
from importlib import import_module

import pytest

from tests.conftest import ROOT

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
(PURE,) = (
    one["module"] for one in SETTINGS["tool"]["mypy"]["overrides"] if "disallow_untyped_defs" in one
)


@pytest.mark.parametrize("name", PURE)
def test_examples_in_the_documentation(name):
    assert doctest.testmod(import_module(name)).failed == 0
