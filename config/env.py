"""Variables of the environment, read once, typed; a wrong value stops the start by name."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

TRUE = {"1", "true", "yes", "on"}
FALSE = {"0", "false", "no", "off", ""}
SHORTEST_SECRET = 40


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


def words(name: str) -> list[str]:
    found = [word.strip() for word in text(name).split(",") if word.strip()]
    if not found:
        raise WrongVariable(f"{name} must name at least one, separated by commas.")
    return found


def path(name: str, *, default: Path) -> Path:
    return Path(os.environ.get(name, default)).expanduser().absolute()


def mebibytes(name: str, *, default: int) -> int:
    """Bytes from a variable in MiB."""
    value = os.environ.get(name, str(default))
    if not (value.isascii() and value.isdigit() and len(value) < 9):
        raise WrongVariable(f"{name} must be a whole number of MiB, got {value!r}.")
    return int(value) * 2**20


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
