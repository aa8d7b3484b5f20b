"""The main job end to end, over HTTP: `demo`, `demo --series FOLDER`, `demo --if-missing`."""

from __future__ import annotations

import sys
from pathlib import Path

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import env
from config.demo import accounts
from config.demo.narration import Narration, heading, table
from config.demo.team import Team
from trials.models import Patient
from trials.roles import Role

DEFINITIONS = settings.BASE_DIR / "trials" / "definitions"
AMENDMENT = DEFINITIONS / "amendments" / "demo-2.0.yaml"


class Command(BaseCommand):
    help = "Take invented patients, or a folder of DICOM files, through the whole product."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--series", type=Path, help="a folder of DICOM files instead of phantoms")
        what.add_argument(
            "--if-missing", action="store_true", help="the cohort alone, where there is none"
        )

    def handle(self, **options) -> None:
        if not settings.DEMO:
            raise CommandError("The demo brings accounts with a known password: not in production.")
        folder = options["series"]
        if folder and not folder.is_dir():
            raise CommandError(f"{folder} is not a folder.")
        address = env.text("TRIALTRACE_URL")
        if options["if_missing"]:
            return _furnish(address)
        return _show(address, folder)


def _furnish(address: str) -> None:
    """Leave a site with data behind; a site that has patients is left alone."""
    if not Patient.objects.filter(trial__identifier=accounts.DEMO_TRIAL).exists():
        # Phantoms need half a second of imports, which a site that has patients does without.
        from config.demo import (
            cohort_run,
            crossover_run,
            population_run,
            response_run,
            screening_run,
        )

        narration = Narration()
        _prepare(narration)
        cohort_run.build(Team(address), narration)
        screening_run.build(narration)
        crossover_run.build(narration)
        response_run.build(address, narration)
        population_run.build(narration)
    print(heading(f"Demo accounts at {address}"))
    people = [[role, accounts.PEOPLE[role]] for role in Role]
    people += [list(row) for row in accounts.FURTHER_READERS.items()]
    people += [
        [f"{role}{code}", f"{name}, site {code}"]
        for code, held in accounts.ELSEWHERE.items()
        for role, name in held.items()
    ]
    print(table(["username", "name"], people, texts=2))
    print(f"\npassword of each: {accounts.PASSWORD}")


def _show(address: str, folder: Path | None) -> None:
    from config.demo import (
        cohort_run,
        crossover_run,
        population_run,
        response_run,
        screening_run,
        series_run,
    )

    narration, team = Narration(), Team(address)
    results = settings.VAR / "demo"
    results.mkdir(parents=True, exist_ok=True)
    _prepare(narration)
    wrong = 0
    if folder:
        series_run.run(folder.absolute(), team, narration, results)
    else:
        wrong = cohort_run.report(cohort_run.build(team, narration), team, narration, results)
        screening_run.build(narration)
        crossover_run.build(narration)
        response_run.build(team.address, narration)
        population_run.build(narration)
        wrong += screening_run.report(AMENDMENT, narration)
    _print_seconds(narration)
    if wrong:
        sys.exit(f"{wrong} values are outside their tolerance, or verdicts not the same.")


def _prepare(narration: Narration) -> None:
    with narration.step("Trials and accounts"):
        accounts.prepare(DEFINITIONS)
        narration.say("every role has an account; four sites are open")


def _print_seconds(narration: Narration) -> None:
    total = sum(seconds for _, seconds in narration.seconds)
    rows = [[title, f"{seconds:.1f}"] for title, seconds in narration.seconds]
    print(heading("How long it took"))
    print(table(["step", "s"], [*rows, ["together", f"{total:.1f}"]]))
