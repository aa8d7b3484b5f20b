"""What journeys share: the running site with the demo cohort, and a visitor."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.commands import said
from tests.conftest import ROOT
from tests.journeys.visitor import Visitor

# Other tests run beside these: a page that is slow to come is no fault.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def cohort(site) -> str:
    """The address of the site with the demo trial, its accounts and its two patients."""
    environment = os.environ | {"TRIALTRACE_URL": site.address}
    environment.pop("OWNER_DATABASE_URL", None)
    demo = [sys.executable, "manage.py", "demo", "--if-missing"]
    said(demo, cwd=ROOT, env=environment, timeout=480, logs=site.logs)
    return site.address


@pytest.fixture
def visitor(page: Page, cohort: str) -> Iterator[Visitor]:
    one = Visitor(page, cohort)
    yield one
    assert one.complaints == []
