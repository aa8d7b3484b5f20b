"""Fixtures of every test: the database as the application sees it, the running site, the data."""

from __future__ import annotations

import gc
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from config.embedded.supervisor import Stack

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

# What a file leaves behind: no database at all, nothing, rows that are really committed, a running
# site, whose worker takes every job that is committed, the demo trial.
PURE, ALONE, COMMITTED, SERVED, JOURNEY = range(5)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole files in the order of what they leave behind.

    Last those whose rows stay, then those that start the site, and at their end the journeys,
    whose demo trial has questions and verdicts of every kind; one process takes them all
    (config.pytest_division). What needs no database may run after any of these: it comes at the
    very end, so that the other processes have work for as long as the journeys last.
    """
    ranks: dict[Path, int] = {}
    for item in items:
        ranks[item.path] = max(ranks.get(item.path, PURE), _rank(item))
    items.sort(key=lambda item: (ranks[item.path] == PURE, ranks[item.path]))


def _rank(item: pytest.Item) -> int:
    used = getattr(item, "fixturenames", ())
    if "cohort" in used:
        return JOURNEY
    if "live_stack" in used or item.get_closest_marker("live"):
        return SERVED
    if "committed_db" in used:
        return COMMITTED
    uses_rows = "django_db_setup" in used or item.get_closest_marker("django_db")
    return ALONE if uses_rows else PURE


def pytest_collection_finish() -> None:
    _spare_the_collector()


def _spare_the_collector() -> None:
    """What is loaded by now stays to the end: it is not gone through for garbage ever again.

    There are so many modules that to do so took an eighth of the time.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker):
    """Migrate as the owner, connect as the application: nothing is created or flushed by it."""
    from django.core.management import call_command
    from django.db import connections

    with django_db_blocker.unblock():
        call_command("migrate", database="owner", verbosity=0)
        connections["owner"].close()
    _spare_the_collector()
    yield
    with django_db_blocker.unblock():
        connections.close_all()


@pytest.fixture
def committed_db(django_db_setup, django_db_blocker):
    """The database with real commits. What is written stays: use trials of your own."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="module")
def kept(django_db_setup, django_db_blocker, tmp_path_factory) -> Iterator[Path]:
    """Storage of what is made once for all tests of a file; what each adds to it is rolled back."""
    from django.db import transaction
    from django.test import override_settings

    folder = tmp_path_factory.mktemp("kept")
    with django_db_blocker.unblock(), override_settings(STORAGE=folder), transaction.atomic():
        yield folder
        transaction.set_rollback(True)


@pytest.fixture
def storage_as_kept(kept, settings, tmp_path):
    """A copy of these files for each test, which may add to them and destroy them."""
    settings.STORAGE = shutil.copytree(kept, tmp_path, dirs_exist_ok=True)


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


@pytest.fixture(scope="session")
def rscript() -> str:
    """R with haven and foreign, which statisticians load files with, survival, coin and pROC."""
    packages = "r-base-core r-cran-coin r-cran-foreign r-cran-haven r-cran-proc r-cran-survival"
    sentence = f"no R with these packages: apt-get install --no-install-recommends {packages}"
    found = shutil.which("Rscript")
    asked = 'for (one in c("coin", "foreign", "haven", "pROC", "survival")) loadNamespace(one)'
    has = (
        found
        and not subprocess.run([found, "--vanilla", "-e", asked], capture_output=True).returncode
    )
    return _required(has and found, "R", sentence)


def _required(found, name: str, sentence: str):
    """`found`, or a skip; a failure where the run says that it must be there."""
    if found:
        return found
    if os.environ.get(f"TRIALTRACE_REQUIRE_{name}") == "1":
        pytest.fail(sentence)
    return pytest.skip(sentence)
