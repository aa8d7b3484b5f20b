"""The dependency rules drawn in ARCHITECTURE.md, checked on every run.

A module named in Django's vocabulary (models, views, tasks, …) may use Django. Any other in
an app is pure: the part a physicist or a statistician reads, runs and validates alone.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import said

ROOT = Path(__file__).resolve().parents[1]
APPS = ("trials", "imaging", "reporting", "config")
FRAMEWORK = {"django", "rest_framework", "celery", "drf_spectacular", "axes", "csp", "psycopg"}
CLOCK_AND_IO = {"requests", "socket", "subprocess", "secrets", "random", "urllib"}
DJANGO_NAMES = {
    "admin", "api", "apps", "checks", "forms", "management", "middleware", "migrations",
    "models", "permissions", "selectors", "services", "storage", "tasks", "templatetags",
    "urls", "views",
}  # fmt: skip
# The programs of child processes are the outside of what is pure: they lock themselves down.
OUTSIDE = {"imaging/archive_child.py", "imaging/parser_child.py", "imaging/confinement.py"}
TOP_LEVEL = {"trials", "imaging", "reporting", "config", "tests"}


def imports(source: str, package: tuple[str, ...]) -> Iterator[str]:
    """The dotted name of everything `source` imports, at any depth in the file."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            prefix = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{prefix}.{alias.name}" for alias in node.names)


def upward(app: str, names: Iterator[str]) -> list[str]:
    above = APPS[APPS.index(app) + 1 :]
    return [name for name in names if name.split(".")[0] in above]


def impure(names: Iterator[str]) -> list[str]:
    return [name for name in names if _is_framework(name) or _is_django_module_of_ours(name)]


def _is_framework(name: str) -> bool:
    return name.split(".")[0] in FRAMEWORK | CLOCK_AND_IO


def _is_django_module_of_ours(name: str) -> bool:
    app, *rest = name.split(".")
    return app in APPS and bool(rest) and rest[0] in DJANGO_NAMES


def modules(app: str) -> list[Path]:
    return [path for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts]


def is_pure(path: Path) -> bool:
    relative = path.relative_to(ROOT)
    app, *rest = relative.with_suffix("").parts
    return (
        app != "config"
        and rest[0] not in DJANGO_NAMES | {"__init__"}
        and (relative.as_posix() not in OUTSIDE)
    )


def names_in(path: Path) -> Iterator[str]:
    return imports(path.read_text(), path.relative_to(ROOT).parent.parts)


@pytest.mark.parametrize("app", APPS)
def test_apps_import_downwards_only(app):
    broken = {
        path.relative_to(ROOT).as_posix(): found
        for path in modules(app)
        if (found := upward(app, names_in(path)))
    }
    assert broken == {}


@pytest.mark.parametrize("app", APPS[:-1])
def test_pure_modules_know_no_framework(app):
    broken = {
        path.relative_to(ROOT).as_posix(): found
        for path in filter(is_pure, modules(app))
        if (found := impure(names_in(path)))
    }
    assert broken == {}


def test_there_are_pure_modules_to_guard():
    pure = {path.name for app in APPS[:-1] for path in modules(app) if is_pure(path)}
    assert {"suv.py", "lesions.py", "eligibility.py", "decay.py", "columns.py"} <= pure


def test_an_upward_import_is_seen():
    planted = "def late():\n    from imaging.models import Series\n"
    assert upward("trials", imports(planted, ("trials",))) == ["imaging.models.Series"]


def test_a_relative_import_of_a_model_is_seen():
    assert impure(imports("from .models import Patient", ("trials",))) == ["trials.models.Patient"]


def test_a_framework_import_is_seen():
    assert impure(imports("import django.utils.timezone", ("imaging",))) == [
        "django.utils.timezone"
    ]


def test_no_further_code_folder_at_the_top():
    folders = {
        path.name
        for path in ROOT.iterdir()
        if path.is_dir() and not path.name.startswith(".") and any(path.rglob("*.py"))
    }
    # What a site and the planted faults leave there.
    assert folders - {"var", "mutants"} <= TOP_LEVEL


@pytest.mark.slow
def test_each_service_and_selector_is_imported_by_itself():
    """Another order of imports is another program: a web process, a worker, a command."""
    told = said([sys.executable, "-m", "tests.imported_alone"], cwd=ROOT, timeout=300)
    assert told.endswith("not by themselves: none\n")
