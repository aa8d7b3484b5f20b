"""Judge every kept assessment of a trial again, and say whether it comes to the same."""

from __future__ import annotations

from collections import Counter

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trials.models import Trial
from trials.services import jobs, replays


class Command(BaseCommand):
    help = (
        "Judges the frozen inputs of every assessment of TRIAL again and names each difference "
        "from what was kept. Ends with an error if there is any, or if an assessment was kept "
        "without its inputs (unless --allow-unfrozen)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("trial", metavar="TRIAL", help="identifier, as NCT06125028")
        parser.add_argument(
            "--allow-unfrozen",
            action="store_true",
            help="assessments kept before inputs were frozen are counted and no error",
        )

    def handle(self, *_, **options) -> None:
        trial = Trial.objects.filter(identifier=options["trial"]).first()
        if trial is None:
            known = ", ".join(Trial.objects.values_list("identifier", flat=True)) or "none"
            raise CommandError(f"There is no trial {options['trial']}; known are {known}.")
        counts = Counter(self._told(one) for one in replays.of_trial(trial, by=jobs.system_user()))
        self.stdout.write(
            f"{trial}: {counts['same']} the same, {counts['different']} different, "
            f"{counts['unfrozen']} kept without inputs."
        )
        if counts["different"] or (counts["unfrozen"] and not options["allow_unfrozen"]):
            raise CommandError("Not every assessment comes to the same.")

    def _told(self, replay: replays.Replay) -> str:
        assessment = replay.assessment
        if not replay.is_replayable:
            return "unfrozen"
        for difference in replay.differences:
            self.stdout.write(
                f"{assessment.patient} {assessment.get_gate_display()} of "
                f"{assessment.assessed_at:%Y-%m-%dT%H:%MZ}: {difference}"
            )
        return "same" if replay.is_same else "different"
