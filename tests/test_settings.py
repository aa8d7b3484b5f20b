"""Production starts only with what must be chosen, and says what is missing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from config import env
from config.embedded.supervisor import ROOT

GOOD = {
    "TRIALTRACE_SECRET_KEY": "mZ4-kP9_wq7Xv2TbN8sRcY5uHj3LfEa6DgQo1iWt0pVxKzUnJm",
    "TRIALTRACE_ALLOWED_HOSTS": "trials.example.org",
    "DATABASE_URL": "postgresql://trialtrace_app@db.example.org/trialtrace",
}
SHOWN = """
from config.settings import production as chosen
print(chosen.DEBUG, chosen.DEMO, chosen.SESSION_COOKIE_SECURE, chosen.SECURE_SSL_REDIRECT)
"""


def start(**changes: str | None) -> subprocess.CompletedProcess:
    given = {name: value for name, value in (GOOD | changes).items() if value is not None}
    return subprocess.run(
        [sys.executable, "-c", SHOWN],
        env={"PATH": os.environ["PATH"]} | given,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.mark.requirement("R37")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRIALTRACE_SECRET_KEY", None),
        ("TRIALTRACE_SECRET_KEY", "short"),
        ("TRIALTRACE_SECRET_KEY", "x" * 60),
        ("TRIALTRACE_ALLOWED_HOSTS", None),
        ("TRIALTRACE_ALLOWED_HOSTS", " , "),
        ("TRIALTRACE_SSL_REDIRECT", "perhaps"),
        ("DATABASE_URL", None),
        ("DATABASE_URL", "sqlite:///trials.db"),
        ("TRIALTRACE_ARCHIVE", "/srv/archive"),
        ("TRIALTRACE_ARCHIVE", "s3://"),
        ("TRIALTRACE_ARCHIVE", "s3://Upper_Case"),
        ("TRIALTRACE_ARCHIVE", "s3://bucket/../other"),
        ("TRIALTRACE_ARCHIVE", "s3://key:secret@bucket"),
        ("TRIALTRACE_S3_ENDPOINT", "https://s3.example.org"),
        ("TRIALTRACE_S3_REGION", "eu-central-1"),
        ("TRIALTRACE_CACHE_MB", "0"),
        ("TRIALTRACE_CACHE_MB", "plenty"),
    ],
)
def test_production_does_not_start_on_a_weak_or_missing_setting(name, value):
    started = start(**{name: value})
    assert started.returncode != 0
    assert name in started.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "endpoint",
    ["s3.example.org", "http://s3.example.org", "https://s3.example.org/path", "ftp://127.0.0.1"],
)
def test_a_server_of_the_archive_is_named_whole_and_encrypted_beyond_loopback(endpoint):
    started = start(TRIALTRACE_ARCHIVE="s3://bucket", TRIALTRACE_S3_ENDPOINT=endpoint)
    assert started.returncode != 0
    assert "TRIALTRACE_S3_ENDPOINT must read https://" in started.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("archive", "endpoint", "expected"),
    [
        ("s3://bucket", "", ("bucket", "", "", "")),
        ("s3://a.bucket/a/b_1/", "https://s3.example.org:9000/",
         ("a.bucket", "a/b_1", "https://s3.example.org:9000", "")),
        ("s3://bucket", "http://127.0.0.1:9000", ("bucket", "", "http://127.0.0.1:9000", "")),
    ],
)  # fmt: skip
def test_a_bucket_is_read_from_the_environment(monkeypatch, archive, endpoint, expected):
    monkeypatch.setenv("TRIALTRACE_ARCHIVE", archive)
    monkeypatch.setenv("TRIALTRACE_S3_ENDPOINT", endpoint)
    monkeypatch.delenv("TRIALTRACE_S3_REGION", raising=False)
    variables = {"endpoint": "TRIALTRACE_S3_ENDPOINT", "region": "TRIALTRACE_S3_REGION"}
    assert env.bucket("TRIALTRACE_ARCHIVE", **variables) == expected


MAILS = {
    "smtp://ada:p%40ss@mail.example.org": ("mail.example.org", 587, "ada", "p@ss", False, True),
    "smtps://mail.example.org": ("mail.example.org", 465, "", "", True, False),
    "smtp://127.0.0.1:2525": ("127.0.0.1", 2525, "", "", False, False),
}


@pytest.mark.parametrize("address", MAILS)
def test_a_server_of_mail_is_read_from_the_environment(monkeypatch, address):
    found = _mail(monkeypatch, TRIALTRACE_MAIL=address)
    names = ("HOST", "PORT", "HOST_USER", "HOST_PASSWORD", "USE_SSL", "USE_TLS")
    assert tuple(found.settings[f"EMAIL_{name}"] for name in names) == MAILS[address]
    assert (found.sender, found.address) == ("trial@example.org", "https://trial.example.org")


def test_without_a_server_no_mail_leaves(monkeypatch):
    assert _mail(monkeypatch, TRIALTRACE_MAIL="") == ({}, "", "")


@pytest.mark.parametrize(
    "wrong",
    [
        {"TRIALTRACE_MAIL": "mail.example.org"},
        {"TRIALTRACE_MAIL": "http://ada:secret@mail.example.org"},
        {"TRIALTRACE_ADDRESS": "trial.example.org"},
    ],
)
def test_mail_that_can_not_leave_stops_the_start_and_tells_no_password(monkeypatch, wrong):
    with pytest.raises(env.WrongVariable) as stop:
        _mail(monkeypatch, **{"TRIALTRACE_MAIL": "smtp://mail.example.org"} | wrong)
    assert next(iter(wrong)) in str(stop.value)
    assert "secret" not in str(stop.value)


def _mail(monkeypatch, **given: str) -> env.Mail:
    told = {
        "TRIALTRACE_MAIL_FROM": "trial@example.org",
        "TRIALTRACE_ADDRESS": "https://trial.example.org/",
    }
    for name, value in (told | given).items():
        monkeypatch.setenv(name, value)
    return env.mail("TRIALTRACE_MAIL", sender="TRIALTRACE_MAIL_FROM", address="TRIALTRACE_ADDRESS")


@pytest.mark.requirement("R37")
def test_production_is_closed_by_default():
    assert start().stdout.split() == ["False", "False", "True", "True"]


@pytest.mark.requirement("R37")
def test_nothing_of_the_environment_opens_production():
    opened = {"TRIALTRACE_DEBUG": "yes", "DEBUG": "1", "DEMO": "1"}
    assert start(**opened).stdout.split()[:2] == ["False", "False"]


@pytest.mark.requirement("R37")
def test_the_demo_does_not_run_in_production():
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", "--skip-checks"],
        env={"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "config.settings.production"}
        | GOOD,
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("CommandError: The demo brings accounts")
