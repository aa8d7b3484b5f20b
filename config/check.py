"""Checks of migrations and API schema: `python -m config.check`; `--write-schema` renews it."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

SCHEMA = Path(__file__).parent / "openapi.yaml"


def main() -> int:
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings.types"
    import django

    django.setup()
    if "--write-schema" in sys.argv:
        SCHEMA.write_text(generated())
        return 0
    return migrations_are_missing() or schema_has_drifted()


def migrations_are_missing() -> int:
    from django.apps import apps
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.state import ProjectState

    loader = MigrationLoader(None)
    if conflicts := loader.detect_conflicts():
        for app, leaves in conflicts.items():
            print(f"{app}: {' and '.join(sorted(leaves))} follow the same migration")
        return 1
    now = ProjectState.from_apps(apps)
    changes = MigrationAutodetector(loader.project_state(), now).changes(graph=loader.graph)
    for app, missing in changes.items():
        print(f"{app}: makemigrations would write {[str(one) for one in missing]}")
    return int(bool(changes))


def schema_has_drifted() -> int:
    if SCHEMA.exists() and SCHEMA.read_text() == generated():
        return 0
    print("config/openapi.yaml is not the schema of this code: make schema, and look at the diff")
    return 1


def generated() -> str:
    from django.core.management import call_command

    out = io.StringIO()
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=out)
    return out.getvalue()


if __name__ == "__main__":
    sys.exit(main())
