"""Fixtures of every test: the database as the application sees it, the running site, the data."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from pathlib import Path

import hypothesis
import pytest

from config.embedded.supervisor import Stack
from tests.commands import said

# Playwright leaves an event loop in the main thread; nothing of Django ever runs inside it.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

# A loaded machine is no fault of a property, and a tree passes each time or never: what has passed
# once is not refused by a new example. New ones are for "make fuzz".
hypothesis.settings.register_profile("tests", derandomize=True, deadline=None)
hypothesis.settings.register_profile("fuzz", deadline=None)
# Thousands of runs, each of which stops at the first failure: five examples find a planted fault.
hypothesis.settings.register_profile("mutate", max_examples=5, derandomize=True, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "tests"))

ROOT = Path(__file__).resolve().parents[1]
REFERENCE_DATA = Path(
    os.environ.get("TRIALTRACE_REFERENCE_DATA", ROOT.parent / "shared" / "data")
).absolute()

# What a file leaves behind: nothing, rows that are really committed, the demo trial.
ALONE, LIVE, JOURNEY = range(3)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole files in the order of what they leave behind.

    Last those whose rows stay, and at their end the journeys, whose demo trial has questions and
    verdicts of every kind; one process takes them all (config.pytest_division).
    """
    ranks: dict[Path, int] = {}
    for item in items:
        ranks[item.path] = max(ranks.get(item.path, 0), _rank(item))
    items.sort(key=lambda item: ranks[item.path])


def _rank(item: pytest.Item) -> int:
    used = getattr(item, "fixturenames", ())
    if "cohort" in used:
        return JOURNEY
    return LIVE if "committed_db" in used or item.get_closest_marker("live") else ALONE


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker):
    """Migrate as the owner, connect as the application: nothing is created or flushed by it."""
    words = [sys.executable, "manage.py", "migrate", "--database", "owner", "-v", "0"]
    said(words, cwd=ROOT, timeout=600)
    yield
    from django.db import connections

    with django_db_blocker.unblock():
        connections.close_all()


@pytest.fixture
def committed_db(django_db_setup, django_db_blocker):
    """The database with real commits. What is written stays: use trials of your own."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="session")
def site(django_db_setup):
    """The real site on the test database: web server, worker and beat, each a process."""
    stack = Stack(Path(os.environ["TRIALTRACE_VAR"]))
    assert stack.claim()
    try:
        yield stack.start()
    finally:
        stack.stop()


@pytest.fixture
def live_stack(site, committed_db) -> str:
    """The address of the running site; its rows stay, so use trials of your own."""
    site.look()
    return site.address


class ReferenceData:
    """A folder of which some parts may be missing: a test that needs one skips and says so."""

    def __truediv__(self, part: str) -> Path:
        path = REFERENCE_DATA / part
        return _required(
            path.exists() and path,
            "REFERENCE",
            f"reference data not found: {part}. Set TRIALTRACE_REFERENCE_DATA to their folder; "
            "make reference-data gets the real headers",
        )


@pytest.fixture(scope="session")
def reference_data() -> ReferenceData:
    """The folder of reference data, part by part."""
    return ReferenceData()


@pytest.fixture(scope="session")
def s3_server():
    """An S3 API server of the run, a process on loopback."""
    from config import s3_server

    _required(s3_server.PROGRAM.exists(), "S3", s3_server.MISSING)
    server = s3_server.S3Server()
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def bucket(s3_server, settings, tmp_path, monkeypatch):
    """The archive in a new bucket, which is given as boto3 sees it; the quarantine on disk."""
    from config.s3_server import CREDENTIALS

    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    made = s3_server.bucket(f"b{secrets.token_hex(8)}")
    settings.STORAGE, settings.CACHE = tmp_path / "storage", tmp_path / "cache"
    settings.ARCHIVE = s3_server.address(made.name)
    return made


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """Debian's Chromium instead of a downloaded one."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    program = _required(found, "BROWSER", "no Chromium: apt-get install chromium fonts-dejavu-core")
    quiet = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic"]
    offline = ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    return {**browser_type_launch_args, "executable_path": program, "args": quiet + offline}


@pytest.fixture(scope="session")
def dcmtk() -> None:
    """DCMTK's storescu and echoscu, as scanners and archives speak."""
    found = shutil.which("storescu") and shutil.which("echoscu")
    _required(found, "DCMTK", "no storescu: apt-get install dcmtk")


@pytest.fixture(scope="session")
def dicom3tools() -> str:
    """David Clunie's checker of DICOM objects against their definitions."""
    sentence = "no dciodvfy: apt-get install dicom3tools"
    return _required(shutil.which("dciodvfy"), "DICOM3TOOLS", sentence)


def _required(found, name: str, sentence: str):
    """`found`, or a skip; a failure where the run says that it must be there."""
    if found:
        return found
    if os.environ.get(f"TRIALTRACE_REQUIRE_{name}") == "1":
        pytest.fail(sentence)
    return pytest.skip(sentence)
