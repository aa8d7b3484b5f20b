"""Let a site take part in a trial: `add_site TRIAL CODE NAME --time-zone Europe/Berlin`."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandError

from trials.models import Trial
from trials.services import jobs, sites
from trials.services.errors import Refused


class Command(BaseCommand):
    help = "Let a site take part in a trial."

    def add_arguments(self, parser) -> None:
        parser.add_argument("trial", help="identifier of the trial")
        parser.add_argument("code", help="what the patients' numbers begin with, such as 101")
        parser.add_argument("name")
        parser.add_argument("--time-zone", required=True, help="such as Europe/Berlin")

    def handle(self, *_args, **options) -> None:
        trial = Trial.objects.filter(identifier=options["trial"]).first()
        if trial is None:
            raise CommandError(f"No trial {options['trial']}: load its file first, load_trial.")
        given = {name: options[name] for name in ("code", "name", "time_zone")}
        try:
            site = sites.add(trial, by=jobs.system_user(), **given)
        except Refused as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{site} takes part in {trial}.")
