"""Order parked jobs again, after the fault that parked them was mended."""

from __future__ import annotations

from django.core.management.base import BaseCommand, CommandParser

from trials.services import jobs


class Command(BaseCommand):
    help = "Orders every parked job again: three more attempts each. The reason goes on record."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reason", required=True, help="why they may work now")

    def handle(self, *_args, reason: str, **_options) -> None:
        ordered = jobs.order_parked(reason=reason)
        for job in ordered:
            self.stdout.write(f"{job.pk} {job.kind}: ordered again, was: {job.error}")
        self.stdout.write(f"{len(ordered)} ordered again.")
