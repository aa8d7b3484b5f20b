"""Real servers for the tests, started before Django's settings are read.

One PostgreSQL and one broker for the run, without fsync, in a folder of their own; or the
servers that DATABASE_URL, OWNER_DATABASE_URL and CELERY_BROKER_URL name, where an empty
database test_trialtrace of the owner is expected, or one that may be emptied. The test
database is migrated by its owner; tests connect as the application's role alone.

Where pytest-xdist divides the run (`-n`), each of its processes has servers of its own, and the
one that hands out the tests has none. Each process takes whole files, one of them all journeys.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

DATABASE = "test_trialtrace"


class Servers:
    """Database and broker of this run, as the environment names them."""

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="tt-", ignore_cleanup_errors=True)
        os.chmod(self.folder.name, 0o755)  # noqa: PTH101, S103  the server runs as nobody
        os.environ["TRIALTRACE_VAR"] = self.folder.name
        # The site warns of a missing folder of style sheets, and a warning is an error here.
        (Path(self.folder.name) / "static").mkdir()
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.test"
        self.postgres = self.valkey = None
        if not os.environ.get("DATABASE_URL"):
            self._start_postgres()
        if not os.environ.get("CELERY_BROKER_URL"):
            self._start_valkey()
        for name in ("DATABASE_URL", "OWNER_DATABASE_URL"):
            os.environ[name] = _renamed(os.environ[name], DATABASE)
        if self.postgres is None:
            _empty(os.environ["OWNER_DATABASE_URL"])

    def _start_postgres(self) -> None:
        from config.embedded import postgres

        self.postgres = postgres.EmbeddedPostgres(Path(self.folder.name) / "pg", durable=False)
        self.postgres.start()
        self.postgres.prepare(DATABASE)
        os.environ["DATABASE_URL"] = self.postgres.url(postgres.RUNTIME)
        os.environ["OWNER_DATABASE_URL"] = self.postgres.url(postgres.OWNER)

    def _start_valkey(self) -> None:
        from config.embedded.valkey import EmbeddedValkey

        self.valkey = EmbeddedValkey(Path(self.folder.name) / "vk").start()
        os.environ["CELERY_BROKER_URL"] = self.valkey.url

    def stop(self) -> None:
        for server in (self.valkey, self.postgres):
            if server:
                server.stop()
        if self.postgres:
            # It may lie elsewhere, where the folder for temporary files is closed to nobody.
            shutil.rmtree(self.postgres.folder, ignore_errors=True)
        self.folder.cleanup()


def _renamed(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def _empty(url: str) -> None:
    """Remove what an earlier run left in a test database of one's own."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("drop schema if exists public cascade")
        connection.execute("create schema public")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """First of its name: pytest-django's reads the settings."""
    if not _hands_out(early_config):
        early_config._servers = Servers()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    # Here, for pytest wants to rewrite what xdist imports before anybody imports it.
    from config.pytest_division import Division

    return Division(config, log)


def _hands_out(config: pytest.Config) -> bool:
    """Whether this process runs no test itself."""
    divided = getattr(config.known_args_namespace, "numprocesses", None)
    return bool(divided) and "PYTEST_XDIST_WORKER" not in os.environ


def pytest_unconfigure(config: pytest.Config) -> None:
    servers = getattr(config, "_servers", None)
    if servers:
        servers.stop()
