"""Which SUVs the engine of this release would give otherwise, before it is adopted."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from imaging.services import trying
from trials.models import Trial


class Command(BaseCommand):
    help = (
        "Computes the SUV factor of every measured series of TRIAL anew and compares it with "
        "the one kept. Nothing is written. Exit status: 0 if nothing changes, 3 if something does."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trial", metavar="TRIAL")

    def handle(self, *, trial: str, **_: Any) -> None:
        row = Trial.objects.filter(identifier=trial).first()
        if row is None:
            raise CommandError(f"There is no trial {trial!r}.")
        changed = list(trying.engine(row))
        for one in changed:
            what = f"{one.percent:+.4f} %" if one.percent is not None else one.code or "no number"
            self.stdout.write(
                f"{one.run.series}, run {one.run.run} of {one.run.software_version}: "
                f"{one.before} -> {one.after} ({what})"
            )
        self.stdout.write(f"{len(changed)} runs would change.")
        if changed:
            sys.exit(3)
