"""Variables of the environment, read once, typed; a wrong value stops the start by name."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}
SHORTEST_SECRET = 40
LOOPBACK = {"127.0.0.1", "::1", "localhost"}
# What S3 allows, and of keys what needs no quoting anywhere.
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
PREFIX = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._-]*(?:/[A-Za-z0-9_-][A-Za-z0-9._-]*)*)?")


class WrongVariable(SystemExit):
    """A variable that is missing or can't be what it says; the start ends with this sentence."""


def text(name: str, *, default: str | None = None) -> str:
    value = os.environ.get(name, default)
    if value is None:
        raise WrongVariable(f"{name} is not set, and has no default here.")
    return value


def secret(name: str) -> str:
    value = text(name)
    if len(value) < SHORTEST_SECRET or len(set(value)) < 10:
        raise WrongVariable(f"{name} must be at least {SHORTEST_SECRET} random characters.")
    return value


def flag(name: str, *, default: bool) -> bool:
    value = os.environ.get(name, str(default)).lower()
    if value not in TRUE | FALSE:
        raise WrongVariable(f"{name} must be yes or no, got {value!r}.")
    return value in TRUE


def number(name: str, *, default: int, least: int = 0) -> int:
    """A whole number; the default also where the variable is empty."""
    value = os.environ.get(name, "") or str(default)
    if not (value.isascii() and value.isdigit()) or int(value) < least:
        raise WrongVariable(f"{name} must be a whole number, {least} or more; got {value!r}.")
    return int(value)


def words(name: str) -> list[str]:
    found = [word.strip() for word in text(name).split(",") if word.strip()]
    if not found:
        raise WrongVariable(f"{name} must name at least one, separated by commas.")
    return found


def path(name: str, *, default: Path) -> Path:
    return Path(os.environ.get(name, default)).expanduser().absolute()


def file(name: str) -> Path | None:
    """A file that need not be named; whoever reads it looks what it holds."""
    value = text(name, default="")
    return Path(value).expanduser().absolute() if value else None


class Bucket(NamedTuple):
    """An S3 bucket, what in it is ours, and the server that has it; no endpoint is Amazon's."""

    name: str
    prefix: str
    endpoint: str
    region: str


def bucket(name: str, *, endpoint: str, region: str) -> Bucket | None:
    """A bucket from s3://name/prefix and the variables of its server; None where none is named."""
    if not text(name, default=""):
        for one in (endpoint, region):
            if text(one, default=""):
                raise WrongVariable(f"{one} is set, and {name} names no bucket.")
        return None
    parts = urlsplit(text(name))
    prefix = parts.path.strip("/")
    if parts.scheme != "s3" or not BUCKET.fullmatch(parts.netloc) or not PREFIX.fullmatch(prefix):
        raise WrongVariable(
            f"{name} must read s3://bucket or s3://bucket/prefix, got {text(name)!r}."
        )
    return Bucket(parts.netloc, prefix, _server(endpoint), text(region, default=""))


def _server(name: str) -> str:
    """The address of a server; without encryption on this machine alone."""
    value = text(name, default="")
    parts = urlsplit(value)
    is_plain = parts.scheme == "http" and parts.hostname in LOOPBACK
    is_bare = parts.hostname and not (parts.path.strip("/") or parts.query or parts.username)
    if value and not ((parts.scheme == "https" or is_plain) and is_bare):
        raise WrongVariable(
            f"{name} must read https://host or https://host:port (http:// on loopback alone), "
            f"got {value!r}."
        )
    return value.rstrip("/")


def database(name: str) -> dict:
    """A Django database from postgresql://role:password@host:port/name?host=/socket/folder."""
    parts = urlsplit(text(name))
    query = dict(parse_qsl(parts.query))
    if parts.scheme not in {"postgres", "postgresql"} or len(parts.path) < 2:
        raise WrongVariable(f"{name} must read postgresql://role@host/database.")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or query.pop("user", "")),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or query.pop("port", "")),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": query,
    }


class Mail(NamedTuple):
    """How mail leaves: the settings of Django that say so, and by whom. No sender: none leaves."""

    settings: dict[str, Any]
    sender: str
    address: str


def mail(name: str, *, sender: str, address: str) -> Mail:
    """The server of outgoing mail from smtp://, smtps:// or file://, its sender, our own address.

    smtp:// goes on by STARTTLS; on this machine alone without.
    """
    if not text(name, default=""):
        return Mail({}, "", "")
    parts = urlsplit(text(name))
    ours = urlsplit(text(address))
    if ours.scheme not in {"http", "https"} or not ours.hostname:
        raise WrongVariable(f"{address} must read https://host, for the links in a mail.")
    if parts.scheme == "file" and parts.path:
        where: dict[str, Any] = {
            "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "EMAIL_FILE_PATH": parts.path,
        }
    elif parts.scheme in {"smtp", "smtps"} and parts.hostname:
        where = {
            "EMAIL_HOST": parts.hostname,
            "EMAIL_PORT": parts.port or (465 if parts.scheme == "smtps" else 587),
            "EMAIL_HOST_USER": unquote(parts.username or ""),
            "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
            "EMAIL_USE_SSL": parts.scheme == "smtps",
            "EMAIL_USE_TLS": parts.scheme == "smtp" and parts.hostname not in LOOPBACK,
            "EMAIL_TIMEOUT": 20,
        }
    else:
        raise WrongVariable(
            f"{name} must read smtp://user:password@host, smtps:// or file:///folder."
        )
    return Mail(where, text(sender), text(address).rstrip("/"))
