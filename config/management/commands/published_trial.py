"""Make the trial whose rows have published counts: `published_trial`, in a demonstration."""

from __future__ import annotations

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.demo import accounts, published
from trials.models import Patient


class Command(BaseCommand):
    help = "Enter rows with the counts of published studies into a trial of their own."

    def handle(self, **_options) -> None:
        if not settings.DEMO:
            raise CommandError("A demonstration's trial: not in production.")
        if not Patient.objects.filter(trial__identifier=accounts.DEMO_TRIAL).exists():
            raise CommandError("The accounts are the demonstration's: run `demo --if-missing`.")
        trial = accounts.prepare_published(published.DEFINITION)
        count = published.build(trial, **published.people())
        self.stdout.write(f"{trial.identifier}: {count} invented patients with published counts.")
        self.stdout.write(f"Reports: /trials/{trial.identifier}/reports/")
