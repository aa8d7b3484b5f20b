"""What journeys share: the running site with the demo cohort, and a visitor."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import ROOT
from tests.journeys.visitor import Visitor

# Other tests run beside these: a page that is slow to come is no fault.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def cohort(site) -> str:
    """The address of the site with the demo trial, its accounts and its two patients."""
    environment = os.environ | {"TRIALTRACE_URL": site.address}
    environment.pop("OWNER_DATABASE_URL", None)
    demo = subprocess.run(
        [sys.executable, "manage.py", "demo", "--if-missing"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=480,
    )
    # What it said stands nowhere else: the output of fixtures is shown with one test of many.
    assert demo.returncode == 0, demo.stdout[-4000:]
    return site.address


@pytest.fixture
def visitor(page: Page, cohort: str) -> Iterator[Visitor]:
    one = Visitor(page, cohort)
    yield one
    assert one.complaints == []
